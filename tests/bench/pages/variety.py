"""What staff look for among a million cards: the few of a kind, the many of one owner, old rows.

What is rare is among the oldest rows, where a list that begins with the newest comes last. These
rows are for reading only: not every one of them is as a verb would have left it.
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import reports
from loyalty.models import (
    Approval,
    AuditAction,
    Batch,
    Discrepancy,
    Job,
    Program,
    ReconciliationRun,
    Store,
)

CARD, CUSTOMER, ORDER = 700_000, 250_000, "v1000000bench-02"  # those with long histories
SMALL = 10_000  # rows of each small table
EVENTS = 500_000

# The second store's are every 2,000th pair of cards, with their owners.
STATEMENTS = """
    UPDATE loyalty_customer SET store_id = %(outlet)s WHERE id %% 1000 = 1;

    UPDATE loyalty_giftcard SET store_id = %(outlet)s, program_id = %(outlet_program)s
    WHERE (id + 1) / 2 %% 1000 = 1;

    UPDATE loyalty_giftcard SET status = CASE id %% 2 WHEN 0 THEN 'blocked' ELSE 'closed' END
    WHERE id < 200000 AND id %% 1001 = 0;

    UPDATE loyalty_giftcard SET expires_at = created_at + interval '1 day'
    WHERE id < 200000 AND id %% 997 = 0;

    UPDATE loyalty_giftcard SET owner_id = NULL, is_imported = true
    WHERE id < 200000 AND id %% 499 = 0;

    UPDATE loyalty_giftcard SET owner_id = %(customer)s WHERE id BETWEEN 300001 AND 305000;

    UPDATE loyalty_giftcard SET batch_id = %(batch)s, batch_number = id - 400000
    WHERE id BETWEEN 400001 AND 500000;

    UPDATE loyalty_transaction SET refunded = 100 WHERE id < 200000 AND id %% 1003 = 0;

    UPDATE loyalty_transaction SET order_id = %(order)s WHERE id BETWEEN 600001 AND 600300;

    UPDATE loyalty_grant SET origin = 'refund', funding = 'promotional'
    WHERE id < 200000 AND id %% 1009 = 0;

    INSERT INTO loyalty_operation (oid, card_id, transaction_id, kind, request_id, amount, applied,
        outcome, decline_code, actor, reason, note, created_at)
    SELECT md5('declined' || n), CASE WHEN n %% 2 = 0 THEN %(card)s ELSE n END, NULL, 'authorize',
           'declined' || n, 100, 0, 'declined', 'insufficient_balance', 'vtex:bench', '', '',
           %(now)s
    FROM generate_series(1, 10000) n;

    INSERT INTO loyalty_entry (card_id, seq, operation_id, transaction_id, grant_id,
        landing_grant_id, source, target, amount, available_after, held_after, created_at)
    SELECT %(card)s, 3 + n, 3 * %(card)s, NULL, %(card)s, NULL, 'available', 'removed', 1,
           8999000 - n, 500, %(now)s
    FROM generate_series(1, 10000) n;

    INSERT INTO loyalty_auditevent (at, user_id, username, address, action, subject, card_id,
        currency, amount, before, after, reason, note, request_id)
    SELECT %(now)s - (%(events)s - n) * interval '2 minutes', person.id, '', '192.0.2.1',
           CASE WHEN n %% 5003 = 0 THEN 'block' WHEN n %% 2 = 0 THEN 'signed_in' ELSE 'credit' END,
           '', CASE WHEN n %% 2 = 1 THEN n END, 'BRL', CASE WHEN n %% 2 = 1 THEN 100 END,
           '{}', '{}', '', '', ''
    FROM generate_series(1, %(events)s) n
    JOIN auth_user person ON person.username = 'person' || n %% 200;
"""


def vary() -> None:
    """Add all of it, and bring the books' sums up to date."""
    store = Store.objects.get()
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL statement_timeout = 0")
        people = User.objects.bulk_create(
            User(username=f"person{number}", password="!", is_staff=True) for number in range(200)
        )
        values: dict[str, Any] = {
            **_outlet(store),
            "batch": _small_tables(store, people),
            "now": timezone.now(),
            "card": CARD,
            "customer": CUSTOMER,
            "order": ORDER,
            "events": EVENTS,
        }
        for statement in STATEMENTS.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
    reports.aggregate_due()
    reports.count_expiring()
    with connection.cursor() as cursor:
        # A store holds money of some of its purchases, never of a million.
        cursor.execute("DELETE FROM loyalty_openhold WHERE transaction_id % 100 <> 0")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _outlet(store: Store) -> dict[str, int]:
    """A second, small store with its program."""
    outlet = Store.objects.create(
        name="Outlet",
        account="outlet",
        provider_id="outlet",
        currency=store.currency,
        time_zone=store.time_zone,
    )
    program = Program.objects.create(store=outlet, kind=Program.Kind.GIFT_CARD, name="Outlet")
    return {"outlet": outlet.pk, "outlet_program": program.pk}


def _small_tables(store: Store, people: list[User]) -> int:
    """Years of batches, approvals, jobs and differences; the batch that has cards."""
    now, program = timezone.now(), Program.objects.get(store=store)
    batches = Batch.objects.bulk_create(
        Batch(
            program=program,
            name=f"Batch {number}",
            status=Batch.Status.ISSUED,
            amount=1,
            count=100_000,
            total=100_000,
            created_by=people[0],
        )
        for number in range(500)
    )
    Approval.objects.bulk_create(
        Approval(
            action=AuditAction.ADJUST,
            parameters={"card_id": number, "change": 100, "reason": "other", "note": ""},
            request_id=f"approval{number}",
            store=store,
            card_id=number,
            currency="BRL",
            exponent=2,
            amount=100,
            status=Approval.Status.LAPSED if number % 1000 else Approval.Status.WAITING,
            requested_by=people[number % 200],
            requested_at=now,
            expires_at=now + timedelta(days=7),
        )
        for number in range(1, SMALL + 1)
    )
    Job.objects.bulk_create(
        Job(
            kind=Job.Kind.ISSUE_BATCH,
            status=Job.Status.DONE if number % 1000 else Job.Status.FAILED,
            total=1,
            done=1,
        )
        for number in range(SMALL)
    )
    day = timedelta(days=1)
    runs = ReconciliationRun.objects.bulk_create(
        ReconciliationRun(
            store=store,
            source=ReconciliationRun.Source.ORDERS,
            by=ReconciliationRun.By.CHANGED,
            since=now - (number + 1) * day,
            until=now - number * day,
            compared_until=now - number * day,
            status=ReconciliationRun.Status.DONE,
            started_at=now - number * day,
            finished_at=now - number * day,
        )
        for number in range(1000)
    )
    Discrepancy.objects.bulk_create(
        Discrepancy(
            store=store,
            kind=Discrepancy.Kind.DEBIT_WITHOUT_ORDER,
            key=str(number),
            severity=1 + number % 3,
            currency="BRL",
            amount=500,
            status=Discrepancy.Status.CLOSED if number % 1000 else Discrepancy.Status.OPEN,
            order_group=f"v{number}bench",
            card_id=number,
            transaction_id=number,
            run=runs[0],
            first_seen=now,
            last_seen=now,
            closed_at=now if number % 1000 else None,
        )
        for number in range(1, SMALL + 1)
    )
    return batches[0].pk
