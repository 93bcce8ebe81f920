"""Block, unblock, close, renew, extend, change_owner: a card's state, dates and owner.

They are changed under the same lock as its money.
"""

import datetime
from collections.abc import Sequence

from django.db import IntegrityError
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from loyalty.exceptions import (
    CardChanged,
    CardClosed,
    InvalidDates,
    MoneyHeld,
    ReasonRequired,
    UnknownCustomer,
    WalletExists,
)
from loyalty.ledger.credits import expired, removed
from loyalty.ledger.durability import durable
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.movements import LaterEnd, Movement, Request
from loyalty.ledger.position import Position, lock_card
from loyalty.ledger.posting import declines_recorded, post
from loyalty.models import Bucket, Customer, Entry, GiftCard, Grant, Operation, Reason


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


def close(
    card_id: int,
    *,
    request_id: str,
    actor: str,
    reason: str,
    note: str = "",
    at_version: int | None = None,
) -> Operation:
    """End a card for good: what is available → removed, and the operation says how much that was.

    With `at_version` only while its balance has this version: `CardChanged` when something moved
    since. Raises `MoneyHeld` (recorded) while a purchase holds money, `ReasonRequired` without a
    reason.
    """
    if reason not in Reason.values:
        raise ReasonRequired
    return _change(
        card_id,
        Operation.Kind.CLOSE,
        GiftCard.Status.CLOSED,
        request_id,
        actor,
        reason,
        note,
        at_version,
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


def extend(
    card_id: int,
    *,
    expires_at: datetime.datetime | None,
    grant_ids: Sequence[int],
    request_id: str,
    actor: str,
    reason: str,
    note: str = "",
) -> Operation:
    """Give these grants of a card a later last instant, or none: expired → available.

    What was booked as expired of them comes back, and is the operation's amount. The card lives at
    least as long. What purchases hold of the grants comes back to the later end. A blocked card
    stays blocked. Repeated, it answers as the first time, whatever the end and the grants.

    Raises `InvalidDates` for an end that has passed or is not later than that of every grant named,
    and for grants that are not the card's or none at all; `ReasonRequired`; `CardClosed`
    (recorded).
    """
    if reason not in Reason.values:
        raise ReasonRequired
    check_request_id(request_id)
    kind = Operation.Kind.EXTEND
    with durable():
        position = lock_card(card_id, kind=kind, request_id=request_id)
        if position.prior:
            return position.prior.first_answer(kind, position.prior.operation.amount).operation
        now = timezone.now()
        named = sorted(set(grant_ids))
        _check_later(card_id, named, expires_at, now)
        movements = [
            Movement(Bucket.EXPIRED, Bucket.AVAILABLE, amount, grant_id)
            for grant_id, amount in expired_of(card_id, named).items()
        ]
        amount = sum(movement.amount for movement in movements)
        request = Request(kind, request_id, amount, actor, reason, note, at=now)
        with declines_recorded(position, request):
            if position.is_closed:
                raise CardClosed
        outlives_card = position.expires_at is not None and (
            expires_at is None or position.expires_at < expires_at
        )
        return post(
            position,
            request,
            movements,
            card_changes={"expires_at": expires_at} if outlives_card else None,
            later_end=LaterEnd(named, expires_at),
        )


def change_owner(
    card_id: int,
    *,
    owner: Customer | None,
    request_id: str,
    actor: str,
    reason: str,
    note: str = "",
) -> Operation:
    """Give a card to another customer of its store, or to nobody. Its money and dates stay.

    Given to the owner that it has, it is recorded and changes nothing. Repeated, it answers as the
    first time, whoever the owner. Raises `UnknownCustomer` for a customer of another store or one
    that was erased or merged into another, `WalletExists` when the customer has an open one of the
    card's relation, `ReasonRequired`; `CardClosed` (recorded).
    """
    if reason not in Reason.values:
        raise ReasonRequired
    check_request_id(request_id)
    kind = Operation.Kind.OWNER
    try:
        with durable():
            position = lock_card(card_id, kind=kind, request_id=request_id)
            if position.prior:
                return position.prior.first_answer(kind, 0).operation
            _check_customer(card_id, owner)
            request = Request(kind, request_id, 0, actor, reason, note)
            with declines_recorded(position, request):
                if position.is_closed:
                    raise CardClosed
            return post(
                position, request, (), card_changes={"owner_id": owner.pk if owner else None}
            )
    except IntegrityError as error:
        if "card_wallet_of_owner" in str(error):
            raise WalletExists from error
        if "card_owner_not_merged" in str(error):
            raise UnknownCustomer from error
        raise


def expired_of(card_id: int, grant_ids: Sequence[int]) -> dict[int, int]:
    """Units of each of these grants of a card that are booked as expired, where there are any."""
    booked = (
        Entry.objects.filter(card_id=card_id, grant_id__in=grant_ids)
        .values_list("grant_id")
        .annotate(
            net=Coalesce(Sum("amount", filter=Q(target=Bucket.EXPIRED)), 0)
            - Coalesce(Sum("amount", filter=Q(source=Bucket.EXPIRED)), 0)
        )
        .order_by("grant_id")
    )
    return {grant_id: net for grant_id, net in booked if net}


def _check_later(
    card_id: int, named: Sequence[int], end: datetime.datetime | None, now: datetime.datetime
) -> None:
    ends = Grant.objects.filter(card_id=card_id, pk__in=named).values_list("expires_at", flat=True)
    if not named or len(ends) != len(named) or (end is not None and end <= now):
        raise InvalidDates
    # What never expires cannot live longer.
    if any(known is None or (end is not None and end <= known) for known in ends):
        raise InvalidDates


def _check_customer(card_id: int, customer: Customer | None) -> None:
    """Read anew: a customer may have been erased or merged since the caller looked."""
    if customer is None:
        return
    found = Customer.objects.filter(
        pk=customer.pk, store__cards=card_id, erased_at__isnull=True, merged_into=None
    )
    if not found.exists():
        raise UnknownCustomer


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
    at_version: int | None = None,
) -> Operation:
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=kind, request_id=request_id)
        closes = status == GiftCard.Status.CLOSED
        if position.prior:
            return position.prior.first_answer(kind, position.prior.operation.amount).operation
        if at_version is not None and position.version != at_version:
            raise CardChanged
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
