"""Demo data with real history: made by the ledger's verbs, over the past months, once.

For workstations and demonstrations; it stops the clock of the process while it works.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from loyalty.demo.clock import stopped, tell
from loyalty.demo.differences import kinds_by_order, order_of, refund_of, reward_of
from loyalty.demo.shop import BRAZIL, CHILE, Shop
from loyalty.demo.stories import OLDEST, stories
from loyalty.lookup import CardView, card_by_id
from loyalty.models import Customer, GiftCard, Program, Store

__all__ = [
    "brazilian_store",
    "first_customer",
    "kinds_by_order",
    "order_of",
    "refund_of",
    "reward_of",
    "seed",
    "spendable",
    "stores",
]

_UNFINISHED = "-unfinished"


def seed() -> bool:
    """Make two stores with their customers, cards and history; False when they are there already.

    A store gets its account's name when everything is told: an interrupted run is carried on by the
    next one.
    """
    plans = [
        plan for plan in (BRAZIL, CHILE) if not Store.objects.filter(account=plan.account).exists()
    ]
    now = timezone.now()
    with stopped(now - datetime.timedelta(days=OLDEST + 1)):
        shops = [Shop(plan, f"{plan.account}{_UNFINISHED}", now=now) for plan in plans]
    with _commits_that_do_not_wait():
        tell((story for shop in shops for story in stories(shop)), until=now)
    for shop in shops:
        # Only now: nobody is written to about history, but for the news of the last days.
        shop.store.programs.update(
            announces_issue=True, announces_credit=True, reminds_30_days=True, reminds_7_days=True
        )
        shop.store.account = shop.plan.account
        shop.store.save(update_fields=["account"])
    return bool(shops)


@contextmanager
def _commits_that_do_not_wait() -> Iterator[None]:
    """A thousand commits need not wait for the disk: the next one after them waits for all."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
        try:
            yield
        finally:
            cursor.execute("RESET synchronous_commit")


def stores() -> QuerySet[Store]:
    """The stores of the demo."""
    return Store.objects.filter(account__in=[BRAZIL.account, CHILE.account]).order_by("account")


def brazilian_store() -> Store:
    """The demo's store in reais. Raises `Store.DoesNotExist` before `seed`."""
    return Store.objects.get(account=BRAZIL.account)


def first_customer(store: Store) -> Customer:
    """A customer with cards of several kinds."""
    customer = store.customers.order_by("id").first()
    if customer is None:
        raise Customer.DoesNotExist
    return customer


def spendable(store: Store, *, limit: int = 5) -> list[tuple[GiftCard, CardView]]:
    """Gift cards that anybody may pay with now: those of round amounts first, the largest first."""
    candidates = GiftCard.objects.filter(
        store=store,
        program__kind=Program.Kind.GIFT_CARD,
        status=GiftCard.Status.ACTIVE,
        currency=store.currency,
        is_restricted=False,
        owner=None,
        balance__available__gt=0,
    )
    found = [(card, card_by_id(store.pk, card.public_id)) for card in candidates]
    usable = [(card, view) for card, view in found if view.usable > 0]
    usable.sort(key=lambda pair: (bool(pair[1].balance % 10), -pair[1].balance, pair[0].pk))
    return usable[:limit]
