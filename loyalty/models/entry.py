"""One immutable movement of money."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.grant import Grant
from loyalty.models.operation import Operation
from loyalty.models.transaction import Transaction


class Bucket(models.TextChoices):
    """Where a unit of credit is. `outside` is everything that is not on the card."""

    OUTSIDE = "outside", _("outside")
    AVAILABLE = "available", _("available")
    HELD = "held", _("held")
    SPENT = "spent", _("spent")
    EXPIRED = "expired", _("expired")
    REMOVED = "removed", _("removed")


class Entry(models.Model):
    """A positive amount that left one bucket of a card for another, with the balance after it.

    Debit equals credit by construction. The database refuses UPDATE, DELETE and TRUNCATE.
    """

    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        related_name="entries",
        db_index=False,  # the unique constraint begins with the card
        verbose_name=_("gift card"),
    )
    seq = models.BigIntegerField(_("number"))
    operation = models.ForeignKey(
        Operation, models.PROTECT, related_name="entries", verbose_name=_("operation")
    )
    transaction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="entries",
        verbose_name=_("transaction"),
    )
    grant = models.ForeignKey(
        Grant, models.PROTECT, related_name="entries", db_index=False, verbose_name=_("grant")
    )
    landing_grant = models.ForeignKey(
        Grant,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="landings",
        db_index=False,
        verbose_name=_("landing grant"),
        help_text=_("Where the money came back to, when its own grant had expired."),
    )
    source = models.CharField(_("from"), max_length=9, choices=Bucket)
    target = models.CharField(_("to"), max_length=9, choices=Bucket)
    amount = models.BigIntegerField(_("amount"))
    available_after = models.BigIntegerField(_("available after"))
    held_after = models.BigIntegerField(_("held after"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["card", "seq"], name="entry_number_on_card"),
            models.CheckConstraint(
                condition=Q(source__in=Bucket.values) & Q(target__in=Bucket.values),
                name="entry_buckets",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                & Q(available_after__gte=0)
                & Q(held_after__gte=0)
                & ~Q(source=F("target")),
                name="entry_moves_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.card_id}/{self.seq}"
