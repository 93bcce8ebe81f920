"""Celery's tasks: thin, safe to run twice, at once, late or not at all until the next tick.

What is to be done is in the database. A message only says "look": one that is lost is made up for
by beat's next tick, one that comes three times finds nothing left to claim.
"""

import time
from collections.abc import Callable, Mapping
from functools import wraps

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded

from loyalty import (
    alerts,
    approvals,
    batches,
    earning,
    expiry,
    imports,
    jobs,
    notifications,
    periodic,
    privacy,
    proofs,
    reconciliation,
    reports,
    schedule,
)
from loyalty.earning import catching_up, simulation
from loyalty.jobs import Handler
from loyalty.models import JobKind
from loyalty.periodic import Result
from loyalty.schedule import Work

HANDLERS: Mapping[str, Handler] = {
    JobKind.ISSUE_BATCH: batches.issue_chunk,
    JobKind.CREDIT_BATCH: batches.credit_chunk,
    JobKind.EXTEND_BATCH: batches.extend_chunk,
    JobKind.UNDO_BATCH: batches.undo_chunk,
    JobKind.CHECK_IMPORT: imports.check_chunk,
    JobKind.APPLY_IMPORT: imports.apply_chunk,
    JobKind.RECONCILE: reconciliation.reconcile_chunk,
    JobKind.EXPIRE: expiry.expire_chunk,
    JobKind.PROVE_CHANGES: proofs.prove_chunk,
    JobKind.PROVE_ALL: proofs.prove_chunk,
    JobKind.CATCH_UP_ORDERS: catching_up.chunk,
    JobKind.SIMULATE_RULE: simulation.chunk,
    JobKind.REVIEW_TIERS: earning.review_chunk,
    JobKind.CHANGE_POINTS: earning.revalue_chunk,
}

# A worker that is told to stop has stopped after this time, and another one goes on at once.
SLICE_SECONDS = 10
# What a task that was told that its time is up has left to write that down.
GRACE_SECONDS = 30


@shared_task
def run_jobs() -> None:
    """Work on the open jobs for a while; if there may be more to do, the next message does it."""
    handlers = {**HANDLERS, **jobs.provided()}
    until = time.monotonic() + SLICE_SECONDS
    while (seconds := until - time.monotonic()) > 0:
        if not jobs.run_next(handlers, seconds=seconds, interruptions=(SoftTimeLimitExceeded,)):
            return
    run_jobs.delay()


def periodic_task(work: Work) -> Callable[[Callable[[], Result]], "Task[[], None]"]:
    """Makes a task of what `loyalty.schedule` lists: done when due, once, and recorded."""

    def task_of(do: Callable[[], Result]) -> "Task[[], None]":
        @wraps(do)
        def look() -> None:
            periodic.run(work, do)

        seconds = int(work.limit.total_seconds())
        made: Task[[], None] = shared_task(
            name=work.task, soft_time_limit=seconds, time_limit=seconds + GRACE_SECONDS
        )(look)
        return made

    return task_of


@periodic_task(schedule.TEND_APPROVALS)
def tend_approvals() -> Result:
    """End the requests that have lapsed, and do what was approved when a crash came between."""
    return {"lapsed": approvals.lapse_due(), "finished": approvals.finish_interrupted()}


@periodic_task(schedule.KEEP_BOOKS)
def keep_books() -> Result:
    """Add up what was booked since, count what expires soon, close the months that are over."""
    added = reports.aggregate_due()
    reports.count_expiring()
    return {"entries": added, "months": reports.close_months()}


@periodic_task(schedule.EXPIRE_CREDIT)
def expire_credit() -> Result:
    """Book what has expired: a job, if there is any."""
    return expiry.begin()


@periodic_task(schedule.REVIEW_TIERS)
def review_tiers() -> Result:
    """Bring tiers in line with the clock: a job, if there is anything to do."""
    return earning.begin_review()


@periodic_task(schedule.SCHEDULE_REMINDERS)
def schedule_reminders() -> Result:
    """Leave messages for the credit that ends soon."""
    return {"messages": notifications.schedule_reminders()}


@periodic_task(schedule.ANNOUNCE_USABLE)
def announce_usable() -> Result:
    """Leave messages for what orders earned and can be used now."""
    return {"messages": notifications.announce_usable()}


@periodic_task(schedule.SEND_MESSAGES)
def send_messages() -> Result:
    """Send the messages that wait."""
    return notifications.send_due()


@periodic_task(schedule.PROVE_CHANGES)
def prove_changes() -> Result:
    """Prove the cards that changed since everything was proved: a job."""
    return jobs.again(JobKind.PROVE_CHANGES)


@periodic_task(schedule.PROVE_ALL)
def prove_all() -> Result:
    """Prove all cards: a job."""
    return jobs.again(JobKind.PROVE_ALL)


@periodic_task(schedule.START_RECONCILIATIONS)
def start_reconciliations() -> Result:
    """Begin what is due of comparing each store with its own record; jobs go through it."""
    return {"begun": reconciliation.start_due()}


@periodic_task(schedule.TEND_ORDERS)
def tend_orders() -> Result:
    """Hear which orders changed, read them, and settle what customers earned by them."""
    return {
        "heard": earning.listen(),
        "read": earning.read_due(),
        "settled": earning.settle_due(),
    }


@periodic_task(schedule.CATCH_UP_ORDERS)
def catch_up_orders() -> Result:
    """Go through the lists of orders for what was never announced, and for late rewards."""
    return {"announced": earning.catch_up(), "rewarded": earning.look_for_rewards()}


@periodic_task(schedule.WATCH)
def watch() -> Result:
    """Tell people, once, of what is late, failed or wrong."""
    return alerts.watch()


@periodic_task(schedule.PURGE_PERSONAL_DATA)
def purge_personal_data() -> Result:
    """Let go of files of unfinished imports, failures to sign in and failed calls in time."""
    files, failures = privacy.purge()
    return {"files": files, "failures": failures, "calls": privacy.purge_elsewhere()}
