"""A debit or credit that the store asked for."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard


class Transaction(models.Model):
    """A purchase paid with the card (debit), or credit put on it; amounts in units.

    Of a debit, `settled` was captured, `released` went back before that, `refunded` after it. Of a
    credit, `released` was taken back. What it is now is derived, never stored.
    """

    class Kind(models.TextChoices):
        """Which way the money went."""

        DEBIT = "debit", _("debit")
        CREDIT = "credit", _("credit")

    class State(models.TextChoices):
        """What is left of it."""

        HELD = "held", _("held")
        PARTIALLY_SETTLED = "partially_settled", _("partially settled")
        SETTLED = "settled", _("settled")
        PARTIALLY_REFUNDED = "partially_refunded", _("partially refunded")
        CANCELED = "canceled", _("canceled")
        CREDITED = "credited", _("credited")

    public_id = models.CharField(_("transaction id"), max_length=32, unique=True, editable=False)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, related_name="transactions", verbose_name=_("gift card")
    )
    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    amount = models.BigIntegerField(_("amount"))
    settled = models.BigIntegerField(_("settled"), default=0)
    released = models.BigIntegerField(_("released"), default=0)
    refunded = models.BigIntegerField(_("refunded"), default=0)
    request_id = models.CharField(_("request id"), max_length=128)
    order_id = models.CharField(_("order"), max_length=64, blank=True, db_index=True)
    order_sequence = models.CharField(_("order sequence"), max_length=32, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        ordering = ["-id"]
        permissions = [
            ("settle_transaction", "Can settle a purchase by hand"),
            ("cancel_transaction", "Can release, refund or take back by hand"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["debit", "credit"]), name="transaction_kind"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                & Q(settled__gte=0)
                & Q(released__gte=0)
                & Q(refunded__gte=0)
                & Q(amount__gte=F("settled") + F("released"))
                & Q(settled__gte=F("refunded")),
                name="transaction_within_amount",
            ),
        ]
        indexes = [models.Index(fields=["request_id"], name="transaction_request")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def held(self) -> int:
        """Units of a debit that are neither settled nor released."""
        return self.amount - self.settled - self.released if self.kind == self.Kind.DEBIT else 0

    @property
    def canceled(self) -> int:
        """Units given back (debit) or taken back (credit) so far."""
        return self.released + self.refunded

    @property
    def cancelable(self) -> int:
        """Units that a cancellation can still give back, held or spent."""
        return self.amount - self.canceled

    @property
    def state(self) -> "Transaction.State":
        """The transaction in one word."""
        if not self.cancelable:
            return self.State.CANCELED
        if self.kind == self.Kind.CREDIT:
            return self.State.CREDITED
        if self.refunded:
            return self.State.PARTIALLY_REFUNDED
        if not self.held:
            return self.State.SETTLED
        return self.State.PARTIALLY_SETTLED if self.settled else self.State.HELD
