"""Books what has expired, of all stores, soonest first.

A debit never waits for this: it looks at the dates itself. The end of a grant is an instant, which
its store's time zone gave: whoever runs every hour has each store's midnight soon after it.

A run walks the index of ends from where the last one stopped, a day earlier: credit that was given
with an end already past, whose transaction was on its way, or whose card was locked, is in it. Once
a week it walks from the beginning.
"""

import datetime
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import IntegrityError, connection
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import jobs, ledger
from loyalty.models import Grant, Job, JobKind

CHUNK, WALK = 500, 2000  # grants booked, and grants looked at, in one step at most
OVERLAP = datetime.timedelta(days=1)
WHOLE_EVERY = datetime.timedelta(days=7)
ACTOR = "clock"

log = logging.getLogger(__name__)

_THE_BEGINNING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

# So many grants are looked at, most of which may be spent; the last one says where to go on.
_DUE = """
    WITH walked AS (
        SELECT id, card_id, expires_at, remaining FROM loyalty_grant
        WHERE expires_at >= %(from)s AND (expires_at, id) > (%(from)s, %(after)s)
          AND expires_at <= %(until)s
        ORDER BY expires_at, id LIMIT %(walk)s
    ), marked AS (
        SELECT *, lead(id) OVER (ORDER BY expires_at, id) IS NULL AS is_last FROM walked
    )
    SELECT id, card_id, expires_at, remaining > 0 FROM marked WHERE remaining > 0 OR is_last
    ORDER BY expires_at, id LIMIT %(most)s
"""
_HOW_MANY = """
    SELECT count(*) FROM loyalty_grant
    WHERE expires_at >= %(from)s AND expires_at <= %(until)s AND remaining > 0
"""


class _Row(NamedTuple):
    """A grant whose end has come."""

    id: int
    card_id: int
    expires_at: datetime.datetime
    is_due: bool


def begin() -> Job | dict[str, int]:
    """The job that books what is due, or no cards when nothing is."""
    latest = Job.objects.filter(kind=JobKind.EXPIRE).order_by("-pk").first()
    is_over = latest is None or latest.status == Job.Status.DONE
    since = _since(timezone.now())
    if is_over and since > _THE_BEGINNING:
        due = Grant.objects.filter(
            expires_at__gte=since, expires_at__lte=timezone.now(), remaining__gt=0
        )
        if not due.exists():
            return {"cards": 0}
    return jobs.again(JobKind.EXPIRE)


def expire_chunk(job: Job) -> bool:
    """Book the next grants; True while more are due.

    `done` counts grants, `failed` those of cards that the database refused to change: their card is
    named in the log, and the proof of the books says what is wrong with it.
    """
    place = job.parameters
    if "until" not in place:
        _set_out(job)
    rows = _due(place)
    if not rows:
        job.total = job.done
        return False
    grants = Counter(row.card_id for row in rows if row.is_due)
    found = _book(list(grants))
    refused = [card_id for card_id in grants if card_id not in found]
    counts = Counter(job.counts)
    counts.update(cards=sum(found.values()), refused=len(refused))
    job.counts = dict(counts)
    job.done += grants.total()
    job.failed += sum(grants[card_id] for card_id in refused)
    job.total = max(job.total, job.done)
    place["from"], place["after"] = rows[-1].expires_at.isoformat(), rows[-1].id
    return True


def _since(now: datetime.datetime) -> datetime.datetime:
    """From where a run that begins now has to look."""
    done = Job.objects.filter(kind=JobKind.EXPIRE, status=Job.Status.DONE).order_by("-pk")
    whole = done.filter(parameters__whole=True, created_at__gt=now - WHOLE_EVERY)
    latest = done.first()
    if latest is None or not whole.exists():
        return _THE_BEGINNING
    return datetime.datetime.fromisoformat(latest.parameters["until"]) - OVERLAP


def _set_out(job: Job) -> None:
    now = timezone.now()
    since = _since(now)
    job.parameters |= {
        "until": now.isoformat(),
        "from": since.isoformat(),
        "after": 0,
        "whole": since == _THE_BEGINNING,
    }
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_HOW_MANY, {"from": since, "until": now})
        [job.total] = cursor.fetchone()


def _due(place: Mapping[str, Any]) -> list[_Row]:
    values = {
        "from": datetime.datetime.fromisoformat(place["from"]),
        "after": place["after"],
        "until": datetime.datetime.fromisoformat(place["until"]),
        "walk": WALK,
        "most": CHUNK,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DUE, values)
        return [_Row(*row) for row in cursor.fetchall()]


def _book(card_ids: Sequence[int]) -> dict[int, bool]:
    """Whether something was booked, by card; a card that the database refused is not in it."""
    try:
        booked = ledger.expire_many(card_ids, actor=ACTOR).booked
    except IntegrityError as error:
        if len(card_ids) == 1:
            log.critical("Card %s cannot be booked as expired: %s", card_ids[0], type(error))
            return {}
        return {
            known: is_booked
            for card_id in card_ids
            for known, is_booked in _book([card_id]).items()
        }
    return {card_id: card_id in booked for card_id in card_ids}
