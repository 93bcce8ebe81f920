"""A kind of credit that a store gives."""

import datetime
from decimal import Decimal

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.grant import Funding
from loyalty.models.store import Store
from loyalty.money import FINER_DIGITS, exponent_of, to_decimal


class Program(models.Model):
    """The defaults of the cards issued under it; changing them changes no card that exists.

    A points program counts in units finer than the currency: a point worth R$ 0.0025 is 25 units of
    R$ 0.0001 (`finer_digits` 2, `point_units` 25). Points are only a way to read the money.
    """

    class Kind(models.TextChoices):
        """What the credit is, which is also what finance calls it."""

        GIFT_CARD = "gift_card", _("gift card")
        RETURN_CREDIT = "return_credit", _("return credit")
        LOYALTY = "loyalty", _("loyalty wallet")
        PROMOTION = "promotion", _("promotion")

    class CodeIn(models.TextChoices):
        """How the message about a new card leads to its code."""

        LINK = "link", _("a link to a page that shows it")
        CODE = "code", _("the code itself")

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="programs", verbose_name=_("store")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    name = models.CharField(_("name"), max_length=100)
    caption = models.CharField(
        _("caption"), max_length=100, blank=True, help_text=_("The name that shoppers see.")
    )
    relation_name = models.CharField(
        _("relation name"),
        max_length=100,
        blank=True,
        help_text=_('"loyalty-program" makes checkout list the card as loyalty credit.'),
    )
    funding = models.CharField(_("funding"), max_length=12, choices=Funding, default=Funding.PAID)
    validity_days = models.PositiveIntegerField(
        _("validity in days"),
        null=True,
        blank=True,
        help_text=_("Empty: the credit never expires."),
    )
    is_restricted = models.BooleanField(_("only for its owner"), default=False)
    is_reloadable = models.BooleanField(_("takes more than one credit"), default=False)
    is_reusable = models.BooleanField(_("allows more than one purchase"), default=True)
    terms = models.TextField(_("terms"), blank=True)
    terms_version = models.CharField(_("version of the terms"), max_length=20, blank=True)
    unit_name = models.CharField(
        _("unit name"),
        max_length=30,
        blank=True,
        help_text=_("Empty: the program counts in money."),
    )
    finer_digits = models.PositiveSmallIntegerField(
        _("digits finer than the currency"), default=0, validators=[MaxValueValidator(FINER_DIGITS)]
    )
    point_units = models.PositiveBigIntegerField(_("units of a point"), null=True, blank=True)
    announces_issue = models.BooleanField(_("writes to the owner of a new card"), default=False)
    announces_credit = models.BooleanField(_("writes when credit is received"), default=False)
    reminds_30_days = models.BooleanField(_("reminds 30 days before credit expires"), default=False)
    reminds_7_days = models.BooleanField(_("reminds 7 days before credit expires"), default=False)
    code_in_message = models.CharField(
        _("how the owner gets the code"), max_length=4, choices=CodeIn, default=CodeIn.LINK
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        ordering = ["store", "name"]
        constraints = [
            models.UniqueConstraint(fields=["store", "kind", "name"], name="program_name_in_store"),
            models.CheckConstraint(
                condition=models.Q(finer_digits__lte=FINER_DIGITS), name="program_finer_digits"
            ),
            models.CheckConstraint(
                condition=models.Q(point_units=None) | models.Q(point_units__gt=0),
                name="program_point_is_worth_something",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def exponent(self) -> int:
        """Digits of the units that this program's cards count in, in the store's currency."""
        return exponent_of(self.store.currency) + self.finer_digits

    @property
    def point_value(self) -> Decimal | None:
        """What a point is worth in major units; None when the program counts in money."""
        if self.point_units is None:
            return None
        return to_decimal(self.point_units, exponent=self.exponent)

    def expiry_after(self, instant: datetime.datetime) -> datetime.datetime | None:
        """The end of the last day of credit given at `instant`, in the store's zone, if any."""
        if self.validity_days is None:
            return None
        day = instant.astimezone(self.store.zone).date()
        return self.store.last_instant(day + datetime.timedelta(days=self.validity_days))
