"""Customers chosen by what is known of them, instead of by a list."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import Coalesce

from loyalty.models import Customer, GiftCard, Program, ShopOrder, TierStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """All of these hold of whoever is chosen; days are the store's.

    `members` have an open wallet of the program. `bought_at_least`, in the currency's smallest
    digits, is of goods paid within the days and kept; None: any paid order within them will do.
    """

    members: bool = True
    tier: str = ""
    bought_from: datetime.date | None = None
    bought_until: datetime.date | None = None
    bought_at_least: int | None = None
    not_bought_since: datetime.date | None = None

    @property
    def is_about_orders(self) -> bool:
        """Whether something has to have been bought."""
        return any((self.bought_from, self.bought_until, self.bought_at_least))

    def kept(self) -> dict[str, Any]:
        """As JSON, without what is not asked."""
        days = ("bought_from", "bought_until", "not_bought_since")
        values: dict[str, Any] = {"members": self.members, "tier": self.tier}
        values |= {name: day.isoformat() for name in days if (day := getattr(self, name))}
        values["bought_at_least"] = self.bought_at_least
        return {name: value for name, value in values.items() if value not in {"", None}}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """What was kept."""
        days = {
            name: datetime.date.fromisoformat(value)
            for name, value in kept.items()
            if name in {"bought_from", "bought_until", "not_bought_since"}
        }
        return cls(**{**kept, **days})


def chosen(program: Program, selection: Selection) -> QuerySet[Customer]:
    """The customers of the program's store who are meant, oldest first.

    Nobody who was erased or merged into another.
    """
    people = Customer.objects.filter(store=program.store_id, erased_at=None, merged_into=None)
    if selection.members:
        wallets = GiftCard.objects.filter(owner=OuterRef("pk"), program=program)
        people = people.filter(Exists(wallets.exclude(status=GiftCard.Status.CLOSED)))
    if selection.tier:
        standings = TierStanding.objects.filter(
            customer=OuterRef("pk"), program=program, tier=selection.tier
        )
        people = people.filter(Exists(standings))
    if selection.is_about_orders:
        people = people.filter(_bought(program, selection))
    if since := selection.not_bought_since:
        later = _orders().filter(paid_at__gte=program.store.first_instant(since))
        people = people.exclude(Exists(later))
    return people.order_by("pk")


def _bought(program: Program, selection: Selection) -> Exists:
    orders = _orders()
    if first := selection.bought_from:
        orders = orders.filter(paid_at__gte=program.store.first_instant(first))
    if last := selection.bought_until:
        orders = orders.filter(paid_at__lte=program.store.last_instant(last))
    if selection.bought_at_least:
        sums = orders.values("customer").annotate(bought=Coalesce(Sum("kept"), 0))
        return Exists(sums.filter(bought__gte=selection.bought_at_least))
    return Exists(orders)


def _orders() -> QuerySet[ShopOrder]:
    """The paid orders of the customer who is looked at, without the canceled ones."""
    orders = ShopOrder.objects.filter(customer=OuterRef("pk"), paid_at__isnull=False)
    return orders.exclude(state=ShopOrder.State.CANCELED).order_by()
