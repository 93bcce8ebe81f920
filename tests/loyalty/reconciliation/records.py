"""A store's record of orders in memory, and debits with the payments that belong to them."""

import dataclasses
import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import time_machine

from loyalty.models import GiftCard, Store, Transaction
from loyalty.order_sources import (
    OrderSource,
    Payment,
    PaymentStatus,
    Purchase,
    SourceError,
    Window,
    WindowKind,
)
from tests.builders import make_hold, make_settlement, new_id

NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)
LATER = NOON + datetime.timedelta(days=5)
WEEK = Window(
    WindowKind.AUTHORIZED,
    NOON - datetime.timedelta(hours=12),
    NOON + datetime.timedelta(days=4),
)

OPEN, FINISHED, CANCELED = PaymentStatus.OPEN, PaymentStatus.FINISHED, PaymentStatus.CANCELED


class Records(OrderSource):
    """As a network source: sums only on demand; `problem` is raised by the next question."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows: list[tuple[datetime.datetime, Purchase]] = []
        self.asked = self.details = 0
        self.problem: SourceError | None = None

    @property
    def calls(self) -> int:
        return self.asked

    def add(self, purchase: Purchase, at: datetime.datetime = NOON) -> None:
        self.rows = [row for row in self.rows if row[1].group != purchase.group]
        self.rows.append((at, purchase))

    def _ask(self) -> None:
        self.asked += 1
        if self.problem:
            problem, self.problem = self.problem, None
            raise problem

    def purchases(self, window: Window) -> Iterator[Purchase]:
        self._ask()
        for at, purchase in self.rows:
            if window.since <= at <= window.until:
                yield _plain(purchase)

    def detailed(self, purchase: Purchase) -> Purchase:
        self._ask()
        self.details += 1
        return next(row for _, row in self.rows if row.group == purchase.group)

    def look_up(self, *, order_id: str, tid: str) -> Purchase | None:
        self._ask()
        for _, purchase in self.rows:
            tids = {payment.tid for payment in purchase.payments}
            if order_id in {purchase.group, *purchase.order_ids} or (not order_id and tid in tids):
                return _plain(purchase)
        return None


def _plain(purchase: Purchase) -> Purchase:
    refunds = sum((each.returned or Decimal(0) for each in purchase.payments), Decimal(0))
    payments = tuple(
        dataclasses.replace(each, settled=None, returned=None, transaction_refunds=refunds)
        for each in purchase.payments
    )
    return dataclasses.replace(purchase, payments=payments, is_detailed=False)


def make_debit(
    card: GiftCard,
    amount: int = 1000,
    *,
    group: str = "v1str",
    settled: int | None = None,
    at: datetime.datetime = NOON,
    **options: Any,
) -> Transaction:
    """A purchase at an instant, settled in full unless another amount is given."""
    with time_machine.travel(at, tick=False):
        debit = make_hold(card, amount, order_id=group, **options)
        paid = amount if settled is None else settled
        if paid:
            make_settlement(debit, paid)
    return Transaction.objects.select_related("card").get(pk=debit.pk)


def payment_of(debit: Transaction, **fields: Any) -> Payment:
    """What the store has of a debit when all is well: settled in full."""
    amount = Decimal(debit.amount).scaleb(-debit.card.exponent)
    defaults: dict[str, Any] = {
        "payment_id": debit.request_id.upper(),
        "tid": debit.public_id,
        "card_id": debit.card.public_id,
        "provider": "ourcredit",
        "currency": debit.card.currency,
        "amount": amount,
        "status": FINISHED,
        "settled": amount,
        "returned": Decimal(0),
        "transaction_id": new_id("T"),
        "status_text": "Finished",
    }
    return Payment(**defaults | fields)


def make_purchase(*payments: Payment, group: str = "v1str", **fields: Any) -> Purchase:
    """An invoiced order with these payments."""
    defaults: dict[str, Any] = {
        "order_ids": (f"{group}-01",),
        "status": "invoiced",
        "is_invoiced": True,
        "is_canceled": False,
        "changed_at": NOON,
    }
    return Purchase(group=group, payments=payments, **defaults | fields)
