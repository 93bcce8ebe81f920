"""One request made of a card, accepted or declined."""

from typing import TypeAlias

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.transaction import Transaction


class Outcome(models.TextChoices):
    """Both are final."""

    OK = "ok", _("accepted")
    DECLINED = "declined", _("declined")


class Reason(models.TextChoices):
    """Why staff changed a balance or a card: the closed list of adjustments."""

    CUSTOMER_SERVICE = "customer_service", _("customer service")
    RETURN = "return", _("return of goods")
    CORRECTION = "correction", _("correction of a mistake")
    FRAUD = "fraud", _("suspected fraud")
    LOST = "lost", _("lost or stolen")
    CAMPAIGN = "campaign", _("campaign")
    MIGRATION = "migration", _("migration from another system")
    RECONCILIATION = "reconciliation", _("difference with VTEX")
    OTHER = "other", _("other")


class OperationKind(models.TextChoices):
    """The ledger's verbs."""

    ISSUE = "issue", _("issue")
    CREDIT = "credit", _("credit")
    AUTHORIZE = "authorize", _("authorize")
    SETTLE = "settle", _("settle")
    CANCEL = "cancel", _("cancel")
    EXPIRE = "expire", _("expire")
    ADJUST = "adjust", _("adjust")
    BLOCK = "block", _("block")
    UNBLOCK = "unblock", _("unblock")
    CLOSE = "close", _("close")
    RENEW = "renew", _("renew")
    EXTEND = "extend", _("extend")
    OWNER = "owner", _("change of owner")
    REVERSE = "reverse", _("reverse")
    REVALUE = "revalue", _("new point value")
    TRANSFER = "transfer", _("transfer")


class Operation(models.Model):
    """The record that makes a request happen once, kept for ever and never changed.

    For settle and cancel it is also the protocol's settlement or cancellation, with its `oid`. A
    declined operation moved nothing and answers a repeated request the same way.
    """

    Kind: TypeAlias = OperationKind

    oid = models.CharField(_("operation id"), max_length=32, unique=True, editable=False)
    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        related_name="operations",
        db_index=False,  # the unique constraint begins with the card
        verbose_name=_("gift card"),
    )
    transaction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="operations",
        verbose_name=_("transaction"),
    )
    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
    request_id = models.CharField(_("request id"), max_length=128)
    amount = models.BigIntegerField(_("amount asked for"))
    applied = models.BigIntegerField(_("amount moved"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome)
    decline_code = models.CharField(_("reason of the refusal"), max_length=32, blank=True)
    actor = models.CharField(_("actor"), max_length=64)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created at"))
    reverses = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reversals",
        db_index=False,  # the unique constraint is its index
        verbose_name=_("reverses"),
    )
    # Of a transfer that was received: the one on the other card that sent it.
    counterpart = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="received_as",
        db_index=False,  # the unique constraint is its index
        verbose_name=_("sent as"),
    )

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        ordering = ["-id"]
        permissions = [("reverse_operation", "Can reverse an adjustment")]
        constraints = [
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(outcome="ok", reverses__isnull=False),
                name="operation_reversed_once",
            ),
            models.CheckConstraint(
                condition=(Q(kind="reverse") & Q(reverses__isnull=False))
                | (~Q(kind="reverse") & Q(reverses=None)),
                name="operation_reverses_another",
            ),
            models.UniqueConstraint(
                fields=["counterpart"],
                condition=Q(counterpart__isnull=False),
                name="operation_received_once",
            ),
            models.CheckConstraint(
                condition=Q(counterpart=None) | Q(kind="transfer", outcome="ok"),
                name="operation_received_is_transfer",
            ),
            # The Hub counts by sums: a settlement of another value is another operation.
            models.UniqueConstraint(
                F("card"),
                F("kind"),
                F("request_id"),
                # Not of an authorize or credit: each would open another transaction.
                Case(When(kind__in=["settle", "cancel"], then=F("transaction")), default=Value(0)),
                Case(When(kind__in=["settle", "cancel"], then=F("amount")), default=Value(0)),
                name="operation_happens_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=OperationKind.values) & Q(reason__in=["", *Reason.values]),
                name="operation_choices",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0) & Q(applied__gte=0) & Q(applied__lte=F("amount")),
                name="operation_applies_at_most_amount",
            ),
            models.CheckConstraint(
                condition=Q(outcome="ok", decline_code="")
                | (Q(outcome="declined", applied=0) & ~Q(decline_code="")),
                name="operation_declined_moves_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.oid}"
