"""A night in which many grants end, beside one plain statement that writes the same rows.

Most cards are booked by the job as the worker does it: claimed by the index, locked, chunk by
chunk, each committed with its progress. Of the others plain SQL writes the same rows, a round's
share in one statement without claim, lock or progress. The two take turns.
"""

import time
from dataclasses import dataclass
from statistics import median

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

ROUNDS = 10
MOST_PLAIN = 200_000  # grants, which are enough for its rate

# What the verb writes, for cards of one grant.
PLAIN = """
    WITH due AS MATERIALIZED (
        SELECT lot.id, lot.card_id, lot.remaining AS amount, balance.version,
               balance.available - lot.remaining AS available, balance.held
        FROM loyalty_grant lot JOIN loyalty_balance balance USING (card_id)
        WHERE lot.id BETWEEN %(first)s AND %(last)s AND lot.remaining > 0
    ), operation AS (
        INSERT INTO loyalty_operation (oid, card_id, kind, request_id, amount, applied, outcome,
            decline_code, actor, reason, note, created_at)
        SELECT md5('expire' || id), card_id, 'expire', 'expire:' || version, amount, amount, 'ok',
               '', 'plain', '', '', %(now)s FROM due
        RETURNING id, card_id
    ), balance AS (
        UPDATE loyalty_balance SET available = loyalty_balance.available - amount,
            expired = expired + amount, version = loyalty_balance.version + 1
        FROM due WHERE due.card_id = loyalty_balance.card_id
    ), lot AS (
        UPDATE loyalty_grant SET remaining = 0 FROM due WHERE due.id = loyalty_grant.id
    )
    INSERT INTO loyalty_entry (card_id, seq, operation_id, grant_id, source, target, amount,
        available_after, held_after, created_at)
    SELECT card_id, version + 1, operation.id, due.id, 'available', 'expired', amount, available,
           held, %(now)s
    FROM due JOIN operation USING (card_id)
"""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Grants that the job booked, rates by the second, and the median ratio of the rounds."""

    grants: int
    job: float
    plain: float
    ratio: float

    @property
    def lines(self) -> list[str]:
        """The rows of the table in docs/performance.md."""
        return [
            f"| {self.grants:,} grants expire, booked by the job | {self.job:,.0f} grants/s |",
            f"| the same rows, one plain statement | {self.plain:,.0f} grants/s |",
            f"| ratio | {self.ratio:.2f} |",
        ]


def prepare(grants: int) -> None:
    """Cards, each with a hold; the grants of the first ones end at one instant."""
    from tests.bench import prepare as cards

    call_command("migrate", interactive=False, verbosity=0)
    cards.credential()
    cards.add_cards(1, grants + _plain(grants), [])
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE loyalty_grant SET expires_at = %(now)s WHERE id <= %(grants)s",
            {"now": timezone.now(), "grants": grants},
        )
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
        cursor.execute("RESET statement_timeout")


def _plain(grants: int) -> int:
    return min(grants, MOST_PLAIN)


def measure(grants: int) -> Expiry:
    """The two in turn; nothing that has ended may be left."""
    from loyalty import expiry, jobs
    from loyalty.models import Balance, Job, JobKind

    step, plain_step = grants // ROUNDS, _plain(grants) // ROUNDS
    expiry.begin()
    done = 0

    def booked(job: Job) -> bool:
        more = expiry.expire_chunk(job)
        if job.done - done >= step:
            raise TimeoutError  # leave it for now, as a worker's slice ends
        return more

    rates: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        try:
            jobs.run_next({JobKind.EXPIRE: booked}, interruptions=(TimeoutError,))
        except TimeoutError:
            Job.objects.filter(kind=JobKind.EXPIRE).update(leased_until=None)
        by_job = time.perf_counter() - started
        done = Job.objects.get(kind=JobKind.EXPIRE).done
        first = grants + number * plain_step + 1
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            last = first + plain_step - 1
            cursor.execute(PLAIN, {"first": first, "last": last, "now": timezone.now()})
        rates.append((step / by_job, plain_step / (time.perf_counter() - started)))
    while jobs.run_next({JobKind.EXPIRE: expiry.expire_chunk}):
        pass
    if left := Balance.objects.filter(available__gt=0).count():
        raise SystemExit(f"{left} cards are left.")
    return Expiry(
        grants,
        job=median(job for job, _ in rates),
        plain=median(plain for _, plain in rates),
        ratio=median(job / plain for job, plain in rates),
    )
