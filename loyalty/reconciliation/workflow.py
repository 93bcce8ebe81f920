"""From the wish to compare to the job that does it."""

import datetime
from functools import lru_cache

from django.contrib.auth.models import User
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.translation import gettext_noop

from loyalty import codes
from loyalty.exceptions import LedgerBusy
from loyalty.models import Job, JobKind, ReconciliationFile, ReconciliationRun, Store
from loyalty.order_sources import (
    OrderSource,
    SourceError,
    SourceUnavailable,
    SourceUnreadable,
    Window,
    WindowKind,
    source_class,
    source_of,
)
from loyalty.reconciliation.engine import advance
from loyalty.reconciliation.files import FileOrders

# In a row, each after the client's own attempts and pauses: ten minutes to an hour and more.
MOST_FAILURES = 40

Status = ReconciliationRun.Status


def start(
    store: Store,
    window: Window,
    *,
    requested_by: User | None = None,
    content: bytes = b"",
    file_name: str = "",
) -> ReconciliationRun:
    """Begin to compare a window with the store's orders, or with a file. Raises `SourceError`.

    What the orders do not tell yet is cut off the window's end.
    """
    until = window.until
    if content:
        FileOrders(store, content)
    else:
        until = min(until, timezone.now() - source_class().lag)
    if until <= window.since:
        raise SourceUnreadable(gettext_noop("There is nothing to compare yet in this time."))
    with atomic():
        job = Job.objects.create(
            kind=JobKind.RECONCILE, parameters={}, total=100, requested_by=requested_by
        )
        run = ReconciliationRun.objects.create(
            store=store,
            source=ReconciliationRun.Source.FILE if content else ReconciliationRun.Source.ORDERS,
            by=window.kind,
            since=window.since,
            until=until,
            compared_until=window.since,
            requested_by=requested_by,
            job=job,
            started_at=timezone.now(),
        )
        job.parameters = {"run": run.pk}
        job.save(update_fields=["parameters"])
        if content:
            ReconciliationFile.objects.create(
                run=run,
                name=file_name[:200],
                content=codes.seal_file(content, name=_seal_name(run.pk)),
            )
    return run


def run(store: Store, window: Window, source: OrderSource | None = None) -> ReconciliationRun:
    """Compare a window to its end, here and now. Raises `SourceError`; the run can go on."""
    made = ReconciliationRun.objects.create(
        store=store,
        source=ReconciliationRun.Source.FILE
        if isinstance(source, FileOrders)
        else ReconciliationRun.Source.ORDERS,
        by=window.kind,
        since=window.since,
        until=window.until,
        compared_until=window.since,
        started_at=timezone.now(),
    )
    asked = source or source_of(store)
    try:
        while advance(made, asked):
            pass
    except SourceError as error:
        _fail(made, error)
        raise
    finally:
        if source is None:
            asked.close()
    return made


def reconcile_chunk(job: Job) -> bool:
    """The next slice of a run. A store that does not answer is asked again later, for a while."""
    made = ReconciliationRun.objects.select_related("store").get(pk=job.parameters["run"])
    _take_up(made)
    try:
        source = _source(made)
        try:
            is_left = advance(made, source)
        finally:
            source.close()
    except SourceUnavailable as error:
        failures = made.progress.get("failures", 0) + 1
        if failures >= MOST_FAILURES:
            _fail(made, error)
            raise
        made.progress["failures"] = failures
        ReconciliationRun.objects.filter(pk=made.pk).update(
            progress=made.progress, error=str(error)
        )
        raise LedgerBusy from error  # the job is put off
    except (SourceError, LookupError) as error:
        _fail(made, error)
        raise
    fresh = ReconciliationRun.objects.get(pk=made.pk)
    job.done = fresh.percent
    if fresh.status == Status.DONE:
        job.done = job.total
        _file.cache_clear()
        ReconciliationFile.objects.filter(run=fresh).update(content=b"")
    return fresh.status == Status.RUNNING or is_left


def _take_up(made: ReconciliationRun) -> None:
    """A failed run whose job was started again goes on."""
    if made.status == Status.FAILED:
        made.status, made.finished_at = Status.RUNNING, None
        made.progress.pop("failures", None)
        made.save(update_fields=["status", "finished_at", "progress"])


def _fail(made: ReconciliationRun, error: Exception) -> None:
    ReconciliationRun.objects.filter(pk=made.pk, status=Status.RUNNING).update(
        status=Status.FAILED, finished_at=timezone.now(), error=str(error)
    )


def _source(made: ReconciliationRun) -> OrderSource:
    if made.source == ReconciliationRun.Source.FILE:
        return _file(made.pk)
    return source_of(made.store)


@lru_cache(maxsize=1)
def _file(run_id: int) -> FileOrders:
    """A run's file, kept from one slice to the next."""
    kept = ReconciliationFile.objects.select_related("run__store").get(pk=run_id)
    content = codes.unseal_file(bytes(kept.content), name=_seal_name(run_id))
    return FileOrders(kept.run.store, content)


def _seal_name(run_id: int) -> str:
    return f"reconciliation:{run_id}"


def recent(kind: WindowKind, store: Store, *, days: int) -> Window:
    """The last whole days of the store. More than one: some were on their way."""
    today = timezone.localdate(timezone=store.zone)
    first = today - datetime.timedelta(days=days)
    return Window(kind, store.first_instant(first), store.first_instant(today))
