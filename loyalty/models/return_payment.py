"""A return of goods that was paid as credit: decided once for each order and number."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.shop_order import ShopOrder


class ReturnPayment(models.Model):
    """The `number`th return of an order, decided before the ledger is asked for its credit.

    Amounts are units of the card. Two people who ask for the same next return decide one.
    """

    order = models.ForeignKey(
        ShopOrder,
        models.PROTECT,
        related_name="return_payments",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("order"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    card = models.ForeignKey(
        GiftCard, models.PROTECT, related_name="+", verbose_name=_("gift card")
    )
    value = models.BigIntegerField(_("amount"))
    bonus = models.BigIntegerField(_("bonus"), default=0)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("return paid as credit")
        verbose_name_plural = _("returns paid as credit")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="return_payment_once"),
            models.CheckConstraint(
                condition=Q(value__gt=0) & Q(bonus__gte=0), name="return_payment_amounts"
            ),
        ]

    def __str__(self) -> str:
        return self.request_id

    @property
    def request_id(self) -> str:
        """The ledger's request id of its credit."""
        return f"return:{self.order_id}:{self.number}"
