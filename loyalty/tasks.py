"""Celery's tasks: thin, safe to run twice, at once, late or not at all until the next tick.

What is to be done is in the database. A message only says "look": one that is lost is made up for
by beat's next tick, one that comes three times finds nothing left to claim.
"""

import time
from collections.abc import Mapping

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from loyalty import (
    approvals,
    batches,
    imports,
    jobs,
    notifications,
    privacy,
    reconciliation,
    reports,
)
from loyalty.jobs import Handler
from loyalty.models import JobKind

HANDLERS: Mapping[str, Handler] = {
    JobKind.ISSUE_BATCH: batches.issue_chunk,
    JobKind.EXTEND_BATCH: batches.extend_chunk,
    JobKind.UNDO_BATCH: batches.undo_chunk,
    JobKind.CHECK_IMPORT: imports.check_chunk,
    JobKind.APPLY_IMPORT: imports.apply_chunk,
    JobKind.RECONCILE: reconciliation.reconcile_chunk,
}

# A worker that is told to stop has stopped after this time, and another one goes on at once.
SLICE_SECONDS = 10


@shared_task
def run_jobs() -> None:
    """Work on the open jobs for a while; if there may be more to do, the next message does it."""
    handlers = {**HANDLERS, **jobs.provided()}
    until = time.monotonic() + SLICE_SECONDS
    while (seconds := until - time.monotonic()) > 0:
        if not jobs.run_next(handlers, seconds=seconds, interruptions=(SoftTimeLimitExceeded,)):
            return
    run_jobs.delay()


@shared_task
def tend_approvals() -> None:
    """End the requests that have lapsed, and do what was approved when a crash came between."""
    approvals.lapse_due()
    approvals.finish_interrupted()


@shared_task
def keep_books() -> None:
    """Add up what was booked since, count what expires soon, close the months that are over."""
    reports.aggregate_due()
    reports.count_expiring()
    reports.close_months()


@shared_task
def schedule_reminders() -> None:
    """Leave messages for the credit that ends soon."""
    notifications.schedule_reminders()


@shared_task
def send_messages() -> None:
    """Send the messages that wait."""
    notifications.send_due()


@shared_task
def purge_personal_data() -> None:
    """Let go of files of unfinished imports, failures to sign in and failed calls in time."""
    privacy.purge()
    privacy.purge_elsewhere()
