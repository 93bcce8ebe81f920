"""Long work, chunk by chunk: claimed, done, and taken up again where a dead worker left it.

A handler does the next chunk of a job and says whether more is left. Doing a chunk twice must
change nothing: the lease keeps two workers apart, and what the handlers call is safe to repeat.
"""

import datetime
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from loyalty.exceptions import LedgerBusy
from loyalty.models import Job, JobKind, PeriodicWork

LEASE = datetime.timedelta(minutes=2)
MOST_STALLS = 60
_CANDIDATES = 20
_STALLS = "stalls"

log = logging.getLogger(__name__)

Handler = Callable[[Job], bool]
"""Does the next chunk, moves `job.done` (and `job.failed`) on; True while more is left."""

_provided: dict[str, Handler] = {}

# The same chunk will do later: nothing is wrong with the job.
_PASSING = (LedgerBusy, OperationalError, InterfaceError)


def provide(kind: JobKind, handler: Handler) -> None:
    """Teach the workers a kind of job whose code stands above this one; when Django starts."""
    _provided[kind] = handler


def provided() -> Mapping[str, Handler]:
    """What they were taught."""
    return _provided


def run_next(
    handlers: Mapping[str, Handler],
    *,
    seconds: float | None = None,
    interruptions: tuple[type[Exception], ...] = (),
) -> bool:
    """Take an open job that nobody is at and work on it, to its end or for about `seconds`.

    False when there is none, or when the database or a lock was not to be had: worth trying again,
    but not at once. A job that is left goes on after its last whole chunk; so does one that an
    exception of `interruptions` stops, which is raised again.
    """
    job = _claim(handlers)
    if job is None:
        return False
    until = None if seconds is None else time.monotonic() + seconds
    try:
        while handlers[job.kind](job):
            if not _keep(job):
                log.warning("Job %s was taken over by another worker.", job.pk)
                return True
            if until is not None and time.monotonic() >= until:
                _leave(job)
                return True
        _finish(job, Job.Status.DONE, **_progress(job))
    except interruptions:
        _leave(job)
        raise
    except _PASSING:
        log.warning("Job %s has to wait: the database or a lock was not to be had.", job.pk)
        _put_off(job)
        return False
    except Exception as error:
        log.exception("Job %s failed.", job.pk)
        _finish(job, Job.Status.FAILED, error=reason_of(error))
    return True


def again(kind: JobKind) -> Job:
    """The job of periodic work: the one that is open, or failed and now goes on, or a new one."""
    latest = Job.objects.filter(kind=kind).order_by("-pk").first()
    if latest is None or latest.status == Job.Status.DONE:
        return Job.objects.create(kind=kind)
    retry(latest)
    return latest


def retry(job: Job) -> bool:
    """Let a failed job go on after its last chunk; False when it is not failed (any more)."""
    failed = Job.objects.filter(pk=job.pk, status=Job.Status.FAILED)
    # A running job is not touched, a waiting one needs nothing: a second click does no harm.
    parameters = {name: job.parameters[name] for name in job.parameters if name != _STALLS}
    return bool(
        failed.update(
            status=Job.Status.WAITING,
            parameters=parameters,
            error="",
            finished_at=None,
            leased_until=None,
        )
    )


def _claim(kinds: Collection[str]) -> Job | None:
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    unfinished = Job.objects.filter(status__in=[Job.Status.WAITING, Job.Status.RUNNING])
    # Short work that was just asked for need not wait for the end of all long work.
    in_turn = unfinished.order_by(F("started_at").asc(nulls_first=True), "pk")
    for job in in_turn.filter(free, kind__in=kinds)[:_CANDIDATES]:
        # Another worker may be at this line too; the row takes one of us.
        as_seen = Job.objects.filter(free, pk=job.pk, status=job.status, lease=job.lease)
        lease = secrets.token_hex(16)
        taken = as_seen.update(
            status=Job.Status.RUNNING,
            lease=lease,
            leased_until=now + LEASE,
            started_at=job.started_at or now,
        )
        if taken:
            return _mine(Job(pk=job.pk, lease=lease)).first()
    return None


def _mine(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, lease=job.lease, status=Job.Status.RUNNING)


def _progress(job: Job) -> dict[str, Any]:
    return {
        "parameters": {name: job.parameters[name] for name in job.parameters if name != _STALLS},
        "total": job.total,
        "done": job.done,
        "failed": job.failed,
        "counts": job.counts,
    }


def _keep(job: Job) -> bool:
    """Save the progress and renew the lease; False when somebody else has it by now."""
    leased_until = timezone.now() + LEASE
    return bool(_mine(job).update(leased_until=leased_until, **_progress(job)))


def _leave(job: Job) -> None:
    """Let anybody go on, after the last chunk that was kept."""
    _mine(job).update(leased_until=None)


def _put_off(job: Job) -> None:
    """The same, but not for ever: what never gets on is shown to people as failed."""
    connection.close_if_unusable_or_obsolete()
    with suppress(OperationalError, InterfaceError):  # the lease runs out by itself
        kept = _mine(job).first()
        if kept is None:
            return
        stalls = kept.parameters.get(_STALLS, 0) + 1
        if stalls >= MOST_STALLS:
            _finish(job, Job.Status.FAILED, error="The database or a lock was not to be had.")
        else:
            kept.parameters[_STALLS] = stalls
            _mine(job).update(parameters=kept.parameters, leased_until=None)


def _finish(job: Job, status: Job.Status, **values: Any) -> None:
    # Of a failure nothing of the chunk is kept: the job goes on before it.
    _mine(job).update(status=status, finished_at=timezone.now(), leased_until=None, **values)
    tell_end(job)


def tell_end(job: Job) -> None:
    """The end of a job, if it has ended, is also that of the periodic run that began it."""
    ended = Job.objects.filter(pk=job.pk, finished_at__isnull=False).first()
    if ended is None:
        return
    values: dict[str, Any] = {"finished_at": ended.finished_at, "error": ended.error}
    if ended.status == Job.Status.DONE:
        values |= {"counts": ended.counts, "succeeded_at": F("started_at")}
    PeriodicWork.objects.filter(job=ended).update(**values)


def reason_of(error: Exception) -> str:
    """What went wrong, without the rows that a database quotes in its second line."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"


__all__ = [
    "LEASE",
    "MOST_STALLS",
    "Handler",
    "JobKind",
    "again",
    "provide",
    "provided",
    "reason_of",
    "retry",
    "run_next",
    "tell_end",
]
