"""The verbs of a purchase: authorize, settle, cancel. Amounts are units of the card."""

import datetime
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

from loyalty import codes
from loyalty.exceptions import (
    CardBlocked,
    CardClosed,
    CardExpired,
    CardNotYetValid,
    CreditSpent,
    ExceedsHold,
    ExceedsTransaction,
    InsufficientBalance,
    LedgerBusy,
    RedemptionRefused,
    SingleUseCardSpent,
    WrongCurrency,
    WrongOwner,
    WrongToken,
)
from loyalty.identity import Identity
from loyalty.ledger.durability import durable
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.movements import Movement, NewGrant, NewTransaction, Request
from loyalty.ledger.position import Lot, Position, lock_card, lock_transaction
from loyalty.ledger.posting import declines_recorded, post, post_transaction
from loyalty.ledger.transfers import bring_back, elsewhere
from loyalty.models import Bucket, Customer, Operation, Origin, Transaction
from loyalty.money import checked
from loyalty.redemption import Cart

AUTHORIZE, SETTLE, CANCEL = (
    Operation.Kind.AUTHORIZE,
    Operation.Kind.SETTLE,
    Operation.Kind.CANCEL,
)
_ROUNDS = 3


class _Elsewhere(Exception):
    """So much of what a cancellation takes back is on another wallet, since owners were merged."""

    def __init__(self, missing: int) -> None:
        super().__init__()
        self.missing = missing


def authorize(
    card_id: int,
    *,
    amount: int,
    request_id: str,
    actor: str,
    buyer: Identity | None = None,
    token: str = "",
    cart: Cart | None = None,
    order_id: str = "",
    order_sequence: str = "",
) -> Transaction:
    """Hold `amount` for a purchase: available → held, from the grants that expire soonest.

    Repeated, it answers with the first transaction, whatever became of the card since. An unknown
    buyer, an empty token and an unknown cart are not held against the shopper. Raises a `Decline`
    (recorded) when the card may not pay, `RequestConflict`, `InvalidAmount`, `InvalidRequestId`,
    `LedgerBusy`.
    """
    checked(amount)
    check_request_id(request_id)
    with durable():
        position = lock_card(card_id, kind=AUTHORIZE, request_id=request_id)
        if position.prior:
            return position.prior.first_answer(AUTHORIZE, amount).purchase
        request = Request(AUTHORIZE, request_id, amount, actor)
        with declines_recorded(position, request):
            _check_usable(position, request.at)
            _check_bearer(position, buyer, token)
            movements = _hold(position, amount, request.at)
            _check_redemption(position, amount, cart)
        opens = NewTransaction(Transaction.Kind.DEBIT, order_id, order_sequence)
        return post_transaction(position, request, movements, opens)


def settle(
    transaction: Transaction,
    *,
    amount: int,
    request_id: str,
    actor: str,
    reason: str = "",
    note: str = "",
) -> Operation:
    """Capture `amount` of a debit's hold: held → spent. Expiry and block of the card do not matter.

    A credit is final from the start: it is answered as settled, and nothing moves or is recorded.

    The same request id and amount answer as the first time; the same id with another amount is
    another settlement under the cap, because the Hub counts by sums. Raises `ExceedsHold`
    (recorded).
    """
    checked(amount)
    check_request_id(request_id)
    if transaction.kind == Transaction.Kind.CREDIT:
        return _settled_by_nature(transaction, amount)
    with durable():
        position = lock_transaction(transaction, kind=SETTLE, request_id=request_id, amount=amount)
        if position.prior:
            return position.prior.first_answer(SETTLE, amount).operation
        debit = position.step_of
        request = Request(SETTLE, request_id, amount, actor, reason, note)
        with declines_recorded(position, request, transaction=debit):
            if amount > debit.held:
                raise ExceedsHold
        movements = [
            Movement(Bucket.HELD, Bucket.SPENT, share, lot.id)
            for lot, share in spread(amount, position.lots, lambda lot: lot.held)
        ]
        return post(position, request, movements, transaction=debit)


def cancel(
    transaction: Transaction,
    *,
    amount: int,
    request_id: str,
    actor: str,
    reason: str = "",
    note: str = "",
    own_grant_only: bool = False,
) -> Operation:
    """Undo `amount` of a debit (back to available) or of a credit (available → removed).

    Of a debit, what is held goes back first, then what was spent, to the grants it came from. When
    the whole debit is asked for and only a part is left, that part is given back and is the
    operation's `applied` (known issue 309117). A credit is taken from its own grant, then from
    others of its funding unless `own_grant_only`; what of it went on to another wallet is brought
    back first. Repeats answer as in `settle`. Raises `ExceedsTransaction` or `CreditSpent`
    (recorded), never because of expiry or block.
    """
    checked(amount)
    check_request_id(request_id)
    for _ in range(_ROUNDS):
        request = Request(CANCEL, request_id, amount, actor, reason, note)
        try:
            return _cancel(transaction, request, own_grant_only=own_grant_only)
        except _Elsewhere as found:
            bring_back(transaction, found.missing, actor=actor)
    raise LedgerBusy


def _cancel(transaction: Transaction, request: Request, *, own_grant_only: bool) -> Operation:
    amount = request.amount
    with durable():
        position = lock_transaction(
            transaction, kind=CANCEL, request_id=request.request_id, amount=amount
        )
        if position.prior:
            return position.prior.first_answer(CANCEL, amount).operation
        target = position.step_of
        card_changes: dict[str, object] = {}
        with declines_recorded(position, request, transaction=target):
            if target.kind == Transaction.Kind.DEBIT:
                movements, card_changes = _give_back(position, target, request)
            else:
                movements = _take_back(position, target, amount, own_grant_only=own_grant_only)
        return post(position, request, movements, transaction=target, card_changes=card_changes)


def _settled_by_nature(credit: Transaction, amount: int) -> Operation:
    if amount > credit.amount:
        # Without a record: a credit's amount never changes, so a repeat meets this again.
        raise ExceedsHold
    return Operation(
        oid=credit.public_id,
        card_id=credit.card_id,
        kind=SETTLE,
        amount=amount,
        applied=amount,
        created_at=credit.created_at,
    )


def _check_usable(position: Position, now: datetime.datetime) -> None:
    if position.is_closed:
        raise CardClosed
    if position.is_blocked:
        raise CardBlocked
    if now < position.valid_from:
        raise CardNotYetValid
    if position.is_expired_at(now):
        raise CardExpired
    if position.currency != position.store_currency:
        raise WrongCurrency


def _check_bearer(position: Position, buyer: Identity | None, token: str) -> None:
    if token and not codes.is_token(token, card_public_id=position.public_id):
        raise WrongToken
    # A buyer of whom nothing is known that is known of the owner is not held against the shopper.
    if position.is_restricted and buyer and buyer.differs_from(position.owner):
        # Merged customers are still known by what they were known by.
        others = Customer.objects.filter(merged_into__cards=position.card_id)
        if not others.identified_by(buyer).exists():
            raise WrongOwner
    if position.has_open_purchase:
        raise SingleUseCardSpent


def _check_redemption(position: Position, amount: int, cart: Cart | None) -> None:
    if not position.redemption.allows(
        amount, cart, currency=position.currency, exponent=position.exponent
    ):
        raise RedemptionRefused


def _hold(position: Position, amount: int, now: datetime.datetime) -> list[Movement]:
    usable = sorted(
        (lot for lot in position.lots if lot.is_usable_at(now)), key=lambda lot: lot.turn
    )
    if amount > sum(lot.remaining for lot in usable):
        raise InsufficientBalance
    return [
        Movement(Bucket.AVAILABLE, Bucket.HELD, share, lot.id)
        for lot, share in spread(amount, usable, lambda lot: lot.remaining)
    ]


def _give_back(
    position: Position, debit: Transaction, request: Request
) -> tuple[list[Movement], dict[str, object]]:
    left = debit.cancelable
    if request.amount > left and (not left or request.amount != debit.amount):
        raise ExceedsTransaction
    amount = min(request.amount, left)
    release = min(amount, debit.held)
    last_taken_first = list(reversed(position.lots))
    steps = [
        (source, lot, share)
        for source, total, part in (
            (Bucket.HELD, release, lambda lot: lot.held),
            (Bucket.SPENT, amount - release, lambda lot: lot.spent),
        )
        for lot, share in spread(total, last_taken_first, part)
    ]
    return landed(position, request, steps)


def landed(
    position: Position, request: Request, steps: list[tuple[Bucket, Lot, int]]
) -> tuple[list[Movement], dict[str, object]]:
    """Back to the grants it came from; from an expired one to a new grant, one for each funding."""

    def is_late(lot: Lot) -> bool:
        return position.refund_grace_days > 0 and (
            lot.is_expired_at(request.at) or position.is_expired_at(request.at)
        )

    late: dict[str, int] = {}
    for _, lot, share in steps:
        if is_late(lot):
            late[lot.funding] = late.get(lot.funding, 0) + share
    if not late:
        return [
            Movement(source, Bucket.AVAILABLE, share, lot.id) for source, lot, share in steps
        ], {}
    zone = ZoneInfo(position.time_zone)
    last_day = request.at.astimezone(zone).date() + datetime.timedelta(position.refund_grace_days)
    expires_at = datetime.datetime.combine(last_day, datetime.time.max, tzinfo=zone)
    grants = {
        funding: NewGrant(Origin.REFUND, funding, amount, request.at, expires_at)
        for funding, amount in late.items()
    }
    movements = [
        Movement(
            source,
            Bucket.AVAILABLE,
            share,
            lot.id,
            landing=grants[lot.funding] if is_late(lot) else None,
        )
        for source, lot, share in steps
    ]
    outlives_card = position.expires_at is not None and position.expires_at < expires_at
    return movements, {"expires_at": expires_at} if outlives_card else {}


def _take_back(
    position: Position, credit: Transaction, amount: int, *, own_grant_only: bool
) -> list[Movement]:
    """From the credit's own grant first, then from others of its funding."""
    if amount > credit.cancelable:
        raise ExceedsTransaction
    own = next(lot for lot in position.lots if lot.transaction_id == credit.pk)
    others = [lot for lot in position.lots if lot is not own and lot.funding == own.funding]
    lots = [own, *sorted(others, key=lambda lot: lot.turn)]
    if own_grant_only:
        lots = [own]
    here, missing = sum(lot.remaining for lot in lots), amount - own.remaining
    away = elsewhere(credit) if missing > 0 else 0
    if away and away + here >= amount:
        raise _Elsewhere(min(missing, away))
    if amount > here:
        raise CreditSpent
    return [
        Movement(Bucket.AVAILABLE, Bucket.REMOVED, share, lot.id)
        for lot, share in spread(amount, lots, lambda lot: lot.remaining)
    ]


def spread(
    amount: int, lots: Iterable[Lot], part: Callable[[Lot], int]
) -> Iterable[tuple[Lot, int]]:
    """Fill an amount from one lot after the other; the caller has checked that it is there."""
    for lot in lots:
        share = min(amount, part(lot))
        if share:
            yield lot, share
            amount -= share
