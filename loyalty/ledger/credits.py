"""The verbs that put credit on cards that exist and take it off: credit, adjust, expire(_many).

Amounts are units of the card.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from loyalty.exceptions import (
    BalanceLimitExceeded,
    BelowZero,
    CardBlocked,
    CardClosed,
    CardExpired,
    InvalidAmount,
    InvalidDates,
    NotReloadable,
    ReasonRequired,
    RequestConflict,
)
from loyalty.ledger.durability import durable
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.movements import Movement, NewGrant, NewTransaction, Request
from loyalty.ledger.outbox import announce_credit
from loyalty.ledger.position import Position, lock_card, lock_free
from loyalty.ledger.posting import declines_recorded, post, post_expiries, post_transaction
from loyalty.models import Bucket, Funding, Operation, Origin, Program, Reason, Transaction
from loyalty.money import MAX_UNITS, checked

CREDIT, ADJUST, EXPIRE = Operation.Kind.CREDIT, Operation.Kind.ADJUST, Operation.Kind.EXPIRE


def credit(
    card_id: int,
    *,
    amount: int,
    request_id: str,
    actor: str,
    origin: str = Origin.CREDIT,
    funding: str | None = None,
    order_id: str = "",
    order_sequence: str = "",
    valid_from: datetime.datetime | None = None,
    expires_at: datetime.datetime | None = None,
    reference: str = "",
    reason: str = "",
    note: str = "",
) -> Transaction:
    """Put credit on a card: outside → available, as a new grant.

    Without dates the grant is valid from now for as long as the program says, and never longer than
    the card. Repeated, it answers with the first transaction. Raises a `Decline` (recorded) on a
    card that is blocked, closed, expired or not reloadable; `RequestConflict`, `InvalidDates`.
    """
    checked(amount)
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=CREDIT, request_id=request_id)
        if position.prior:
            return position.prior.first_answer(CREDIT, amount).purchase
        request = Request(CREDIT, request_id, amount, actor, reason, note)
        with declines_recorded(position, request):
            _check_open(position, request.at)
            if position.is_blocked:
                raise CardBlocked
            if position.credited and not position.is_reloadable:
                raise NotReloadable
            _check_room(position, amount)
        program = _program(position)
        grant = _grant(
            position, program, request, origin, funding, valid_from, expires_at, reference
        )
        opens = NewTransaction(Transaction.Kind.CREDIT, order_id, order_sequence)
        movement = Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, amount, grant)
        made = post_transaction(position, request, [movement], opens)
        announce_credit(program, card_id, made, origin=origin, at=request.at)
        return made


def adjust(
    card_id: int,
    *,
    change: int,
    request_id: str,
    actor: str,
    reason: str,
    note: str = "",
    funding: str | None = None,
    expires_at: datetime.datetime | None = None,
    grant_id: int | None = None,
) -> Operation:
    """Correct a card: up is outside → available, down is available → removed.

    A reason of the closed list is a must. What is taken comes from usable grants first, in the
    order of spending, or from the one of `grant_id` alone. Raises `ReasonRequired`,
    `InvalidAmount`, `RequestConflict`; `BelowZero`, `CardClosed`, `CardExpired` (up only),
    `BalanceLimitExceeded` (recorded).
    """
    if reason not in Reason.values:
        raise ReasonRequired
    if change == 0:
        raise InvalidAmount
    amount = checked(abs(change))
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=ADJUST, request_id=request_id)
        if position.prior:
            return _first_adjustment(position, change)
        request = Request(ADJUST, request_id, amount, actor, reason, note)
        with declines_recorded(position, request):
            if change > 0:
                _check_open(position, request.at)
                _check_room(position, amount)
                program = _program(position)
                origin = Origin.ADJUSTMENT
                grant = _grant(position, program, request, origin, funding, None, expires_at, "")
                movements = [Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, amount, grant)]
            else:
                movements = removed(position, amount, request.at, grant_id=grant_id)
        return post(position, request, movements)


def expire(card_id: int, *, actor: str) -> Operation | None:
    """Book what has expired: available → expired. None when nothing is due; held money stays held.

    Expiry never waits for this: a debit tests the dates itself. Safe to repeat at any time.
    """
    with durable():
        now = timezone.now()
        position = lock_card(card_id, kind=EXPIRE, request_id="")
        movements = expired(position, now)
        if not movements:
            return None
        # The version names this booking: nothing else can be booked at the same one.
        request = Request(
            EXPIRE,
            f"expire:{position.version}",
            sum(movement.amount for movement in movements),
            actor,
            at=now,
        )
        return post(position, request, movements)


@dataclass(frozen=True, slots=True)
class Expiries:
    """The cards of which something was booked, and those that somebody else had locked."""

    booked: frozenset[int]
    locked: frozenset[int]


def expire_many(card_ids: Sequence[int], *, actor: str) -> Expiries:
    """The same for some hundred cards in one transaction, without those that are locked just now.

    All of them or none: whoever meets an error of the database tries them one at a time.
    """
    asked = frozenset(card_ids)
    with durable():
        mine = lock_free(sorted(asked))
        booked = post_expiries(mine, actor=actor, at=timezone.now()) if mine else []
    return Expiries(frozenset(booked), asked.difference(mine))


def expired(position: Position, now: datetime.datetime) -> list[Movement]:
    """The movements that book what has expired, with the card or by its own dates, oldest first."""
    return [
        Movement(Bucket.AVAILABLE, Bucket.EXPIRED, lot.remaining, lot.id)
        for lot in sorted(position.lots, key=lambda lot: lot.id)
        if lot.remaining and (position.is_expired_at(now) or lot.is_expired_at(now))
    ]


def removed(
    position: Position, amount: int, now: datetime.datetime, *, grant_id: int | None = None
) -> list[Movement]:
    """The movements that take an amount off a card or a grant; `BelowZero` if it is not there."""
    lots = [lot for lot in position.lots if grant_id in {None, lot.id}]
    if amount > sum(lot.remaining for lot in lots):
        raise BelowZero
    movements = []
    for lot in sorted(lots, key=lambda lot: (not lot.is_usable_at(now), lot.turn)):
        share = min(amount, lot.remaining)
        if share:
            movements.append(Movement(Bucket.AVAILABLE, Bucket.REMOVED, share, lot.id))
            amount -= share
    return movements


def _first_adjustment(position: Position, change: int) -> Operation:
    assert position.prior is not None  # noqa: S101  the caller has looked
    operation = position.prior.operation
    was_down = (
        operation.decline_code == BelowZero.code
        or operation.entries.filter(target=Bucket.REMOVED).exists()
    )
    if was_down != (change < 0):
        raise RequestConflict
    return position.prior.first_answer(ADJUST, abs(change)).operation


def _check_open(position: Position, now: datetime.datetime) -> None:
    if position.is_closed:
        raise CardClosed
    if position.is_expired_at(now):
        raise CardExpired


def _check_room(position: Position, amount: int) -> None:
    if position.credited + amount > MAX_UNITS:
        raise BalanceLimitExceeded


def _program(position: Position) -> Program:
    return Program.objects.select_related("store").get(pk=position.program_id)


def _grant(
    position: Position,
    program: Program,
    request: Request,
    origin: str,
    funding: str | None,
    valid_from: datetime.datetime | None,
    expires_at: datetime.datetime | None,
    reference: str,
) -> NewGrant:
    start = valid_from or request.at
    ends = [end for end in (expires_at or program.expiry_after(start), position.expires_at) if end]
    end = min(ends, default=None)
    if end is not None and end <= start:
        raise InvalidDates
    return NewGrant(
        origin, funding or Funding(program.funding), request.amount, start, end, reference
    )
