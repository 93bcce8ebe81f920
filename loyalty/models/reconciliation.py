"""One comparison of our books with a store's record of orders, and each difference found."""

from typing import TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.job import Job
from loyalty.models.store import Store
from loyalty.models.transaction import Transaction


class ReconciliationRun(models.Model):
    """A window of time compared; `compared_until` says how far, so that it can go on there.

    `progress` is where the rest of the work stands, `counts` what was seen and found, by name.
    """

    class Status(models.TextChoices):
        """Where it is."""

        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Source(models.TextChoices):
        """Where the other side's figures come from."""

        ORDERS = "orders", _("the store's orders")
        FILE = "file", _("a file")

    class By(models.TextChoices):
        """Which date the window is about."""

        AUTHORIZED = "authorized", _("authorized")
        CHANGED = "changed", _("changed")

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="reconciliation_runs", verbose_name=_("store")
    )
    source = models.CharField(_("compared with"), max_length=6, choices=Source)
    by = models.CharField(_("window of what was"), max_length=10, choices=By)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"))
    compared_until = models.DateTimeField(_("compared until"))
    status = models.CharField(
        _("status"), max_length=7, choices=Status, default=Status.RUNNING, editable=False
    )
    progress = models.JSONField(_("progress"), default=dict, editable=False)
    counts = models.JSONField(_("counts"), default=dict, editable=False)
    calls = models.BigIntegerField(_("calls made"), default=0, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("comparison")
        verbose_name_plural = _("comparisons")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    since__lt=F("until"),
                    compared_until__gte=F("since"),
                    compared_until__lte=F("until"),
                ),
                name="reconciliation_window",
            ),
            models.CheckConstraint(
                condition=Q(status="running", finished_at=None)
                | Q(status__in=["done", "failed"], finished_at__isnull=False),
                name="reconciliation_status",
            ),
            models.CheckConstraint(condition=Q(calls__gte=0), name="reconciliation_calls"),
        ]

    def __str__(self) -> str:
        return f"{self.store_id} {self.since:%Y-%m-%d}..{self.until:%Y-%m-%d}"

    @property
    def percent(self) -> int:
        """How much of the window is compared, from 0 to 100."""
        whole = (self.until - self.since).total_seconds()
        return int(100 * (self.compared_until - self.since).total_seconds() / whole)


class ReconciliationFile(models.Model):
    """The file that a run compares with, sealed; emptied when the run is over."""

    run = models.OneToOneField(
        ReconciliationRun,
        models.PROTECT,
        primary_key=True,
        related_name="file",
        verbose_name=_("comparison"),
    )
    name = models.CharField(_("file name"), max_length=200)
    content = models.BinaryField(_("sealed content"))

    class Meta:
        verbose_name = _("file of a comparison")
        verbose_name_plural = _("files of comparisons")

    def __str__(self) -> str:
        return self.name


class DiscrepancyKind(models.TextChoices):
    """What may be different."""

    PAYMENT_WITHOUT_DEBIT = "payment_without_debit", _("payment without a purchase here")
    DEBIT_WITHOUT_ORDER = "debit_without_order", _("purchase here without an order")
    CANCELED_BUT_HELD = "canceled_but_held", _("canceled there, not given back here")
    REFUND = "refund", _("another amount given back")
    SETTLEMENT = "settlement", _("another amount settled")
    FIGURES = "figures", _("another amount, currency, card or id")
    DOUBLE_DEBIT = "double_debit", _("paid twice with the same card")
    REWARD = "reward", _("reward missing or given twice")


class Discrepancy(models.Model):
    """One difference, found as often as it is there: `key` tells it from all others of its kind.

    `ours` and `theirs` are the figures of both sides, `evidence` is where they come from; no
    personal data. It closes itself when a later run finds it gone, and opens again when it is back.
    """

    Kind: TypeAlias = DiscrepancyKind

    class Status(models.TextChoices):
        """Ignored stays ignored as long as the figures are those that were ignored."""

        OPEN = "open", _("open")
        IGNORED = "ignored", _("ignored")
        CLOSED = "closed", _("closed")

    class Severity(models.IntegerChoices):
        """How bad it is for whom."""

        LOW = 1, _("to look at")
        MEDIUM = 2, _("money is stuck")
        HIGH = 3, _("money is missing")

    class Remedy(models.TextChoices):
        """What would put it right; a person decides."""

        NONE = "none", _("none proposed")
        RELEASE = "release", _("release what is held")
        REFUND = "refund", _("give back")
        SETTLE = "settle", _("settle")
        TAKE_BACK = "take_back", _("take the credit back")

    store = models.ForeignKey(
        Store,
        models.PROTECT,
        related_name="discrepancies",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("store"),
    )
    kind = models.CharField(_("kind"), max_length=24, choices=DiscrepancyKind)
    key = models.CharField(_("key"), max_length=128)
    severity = models.PositiveSmallIntegerField(_("severity"), choices=Severity)
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount at risk"))
    ours = models.JSONField(_("our figures"), default=dict)
    theirs = models.JSONField(_("the store's figures"), default=dict)
    evidence = models.JSONField(_("evidence"), default=dict)
    remedy = models.CharField(_("remedy"), max_length=9, choices=Remedy, default=Remedy.NONE)
    remedy_units = models.BigIntegerField(_("units of the remedy"), default=0)
    status = models.CharField(_("status"), max_length=7, choices=Status, default=Status.OPEN)
    order_group = models.CharField(_("order"), max_length=64, blank=True)
    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        null=True,
        related_name="discrepancies",
        verbose_name=_("gift card"),
    )
    transaction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        related_name="discrepancies",
        verbose_name=_("transaction"),
    )
    run = models.ForeignKey(
        ReconciliationRun,
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("first found by"),
    )
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    reopened = models.PositiveIntegerField(_("times it came back"), default=0)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="discrepancies",
        verbose_name=_("assigned to"),
    )
    note = models.CharField(_("note"), max_length=500, blank=True)
    ignored_because = models.CharField(_("why it is ignored"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["store", "kind", "key"], name="discrepancy_once"),
            models.CheckConstraint(
                condition=Q(kind__in=DiscrepancyKind.values)
                & Q(severity__in=[1, 2, 3])
                & Q(remedy__in=["none", "release", "refund", "settle", "take_back"]),
                name="discrepancy_choices",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0) & Q(remedy_units__gte=0), name="discrepancy_amounts"
            ),
            models.CheckConstraint(
                condition=Q(remedy="none", remedy_units=0)
                | (~Q(remedy="none") & Q(remedy_units__gt=0, transaction__isnull=False)),
                name="discrepancy_remedy",
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed_at=None, ignored_because="")
                | (Q(status="ignored", closed_at=None) & ~Q(ignored_because=""))
                | Q(status="closed", closed_at__isnull=False),
                name="discrepancy_status",
            ),
            models.CheckConstraint(
                condition=Q(last_seen__gte=F("first_seen")), name="discrepancy_seen"
            ),
        ]
        indexes = [
            models.Index(fields=["store", "order_group"], name="discrepancy_order"),
            models.Index(
                fields=["store", "id"], condition=Q(status="open"), name="discrepancy_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"
