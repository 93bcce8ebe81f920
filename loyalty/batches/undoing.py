"""Undoing a batch or an import as a whole, while none of its cards was used."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.transaction import atomic

from loyalty import ledger
from loyalty.batches.figures import used_cards
from loyalty.batches.steps import actor_of, advance, batch_of, begin, locked, next_cards, remember
from loyalty.exceptions import BatchUsed, CardChanged, Decline
from loyalty.models import Batch, GiftCard, Job, Reason

CHUNK = 200

State = Batch.Status


def start_undo(batch: Batch, *, requested_by: User | None, reason: str = "", note: str = "") -> Job:
    """Begin to close every card. A batch given up in the middle of being issued may be undone too.

    Raises `BatchUsed` when a card was used; `BatchNotReady` when there are no cards (any more) or a
    worker is still issuing them.
    """
    with atomic():
        current = locked(batch)
        sources = {State.ISSUED}
        if current.job and current.job.status == Job.Status.FAILED:
            sources.add(State.ISSUING)
        if current.status in sources and used_cards(current).exists():
            raise BatchUsed
        return begin(
            current,
            Job.Kind.UNDO_BATCH,
            sources,
            State.UNDOING,
            total=current.cards.count(),
            requested_by=requested_by,
            reason=reason or Reason.CORRECTION,
            note=note,
        )


def undo_chunk(job: Job) -> bool:
    """Close the next cards; one that was used in between stays, and is counted as refused.

    A batch of which a card stays is issued as before.
    """
    batch = batch_of(job)
    if batch.status != State.UNDOING:
        return False
    cards = list(next_cards(job, batch, CHUNK).select_related("balance"))
    if not cards:
        Batch.objects.filter(pk=batch.pk, status=State.UNDOING).update(
            status=State.ISSUED if job.failed else State.UNDONE
        )
        return False
    remember(job, _close_all(cards, batch, job))
    advance(job, [card.batch_number or 0 for card in cards])
    return True


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
