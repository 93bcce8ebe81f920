"""A month of 100,000 purchases in one run, in bounded memory, and again without a new row."""

import datetime
import resource
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import connection

from loyalty import reconciliation
from loyalty.models import Discrepancy, GiftCard, Store, Transaction
from loyalty.order_sources import OrderSource, Payment, PaymentStatus, Purchase, Window, WindowKind
from tests.loyalty.reconciliation.records import LATER

NUMBER = 100_000
EVERY = 1000  # so many purchases are given back there only
BEGIN = LATER - datetime.timedelta(days=40)
MONTH = Window(WindowKind.AUTHORIZED, BEGIN, BEGIN + datetime.timedelta(days=30))
STEP = datetime.timedelta(days=30) / NUMBER
MOST_MEGABYTES = 200


class Month(OrderSource):
    """A month made up on the way, so that it takes no memory; counts as VTEX's source would."""

    asked = 0

    @property
    def calls(self) -> int:
        return self.asked

    def purchases(self, window: Window) -> Iterator[Purchase]:
        first = -((BEGIN - window.since) // STEP)
        last = min((window.until - BEGIN) // STEP, NUMBER - 1)
        self.asked += 1 + max(last - first, 0) // 100
        for number in range(max(first, 0), last + 1):
            self.asked += 2
            yield self._purchase(number, is_detailed=False)

    def detailed(self, purchase: Purchase) -> Purchase:
        self.asked += 3
        return self._purchase(int(purchase.group[1:]), is_detailed=True)

    def look_up(self, *, order_id: str, tid: str) -> Purchase | None:
        self.asked += 2
        return self._purchase(int(order_id[1:]), is_detailed=False)

    def _purchase(self, number: int, *, is_detailed: bool) -> Purchase:
        returned = Decimal(1) if number % EVERY == 0 else Decimal(0)
        payment = Payment(
            payment_id=f"PAYMENT-{number}",
            tid=f"t{number}",
            card_id="",
            provider="ourcredit",
            currency="BRL",
            amount=Decimal("10.00"),
            status=PaymentStatus.FINISHED,
            settled=Decimal("10.00") if is_detailed else None,
            returned=returned if is_detailed else None,
            transaction_id=f"T{number}",
            transaction_refunds=returned,
        )
        return Purchase(
            group=f"v{number}",
            order_ids=(f"v{number}-01",),
            status="invoiced",
            is_invoiced=True,
            is_canceled=False,
            changed_at=BEGIN,
            payments=(payment,),
            is_detailed=is_detailed,
        )


def fill(card: GiftCard) -> None:
    """Settled purchases by SQL: the ledger would take minutes, and only reading is tried here."""
    statements = """
        INSERT INTO loyalty_transaction (public_id, card_id, kind, amount, settled, released,
            refunded, request_id, order_id, order_sequence, created_at)
        SELECT 't' || n, %(card)s, 'debit', 1000, 1000, 0, 0, 'PAYMENT-' || n, 'v' || n, '',
            %(begin)s::timestamptz + n * %(step)s * interval '1 second'
        FROM generate_series(0, %(last)s) n;
        INSERT INTO loyalty_operation (oid, card_id, transaction_id, kind, request_id, amount,
            applied, outcome, decline_code, actor, reason, note, created_at)
        SELECT 'o' || id, card_id, id, 'authorize', request_id, amount, amount, 'ok', '', 'test',
            '', '', created_at
        FROM loyalty_transaction;
        INSERT INTO loyalty_entry (card_id, seq, operation_id, transaction_id, grant_id, source,
            target, amount, available_after, held_after, created_at)
        SELECT o.card_id, 100 + o.id, o.id, o.transaction_id, g.id, 'available', 'held', o.amount,
            0, o.amount, o.created_at
        FROM loyalty_operation o, loyalty_grant g WHERE o.oid = 'o' || o.transaction_id;
        ANALYZE
    """
    with connection.cursor() as cursor:
        cursor.execute(
            statements,
            {"card": card.pk, "begin": BEGIN, "step": STEP.total_seconds(), "last": NUMBER - 1},
        )


@pytest.mark.long
def test_a_month_of_a_hundred_thousand_purchases(store: Store, card: GiftCard) -> None:
    fill(card)
    assert Transaction.objects.count() == NUMBER

    first = reconciliation.run(store, MONTH, Month(store))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = list(Discrepancy.objects.order_by("pk").values())
    second = reconciliation.run(store, MONTH, Month(store))

    assert len(rows) == NUMBER // EVERY
    assert list(Discrepancy.objects.order_by("pk").values()) == rows
    assert (first.counts["new"], second.counts.get("new", 0)) == (NUMBER // EVERY, 0)
    assert first.counts["payments"] >= NUMBER
    assert 2 * NUMBER <= first.calls <= 2.1 * NUMBER
    assert megabytes < MOST_MEGABYTES
