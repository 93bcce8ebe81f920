"""Undoing a batch or an import as a whole, while nothing of it was used."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.transaction import atomic

from loyalty import ledger
from loyalty.batches.crediting import take_back_next, used_credits
from loyalty.batches.figures import used_cards
from loyalty.batches.steps import actor_of, advance, batch_of, begin, locked, next_cards, remember
from loyalty.exceptions import BatchUsed, CardChanged, Decline
from loyalty.models import Batch, GiftCard, Job, Reason

CHUNK = 200

State = Batch.Status


def start_undo(batch: Batch, *, requested_by: User | None, reason: str = "", note: str = "") -> Job:
    """Begin to close every card, or to take every credit back.

    A batch given up in the middle of being issued may be undone too.

    Raises `BatchUsed` when a card or credit was used; `BatchNotReady` when there is nothing to undo
    (any more) or a worker is still at it.
    """
    with atomic():
        current = locked(batch)
        sources = {State.ISSUED}
        if current.job and current.job.status == Job.Status.FAILED:
            sources.add(State.ISSUING)
        if current.status in sources and _is_used(current):
            raise BatchUsed
        return begin(
            current,
            Job.Kind.UNDO_BATCH,
            sources,
            State.UNDOING,
            total=_parts(current),
            requested_by=requested_by,
            reason=reason or Reason.CORRECTION,
            note=note,
        )


def undo_chunk(job: Job) -> bool:
    """Close the next cards, or take the next credits back; what was used in between stays.

    It is counted as refused, and a batch of which something stays is issued as before.
    """
    batch = batch_of(job)
    if batch.status != State.UNDOING:
        return False
    undo_next = take_back_next if _is_credit(batch) else _close_next
    numbers, refused = undo_next(job, batch)
    if not numbers:
        Batch.objects.filter(pk=batch.pk, status=State.UNDOING).update(
            status=State.ISSUED if job.failed else State.UNDONE
        )
        return False
    remember(job, refused)
    advance(job, numbers)
    return True


def _is_credit(batch: Batch) -> bool:
    return batch.source == Batch.Source.CREDIT


def _is_used(batch: Batch) -> bool:
    return used_credits(batch) if _is_credit(batch) else used_cards(batch).exists()


def _parts(batch: Batch) -> int:
    """How many cards or credits there are."""
    if _is_credit(batch):
        return batch.owners.filter(credit__isnull=False).count()
    return batch.cards.count()


def _close_next(job: Job, batch: Batch) -> tuple[list[int], list[tuple[int, str]]]:
    cards = list(next_cards(job, batch, CHUNK).select_related("balance"))
    return [card.batch_number or 0 for card in cards], _close_all(cards, batch, job)


def _close_all(cards: Sequence[GiftCard], batch: Batch, job: Job) -> list[tuple[int, str]]:
    ids = [card.pk for card in cards]
    used = set(used_cards(batch).filter(pk__in=ids).values_list("pk", flat=True))
    refused = []
    for card in cards:
        code = BatchUsed.code if card.pk in used else _close(card, job)
        if code:
            refused.append((card.batch_number or 0, code))
    return refused


def _close(card: GiftCard, job: Job) -> str:
    """Close a card that is as it was when it was found unused; the code of the refusal, if any."""
    if card.status == GiftCard.Status.CLOSED:
        return ""
    try:
        ledger.close(
            card.pk,
            request_id=f"undo:{job.pk}",
            actor=actor_of(job),
            reason=job.parameters["reason"],
            note=job.parameters["note"],
            at_version=card.balance.version,
        )
    except (CardChanged, Decline) as refusal:
        return refusal.code
    return ""
