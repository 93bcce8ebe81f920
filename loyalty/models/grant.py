"""One credit given to a card."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Funding(models.TextChoices):
    """Whether somebody paid for the credit: two liabilities that finance keeps apart."""

    PAID = "paid", _("paid")
    PROMOTIONAL = "promotional", _("promotional")


class Origin(models.TextChoices):
    """Why the credit was given."""

    ISSUE = "issue", _("issued with the card")
    CREDIT = "credit", _("credit")
    REWARD = "reward", _("reward of an order")
    RETURN = "return", _("return of goods")
    ADJUSTMENT = "adjustment", _("adjustment")
    REFUND = "refund", _("refund after expiry")
    EARNING = "earning", _("earned by an order")


class Grant(models.Model):
    """A lot of credit with its own dates; `remaining` is what is available of it, in units.

    Amount, origin and funding never change; `created_at` is when it was first given. Money that is
    held or spent is out of `remaining` and comes back to the same grant.
    """

    card = models.ForeignKey(
        "loyalty.GiftCard", models.PROTECT, related_name="grants", verbose_name=_("gift card")
    )
    operation = models.ForeignKey(
        "loyalty.Operation",
        models.PROTECT,
        related_name="grants",
        db_index=False,
        verbose_name=_("operation"),
    )
    transaction = models.ForeignKey(
        "loyalty.Transaction",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="grants",
        db_index=False,
        verbose_name=_("transaction"),
    )
    origin = models.CharField(_("origin"), max_length=12, choices=Origin)
    funding = models.CharField(_("funding"), max_length=12, choices=Funding)
    amount = models.BigIntegerField(_("amount"))
    remaining = models.BigIntegerField(_("remaining"))
    valid_from = models.DateTimeField(_("valid from"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    reference = models.CharField(_("reference"), max_length=128, blank=True)
    # The grant of another card whose money this is, with its whole history.
    came_from = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="went_to",
        db_index=False,  # few grants have one
        verbose_name=_("came from"),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(origin__in=Origin.values) & Q(funding__in=Funding.values),
                name="grant_choices",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="grant_amount_positive"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0) & Q(remaining__lte=F("amount")),
                name="grant_remaining_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("valid_from")),
                name="grant_expires_after_start",
            ),
        ]
        indexes = [
            # Without `remaining`: an index on it would make every debit rewrite the index too.
            models.Index(
                # With the id: a million that end together are still walked in order.
                fields=["expires_at", "id"],
                condition=Q(expires_at__isnull=False),
                name="grant_expiry",
            ),
            models.Index(
                fields=["valid_from"], condition=Q(origin="earning"), name="grant_earned_start"
            ),
            models.Index(
                fields=["came_from"],
                condition=Q(came_from__isnull=False),
                name="grant_came_from",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_origin_display()} {self.pk}"
