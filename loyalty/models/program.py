"""A kind of credit that a store gives."""

import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.models.grant import Funding
from loyalty.models.store import Store
from loyalty.money import FINER_DIGITS, exponent_of, to_decimal
from loyalty.redemption import RedemptionRule


def _money(verbose_name: StrOrPromise, **options: Any) -> models.DecimalField[Any, Any]:
    """An amount of the store's currency that may be left out."""
    return models.DecimalField(
        verbose_name,
        max_digits=17,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        **options,
    )


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
    # On cards whose money is still to be adjusted to another point value (`PointValueChange`).
    point_units_before = models.PositiveBigIntegerField(
        _("units of a point before"), null=True, editable=False
    )
    announces_issue = models.BooleanField(_("writes to the owner of a new card"), default=False)
    announces_credit = models.BooleanField(_("writes when credit is received"), default=False)
    reminds_30_days = models.BooleanField(_("reminds 30 days before credit expires"), default=False)
    reminds_7_days = models.BooleanField(_("reminds 7 days before credit expires"), default=False)
    announces_earned = models.BooleanField(
        _("writes when an order is paid that earns something"), default=False, db_default=False
    )
    announces_usable = models.BooleanField(
        _("writes when what an order earned becomes usable"), default=False, db_default=False
    )
    announces_tier = models.BooleanField(
        _("writes when a tier is reached"), default=False, db_default=False
    )
    # Since when: what happened before is no news.
    announces_earned_since = models.DateTimeField(null=True, editable=False)
    announces_usable_since = models.DateTimeField(null=True, editable=False)
    code_in_message = models.CharField(
        _("how the owner gets the code"), max_length=4, choices=CodeIn, default=CodeIn.LINK
    )
    redemption_minimum_cart = _money(
        _("smallest order that it pays"),
        help_text=_("Smaller orders are paid without this credit. Shipping counts."),
    )
    redemption_percent = models.DecimalField(
        _("largest share of an order in percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(100)],
    )
    redemption_counts_shipping = models.BooleanField(
        _("the share is also of shipping"), default=True, db_default=True
    )
    redemption_minimum = _money(_("smallest payment"))
    redemption_maximum = _money(_("largest payment of an order"))
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
            *(
                models.CheckConstraint(
                    condition=models.Q(**{name: True, f"{name}_since__isnull": False})
                    | models.Q(**{name: False, f"{name}_since__isnull": True}),
                    name=f"program_{name}_since",
                )
                for name in ("announces_earned", "announces_usable")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep since when the news of orders are on: what happened before is none."""
        for name in ("announces_earned", "announces_usable"):
            since = f"{name}_since"
            if not getattr(self, name):
                setattr(self, since, None)
            elif getattr(self, since) is None:
                setattr(self, since, timezone.now())
            if kwargs.get("update_fields") is not None and name in kwargs["update_fields"]:
                kwargs["update_fields"] = [*kwargs["update_fields"], since]
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Amounts no finer than the currency; a smallest payment below the largest."""
        super().clean()
        digits = exponent_of(self.store.currency) if self.store_id else None
        for name in ("redemption_minimum_cart", "redemption_minimum", "redemption_maximum"):
            amount = getattr(self, name)
            if digits is not None and amount is not None and amount != round(amount, digits):
                message = _("%(currency)s has no more than %(digits)s decimal places.")
                named = {"currency": self.store.currency, "digits": digits}
                raise ValidationError({name: ValidationError(message, params=named)})
        least, most = self.redemption_minimum, self.redemption_maximum
        if least is not None and most is not None and least > most:
            message = _("The smallest payment is larger than the largest.")
            raise ValidationError({"redemption_minimum": message})

    @property
    def redemption(self) -> RedemptionRule:
        """How much of an order this credit may pay."""
        return RedemptionRule(
            self.redemption_minimum_cart,
            self.redemption_percent,
            self.redemption_counts_shipping,
            self.redemption_minimum,
            self.redemption_maximum,
        )

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

    def expiry_after(
        self, instant: datetime.datetime, *, days: int | None = None
    ) -> datetime.datetime | None:
        """The end of the last day of credit given at `instant`, in the store's zone, if any.

        It is valid for as long as the program says, or for other `days`.
        """
        days = self.validity_days if days is None else days
        if days is None:
            return None
        day = instant.astimezone(self.store.zone).date()
        return self.store.last_instant(day + datetime.timedelta(days=days))
