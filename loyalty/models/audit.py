"""What staff did in the back office, kept for ever."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.customer import Customer
from loyalty.models.store import Store


class AuditAction(models.TextChoices):
    """Everything that leaves a trace."""

    ISSUE = "issue", _("issue a card")
    CREDIT = "credit", _("give credit")
    PAY_RETURN = "pay_return", _("pay a return as credit")
    ADJUST = "adjust", _("adjust the balance")
    BLOCK = "block", _("block")
    UNBLOCK = "unblock", _("unblock")
    EXTEND = "extend", _("extend the validity")
    CLOSE = "close", _("close")
    OWNER = "owner", _("change the owner")
    SETTLE = "settle", _("settle by hand")
    CANCEL = "cancel", _("release or refund by hand")
    REVERSE = "reverse", _("reverse")
    SETTLE_DIFFERENCE = "settle_difference", _("settle what the store settled")
    CANCEL_DIFFERENCE = "cancel_difference", _("give back or take back what differs")
    ISSUE_BATCH = "issue_batch", _("issue a batch")
    CREDIT_BATCH = "credit_batch", _("give credit to many customers")
    EXTEND_BATCH = "extend_batch", _("extend a batch")
    APPLY_IMPORT = "apply_import", _("apply an import")
    UNDO_BATCH = "undo_batch", _("undo a batch or import")
    POINT_VALUE = "point_value", _("change the point value")
    MERGE = "merge", _("merge customers")
    UNMERGE = "unmerge", _("undo a merge of customers")
    TIER_GRANTED = "tier_granted", _("grant a tier")
    APPROVAL_REQUESTED = "approval_requested", _("ask for approval")
    APPROVED = "approved", _("approve")
    REJECTED = "rejected", _("reject")
    REVEAL = "reveal", _("reveal a code")
    PRINT = "print", _("print a card")
    CODES_DOWNLOADED = "codes_downloaded", _("download the codes of a batch")
    EXPORT = "export", _("export a list")
    PERSON_EXPORTED = "person_exported", _("export a person's data")
    PERSON_ERASED = "person_erased", _("erase a person")
    ADDED = "added", _("add")
    CHANGED = "changed", _("change")
    CREDENTIAL_CREATED = "credential_created", _("create a credential")
    CREDENTIAL_ROTATED = "credential_rotated", _("rotate a credential")
    CREDENTIAL_RETIRED = "credential_retired", _("end the previous token")
    CREDENTIAL_REVOKED = "credential_revoked", _("revoke a credential")
    VTEX_KEYS_SET = "vtex_keys_set", _("set the keys for VTEX")
    VTEX_KEYS_ENDED = "vtex_keys_ended", _("stop using the keys for VTEX")
    SIGNED_IN = "signed_in", _("sign in")
    SIGN_IN_FAILED = "sign_in_failed", _("failed to sign in")
    SIGNED_OUT = "signed_out", _("sign out")
    LOCKED_OUT = "locked_out", _("locked out")
    UNLOCKED = "unlocked", _("unlock a person")
    TOTP_ENROLLED = "totp_enrolled", _("set up one-time passwords")
    TOTP_RESET = "totp_reset", _("reset one-time passwords")
    PASSWORD_CHANGED = "password_changed", _("change a password")
    MONTH_CLOSED = "month_closed", _("close a month of the books")
    JOB_RUN = "job_run", _("run a job")
    HUB_CHANGED = "hub_changed", _("ask for a change of the Gift Card Hub")
    SELF_TESTED = "self_tested", _("start a self-test of the protocol")
    CODE_MAILED = "code_mailed", _("send a code by e-mail")
    CODE_OPENED = "code_opened", _("show a code by the link of a message")
    STATEMENT_SENT = "statement_sent", _("send a statement")
    MESSAGE_TESTED = "message_tested", _("send oneself a test of a message")
    MESSAGE_RESENT = "message_resent", _("send a message again")
    REMINDERS_STOPPED = "reminders_stopped", _("stop the reminders of a customer")
    REMINDERS_RESUMED = "reminders_resumed", _("resume the reminders of a customer")


class AuditEvent(models.Model):
    """Who did what, when, from where, and what it changed. The database refuses to rewrite it.

    No personal data of customers: a change names the fields, not their contents. `before` and
    `after` hold the figures of a money action by name (`loyalty.actions.FIGURES`), in units.
    """

    Action = AuditAction

    at = models.DateTimeField(_("at"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="audit_events",
        verbose_name=_("person"),
    )
    username = models.CharField(
        _("name typed"),
        max_length=150,
        blank=True,
        help_text=_("Of a failed sign in: there may be no such person."),
    )
    address = models.GenericIPAddressField(_("address"), null=True)
    action = models.CharField(_("action"), max_length=32, choices=AuditAction)
    subject = models.CharField(
        _("subject"), max_length=100, blank=True, help_text=_('Such as "loyalty.batch:12".')
    )
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, related_name="+", verbose_name=_("store")
    )
    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        null=True,
        related_name="audit_events",
        verbose_name=_("gift card"),
    )
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        related_name="audit_events",
        verbose_name=_("customer"),
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    amount = models.BigIntegerField(_("amount"), null=True)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    reason = models.CharField(_("reason"), max_length=16, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]
        constraints = [
            # A repeated request leaves one event.
            models.UniqueConstraint(
                fields=["action", "request_id"],
                condition=~models.Q(request_id=""),
                name="audit_request_once",
            )
        ]
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["action", "id"], name="audit_action"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.pk}"
