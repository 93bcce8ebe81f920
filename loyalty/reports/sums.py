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

from loyalty.models import BookProgress, Entry, Store
from loyalty.reports.parts import BOOKS, CAUSED, MOVED, PARTS, Part, Sums

CHUNK = 50_000  # entries that are added in one transaction
READABLE = 300_000  # entries that are not in the sums yet and are read in about three seconds
PATIENCE = 5.0  # seconds that a run waits for a transaction that is writing entries
_PAUSE = 0.02

log = logging.getLogger(__name__)

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
    """How far the sums of the books are; nothing is added yet when nobody began."""
    return progress_of(BOOKS)[0]


def progress_of(*parts: Part) -> list[BookProgress]:
    """How far each of these parts is, in one statement."""
    known = BookProgress.objects.in_bulk([part.row for part in parts])
    return [known.get(part.row) or BookProgress(pk=part.row) for part in parts]


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
    limit = _final_id()
    return {part.row: _add(part, limit, chunk) for part in PARTS}[BOOKS.row]


def _add(part: Part, limit: int, chunk: int) -> int:
    added, more = 0, True
    while more:
        more, count = _add_chunk(part, limit, chunk)
        added += count
    return added


def rebuild() -> None:
    """Forget the sums; the next `aggregate_due` makes them again, and reports are right meanwhile.

    Closed months stay as they are.
    """
    with atomic():
        for part in PARTS:
            _forget(part, locked_progress(part))


def verify(*, max_rows: int = 20) -> list[Difference]:
    """Where the sums differ from the entries that they cover; empty if all is well. Only reads.

    Of a table at most `max_rows`. Sums that follow another time zone than their store are about to
    be made again, and no report uses them: they are not compared.
    """
    found: list[Difference] = []
    with one_snapshot(), connection.cursor() as cursor:
        for part, known in zip(PARTS, progress_of(*PARTS), strict=True):
            if _zones_moved(known):
                continue
            for table, sums in part.sums.items():
                values = {"upto": known.last_entry, "most": max_rows}
                cursor.execute(_compared(table, sums), values)
                found += [_difference(table, sums, row) for row in cursor.fetchall()]
    return found


def _compared(table: str, sums: Sums) -> str:
    columns, kept, made = ", ".join(sums.key), _of("kept", sums), _of("made", sums)
    return f"""
        WITH moved AS NOT MATERIALIZED ({MOVED} WHERE entry.id <= %(upto)s),
        caused AS ({CAUSED}), made AS ({sums.made})
        SELECT {columns}, {kept}, {made} FROM {table} kept FULL JOIN made USING ({columns})
        WHERE ({kept}) IS DISTINCT FROM ({made}) LIMIT %(most)s
    """


def _difference(table: str, sums: Sums, row: Sequence[Any]) -> Difference:
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


def _of(table: str, sums: Sums) -> str:
    return ", ".join(f"{table}.{column}" for column in sums.values)


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


def _add_chunk(part: Part, limit: int, chunk: int) -> tuple[bool, int]:
    """The next chunk up to `limit`; whether more is left, and how many entries it had."""
    with atomic(), connection.cursor() as cursor:
        known = locked_progress(part)
        if _zones_moved(known):
            _forget(part, known)
        upto = min(limit, known.last_entry + chunk)
        known.zones, known.added_at = _zones(), timezone.now()
        if upto <= known.last_entry:
            known.save(update_fields=["zones", "added_at"])
            return False, 0
        window = {"after": known.last_entry, "upto": upto}
        add, *others = part.statements
        cursor.execute(add, window)
        [count] = cursor.fetchone()
        for statement in others:
            cursor.execute(statement, window)
        known.last_entry = upto
        known.save(update_fields=["last_entry", "zones", "added_at"])
    return upto < limit, count


def _zones() -> dict[str, str]:
    return {str(pk): zone for pk, zone in Store.objects.values_list("pk", "time_zone")}


def _zones_moved(known: BookProgress) -> bool:
    now = _zones()
    return any(now.get(store, zone) != zone for store, zone in known.zones.items())


def locked_progress(part: Part = BOOKS) -> BookProgress:
    """The row, locked until the transaction ends: whoever changes the sums has it."""
    BookProgress.objects.bulk_create([BookProgress(pk=part.row)], ignore_conflicts=True)
    return BookProgress.objects.select_for_update().get(pk=part.row)


def _forget(part: Part, known: BookProgress) -> None:
    for sums in part.tables:
        sums._default_manager.all().delete()
    known.last_entry = 0
    known.save(update_fields=["last_entry"])
