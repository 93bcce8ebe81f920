"""How things stand now, for Prometheus: read at each scrape, by an index or from a small table.

A database that does not answer in time leaves its gauges out; what was counted is told anyway.
"""

import datetime
import logging
from collections.abc import Iterator

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, Max, Min
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import periodic
from loyalty.metrics import Gauge
from loyalty.models import (
    Approval,
    Discrepancy,
    Job,
    Notification,
    NotificationStatus,
    OpenHold,
    PeriodicWork,
    ProofDifference,
)

log = logging.getLogger(__name__)

# Of the jobs that have ended, as many as are looked at for failures.
_LATEST_JOBS = 500


def read() -> list[Gauge]:
    """Every gauge that can be read now."""
    found: list[Gauge] = []
    try:
        with atomic(), connection.cursor() as cursor:
            # A scrape must never be what a busy database is busy with.
            cursor.execute("SELECT set_config('statement_timeout', '2s', true)")
            found += _of_database()
    except (DatabaseError, InterfaceError):
        log.warning("The gauges could not be read.", exc_info=True)
    return found


def beat_age(now: datetime.datetime) -> float | None:
    """Seconds since a worker last began what beat tells it to do; None when it never has."""
    latest: datetime.datetime | None = PeriodicWork.objects.aggregate(at=Max("started_at"))["at"]
    return None if latest is None else round(_age(latest, now), 1)


def _of_database() -> Iterator[Gauge]:
    now = timezone.now()
    yield from _periodic(now)
    yield from _holds(now)
    yield from _jobs(now)
    yield from _outbox(now)
    yield _waiting_approvals(now)
    yield _open_discrepancies()
    yield _wrong_books()


def _periodic(now: datetime.datetime) -> Iterator[Gauge]:
    age = beat_age(now)
    yield Gauge(
        "giftcard_beat_age_seconds",
        "Since a worker last began what beat tells it to do.",
        {} if age is None else {(): age},
    )
    standings = periodic.standings()
    yield Gauge(
        "giftcard_periodic_late",
        "1 for periodic work that has not succeeded in time.",
        {(each.work.name,): float(each.is_late) for each in standings},
        ("work",),
    )
    yield Gauge(
        "giftcard_periodic_failed",
        "1 for periodic work whose latest run ended in an error.",
        {(each.work.name,): float(each.has_failed) for each in standings},
        ("work",),
    )


def _holds(now: datetime.datetime) -> Iterator[Gauge]:
    rows = list(
        OpenHold.objects.values_list("store__account")
        .annotate(number=Count("pk"), oldest=Min("opened_at"))
        .order_by()
    )
    yield Gauge(
        "giftcard_open_holds",
        "Purchases that hold money, neither settled nor released.",
        {(store,): number for store, number, _ in rows},
        ("store",),
    )
    yield Gauge(
        "giftcard_oldest_hold_seconds",
        "Age of the oldest of them.",
        {(store,): _age(oldest, now) for store, _, oldest in rows},
        ("store",),
    )


def _jobs(now: datetime.datetime) -> Iterator[Gauge]:
    unfinished = Job.objects.filter(status__in=[Job.Status.WAITING, Job.Status.RUNNING])
    rows = list(
        unfinished.values_list("kind", "status")
        .annotate(number=Count("pk"), oldest=Min("created_at"))
        .order_by()
    )
    latest = Job.objects.order_by("-pk").values_list("kind", "status")[:_LATEST_JOBS]
    failed: dict[tuple[str, ...], float] = {}
    for kind, status in latest:
        if status == Job.Status.FAILED:
            failed[kind, status] = failed.get((kind, status), 0) + 1
    yield Gauge(
        "giftcard_jobs",
        "Jobs that wait, run, or have failed and were not taken up again.",
        {(kind, status): number for kind, status, number, _ in rows} | failed,
        ("kind", "status"),
    )
    waiting = [oldest for _, status, _, oldest in rows if status == Job.Status.WAITING]
    yield Gauge(
        "giftcard_job_lag_seconds",
        "How long the oldest job waits that no worker has taken up.",
        {(): _age(min(waiting), now) if waiting else 0},
    )


def _outbox(now: datetime.datetime) -> Iterator[Gauge]:
    """By the indexes of what waits and of what is being sent: rows that were sent are not read."""
    due = Notification.objects.filter(
        status=NotificationStatus.WAITING, next_attempt_at__lte=now
    ).aggregate(oldest=Min("next_attempt_at"), number=Count("pk"))
    yield Gauge("giftcard_outbox_waiting", "Messages that are due.", {(): due["number"]})
    yield Gauge(
        "giftcard_outbox_age_seconds",
        "How long the oldest message has been due.",
        {(): _age(due["oldest"], now) if due["oldest"] else 0},
    )


def _waiting_approvals(now: datetime.datetime) -> Gauge:
    waiting = Approval.objects.filter(status=Approval.Status.WAITING, expires_at__gt=now)
    return Gauge(
        "giftcard_approvals_waiting",
        "Actions of staff that wait for another person.",
        {(): waiting.count()},
    )


def _wrong_books() -> Gauge:
    """By the index of those that are not gone."""
    number = ProofDifference.objects.filter(gone_at=None).count()
    return Gauge(
        "giftcard_books_wrong",
        "Differences that proofs of the books found; 0 is right.",
        {(): number},
    )


def _open_discrepancies() -> Gauge:
    rows = (
        Discrepancy.objects.filter(status=Discrepancy.Status.OPEN)
        .values_list("kind")
        .annotate(number=Count("pk"))
        .order_by()
    )
    return Gauge(
        "giftcard_discrepancies_open",
        "Differences between the books and the store's orders that nobody has dealt with.",
        {(kind,): number for kind, number in rows},
        ("kind",),
    )


def _age(instant: datetime.datetime, now: datetime.datetime) -> float:
    return max((now - instant).total_seconds(), 0)
