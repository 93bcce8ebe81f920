"""What an order earned by a rule, and the ledger's operations that carried it out."""

from typing import TypeAlias

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.earning_rule import Campaign, EarningRule
from loyalty.models.grant import Grant
from loyalty.models.operation import Operation
from loyalty.models.point_value import PointValueChange
from loyalty.models.shop_order import ShopOrder
from loyalty.models.transaction import Transaction


class Earning(models.Model):
    """What one rule gives for one order, or what a campaign adds to it; units of the program.

    They are counted at the point value of the day on which the order was paid, whatever a point is
    worth since: `loyalty.earning.values` says what they come to now.

    `gross` is for the order as it was bought, `due` the part for what the customer keeps. The
    ledger follows: `credited` was put on the wallet, `taken` taken back, `forgiven` is no longer
    asked for (it had expired, or the policy waives it). Until it is credited it is pending; what is
    beyond `due` and could not be taken yet is owed by the customer's next earnings.
    """

    class State(models.TextChoices):
        """Where it is, derived."""

        PENDING = "pending", _("pending")
        CREDITED = "credited", _("credited")
        TAKEN_BACK = "taken_back", _("taken back")
        OWED = "owed", _("partly owed")
        NOTHING = "nothing", _("nothing")

    order = models.ForeignKey(
        ShopOrder,
        models.PROTECT,
        related_name="earnings",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("order"),
    )
    rule = models.ForeignKey(
        EarningRule, models.PROTECT, related_name="earnings", verbose_name=_("rule")
    )
    campaign = models.ForeignKey(
        Campaign,
        models.PROTECT,
        null=True,
        related_name="earnings",
        verbose_name=_("campaign"),
    )
    gross = models.BigIntegerField(_("earned"))
    due = models.BigIntegerField(_("due"))
    credited = models.BigIntegerField(_("credited"), default=0)
    taken = models.BigIntegerField(_("taken back"), default=0)
    forgiven = models.BigIntegerField(_("not asked for"), default=0)
    usable_at = models.DateTimeField(_("usable from"), null=True)
    validity_days = models.PositiveIntegerField(_("validity in days"), null=True)
    problem = models.CharField(_("problem"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("earning")
        verbose_name_plural = _("earnings")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "rule", "campaign"],
                nulls_distinct=False,
                name="earning_once",
            ),
            models.CheckConstraint(
                condition=Q(due__gte=0) & Q(due__lte=F("gross")), name="earning_due"
            ),
            models.CheckConstraint(
                condition=Q(taken__gte=0)
                & Q(forgiven__gte=0)
                & Q(credited__gte=F("taken") + F("forgiven")),
                name="earning_within_credit",
            ),
        ]
        indexes = [
            models.Index(
                fields=["rule"],
                condition=Q(due__gt=F("credited") - F("taken") - F("forgiven")),
                name="earning_pending",
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.rule_id}"

    @property
    def net(self) -> int:
        """What the customer has had of it, and was neither taken back nor forgiven."""
        return self.credited - self.taken - self.forgiven

    @property
    def pending(self) -> int:
        """What is still to be credited."""
        return max(self.due - self.net, 0)

    @property
    def owed(self) -> int:
        """What is to be taken back and could not be yet."""
        return max(self.net - self.due, 0)

    @property
    def state(self) -> "Earning.State":
        """The earning in one word."""
        if self.pending:
            return self.State.PENDING
        if self.owed:
            return self.State.OWED
        if self.net:
            return self.State.CREDITED
        return self.State.TAKEN_BACK if self.gross else self.State.NOTHING


class MovementKind(models.TextChoices):
    """What the ledger is asked for."""

    CREDIT = "credit", _("credit")
    TAKE_BACK = "take_back", _("take back")


class EarningMovement(models.Model):
    """One step of an earning: written before the ledger is asked, so that it is asked once.

    `request_id` and `units` never change, so the ledger answers a repeated step as the first time.
    A take-back names the `credit` whose grant it is taken from: the earning's own, or a later one
    that pays what is owed; and the `grant` itself where it is what a higher point value added.

    `units` are the ledger's, `worth` the same as the earning counts them (None: the same number),
    both by the program's last change of the point value when it was planned (`point_value`).
    """

    Kind: TypeAlias = MovementKind

    class Status(models.TextChoices):
        """Refused moved nothing and is final; another one may follow."""

        PLANNED = "planned", _("planned")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")

    earning = models.ForeignKey(
        Earning,
        models.PROTECT,
        related_name="movements",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("earning"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=9, choices=MovementKind)
    units = models.BigIntegerField(_("amount"))
    worth = models.BigIntegerField(_("as the earning counts it"), null=True)
    point_value = models.ForeignKey(
        PointValueChange,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("last change of the point value"),
    )
    request_id = models.CharField(_("request id"), max_length=128, unique=True)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, related_name="+", verbose_name=_("gift card")
    )
    valid_from = models.DateTimeField(_("usable from"), null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    credit = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        related_name="earning_movements",
        verbose_name=_("credit"),
    )
    grant = models.ForeignKey(
        Grant,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("grant"),
    )
    operation = models.ForeignKey(
        Operation, models.PROTECT, null=True, related_name="+", verbose_name=_("operation")
    )
    status = models.CharField(_("status"), max_length=7, choices=Status, default=Status.PLANNED)
    refusal = models.CharField(_("reason of the refusal"), max_length=32, blank=True)
    # Whether it was looked at when it had become usable, for the message that may say so.
    is_usable_noted = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("movement of an earning")
        verbose_name_plural = _("movements of earnings")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["earning", "number"], name="earning_movement_number"),
            models.CheckConstraint(
                condition=Q(units__gt=0)
                & Q(kind__in=["credit", "take_back"])
                & Q(status__in=["planned", "done", "refused"]),
                name="earning_movement_choices",
            ),
            models.CheckConstraint(
                condition=Q(kind="credit", valid_from__isnull=False)
                | Q(kind="take_back", credit__isnull=False),
                name="earning_movement_names_its_credit",
            ),
            models.CheckConstraint(
                condition=Q(worth=None) | Q(worth__gt=0), name="earning_movement_worth"
            ),
            models.CheckConstraint(
                condition=Q(status="done", credit__isnull=False, refusal="")
                | Q(status="planned", refusal="")
                | (Q(status="refused") & ~Q(refusal="")),
                name="earning_movement_status",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(status="planned"), name="earning_movement_planned"
            ),
            models.Index(
                fields=["valid_from", "id"],
                condition=Q(kind="credit", status="done", is_usable_noted=False),
                name="earning_movement_to_note",
            ),
        ]

    def __str__(self) -> str:
        return self.request_id

    @property
    def counted(self) -> int:
        """What it changes of the earning."""
        return self.units if self.worth is None else self.worth
