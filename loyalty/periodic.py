"""The runs of periodic work: begun when it is due, once, and recorded from beginning to end.

Whether something is due is in the database, never in a message: a message that is lost is made up
for by the next tick, one that comes three times finds that the run has begun. What was due while
nothing ran is done at the first tick after it, once.
"""

import datetime
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from loyalty import jobs
from loyalty.jobs import reason_of
from loyalty.models import Job, PeriodicWork
from loyalty.schedule import PERIODIC, Work

MOST_ATTEMPTS = 3  # for each time that it is due
_MARGIN = datetime.timedelta(minutes=1)  # between the task's time limit and the end of the lease

log = logging.getLogger(__name__)

Result = Mapping[str, int] | Job | None
"""What a run did, counted by name; or the job that does it, whose end is the run's."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One kind of periodic work, its record, and whether it is late; for people and metrics."""

    work: Work
    record: PeriodicWork
    is_late: bool
    is_known: bool = True

    @property
    def has_failed(self) -> bool:
        """Whether its latest run ended in an error."""
        return self.record.finished_at is not None and bool(self.record.error)


def run(work: Work, do: Callable[[], Result]) -> bool:
    """Do it if it is due and nobody is at it; whether it was done now. Errors are recorded.

    A run that fails is tried again by the next ticks, `MOST_ATTEMPTS` times in all; then it waits
    until it is due the next time.
    """
    now = timezone.now()
    if not _begin(work, now):
        return False
    try:
        result = do()
    except Exception as error:
        log.exception("Periodic work %s failed.", work.name)
        _end(work, now, error=reason_of(error))
        return True
    if isinstance(result, Job):
        _mine(work, now).update(job=result, leased_until=None)
        jobs.tell_end(result)  # it may have ended before this line
    else:
        _end(work, now, counts=dict(result or {}), succeeded_at=now)
    return True


def ask(name: str) -> None:
    """Have it run now, or as soon as the run that is going on has ended."""
    PeriodicWork.objects.bulk_create([PeriodicWork(name=name)], ignore_conflicts=True)
    PeriodicWork.objects.filter(pk=name).update(asked_at=timezone.now())


def standings() -> list[Standing]:
    """Everything in the table, in its order."""
    known = PeriodicWork.objects.select_related("job").in_bulk(list(PERIODIC))
    return [standing(work, known.get(name)) for name, work in PERIODIC.items()]


def standing(work: Work, record: PeriodicWork | None) -> Standing:
    """How one kind of work is, by its record; without one no worker has ever come to it."""
    if record is None:
        return Standing(work, PeriodicWork(name=work.name), is_late=False, is_known=False)
    # What never succeeded is late from when it was first due after it was first seen.
    last = record.succeeded_at or record.created_at
    return Standing(work, record, is_late=last < work.due_at(timezone.now() - work.may_be_late))


def _begin(work: Work, now: datetime.datetime) -> bool:
    """Take the run: one statement, which one of all that try at once gets through."""
    if not PeriodicWork.objects.filter(pk=work.name).exists():
        PeriodicWork.objects.bulk_create([PeriodicWork(name=work.name)], ignore_conflicts=True)
    due = work.due_at(now)
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    fresh = Q(started_at=None) | Q(started_at__lt=due) | Q(asked_at__gt=F("started_at"))
    rows = PeriodicWork.objects.filter(free, pk=work.name)
    taken = {
        "started_at": now,
        "finished_at": None,
        "error": "",
        "job": None,
        "leased_until": now + work.limit + _MARGIN,
    }
    if rows.filter(fresh).update(attempts=1, **taken):
        return True
    went_wrong = ~Q(error="") | Q(finished_at=None, job=None)
    return bool(
        rows.filter(went_wrong, attempts__lt=MOST_ATTEMPTS).update(
            attempts=F("attempts") + 1, **taken
        )
    )


def _mine(work: Work, started_at: datetime.datetime) -> QuerySet[PeriodicWork]:
    return PeriodicWork.objects.filter(pk=work.name, started_at=started_at)


def _end(work: Work, started_at: datetime.datetime, **values: Any) -> None:
    _mine(work, started_at).update(
        **{"error": "", "counts": {}, **values}, finished_at=timezone.now(), leased_until=None
    )
