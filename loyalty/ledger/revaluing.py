"""The verb that keeps a card's points when a point becomes worth something else: revalue."""

import datetime
from collections.abc import Collection, Iterator, Sequence

from django.utils import timezone

from loyalty.exceptions import BalanceLimitExceeded, InvalidAmount, ReasonRequired
from loyalty.ledger.durability import durable
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.movements import Movement, NewGrant, Request
from loyalty.ledger.position import Lot, Position, lock_card
from loyalty.ledger.posting import declines_recorded, post
from loyalty.models import Bucket, Grant, Operation, Origin, Reason
from loyalty.money import MAX_UNITS

REVALUE = Operation.Kind.REVALUE


def revalue(
    card_id: int,
    *,
    before: int,
    after: int,
    given_until: datetime.datetime,
    given_later: Collection[int] = (),
    request_id: str,
    actor: str,
    reason: str,
    note: str = "",
) -> Operation | None:
    """Bring what is left of a card's credit from `before` units a point to `after`.

    Of every grant made before `given_until`, and of those of the ids `given_later`, that is not
    over: up is outside → available, on a new grant of the same origin, funding, dates and
    reference; down is available → removed, off the grant itself. What is held or spent stays the
    money that it is. Rounded down once for the card, in the order of spending, so that it has
    neither a point more nor one less. A blocked card is adjusted too. None when nothing moves: the
    card is closed or over, or has nothing to adjust.

    Repeated it answers as the first time. Raises `InvalidAmount` for a worth of nothing,
    `ReasonRequired`; `BalanceLimitExceeded` (recorded).
    """
    if min(before, after) <= 0:
        raise InvalidAmount
    if reason not in Reason.values:
        raise ReasonRequired
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=REVALUE, request_id=request_id)
        if position.prior:
            return position.prior.first_answer(REVALUE, position.prior.operation.amount).operation
        now = timezone.now()
        lots = _standing(position, now, given_until, given_later)
        changes = list(_changes(lots, before, after))
        if not changes:
            return None
        amount = sum(abs(change) for _lot, change in changes)
        request = Request(REVALUE, request_id, amount, actor, reason, note, at=now)
        with declines_recorded(position, request):
            if after > before and position.credited + amount > MAX_UNITS:
                raise BalanceLimitExceeded
        return post(position, request, _movements(changes))


def _standing(
    position: Position,
    now: datetime.datetime,
    given_until: datetime.datetime,
    given_later: Collection[int],
) -> Sequence[Lot]:
    """The grants that are adjusted, in the order in which they are spent."""
    if position.is_closed or position.is_expired_at(now):
        return ()
    given = set(
        Grant.objects.filter(card_id=position.card_id, created_at__lt=given_until).values_list(
            "pk", flat=True
        )
    ).union(given_later)
    lots = [lot for lot in position.lots if lot.id in given and not lot.is_expired_at(now)]
    return sorted(lots, key=lambda lot: lot.turn)


def _changes(lots: Sequence[Lot], before: int, after: int) -> Iterator[tuple[Lot, int]]:
    """What each grant gains or loses; the fractions of one are carried on to the next."""
    old = new = 0
    for lot in lots:
        old += lot.remaining
        kept = old * after // before - new
        new += kept
        if kept != lot.remaining:
            yield lot, kept - lot.remaining


def _movements(changes: Sequence[tuple[Lot, int]]) -> list[Movement]:
    known = Grant.objects.in_bulk([lot.id for lot, change in changes if change > 0])
    return [
        Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, change, _like(known[lot.id], change))
        if change > 0
        else Movement(Bucket.AVAILABLE, Bucket.REMOVED, -change, lot.id)
        for lot, change in changes
    ]


def _like(grant: Grant, amount: int) -> NewGrant:
    # A refund's amount came from other grants; this comes from outside.
    origin = Origin.ADJUSTMENT if grant.origin == Origin.REFUND else grant.origin
    return NewGrant(
        origin, grant.funding, amount, grant.valid_from, grant.expires_at, grant.reference
    )
