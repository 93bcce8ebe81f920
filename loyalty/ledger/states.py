"""Block, unblock, close, renew: what a card may do, changed under the same lock as its money."""

import datetime

from django.utils import timezone

from loyalty.exceptions import CardClosed, InvalidDates, MoneyHeld, ReasonRequired
from loyalty.ledger.credits import expired, removed
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.position import Position, lock_card
from loyalty.ledger.posting import Movement, Request, declines_recorded, durable, post
from loyalty.models import GiftCard, Operation, Reason


def block(
    card_id: int, *, request_id: str, actor: str, reason: str = "", note: str = ""
) -> Operation:
    """Stop debits and credits; what is held can still be settled and canceled."""
    return _change(
        card_id, Operation.Kind.BLOCK, GiftCard.Status.BLOCKED, request_id, actor, reason, note
    )


def unblock(
    card_id: int, *, request_id: str, actor: str, reason: str = "", note: str = ""
) -> Operation:
    """Let a blocked card be used again."""
    return _change(
        card_id, Operation.Kind.UNBLOCK, GiftCard.Status.ACTIVE, request_id, actor, reason, note
    )


def close(card_id: int, *, request_id: str, actor: str, reason: str, note: str = "") -> Operation:
    """End a card for good: what is available → removed, and the operation says how much that was.

    Raises `MoneyHeld` (recorded) while a purchase holds money, `ReasonRequired` without a reason.
    """
    if reason not in Reason.values:
        raise ReasonRequired
    return _change(
        card_id, Operation.Kind.CLOSE, GiftCard.Status.CLOSED, request_id, actor, reason, note
    )


def renew(
    card_id: int,
    *,
    expires_at: datetime.datetime | None,
    request_id: str,
    actor: str,
    reason: str = "",
    note: str = "",
) -> Operation:
    """Give a card a later last instant, or none, so that it takes credit again.

    Its grants keep their own dates, none of which is later than the card's, and what has expired by
    now is booked: it stays expired. Raises `InvalidDates` for an instant that has passed or is
    earlier than the card's own, `CardClosed` (recorded).
    """
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=Operation.Kind.RENEW, request_id=request_id)
        if position.prior:
            return position.prior.first_answer(
                Operation.Kind.RENEW, position.prior.operation.amount
            ).operation
        now = timezone.now()
        movements = expired(position, now)
        request = Request(
            Operation.Kind.RENEW,
            request_id,
            sum(movement.amount for movement in movements),
            actor,
            reason,
            note,
            at=now,
        )
        if expires_at is not None and not _is_later(expires_at, position, now):
            raise InvalidDates
        with declines_recorded(position, request):
            if position.is_closed:
                raise CardClosed
        return post(position, request, movements, card_changes={"expires_at": expires_at})


def _is_later(end: datetime.datetime, position: Position, now: datetime.datetime) -> bool:
    # A card without an end may have grants without one, which an end now would leave behind it.
    return position.expires_at is not None and end > max(
        now, position.valid_from, position.expires_at
    )


def _change(
    card_id: int,
    kind: Operation.Kind,
    status: GiftCard.Status,
    request_id: str,
    actor: str,
    reason: str,
    note: str,
) -> Operation:
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=kind, request_id=request_id)
        closes = status == GiftCard.Status.CLOSED
        if position.prior:
            return position.prior.first_answer(kind, position.prior.operation.amount).operation
        request = Request(
            kind, request_id, position.available if closes else 0, actor, reason, note
        )
        movements: list[Movement] = []
        with declines_recorded(position, request):
            # A refund lands on a closed card too; closing it again takes that off.
            if position.is_closed and not (closes and position.available):
                raise CardClosed
            if closes and position.held:
                raise MoneyHeld
            if closes and position.available:
                movements = removed(position, position.available, request.at)
        return post(position, request, movements, card_changes={"status": status})
