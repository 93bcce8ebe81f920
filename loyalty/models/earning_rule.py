"""How a program's customers earn: its policy, its rules and its campaigns."""

import datetime
from decimal import Decimal
from typing import TypeAlias

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.models.program import Program
from loyalty.money import exponent_of


class EarningPolicy(models.Model):
    """What holds for all earnings of a program; a program without one gives nothing by itself.

    What is earned waits until `usable_after_days` after the order was invoiced or delivered. What
    was spent before its goods came back is waived, or taken from what is earned next.
    """

    class UsableFrom(models.TextChoices):
        """What the days are counted from."""

        INVOICE = "invoice", _("the invoice")
        DELIVERY = "delivery", _("the delivery")

    class TakeBack(models.TextChoices):
        """What becomes of earnings that were spent, when the goods come back."""

        WAIVE = "waive", _("waived: the customer keeps what was spent")
        OWE = "owe", _("owed: taken from what is earned next")

    program = models.OneToOneField(
        Program, models.PROTECT, related_name="earning_policy", verbose_name=_("program")
    )
    usable_from = models.CharField(
        _("days are counted from"), max_length=8, choices=UsableFrom, default=UsableFrom.INVOICE
    )
    usable_after_days = models.PositiveSmallIntegerField(
        _("usable after days"), default=7, validators=[MaxValueValidator(365)]
    )
    undelivered_days = models.PositiveSmallIntegerField(
        _("taken as delivered after days"),
        default=30,
        validators=[MaxValueValidator(365)],
        help_text=_("After the invoice, when no carrier reports the delivery."),
    )
    take_back = models.CharField(
        _("what was already spent is"), max_length=5, choices=TakeBack, default=TakeBack.WAIVE
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("earning policy")
        verbose_name_plural = _("earning policies")
        ordering = ["program"]
        constraints = [
            models.CheckConstraint(
                condition=Q(usable_from__in=["invoice", "delivery"])
                & Q(take_back__in=["waive", "owe"]),
                name="earning_policy_choices",
            ),
        ]

    def __str__(self) -> str:
        return str(self.program)

    def usable_at(
        self, invoiced_at: datetime.datetime | None, delivered_at: datetime.datetime | None
    ) -> datetime.datetime | None:
        """When the earnings of an order become usable; None while that is not known."""
        if invoiced_at is None:
            return None
        days = datetime.timedelta(days=self.usable_after_days)
        if self.usable_from == self.UsableFrom.INVOICE:
            return invoiced_at + days
        # A delivery reported after that changes nothing any more: the outcome must not depend on
        # when somebody looked.
        assumed = invoiced_at + datetime.timedelta(days=self.undelivered_days)
        if delivered_at is None and assumed > timezone.now():
            return None
        return min(delivered_at or assumed, assumed) + days


class RulePeriod(models.TextChoices):
    """The calendar, in the store's time zone, over which a rule's cap counts."""

    DAY = "day", _("a day")
    MONTH = "month", _("a month")
    YEAR = "year", _("a year")


class EarningRule(models.Model):
    """What an order earns. Once switched on it never changes, but for its end.

    Either `percent` of the eligible value, or `points` for each `per_amount` of it (in the
    currency's smallest digits). What comes out is rounded down to a whole point, or to the
    currency's smallest digits: `unit`, in units of the program, as it was when switched on.

    Empty conditions let everything pass. Caps are in units of the program. Rules are looked at by
    `priority`, lowest number first; after an exclusive one that gave something, no other does.
    """

    Period: TypeAlias = RulePeriod

    program = models.ForeignKey(
        Program, models.PROTECT, related_name="earning_rules", verbose_name=_("program")
    )
    name = models.CharField(_("name"), max_length=100)
    percent = models.DecimalField(
        _("percent of the value"),
        max_digits=7,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(100)],
    )
    points = models.PositiveIntegerField(_("points"), null=True, blank=True)
    per_amount = models.PositiveBigIntegerField(_("for each amount of"), null=True, blank=True)
    unit = models.PositiveBigIntegerField(
        _("units it is rounded down to"), null=True, editable=False
    )
    point_units = models.PositiveBigIntegerField(_("units of a point"), null=True, editable=False)
    includes_shipping = models.BooleanField(_("also on shipping"), default=False)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    channels = models.JSONField(_("sales channels"), default=list, blank=True)
    categories = models.JSONField(_("categories"), default=list, blank=True)
    brands = models.JSONField(_("brands"), default=list, blank=True)
    skus = models.JSONField(_("SKUs"), default=list, blank=True)
    payment_systems = models.JSONField(_("payment systems"), default=list, blank=True)
    minimum = models.PositiveBigIntegerField(_("smallest eligible value"), null=True, blank=True)
    first_order_only = models.BooleanField(_("only on the first order"), default=False)
    tiers = models.JSONField(_("tiers of the customer"), default=list, blank=True)
    cap_per_order = models.PositiveBigIntegerField(_("at most for an order"), null=True, blank=True)
    cap_per_period = models.PositiveBigIntegerField(
        _("at most for a customer in the period"), null=True, blank=True
    )
    period = models.CharField(_("period"), max_length=5, choices=RulePeriod, blank=True)
    priority = models.PositiveSmallIntegerField(_("priority"), default=100)
    is_exclusive = models.BooleanField(
        _("excludes the rules after it"),
        default=False,
        help_text=_("When it gives something, no rule with a higher number gives anything."),
    )
    switched_on_at = models.DateTimeField(_("switched on at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        ordering = ["program", "priority", "id"]
        permissions = [("switch_earning", "Can switch earning rules and campaigns on and off")]
        constraints = [
            models.CheckConstraint(
                # NULL would pass a comparison.
                condition=Q(percent__isnull=False, percent__gt=0, points=None, per_amount=None)
                | Q(
                    percent=None,
                    points__isnull=False,
                    points__gt=0,
                    per_amount__isnull=False,
                    per_amount__gt=0,
                ),
                name="earning_rule_percent_or_points",
            ),
            models.CheckConstraint(
                condition=Q(points=None)
                | Q(switched_on_at=None)
                | Q(point_units__isnull=False, point_units__gt=0),
                name="earning_rule_points_are_worth",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
                name="earning_rule_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(cap_per_period=None, period="")
                | Q(cap_per_period__isnull=False, period__in=["day", "month", "year"]),
                name="earning_rule_period",
            ),
            models.CheckConstraint(
                condition=Q(switched_on_at=None, unit=None)
                | Q(switched_on_at__isnull=False, unit__isnull=False, unit__gt=0),
                name="earning_rule_unit",
            ),
        ]
        indexes = [models.Index(fields=["program", "starts_at"], name="earning_rule_by_start")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_on(self) -> bool:
        """Whether somebody switched it on; its dates are another matter."""
        return self.switched_on_at is not None


class Campaign(models.Model):
    """For some time the rules of a program give more: `multiplier` times as much.

    Of several at once the strongest counts. `budget` is the most that it adds over all customers,
    `used` what it has added so far and was not taken back, both in units of the program. Once
    switched on it never changes, but for its end and a higher budget.
    """

    program = models.ForeignKey(
        Program, models.PROTECT, related_name="campaigns", verbose_name=_("program")
    )
    name = models.CharField(_("name"), max_length=100)
    multiplier = models.DecimalField(
        _("times as much"),
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("1.01")), MaxValueValidator(100)],
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    budget = models.PositiveBigIntegerField(_("budget"), null=True, blank=True)
    used = models.BigIntegerField(_("used"), default=0, editable=False)
    switched_on_at = models.DateTimeField(_("switched on at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["program", "-starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(multiplier__gt=1), name="campaign_gives_more"),
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="campaign_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0) & (Q(budget=None) | Q(used__lte=F("budget"))),
                name="campaign_within_budget",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def smallest_unit(program: Program) -> int:
    """What earnings are rounded down to: a point, or the currency's smallest digits, in units."""
    if program.point_units is not None:
        return program.point_units
    return int(10 ** (program.exponent - exponent_of(program.store.currency)))
