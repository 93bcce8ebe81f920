"""The verb that undoes an adjustment: reverse. A credit is undone by `cancel`."""

from loyalty.exceptions import (
    AlreadyReversed,
    CardClosed,
    CreditSpent,
    NotReversible,
    ReasonRequired,
    RequestConflict,
)
from loyalty.ledger.durability import durable
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.movements import Movement, Request
from loyalty.ledger.position import Lot, Position, lock_card
from loyalty.ledger.posting import declines_recorded, post
from loyalty.ledger.purchases import landed, spread
from loyalty.models import Bucket, Entry, Operation, Outcome, Reason

REVERSE = Operation.Kind.REVERSE


def reverse(
    operation: Operation, *, request_id: str, actor: str, reason: str, note: str = ""
) -> Operation:
    """Undo an adjustment as a whole, once; the new operation names the one that it `reverses`.

    Up is undone by available → removed, from its own grant first, then from others of the same
    funding; down by removed → available, back to the grants it was taken from, from an expired one
    to a new grant as in `cancel`. Raises `NotReversible` for anything but an accepted adjustment,
    `ReasonRequired`, `RequestConflict`; `AlreadyReversed`, `CreditSpent` (also of an adjustment up
    that a closed card lost), `CardClosed` (recorded).
    """
    if reason not in Reason.values:
        raise ReasonRequired
    check_request_id(request_id)
    with durable():
        position = lock_card(operation.card_id, kind=REVERSE, request_id=request_id)
        if position.prior:
            return _first_reversal(position, operation)
        adjustment = _adjustment(operation)
        request = Request(
            REVERSE,
            request_id,
            adjustment.applied,
            actor,
            reason,
            note,
            reverses_id=adjustment.pk,
        )
        entries = list(
            Entry.objects.filter(card_id=position.card_id, operation_id=adjustment.pk)
            .select_related("grant")
            .order_by("seq")
        )
        with declines_recorded(position, request):
            if _is_reversed(adjustment):
                raise AlreadyReversed
            undo = _take_off if entries[0].source == Bucket.OUTSIDE else _put_back
            movements, card_changes = undo(position, request, entries)
        return post(position, request, movements, card_changes=card_changes)


def _first_reversal(position: Position, operation: Operation) -> Operation:
    assert position.prior is not None  # noqa: S101  the caller has looked
    prior = position.prior.operation
    if prior.reverses_id != operation.pk:
        raise RequestConflict
    return position.prior.first_answer(REVERSE, prior.amount).operation


def _adjustment(operation: Operation) -> Operation:
    """The operation as it is stored, when it is one that can be reversed."""
    found = Operation.objects.filter(
        pk=operation.pk,
        card_id=operation.card_id,
        kind=Operation.Kind.ADJUST,
        outcome=Outcome.OK,
    ).first()
    if found is None:
        raise NotReversible
    return found


def _is_reversed(adjustment: Operation) -> bool:
    return Operation.objects.filter(reverses=adjustment, outcome=Outcome.OK).exists()


def _take_off(
    position: Position, request: Request, entries: list[Entry]
) -> tuple[list[Movement], dict[str, object]]:
    """From the adjustment's own grant first, then from others of its funding."""
    [entry] = entries
    own = entry.grant
    same = [lot for lot in position.lots if lot.funding == own.funding]
    lots = sorted(same, key=lambda lot: (lot.id != own.pk, lot.turn))
    # What a closed card has by now is a refund: what was adjusted went when it was closed.
    if position.is_closed or request.amount > sum(lot.remaining for lot in lots):
        raise CreditSpent
    return [
        Movement(Bucket.AVAILABLE, Bucket.REMOVED, share, lot.id)
        for lot, share in spread(request.amount, lots, lambda lot: lot.remaining)
    ], {}


def _put_back(
    position: Position, request: Request, entries: list[Entry]
) -> tuple[list[Movement], dict[str, object]]:
    """To the grants that it was taken from, the last taken first."""
    if position.is_closed:
        raise CardClosed
    steps = [(Bucket.REMOVED, _lot_of(entry), entry.amount) for entry in reversed(entries)]
    return landed(position, request, steps)


def _lot_of(entry: Entry) -> Lot:
    grant = entry.grant
    return Lot(
        grant.pk,
        grant.transaction_id,
        grant.remaining,
        grant.funding,
        grant.valid_from,
        grant.expires_at,
    )
