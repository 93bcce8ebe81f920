"""A money action above someone's limit that waits for another person."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.models.audit import AuditAction
from loyalty.models.card import GiftCard
from loyalty.models.customer import Customer
from loyalty.models.store import Store


class Approval(models.Model):
    """An action kept as it was asked for, until another person decides or it lapses.

    `parameters` rebuild the action (`loyalty.actions`); `before` and `after` are what the person
    who asked saw. Amounts are units of `exponent` digits. Approved and not yet done means that a
    crash came between: doing it again is safe.
    """

    class Status(models.TextChoices):
        """What became of it. A waiting one lapses by its date (`state`)."""

        WAITING = "waiting", _("waiting")
        APPROVED = "approved", _("approved")
        DONE = "done", _("done")
        FAILED = "failed", _("refused by the ledger")
        REJECTED = "rejected", _("rejected")
        LAPSED = "lapsed", _("lapsed")

    action = models.CharField(_("action"), max_length=32, choices=AuditAction)
    parameters = models.JSONField(_("parameters"))
    request_id = models.CharField(_("request id"), max_length=128, unique=True)
    store = models.ForeignKey(
        Store, models.PROTECT, related_name="approvals", verbose_name=_("store")
    )
    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="approvals",
        verbose_name=_("gift card"),
    )
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="approvals",
        verbose_name=_("customer"),
    )
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    amount = models.BigIntegerField(_("amount"))
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    reason = models.CharField(_("reason"), max_length=16, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    status = models.CharField(
        _("status"), max_length=8, choices=Status, default=Status.WAITING, db_index=True
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    requested_at = models.DateTimeField(_("asked for at"))
    expires_at = models.DateTimeField(_("lapses at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision_note = models.CharField(_("note of the decision"), max_length=500, blank=True)
    failure = models.CharField(_("why it was refused"), max_length=32, blank=True)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["-id"]
        permissions = [("decide_approval", "Can decide what others ask for")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("requested_by")),
                name="approval_by_another_person",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "lapsed"], decided_by=None)
                | Q(
                    status__in=["approved", "done", "failed", "rejected"],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="approval_decided_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.pk}"

    @property
    def state(self) -> "Approval.Status":
        """The status now: a waiting request whose time has passed has lapsed."""
        status = self.Status(self.status)
        is_late = status == self.Status.WAITING and self.expires_at <= timezone.now()
        return self.Status.LAPSED if is_late else status
