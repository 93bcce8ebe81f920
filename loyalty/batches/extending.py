"""A later last day for every card of a batch that has something left, booked as expired or not."""

import datetime
from collections import defaultdict
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger
from loyalty.batches.steps import actor_of, advance, batch_of, locked, new_job, next_cards, remember
from loyalty.exceptions import BatchNotReady, InvalidDates, LedgerBusy, LedgerError
from loyalty.models import Batch, GiftCard, Grant, Job

CHUNK = 200

_OPEN = (GiftCard.Status.ACTIVE, GiftCard.Status.BLOCKED)


def start_extend(
    batch: Batch,
    *,
    last_day: datetime.date,
    requested_by: User | None,
    reason: str,
    note: str = "",
    request_id: str,
) -> Job:
    """Begin to extend every card until the end of a day of the store; once for each request id.

    Raises `BatchNotReady` for a batch that is not issued, `InvalidDates` for a day that is over or
    that no card would gain by.
    """
    with atomic():
        current = locked(batch)
        known = Job.objects.filter(
            kind=Job.Kind.EXTEND_BATCH,
            parameters__batch=current.pk,
            parameters__request_id=request_id,
        ).first()
        if known:
            return known
        if current.status != Batch.Status.ISSUED:
            raise BatchNotReady
        end = current.program.store.last_instant(last_day)
        if end <= timezone.now() or not _shorter(current, end).exists():
            raise InvalidDates
        if current.expires_at and current.expires_at < end:
            Batch.objects.filter(pk=batch.pk).update(expires_at=end)
        return new_job(
            Job.Kind.EXTEND_BATCH,
            current,
            total=current.cards.count(),
            requested_by=requested_by,
            expires_at=end.isoformat(),
            reason=reason,
            note=note,
            request_id=request_id,
        )


def extend_chunk(job: Job) -> bool:
    """Extend the next cards: every grant that ends earlier, of a card with something left."""
    batch = batch_of(job)
    numbers = dict(next_cards(job, batch, CHUNK).values_list("pk", "batch_number"))
    if not numbers:
        return False
    end = datetime.datetime.fromisoformat(job.parameters["expires_at"])
    grants: dict[int, list[int]] = defaultdict(list)
    shorter = _shorter(batch, end).filter(card__in=list(numbers))
    for card, grant in shorter.values_list("card", "pk"):
        grants[card].append(grant)
    refused = []
    for card, ids in grants.items():
        if code := _extend(card, ids, end, job):
            refused.append((numbers[card] or 0, code))
    remember(job, refused)
    advance(job, [number or 0 for number in numbers.values()])
    return True


def _shorter(batch: Batch, end: datetime.datetime) -> QuerySet[Grant]:
    """The grants that end before, of open cards on which not all is spent or taken off."""
    gone = F("card__balance__spent") + F("card__balance__removed")
    return Grant.objects.filter(
        Q(card__balance__credited__gt=gone),
        card__batch=batch,
        card__status__in=_OPEN,
        expires_at__lt=end,
    )


def _extend(card_id: int, grant_ids: Sequence[int], end: datetime.datetime, job: Job) -> str:
    """The code of the refusal, if any."""
    try:
        ledger.extend(
            card_id,
            expires_at=end,
            grant_ids=grant_ids,
            request_id=f"extend:{job.pk}",
            actor=actor_of(job),
            reason=job.parameters["reason"],
            note=job.parameters["note"],
        )
    except LedgerBusy:
        raise
    except LedgerError as refusal:
        return refusal.code
    return ""
