"""Messages to customers: what waits to be sent, what became of it, and a program's own words."""

from typing import TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.customer import Customer
from loyalty.models.program import Program
from loyalty.models.shop_order import ShopOrder
from loyalty.models.store import Language, Store
from loyalty.models.tier import TierChange
from loyalty.models.transaction import Transaction


class MessageKind(models.TextChoices):
    """Why a customer is written to."""

    ISSUED = "issued", _("card issued")
    CREDITED = "credited", _("credit received")
    EXPIRING_30 = "expiring_30", _("expires in 30 days")
    EXPIRING_7 = "expiring_7", _("expires in 7 days")
    EARNED = "earned", _("earned by an order")
    USABLE = "usable", _("earning usable now")
    TIER_REACHED = "tier_reached", _("tier reached")
    STATEMENT = "statement", _("statement")


# What people may say that they want no more of: reminders, and the news of a loyalty program.
DECLINABLE = frozenset(
    {
        MessageKind.EXPIRING_30,
        MessageKind.EXPIRING_7,
        MessageKind.EARNED,
        MessageKind.USABLE,
        MessageKind.TIER_REACHED,
    }
)


class Skipped(models.TextChoices):
    """Why a message was not sent after all."""

    ERASED = "erased", _("the person was erased")
    NO_ADDRESS = "no_address", _("no usable e-mail address is known")
    UNSUBSCRIBED = "unsubscribed", _("the person wants no such messages")
    SWITCHED_OFF = "switched_off", _("the program does not send this message any more")
    OTHER_OWNER = "other_owner", _("the card has another owner by now")
    NOTHING_LEFT = "nothing_left", _("there is nothing to tell any more")
    SAME_ADDRESS = "same_address", _("this address had the same message")


class NotificationStatus(models.TextChoices):
    """Where a message is."""

    WAITING = "waiting", _("waiting")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("not sent")
    UNKNOWN = "unknown", _("unknown whether sent")


class Notification(models.Model):
    """A message to a customer, written in the transaction of its cause and sent from here.

    The address and the words are not kept: they are read when it is sent. `address_digest` is a
    keyed digest of the address, so that one cause writes to one address once.
    """

    Kind: TypeAlias = MessageKind
    Status: TypeAlias = NotificationStatus

    kind = models.CharField(_("kind"), max_length=12, choices=MessageKind)
    cause = models.CharField(_("cause"), max_length=100)
    store = models.ForeignKey(
        Store, models.PROTECT, related_name="notifications", verbose_name=_("store")
    )
    program = models.ForeignKey(
        Program, models.PROTECT, null=True, related_name="+", verbose_name=_("program")
    )
    # Nobody: a test of a program's words, to whoever asked for it.
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        related_name="notifications",
        verbose_name=_("customer"),
    )
    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        null=True,
        related_name="notifications",
        verbose_name=_("gift card"),
    )
    # Of credit received.
    credit = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("credit"),
    )
    # Of what an order earned.
    order = models.ForeignKey(
        ShopOrder,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("order"),
    )
    # Of a tier reached.
    tier_change = models.ForeignKey(
        TierChange,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("change of tier"),
    )
    # Of a reminder.
    ends_at = models.DateTimeField(_("expires at"), null=True)
    resend_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        related_name="resent",
        verbose_name=_("sent again from"),
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("asked for by"),
    )
    language = models.CharField(_("language"), max_length=8, choices=Language, blank=True)
    address_digest = models.BinaryField(_("address digest"), max_length=32, default=b"")
    status = models.CharField(
        _("status"), max_length=8, choices=NotificationStatus, default=NotificationStatus.WAITING
    )
    skipped = models.CharField(_("why not"), max_length=16, choices=Skipped, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("created at"))
    next_attempt_at = models.DateTimeField(_("next attempt"))
    claimed_at = models.DateTimeField(_("last attempt"), null=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    error = models.CharField(_("error"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages to customers")
        ordering = ["-id"]
        permissions = [("send_message", "Can send statements and send messages again")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "cause", "customer"],
                name="notification_once_for_person",
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                fields=["kind", "cause", "address_digest"],
                condition=~Q(address_digest=b""),
                name="notification_once_for_address",
            ),
            models.CheckConstraint(
                condition=Q(customer__isnull=False) | Q(requested_by__isnull=False, card=None),
                name="notification_to_somebody",
            ),
            models.CheckConstraint(
                condition=Q(customer=None)
                | Q(kind__in=["earned", "usable"], order__isnull=False)
                | Q(kind="tier_reached", tier_change__isnull=False)
                | ~Q(kind__in=["earned", "usable", "tier_reached"]),
                name="notification_names_its_news",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=MessageKind.values)
                & Q(status__in=NotificationStatus.values)
                & Q(skipped__in=["", *Skipped.values]),
                name="notification_choices",
            ),
            models.CheckConstraint(
                condition=Q(status="skipped") & ~Q(skipped="")
                | ~Q(status="skipped") & Q(skipped=""),
                name="notification_skipped_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False)
                | ~Q(status="sent") & Q(sent_at=None),
                name="notification_sent_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                F("next_attempt_at"),
                F("id"),
                condition=Q(status="waiting"),
                name="notification_due",
            ),
            models.Index(
                fields=["claimed_at"], condition=Q(status="sending"), name="notification_sending"
            ),
            models.Index(fields=["status", "id"], name="notification_status"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def is_declinable(self) -> bool:
        """Whether people may say that they want no more of these."""
        return self.kind in DECLINABLE


class MessageText(models.Model):
    """A program's own words for one kind of message in one language, instead of the usual ones."""

    program = models.ForeignKey(
        Program, models.PROTECT, related_name="message_texts", verbose_name=_("program")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=MessageKind)
    language = models.CharField(_("language"), max_length=8, choices=Language)
    subject = models.CharField(_("subject"), max_length=150)
    body = models.TextField(_("text"), max_length=5000)
    changed_at = models.DateTimeField(_("changed at"), auto_now=True)

    class Meta:
        verbose_name = _("text of a message")
        verbose_name_plural = _("texts of messages")
        constraints = [
            models.UniqueConstraint(
                fields=["program", "kind", "language"], name="message_text_of_program"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.language})"


class ReminderProgress(models.Model):
    """How far the reminders of so many days are: grants that end up to there were looked at."""

    days = models.PositiveSmallIntegerField(_("days before the end"), primary_key=True)
    reached = models.DateTimeField(_("reached"))
    after_id = models.BigIntegerField(_("last grant"), default=0)

    class Meta:
        verbose_name = _("progress of the reminders")
        verbose_name_plural = _("progress of all reminders")

    def __str__(self) -> str:
        return str(self.days)
