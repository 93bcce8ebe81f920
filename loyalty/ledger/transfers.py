"""Money from one card to another, in one transaction: it leaves the one for outside, and comes in.

Two operations, linked: the one that receives names the one that sent as its `counterpart`. Each
grant goes as it is: origin, funding, dates, reference and when it was given; its end is never later
than the card's that it leaves. Nothing is issued or spent by it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.utils import timezone

from loyalty.exceptions import BalanceLimitExceeded, LedgerBusy, PointValueUnderWay
from loyalty.ledger.credits import expired
from loyalty.ledger.durability import durable
from loyalty.ledger.movements import Movement, NewGrant, Request
from loyalty.ledger.position import Lot, Position, lock_card
from loyalty.ledger.posting import post
from loyalty.models import Bucket, Grant, Operation, PointValueChange, Transaction
from loyalty.money import MAX_UNITS

TRANSFER, RENEW = Operation.Kind.TRANSFER, Operation.Kind.RENEW

Shares = Sequence[tuple[Lot, int]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a transfer, and by which request."""

    request_id: str
    actor: str
    reason: str = ""
    note: str = ""

    def request(
        self,
        kind: Operation.Kind,
        amount: int,
        *,
        reverses_id: int | None = None,
        counterpart_id: int | None = None,
    ) -> Request:
        """It as a request made of one card."""
        return Request(
            kind,
            self.request_id,
            amount,
            self.actor,
            self.reason,
            self.note,
            reverses_id=reverses_id,
            counterpart_id=counterpart_id,
        )


def all_that_lives(position: Position) -> Shares:
    """What is left of the grants of a card that have not ended, usable already or not."""
    now = timezone.now()
    if position.is_expired_at(now):
        return []
    return [
        (lot, lot.remaining)
        for lot in sorted(position.lots, key=lambda lot: lot.id)
        if lot.remaining and not lot.is_expired_at(now)
    ]


def hand_over(source: Position, target: Position, shares: Shares, asked: Asked) -> None:
    """Move these shares of the source's grants. Both are locked, and of one currency and scale."""
    amount = sum(share for _, share in shares)
    if target.credited + amount > MAX_UNITS:
        raise BalanceLimitExceeded
    target = _awake(source, target, asked)
    sent = _send(source, shares, asked)
    grants = Grant.objects.in_bulk([lot.id for lot, _ in shares])
    post(
        target,
        asked.request(TRANSFER, amount, counterpart_id=sent.pk),
        [
            Movement(
                Bucket.OUTSIDE, Bucket.AVAILABLE, share, _as_it_is(grants[lot.id], share, source)
            )
            for lot, share in shares
        ],
        card_changes={"expires_at": source.expires_at} if _ends_first(target, source) else None,
    )


def _send(source: Position, shares: Shares, asked: Asked) -> Operation:
    return post(
        source,
        asked.request(TRANSFER, sum(share for _, share in shares)),
        [Movement(Bucket.AVAILABLE, Bucket.OUTSIDE, share, lot.id) for lot, share in shares],
    )


def is_being_revalued(card: Position) -> bool:
    """Whether of two cards of its program one may be adjusted already, and the other not yet."""
    return PointValueChange.objects.filter(program=card.program_id, finished_at=None).exists()


def _as_it_is(grant: Grant, share: int, source: Position) -> NewGrant:
    ends = [end for end in (grant.expires_at, source.expires_at) if end]
    return NewGrant(
        grant.origin,
        grant.funding,
        share,
        grant.valid_from,
        min(ends, default=None),
        grant.reference,
        came_from=grant.pk,
        given_at=grant.created_at,
    )


def _ends_first(card: Position, other: Position) -> bool:
    return card.expires_at is not None and (
        other.expires_at is None or card.expires_at < other.expires_at
    )


def _awake(source: Position, target: Position, asked: Asked) -> Position:
    """The target, with the source's end when its own has passed: what ended with it stays so."""
    now = timezone.now()
    if not target.is_expired_at(now):
        return target
    ended = expired(target, now)
    request = asked.request(RENEW, sum(movement.amount for movement in ended))
    post(target, request, ended, card_changes={"expires_at": source.expires_at})
    return lock_card(target.card_id, kind=TRANSFER, request_id=asked.request_id)


def elsewhere(credit: Transaction) -> int:
    """Units of a credit that went on to other cards and are still available there."""
    return sum(grant.remaining for grant in _descendants(credit))


def bring_back(credit: Transaction, amount: int, *, actor: str) -> None:
    """Move so much of a credit from other cards back to its own grant, as far as it is there.

    Raises `LedgerBusy`; because of `PointValueUnderWay` while cards are being adjusted.
    """
    with durable():
        own = Grant.objects.get(transaction=credit)
        places: dict[int, set[int]] = {}
        for grant in _descendants(credit):
            places.setdefault(grant.card_id, set()).add(grant.pk)
        locked = {
            card_id: lock_card(card_id, kind=TRANSFER, request_id="")
            for card_id in sorted({credit.card_id, *places})
        }
        if is_being_revalued(locked[credit.card_id]):
            raise LedgerBusy from PointValueUnderWay()
        home = locked.pop(credit.card_id)
        for card_id, position in locked.items():
            shares = _shares(position, places[card_id], amount)
            if not shares:
                continue
            amount -= sum(share for _, share in shares)
            # The version names it: nothing else can leave that card at the same one.
            asked = Asked(f"back:{credit.pk}:{card_id}:{position.version}", actor)
            sent = _send(position, shares, asked)
            arrived = [
                Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, share, own.pk) for _, share in shares
            ]
            post(home, asked.request(TRANSFER, sent.applied, counterpart_id=sent.pk), arrived)
            home = lock_card(home.card_id, kind=TRANSFER, request_id="")


def _shares(position: Position, grant_ids: Collection[int], amount: int) -> Shares:
    shares = []
    for lot in position.lots:
        share = min(amount, lot.remaining) if lot.id in grant_ids else 0
        if share > 0:
            shares.append((lot, share))
            amount -= share
    return shares


def _descendants(credit: Transaction) -> list[Grant]:
    """What other cards have of a credit."""
    first = Grant.objects.filter(came_from__transaction=credit).order_by("pk")
    return [grant for grant in and_later(list(first)) if grant.remaining]


def and_later(grants: list[Grant]) -> list[Grant]:
    """These grants, and those of other cards to which their money went on, however often."""
    found, generation = list[Grant](), grants
    while generation:
        found += generation
        generation = list(Grant.objects.filter(came_from__in=generation).order_by("pk"))
    return found


def legs_of(card_ids: Collection[int], request_id: str) -> Mapping[Operation, Operation]:
    """The transfers that these cards sent by a request, each with the one that received it."""
    received = Operation.objects.filter(
        counterpart__card__in=card_ids, counterpart__request_id=request_id
    ).select_related("counterpart")
    return {leg.counterpart: leg for leg in received.order_by("pk") if leg.counterpart}


def return_leg(
    source: Position, target: Position, sent: Operation, received: Operation, asked: Asked
) -> bool:
    """Undo a transfer as a whole, to the grants that it left; False when it was touched since.

    Two reversals, each of its leg. What ended meanwhile goes back too, and ends there.
    """
    grants = list(Grant.objects.filter(operation=received).order_by("pk"))
    left = {lot.id: lot.remaining for lot in target.lots}
    if any(left.get(grant.pk) != grant.amount for grant in grants):
        return False
    amount = received.applied
    post(
        target,
        asked.request(Operation.Kind.REVERSE, amount, reverses_id=received.pk),
        [Movement(Bucket.AVAILABLE, Bucket.OUTSIDE, grant.amount, grant.pk) for grant in grants],
    )
    post(
        source,
        asked.request(Operation.Kind.REVERSE, amount, reverses_id=sent.pk),
        [
            Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, grant.amount, grant.came_from_id or 0)
            for grant in grants
        ],
    )
    return True
