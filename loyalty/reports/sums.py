"""The sums that the reports read instead of the entries, and how they are kept.

Each entry is added exactly once, in the order of its id, whenever it was committed and whatever
instant it names: late and back-dated entries go to their own day. What is not added yet is read
from the entries (`loyalty.reports.flows`), so that the figures are right at every moment and the
job only keeps them fast.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.models import (
    BookActive,
    BookCause,
    BookCohort,
    BookDay,
    BookJoined,
    BookProgress,
    Entry,
    OpenHold,
    Store,
)

CHUNK = 50_000  # entries that are added in one transaction
PATIENCE = 5.0  # seconds that a run waits for a transaction that is writing entries
_PAUSE = 0.02

log = logging.getLogger(__name__)

_PROGRESS = 1  # the primary key of the only row

# The entries with everything that they are summed by. The days and months are those of the store,
# and PostgreSQL alone works them out, so that no two clocks' rules are mixed.
MOVED = """
    SELECT entry.id, card.store_id, card.program_id, card.currency, card.exponent, lot.funding,
           lot.origin, coalesce(landing.origin, '') AS landing_origin, entry.source, entry.target,
           entry.amount, entry.created_at, entry.transaction_id, entry.operation_id, entry.card_id,
           (entry.created_at AT TIME ZONE store.time_zone)::date AS day,
           date_trunc('month', card.created_at AT TIME ZONE store.time_zone)::date AS joined,
           date_trunc('month', lot.created_at AT TIME ZONE store.time_zone)::date AS issued
    FROM loyalty_entry entry
    JOIN loyalty_giftcard card ON card.id = entry.card_id
    JOIN loyalty_store store ON store.id = card.store_id
    JOIN loyalty_grant lot ON lot.id = entry.grant_id
    LEFT JOIN loyalty_grant landing ON landing.id = entry.landing_grant_id
"""
# Of these, what moved in loyalty programs and what for. A step of an earning is written down before
# the ledger is asked with its request id, so that each of its entries finds it.
CAUSED = """
    SELECT moved.*, operation.kind AS verb, coalesce(earning.rule_id, 0) AS rule,
           coalesce(earning.campaign_id, 0) AS campaign,
           date_trunc('month', moved.day)::date AS month,
           CASE WHEN moved.source = 'outside' THEN moved.amount
                WHEN moved.target = 'removed' AND operation.kind = 'cancel' THEN -moved.amount
                ELSE 0 END AS given,
           CASE 'spent' WHEN moved.target THEN moved.amount WHEN moved.source THEN -moved.amount
                ELSE 0 END AS spent,
           (moved.source, moved.target) = ('available', 'held')
           OR moved.source = 'outside' AND moved.origin IN ('earning', 'reward') AS is_active
    FROM moved
    JOIN loyalty_program program ON program.id = moved.program_id AND program.kind = 'loyalty'
    JOIN loyalty_operation operation ON operation.id = moved.operation_id
    LEFT JOIN loyalty_earningmovement step
           ON moved.origin = 'earning' AND step.request_id = operation.request_id
          AND step.card_id = moved.card_id
    LEFT JOIN loyalty_earning earning ON earning.id = step.earning_id
"""
_LINE = "store_id, program_id, currency, exponent, funding, origin, landing_origin, source, target"
_DAYS = f"""
    SELECT {_LINE}, day, sum(amount) AS amount, count(*) AS count
    FROM moved GROUP BY {_LINE}, day
"""
_COHORTS = f"""
    SELECT {_LINE}, issued, date_trunc('month', day)::date AS month, sum(amount) AS amount,
           count(*) AS count
    FROM moved GROUP BY {_LINE}, issued, date_trunc('month', day)::date
"""
_CAUSE = (
    "program_id, day, store_id, currency, exponent, origin, verb, rule, campaign, source, target"
)
_CAUSES = f"""
    SELECT {_CAUSE}, sum(amount) AS amount, count(*) AS count FROM caused GROUP BY {_CAUSE}
"""
_JOINED = "program_id, joined, month, store_id, currency, exponent"
_JOINS = f"""
    SELECT {_JOINED}, sum(given) AS given, sum(spent) AS spent,
           count(DISTINCT card_id) FILTER (WHERE is_active) AS active
    FROM caused GROUP BY {_JOINED}
"""
# A wallet is active in a month once, whatever chunk says it first.
_NEWLY_JOINED = f"""
    SELECT {_JOINED}, sum(given), sum(spent), sum(active) FROM (
        SELECT {_JOINED}, given, spent, 0 AS active FROM caused
        UNION ALL
        SELECT {_JOINED}, 0, 0, count(DISTINCT card_id)
        FROM caused JOIN marked USING (card_id, month) GROUP BY {_JOINED}
    ) together GROUP BY {_JOINED}
"""
_HOLDS = """
    SELECT transaction_id, store_id, currency, exponent, min(created_at) AS opened_at,
           sum(CASE WHEN target = 'held' THEN amount ELSE -amount END) AS amount
    FROM moved WHERE 'held' IN (source, target)
    GROUP BY transaction_id, store_id, currency, exponent
"""
_ADD = f"""
    WITH moved AS MATERIALIZED (
        {MOVED} WHERE entry.id > %(after)s AND entry.id <= %(upto)s
    ), days AS (
        INSERT INTO loyalty_bookday AS known ({_LINE}, day, amount, count) {_DAYS}
        ON CONFLICT ({_LINE}, day) DO UPDATE
        SET amount = known.amount + EXCLUDED.amount, count = known.count + EXCLUDED.count
    ), cohorts AS (
        INSERT INTO loyalty_bookcohort AS known ({_LINE}, issued, month, amount, count) {_COHORTS}
        ON CONFLICT ({_LINE}, issued, month) DO UPDATE
        SET amount = known.amount + EXCLUDED.amount, count = known.count + EXCLUDED.count
    ), holds AS (
        INSERT INTO loyalty_openhold AS known
            (transaction_id, store_id, currency, exponent, opened_at, amount) {_HOLDS}
        ON CONFLICT (transaction_id) DO UPDATE SET amount = known.amount + EXCLUDED.amount
    ), caused AS MATERIALIZED (
        {CAUSED}
    ), causes AS (
        INSERT INTO loyalty_bookcause AS known ({_CAUSE}, amount, count) {_CAUSES}
        ON CONFLICT ({_CAUSE}) DO UPDATE
        SET amount = known.amount + EXCLUDED.amount, count = known.count + EXCLUDED.count
    ), marked AS (
        INSERT INTO loyalty_bookactive (card_id, month)
        SELECT DISTINCT card_id, month FROM caused WHERE is_active
        ON CONFLICT (card_id, month) DO NOTHING
        RETURNING card_id, month
    ), joins AS (
        INSERT INTO loyalty_bookjoined AS known ({_JOINED}, given, spent, active) {_NEWLY_JOINED}
        ON CONFLICT ({_JOINED}) DO UPDATE
        SET given = known.given + EXCLUDED.given, spent = known.spent + EXCLUDED.spent,
            active = known.active + EXCLUDED.active
    )
    SELECT count(*) FROM moved
"""
_CLOSE_HOLDS = """
    DELETE FROM loyalty_openhold
    WHERE amount = 0 AND transaction_id IN (
        SELECT transaction_id FROM loyalty_entry WHERE id > %(after)s AND id <= %(upto)s
    )
"""
_COUNTED = ("amount", "count")


@dataclass(frozen=True, slots=True)
class _Sums:
    """A table of sums: what its rows should be, by which columns, and the sums themselves."""

    made: str
    key: Sequence[str]
    values: Sequence[str] = _COUNTED


_SUMS: Mapping[str, _Sums] = {
    "loyalty_bookday": _Sums(_DAYS, (*_LINE.split(", "), "day")),
    "loyalty_bookcohort": _Sums(_COHORTS, (*_LINE.split(", "), "issued", "month")),
    "loyalty_bookcause": _Sums(_CAUSES, _CAUSE.split(", ")),
    "loyalty_bookjoined": _Sums(_JOINS, _JOINED.split(", "), ("given", "spent", "active")),
    "loyalty_openhold": _Sums(
        f"SELECT * FROM ({_HOLDS}) held WHERE amount <> 0",
        ("transaction_id", "store_id", "currency", "exponent", "opened_at"),
        ("amount",),
    ),
}
# Whoever writes entries has this lock on the table until the transaction ends.
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'loyalty_entry'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND mode = 'RowExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
"""
_LAST_ID = """
    SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('loyalty_entry', 'id')::regclass),
                    0)
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum that is not what its entries say."""

    table: str
    key: Mapping[str, object]
    kept: int
    entries: int

    def __str__(self) -> str:
        named = ", ".join(f"{name} {value}" for name, value in self.key.items())
        return f"{self.table}: {named}: kept {self.kept}, entries {self.entries}"


def progress() -> BookProgress:
    """How far the sums are; nothing is added yet when nobody began."""
    return BookProgress.objects.filter(pk=_PROGRESS).first() or BookProgress(pk=_PROGRESS)


def covered(store: Store, known: BookProgress) -> int:
    """The last entry in this store's sums; 0 when they follow another time zone than the store."""
    zone = known.zones.get(str(store.pk), store.time_zone)
    return known.last_entry if zone == store.time_zone else 0


def waiting(stores: Iterable[Store], known: BookProgress) -> int:
    """How many entries at most are not in the sums of all of these stores yet."""
    last = Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return max((last - covered(store, known) for store in stores), default=0)


def aggregate_due(*, chunk: int = CHUNK) -> int:
    """Add every entry that is final and not added yet; how many there were.

    Safe to run twice, late, or by several workers at once: each chunk is one transaction under the
    lock of the progress row, and goes on after the last entry that is in the sums.
    """
    limit, added = _final_id(), 0
    while True:
        more, count = _add_chunk(limit, chunk)
        added += count
        if not more:
            return added


def rebuild() -> None:
    """Forget the sums; the next `aggregate_due` makes them again, and reports are right meanwhile.

    Closed months stay as they are.
    """
    with atomic():
        _forget(locked_progress())


def verify(*, max_rows: int = 20) -> list[Difference]:
    """Where the sums differ from the entries that they cover; empty if all is well. Only reads.

    Of a table at most `max_rows`. Sums that follow another time zone than their store are about to
    be made again, and no report uses them: they are not compared.
    """
    found: list[Difference] = []
    with one_snapshot(), connection.cursor() as cursor:
        known = progress()
        if _zones_moved(known):
            return found
        for table, sums in _SUMS.items():
            columns = ", ".join(sums.key)
            cursor.execute(
                f"WITH moved AS NOT MATERIALIZED ({MOVED} WHERE entry.id <= %(upto)s),"
                f" caused AS ({CAUSED}),"
                f" made AS ({sums.made})"
                f" SELECT {columns}, {_of('kept', sums.values)}, {_of('made', sums.values)}"
                f" FROM {table} kept FULL JOIN made USING ({columns})"
                f" WHERE ({_of('kept', sums.values)}) IS DISTINCT FROM"
                f" ({_of('made', sums.values)}) LIMIT %(most)s",
                {"upto": known.last_entry, "most": max_rows},
            )
            found += [_difference(table, sums, row) for row in cursor.fetchall()]
    return found


def _difference(table: str, sums: _Sums, row: Sequence[Any]) -> Difference:
    """The row's first sum that differs."""
    named, size = len(sums.key), len(sums.values)
    pairs = zip(row[named : named + size], row[named + size :], strict=True)
    kept, made = next(pair for pair in pairs if pair[0] != pair[1])
    key = dict(zip(sums.key, row, strict=False))
    return Difference(table, key, int(kept or 0), int(made or 0))


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Everything inside is read from one state of the database, so that the figures agree.

    Inside a transaction it is that transaction's.
    """
    if connection.in_atomic_block:
        yield
        return
    with atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _of(table: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{table}.{column}" for column in columns)


def _final_id() -> int:
    """An id below which every entry there will ever be can be seen now.

    An id is drawn while the writer holds its lock on the table. So once those who held it when the
    last id was read are done, no smaller id can still appear. Who does not finish within the
    patience leaves the rest to the next run.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ID)
        [last] = cursor.fetchone()
        cursor.execute(_WRITERS)
        writers = {row[0] for row in cursor.fetchall()}
        deadline = time.monotonic() + PATIENCE
        while writers:
            if time.monotonic() > deadline:
                log.warning("Entries are being written for long; the books go on next time.")
                return progress().last_entry
            time.sleep(_PAUSE)
            cursor.execute(_WRITERS)
            writers &= {row[0] for row in cursor.fetchall()}
    return int(last)


def _add_chunk(limit: int, chunk: int) -> tuple[bool, int]:
    """The next chunk up to `limit`; whether more is left, and how many entries it had."""
    with atomic(), connection.cursor() as cursor:
        known = locked_progress()
        if _zones_moved(known):
            _forget(known)
        upto = min(limit, known.last_entry + chunk)
        known.zones, known.added_at = _zones(), timezone.now()
        if upto <= known.last_entry:
            known.save(update_fields=["zones", "added_at"])
            return False, 0
        window = {"after": known.last_entry, "upto": upto}
        cursor.execute(_ADD, window)
        [count] = cursor.fetchone()
        cursor.execute(_CLOSE_HOLDS, window)
        known.last_entry = upto
        known.save(update_fields=["last_entry", "zones", "added_at"])
    return upto < limit, count


def _zones() -> dict[str, str]:
    return {str(pk): zone for pk, zone in Store.objects.values_list("pk", "time_zone")}


def _zones_moved(known: BookProgress) -> bool:
    now = _zones()
    return any(now.get(store, zone) != zone for store, zone in known.zones.items())


def locked_progress() -> BookProgress:
    """The row, locked until the transaction ends: whoever changes the sums has it."""
    BookProgress.objects.bulk_create([BookProgress(pk=_PROGRESS)], ignore_conflicts=True)
    return BookProgress.objects.select_for_update().get(pk=_PROGRESS)


def _forget(known: BookProgress) -> None:
    for sums in (BookDay, BookCohort, BookCause, BookJoined, BookActive, OpenHold):
        sums._default_manager.all().delete()
    known.last_entry = 0
    known.save(update_fields=["last_entry"])
