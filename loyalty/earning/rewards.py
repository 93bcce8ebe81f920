"""Rewards of the store itself that become known after an order had earned by our rules.

An order earns once: by the store's reward, or by the program's rules. Whoever is settled later
looks at both; a reward that arrives when the order changes no more is found here.
"""

import datetime

from django.db.models import Q
from django.utils import timezone

from loyalty.models import (
    Bucket,
    Entry,
    OperationKind,
    OrderListening,
    Origin,
    ShopOrder,
    Store,
    Transaction,
)

OVERLAP = datetime.timedelta(hours=1)
FIRST_WINDOW = datetime.timedelta(days=30)
_ORDERS_AT_ONCE = 1_000


def look_for_rewards() -> int:
    """Let orders be looked at again whose reward was given or taken back since; how many.

    Safe to repeat: settling an order anew changes nothing that is right. Windows overlap, since an
    entry may be committed after a later one.
    """
    stores = Store.objects.filter(programs__earning_policy__isnull=False)
    return sum(_look(store) for store in stores.distinct().order_by("pk"))


def _look(store: Store) -> int:
    now = timezone.now()
    known = OrderListening.objects.filter(store=store).first()
    reached = known.rewards_until if known else None
    since = reached - OVERLAP if reached else now - FIRST_WINDOW
    given = Q(source=Bucket.OUTSIDE)
    taken = Q(target=Bucket.REMOVED, operation__kind=OperationKind.CANCEL)
    rewards = Transaction.objects.filter(
        pk__in=Entry.objects.filter(
            given | taken,
            created_at__gte=since,
            card__store=store,
            grant__origin=Origin.REWARD,
        ).values("grant__transaction")
    )
    keys = list(rewards.values_list("order_id", "request_id"))
    orders = sorted({key for pair in keys for key in pair if key})
    found = sum(
        _due(store, orders[start : start + _ORDERS_AT_ONCE], now)
        for start in range(0, len(orders), _ORDERS_AT_ONCE)
    )
    OrderListening.objects.update_or_create(store=store, defaults={"rewards_until": now})
    return found


def _due(store: Store, order_ids: list[str], now: datetime.datetime) -> int:
    """Only orders that earned, or that earned nothing because of the reward."""
    orders = ShopOrder.objects.filter(store=store, order_id__in=order_ids)
    earned = orders.filter(earnings__due__gt=0) | orders.filter(
        verdicts__contains=[{"why": "store_reward"}]
    )
    return ShopOrder.objects.filter(pk__in=earned.values("pk")).update(due_at=now)
