"""A store's order, as last seen: one row for each."""

from typing import TypeAlias

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.customer import Customer
from loyalty.models.store import Store


class ShopOrderState(models.TextChoices):
    """How far the order is (`loyalty.shop_orders.OrderState`), or only that there is one."""

    ANNOUNCED = "announced", _("announced")
    PLACED = "placed", _("placed")
    PAID = "paid", _("paid")
    INVOICED = "invoiced", _("invoiced")
    CANCELED = "canceled", _("canceled")


class ShopOrder(models.Model):
    """What the store last told of an order; amounts in the currency's smallest digits.

    The store announces that something changed (`announced_at`); the order is then read, and the
    newest sight of it is kept, whatever arrives twice or out of order. `version` counts the sights
    that were newer; up to `settled_version` the customer's earnings were brought in line with
    them. No personal data but the link to the customer, which stays as first found or
    goes with them when they are merged.
    """

    State: TypeAlias = ShopOrderState

    store = models.ForeignKey(
        Store,
        models.PROTECT,
        related_name="shop_orders",
        db_index=False,  # the unique constraint begins with it
        verbose_name=_("store"),
    )
    order_id = models.CharField(_("order"), max_length=64)
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        related_name="shop_orders",
        verbose_name=_("customer"),
    )
    state = models.CharField(
        _("state"), max_length=9, choices=ShopOrderState, default=ShopOrderState.ANNOUNCED
    )
    status = models.CharField(_("status at the store"), max_length=64, blank=True)
    channel = models.CharField(_("sales channel"), max_length=32, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    placed_at = models.DateTimeField(_("placed at"), null=True)
    paid_at = models.DateTimeField(_("paid at"), null=True)
    invoiced_at = models.DateTimeField(_("invoiced at"), null=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True)
    changed_at = models.DateTimeField(_("changed at"), null=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True, editable=False)
    facts = models.JSONField(_("lines and payments"), default=dict)
    total = models.BigIntegerField(_("value of the goods"), default=0)
    kept = models.BigIntegerField(_("kept by the customer"), default=0)
    version = models.PositiveIntegerField(_("version"), default=0)
    settled_version = models.PositiveIntegerField(_("settled version"), default=0)
    # When its earnings may have to be looked at again although nothing is heard of it.
    due_at = models.DateTimeField(_("to be looked at"), null=True)
    verdicts = models.JSONField(_("why it earned or not"), default=list)
    announced_at = models.DateTimeField(_("announced at"))
    # What was announced until then has been read.
    read_until = models.DateTimeField(_("read until"), null=True)
    read_after = models.DateTimeField(_("to be read after"), null=True)
    failures = models.PositiveSmallIntegerField(_("failed readings"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["store", "order_id"], name="shop_order_once"),
            models.CheckConstraint(
                condition=Q(state__in=ShopOrderState.values), name="shop_order_state"
            ),
            models.CheckConstraint(
                condition=Q(state="announced", version=0, changed_at=None, placed_at=None)
                | (
                    ~Q(state="announced")
                    & Q(version__gt=0, changed_at__isnull=False, placed_at__isnull=False)
                ),
                name="shop_order_seen",
            ),
            models.CheckConstraint(
                condition=Q(settled_version__lte=F("version")), name="shop_order_settled"
            ),
            models.CheckConstraint(
                condition=Q(total__gte=0) & Q(kept__gte=0) & Q(kept__lte=F("total")),
                name="shop_order_kept",
            ),
        ]
        indexes = [
            models.Index(
                fields=["read_after", "id"],
                condition=Q(read_after__isnull=False),
                name="shop_order_to_read",
            ),
            models.Index(
                fields=["id"],
                condition=Q(settled_version__lt=F("version")),
                name="shop_order_to_settle",
            ),
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="shop_order_due"
            ),
            models.Index(fields=["customer", "paid_at"], name="shop_order_of_customer"),
            models.Index(fields=["store", "paid_at"], name="shop_order_by_payment"),
        ]

    def __str__(self) -> str:
        return self.order_id
