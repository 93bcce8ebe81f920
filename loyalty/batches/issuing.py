"""Issuing a batch: cards 1 to `count`, a chunk in each transaction."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger
from loyalty.batches.steps import begin, locked, next_numbers
from loyalty.exceptions import (
    BatchNotReady,
    BatchNumberTaken,
    InvalidDates,
    LedgerBusy,
    LedgerError,
)
from loyalty.ledger import NewCard
from loyalty.models import Batch, Customer, Job, JobKind

CHUNK = 500
# What is done with a batch, by where it comes from; one from a file has its own way.
KINDS = {
    Batch.Source.GENERATED: JobKind.ISSUE_BATCH,
    Batch.Source.CREDIT: JobKind.CREDIT_BATCH,
}

State = Batch.Status


def start(batch: Batch, *, requested_by: User | None) -> Job:
    """Begin to issue a batch of ours, or to give its credits.

    Raises `BatchNotReady` when it was discarded or undone, or comes from a file, and `InvalidDates`
    when its last day is over by now.
    """
    with atomic():
        current = locked(batch)
        kind = KINDS.get(Batch.Source(current.source))
        if kind is None:
            raise BatchNotReady
        is_over = current.expires_at is not None and current.expires_at <= timezone.now()
        if is_over and current.status in {State.DRAFT, State.WAITING}:
            raise InvalidDates
        return begin(
            current,
            kind,
            {State.DRAFT, State.WAITING},
            State.ISSUING,
            total=current.count,
            requested_by=requested_by,
        )


def issue_chunk(job: Job) -> bool:
    """Issue the next numbers that have no card yet; True while more are to come."""
    return next_numbers(job, CHUNK, _issue)


def _issue(batch: Batch, numbers: Sequence[int], actor: str) -> list[tuple[int, str]]:
    """Issue those that are missing, together; the numbers that were refused, with the reasons."""
    cards = _missing(batch, numbers)
    try:
        _together(batch, cards, actor)
    except LedgerBusy:
        raise
    except BatchNumberTaken as error:
        # A worker that was taken for dead is at the same chunk: look again, a little later.
        raise LedgerBusy from error
    except LedgerError:
        return _one_by_one(batch, cards, actor)
    return []


def _one_by_one(batch: Batch, cards: Sequence[NewCard], actor: str) -> list[tuple[int, str]]:
    """One that cannot be issued keeps no other from being issued."""
    refused = []
    for card in cards:
        try:
            _together(batch, [card], actor)
        except LedgerBusy:
            raise
        except BatchNumberTaken:
            continue
        except LedgerError as error:
            refused.append((card.batch_number or 0, error.code))
    return refused


def _together(batch: Batch, cards: Sequence[NewCard], actor: str) -> None:
    ledger.issue_many(batch.program, cards, actor=actor, reason=batch.reason, note=batch.note)


def _missing(batch: Batch, numbers: Sequence[int]) -> list[NewCard]:
    made = set(batch.cards.filter(batch_number__in=numbers).values_list("batch_number", flat=True))
    owners: dict[int, Customer] = {
        owner.number: owner.customer.person
        for owner in batch.owners.filter(number__in=numbers).select_related("customer__merged_into")
    }
    return [
        NewCard(
            amount=batch.amount,
            owner=owners.get(number),
            valid_from=batch.valid_from,
            expires_at=batch.expires_at,
            batch=batch,
            batch_number=number,
        )
        for number in numbers
        if number not in made
    ]
