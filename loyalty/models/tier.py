"""The tiers of a program: what they give, who has which, and how that came about."""

from typing import TypeAlias

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.customer import Customer
from loyalty.models.program import Program

LONGEST_DAYS = 1830


class TierBasis(models.TextChoices):
    """What a scheme adds up (`loyalty.earning.tiers.Basis`)."""

    SPEND = "spend", _("the value of goods bought and kept")
    POINTS = "points", _("what rules gave, without campaigns")


class TierPeriod(models.TextChoices):
    """Over which time (`loyalty.earning.tiers.Period`)."""

    ROLLING = "rolling", _("the last days")
    MONTH = "month", _("a calendar month, and the next one")
    YEAR = "year", _("a calendar year, and the next one")


class TierCause(models.TextChoices):
    """Why a customer has a tier (`loyalty.earning.tiers.Because`)."""

    REACHED = "reached", _("reached")
    GRACE = "grace", _("kept during the days of grace")
    GRANTED = "granted", _("granted by staff")
    NOTHING = "nothing", _("nothing reached")


class TierScheme(models.Model):
    """The tiers of a program from a day on, until the next scheme that is switched on begins.

    `tiers` is a list of `name`, `threshold` (of spend in the currency's smallest digits, of points
    in units of the program), `multiplier` (decimal text) and `validity_days` (null: as the program
    says), lowest first. A name means the same tier in every scheme. Once switched on it never
    changes: an order is judged by what was promised when it was paid.
    """

    Basis: TypeAlias = TierBasis
    Period: TypeAlias = TierPeriod

    program = models.ForeignKey(
        Program, models.PROTECT, related_name="tier_schemes", verbose_name=_("program")
    )
    basis = models.CharField(
        _("what counts"), max_length=6, choices=TierBasis, default=TierBasis.SPEND
    )
    period = models.CharField(
        _("over which time"), max_length=7, choices=TierPeriod, default=TierPeriod.ROLLING
    )
    days = models.PositiveSmallIntegerField(
        _("days that count"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)],
    )
    grace_days = models.PositiveSmallIntegerField(
        _("days of grace"),
        default=30,
        validators=[MaxValueValidator(LONGEST_DAYS)],
        help_text=_("So long a tier is kept after it would be lost."),
    )
    starts_at = models.DateTimeField(_("from"))
    tiers = models.JSONField(_("tiers"), default=list)
    switched_on_at = models.DateTimeField(_("switched on at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("tier scheme")
        verbose_name_plural = _("tier schemes")
        ordering = ["program", "-starts_at", "-id"]
        permissions = [("switch_tierscheme", "Can switch tier schemes on")]
        constraints = [
            models.CheckConstraint(
                condition=Q(basis__in=TierBasis.values), name="tier_scheme_basis"
            ),
            models.CheckConstraint(
                # NULL would pass a comparison.
                condition=Q(period="rolling", days__isnull=False, days__gt=0)
                | Q(period__in=["month", "year"], days=None),
                name="tier_scheme_period",
            ),
        ]
        indexes = [models.Index(fields=["program", "starts_at"], name="tier_scheme_by_start")]

    def __str__(self) -> str:
        return ", ".join(tier["name"] for tier in self.tiers) or str(self.pk)

    @property
    def is_on(self) -> bool:
        """Whether somebody switched it on; when it begins is another matter."""
        return self.switched_on_at is not None


class TierGrant(models.Model):
    """A tier that staff gave a customer until an instant, whatever was bought.

    The newest one counts; one of no tier ends those before it. The database refuses to rewrite it.
    """

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="tier_grants",
        db_index=False,  # the index begins with it
        verbose_name=_("customer"),
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="tier_grants", verbose_name=_("program")
    )
    tier = models.CharField(_("tier"), max_length=50, blank=True)
    until = models.DateTimeField(_("until"), null=True)
    reason = models.CharField(_("reason"), max_length=300)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("given by")
    )
    request_id = models.CharField(_("request id"), max_length=128, unique=True)
    given_at = models.DateTimeField(_("given at"))

    class Meta:
        verbose_name = _("granted tier")
        verbose_name_plural = _("granted tiers")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(tier="", until=None)
                | (~Q(tier="") & Q(until__isnull=False, until__gt=F("given_at"))),
                name="tier_grant_until",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="tier_grant_reason"),
        ]
        indexes = [
            models.Index(fields=["customer", "program", "given_at"], name="tier_grant_of_customer")
        ]

    def __str__(self) -> str:
        return self.tier or str(self.pk)


class TierStanding(models.Model):
    """The tier that a customer has as far as is known; worked out again from the orders.

    `since` is when the tier began in our books. `review_at` is when time alone changes it.
    """

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="tier_standings",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("customer"),
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="tier_standings", verbose_name=_("program")
    )
    tier = models.CharField(_("tier"), max_length=50, blank=True)
    cause = models.CharField(
        _("how it came about"), max_length=7, choices=TierCause, default=TierCause.NOTHING
    )
    counted = models.BigIntegerField(_("counted"), default=0)
    since = models.DateTimeField(_("since"))
    judged_at = models.DateTimeField(_("judged at"))
    review_at = models.DateTimeField(_("changes at"), null=True)

    class Meta:
        verbose_name = _("tier of a customer")
        verbose_name_plural = _("tiers of customers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "program"], name="tier_standing_once"),
            models.CheckConstraint(
                condition=Q(cause__in=TierCause.values), name="tier_standing_cause"
            ),
        ]
        indexes = [
            models.Index(
                fields=["review_at"],
                condition=Q(review_at__isnull=False),
                name="tier_standing_to_review",
            ),
            models.Index(fields=["program", "judged_at"], name="tier_standing_judged"),
            models.Index(fields=["program", "tier"], name="tier_standing_by_tier"),
        ]

    def __str__(self) -> str:
        return self.tier or str(self.pk)


class TierChange(models.Model):
    """A customer's tier became another one: kept for ever, in the turn in which it was found.

    `at` is when it was found. What an order or return that arrived late changes is found then, and
    is another change; no row is ever rewritten.
    """

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="tier_changes",
        db_index=False,  # the index begins with it
        verbose_name=_("customer"),
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="tier_changes", verbose_name=_("program")
    )
    before = models.CharField(_("before"), max_length=50, blank=True)
    after = models.CharField(_("after"), max_length=50, blank=True)
    cause = models.CharField(_("how it came about"), max_length=7, choices=TierCause)
    counted = models.BigIntegerField(_("counted"))
    scheme = models.ForeignKey(
        TierScheme, models.PROTECT, null=True, related_name="+", verbose_name=_("tier scheme")
    )
    grant = models.ForeignKey(
        TierGrant, models.PROTECT, null=True, related_name="+", verbose_name=_("granted tier")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("change of tier")
        verbose_name_plural = _("changes of tier")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(before=F("after")), name="tier_change_is_one"),
            models.CheckConstraint(
                condition=Q(cause__in=TierCause.values), name="tier_change_cause"
            ),
        ]
        indexes = [models.Index(fields=["customer", "program", "id"], name="tier_change_of")]

    def __str__(self) -> str:
        return f"{self.before or '-'} → {self.after or '-'}"
