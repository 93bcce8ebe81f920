"""The table of periodic work: what is done, how often, and how late it may be.

`config.celery` makes beat's schedule from it, `loyalty.periodic` keeps the record of each run, and
whoever watches compares the two. No models here: Celery reads it before Django is ready.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
WEEK = datetime.timedelta(weeks=1)

_A_MONDAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Work:
    """Something that is due again and again: every `every`, `offset` after Monday 0:00 UTC.

    It is late when no run that began after it was due has succeeded within `may_be_late`. A run
    that takes longer than `limit` is stopped; long work is a job, which has its own leases.
    """

    name: str
    title: StrOrPromise
    every: datetime.timedelta
    may_be_late: datetime.timedelta
    offset: datetime.timedelta = datetime.timedelta()
    limit: datetime.timedelta = 4 * MINUTE

    def due_at(self, instant: datetime.datetime) -> datetime.datetime:
        """The last time that it was due, seen from an instant."""
        return instant - (instant - _A_MONDAY - self.offset) % self.every

    @property
    def task(self) -> str:
        """The Celery task that does it."""
        return f"loyalty.tasks.{self.name}"

    @property
    def tick(self) -> datetime.timedelta:
        """How often a worker is told to look whether it is due: a message may be lost."""
        return min(self.every, MINUTE)


TEND_APPROVALS = Work(
    "tend_approvals", _("End lapsed approvals, finish interrupted ones"), MINUTE, 15 * MINUTE
)
KEEP_BOOKS = Work(
    "keep_books",
    _("Add up the books, close finished months"),
    MINUTE,
    30 * MINUTE,
    limit=25 * MINUTE,
)
EXPIRE_CREDIT = Work("expire_credit", _("Book expired credit"), HOUR, 3 * HOUR, offset=MINUTE)
# In the night of the stores; everything on Sundays.
PROVE_CHANGES = Work(
    "prove_changes", _("Prove the books, what changed"), DAY, DAY / 2, offset=5 * HOUR
)
PROVE_ALL = Work(
    "prove_all", _("Prove the books, everything"), WEEK, DAY, offset=6 * DAY + 6 * HOUR
)
REVIEW_TIERS = Work(
    "review_tiers", _("Review the tiers that time changes"), HOUR, 3 * HOUR, offset=2 * MINUTE
)
SCHEDULE_REMINDERS = Work(
    "schedule_reminders", _("Remind customers of credit that ends soon"), 15 * MINUTE, DAY / 2
)
ANNOUNCE_USABLE = Work(
    "announce_usable", _("Tell customers what they can use now"), 15 * MINUTE, DAY / 2
)
SEND_MESSAGES = Work("send_messages", _("Send messages to customers"), MINUTE, 30 * MINUTE)
START_RECONCILIATIONS = Work(
    "start_reconciliations", _("Begin the nightly comparisons with the stores"), 10 * MINUTE, HOUR
)
TEND_ORDERS = Work(
    "tend_orders",
    _("Hear which orders changed, and what they earn"),
    MINUTE,
    30 * MINUTE,
    limit=15 * MINUTE,
)
CATCH_UP_ORDERS = Work(
    "catch_up_orders",
    _("Look for orders that were never announced"),
    HOUR,
    6 * HOUR,
    offset=20 * MINUTE,
    limit=30 * MINUTE,
)
WATCH = Work("watch", _("Watch all of this, and tell people"), MINUTE, 15 * MINUTE)
PURGE_PERSONAL_DATA = Work(
    "purge_personal_data", _("Let go of personal data after its days"), DAY, DAY, offset=7 * HOUR
)

# A line here, a task of the same name in `loyalty.tasks`: that is all that periodic work takes.
PERIODIC: Mapping[str, Work] = {
    work.name: work
    for work in (
        *(TEND_APPROVALS, KEEP_BOOKS, EXPIRE_CREDIT, PROVE_CHANGES, PROVE_ALL),
        *(TEND_ORDERS, CATCH_UP_ORDERS, REVIEW_TIERS),
        *(
            SCHEDULE_REMINDERS,
            ANNOUNCE_USABLE,
            SEND_MESSAGES,
            START_RECONCILIATIONS,
            WATCH,
            PURGE_PERSONAL_DATA,
        ),
    )
}
