"""The card. It has no money columns: amounts live in Balance and Grant."""

import datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty import codes
from loyalty.models.customer import Customer
from loyalty.models.program import Program
from loyalty.models.store import Store


class GiftCard(models.Model):
    """A gift card, return credit, wallet or promotional card, in one currency for good."""

    class Status(models.TextChoices):
        """What staff decided; expiry is a matter of dates, not of status."""

        ACTIVE = "active", _("active")
        BLOCKED = "blocked", _("blocked")
        CLOSED = "closed", _("closed")

    public_id = models.CharField(_("card id"), max_length=32, unique=True, editable=False)
    store = models.ForeignKey(Store, models.PROTECT, related_name="cards", verbose_name=_("store"))
    program = models.ForeignKey(
        Program,
        models.PROTECT,
        related_name="cards",
        db_index=False,  # an index begins with it
        verbose_name=_("program"),
    )
    owner = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cards",
        verbose_name=_("owner"),
    )
    code_digest = models.BinaryField(_("code digest"), max_length=32)
    code_sealed = models.BinaryField(_("sealed code"))
    code_last4 = models.CharField(_("last four of the code"), max_length=4)
    is_imported = models.BooleanField(_("code made elsewhere"), default=False)
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.ACTIVE)
    valid_from = models.DateTimeField(_("valid from"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    is_restricted = models.BooleanField(_("only for its owner"), default=False)
    is_reloadable = models.BooleanField(_("takes more than one credit"), default=False)
    is_reusable = models.BooleanField(_("allows more than one purchase"), default=True)
    # The wallet that took this one's place when their owners were merged. What it still holds, or
    # gets back, stays here.
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="merged",
        db_index=False,  # nothing looks from there
        verbose_name=_("merged into"),
    )
    relation_name = models.CharField(_("relation name"), max_length=100, blank=True)
    caption = models.CharField(_("caption"), max_length=100, blank=True)
    terms_version = models.CharField(_("version of the terms"), max_length=20, blank=True)
    created_at = models.DateTimeField(_("issued at"))
    # By name: a batch knows the customers that it is for.
    batch = models.ForeignKey(
        "loyalty.Batch",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cards",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("batch"),
    )
    batch_number = models.PositiveIntegerField(_("number in the batch"), null=True, blank=True)

    class Meta:
        verbose_name = _("gift card")
        verbose_name_plural = _("gift cards")
        ordering = ["-id"]
        permissions = [
            ("issue_card", "Can issue a card"),
            ("credit_card", "Can give credit"),
            ("adjust_card", "Can adjust a balance"),
            ("block_card", "Can block and unblock"),
            ("extend_card", "Can extend the validity"),
            ("close_card", "Can close a card"),
            ("change_owner", "Can change the owner"),
            ("reveal_code", "Can reveal and print a code"),
        ]
        indexes = [
            models.Index(fields=["code_last4"], name="card_last4"),
            models.Index(fields=["program", "created_at"], include=["status"], name="card_joined"),
        ]
        constraints = [
            # A batch issued twice, or by two workers, still has each of its cards once.
            models.UniqueConstraint(fields=["batch", "batch_number"], name="card_number_in_batch"),
            models.CheckConstraint(
                condition=Q(batch=None, batch_number=None)
                | Q(batch__isnull=False, batch_number__isnull=False),
                name="card_batch_and_number",
            ),
            models.UniqueConstraint(fields=["store", "code_digest"], name="card_code_in_store"),
            # One open wallet per customer and relation: a reward is credited to the one there is.
            models.UniqueConstraint(
                fields=["store", "owner", "relation_name"],
                condition=~Q(relation_name="")
                & Q(owner__isnull=False)
                & ~Q(status="closed")
                & Q(merged_into=None),
                name="card_wallet_of_owner",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["active", "blocked", "closed"]), name="card_status"
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("valid_from")),
                name="card_expires_after_start",
            ),
        ]

    def __str__(self) -> str:
        return codes.masked(self.code_last4)

    @property
    def code(self) -> str:
        """The redemption code in clear. Whoever shows it to people has asked for the permission."""
        return codes.unseal(bytes(self.code_sealed), card_public_id=self.public_id)

    @property
    def token(self) -> str:
        """The opaque token that a debit may carry instead of the code."""
        return codes.token(self.public_id)

    def is_valid_at(self, instant: datetime.datetime) -> bool:
        """Whether the card is active and within its dates; the money in it is another matter."""
        return (
            self.status == self.Status.ACTIVE
            and self.valid_from <= instant
            and (self.expires_at is None or instant < self.expires_at)
        )
