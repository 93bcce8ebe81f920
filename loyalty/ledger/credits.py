"""The verbs that put credit on cards and take it off: issue, credit, adjust, expire.

Amounts are units of the card.
"""

import datetime

from django.db import IntegrityError
from django.utils import timezone

from loyalty import codes
from loyalty.exceptions import (
    BalanceLimitExceeded,
    BelowZero,
    CardBlocked,
    CardClosed,
    CardExpired,
    DuplicateCode,
    InvalidAmount,
    InvalidDates,
    NotReloadable,
    ReasonRequired,
    RequestConflict,
    WalletExists,
)
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.position import Position, lock_card
from loyalty.ledger.posting import (
    Movement,
    NewGrant,
    NewTransaction,
    Request,
    declines_recorded,
    durable,
    new_public_id,
    open_balance,
    post,
    post_transaction,
)
from loyalty.models import (
    Bucket,
    Customer,
    Funding,
    GiftCard,
    Operation,
    Origin,
    Program,
    Reason,
    Transaction,
)
from loyalty.money import MAX_UNITS, checked, exponent_of

ISSUE, CREDIT, ADJUST, EXPIRE = (
    Operation.Kind.ISSUE,
    Operation.Kind.CREDIT,
    Operation.Kind.ADJUST,
    Operation.Kind.EXPIRE,
)

_UNIQUE = {"card_code_in_store": DuplicateCode, "card_wallet_of_owner": WalletExists}


def issue(
    program: Program,
    *,
    actor: str,
    amount: int = 0,
    owner: Customer | None = None,
    imported_code: str = "",
    currency: str = "",
    valid_from: datetime.datetime | None = None,
    expires_at: datetime.datetime | None = None,
    is_restricted: bool | None = None,
    is_reloadable: bool | None = None,
    is_reusable: bool | None = None,
    relation_name: str | None = None,
    caption: str | None = None,
    reason: str = "",
    note: str = "",
) -> GiftCard:
    """Create a card with its balance and, when `amount` is not 0, its first grant.

    What is not given comes from the program, whose validity is that of each credit: the card's own
    end too, unless it is reloadable. A card in another currency than the store's counts in that
    currency's own units. Raises `DuplicateCode` for an imported code that the store already has,
    `WalletExists` for an owner's second one of a relation, `InvalidCode`, `InvalidDates`,
    `InvalidAmount`, `UnknownCurrency`.
    """
    if amount:
        checked(amount)
    now = timezone.now()
    code = codes.imported(imported_code) if imported_code else codes.generate()
    is_imported = bool(imported_code)
    public_id = new_public_id()
    is_foreign = currency not in {"", program.store.currency}
    start = valid_from or now
    end = expires_at or program.expiry_after(start)
    if end is not None and end <= start:
        raise InvalidDates
    reloadable = program.is_reloadable if is_reloadable is None else is_reloadable
    card = GiftCard(
        public_id=public_id,
        store=program.store,
        program=program,
        owner=owner,
        code_digest=codes.digest(code, is_imported=is_imported),
        code_sealed=codes.seal(code, card_public_id=public_id),
        code_last4=codes.last4(code),
        is_imported=is_imported,
        currency=currency or program.store.currency,
        exponent=exponent_of(currency) if is_foreign else program.exponent,
        valid_from=start,
        # A card that is reloaded outlives each of its credits; other cards are their one credit.
        expires_at=expires_at if reloadable else end,
        is_restricted=program.is_restricted if is_restricted is None else is_restricted,
        is_reloadable=reloadable,
        is_reusable=program.is_reusable if is_reusable is None else is_reusable,
        relation_name=program.relation_name if relation_name is None else relation_name,
        caption=program.caption if caption is None else caption,
        terms_version=program.terms_version,
        created_at=now,
    )
    try:
        with durable():
            _refuse_known_code(card, code)
            card.save(force_insert=True)
            open_balance(card)
            request_id = f"issue:{public_id}"
            position = lock_card(card.pk, kind=ISSUE, request_id=request_id)
            movements = []
            if amount:
                grant = NewGrant(Origin.ISSUE, program.funding, amount, start, end)
                movements = [Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, amount, grant)]
            request = Request(ISSUE, request_id, amount, actor, reason, note, at=now)
            post(position, request, movements)
    except IntegrityError as error:
        for constraint, refusal in _UNIQUE.items():
            if constraint in str(error):
                raise refusal from error
        raise
    return card


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
        grant = _grant(position, request, origin, funding, valid_from, expires_at, reference)
        opens = NewTransaction(Transaction.Kind.CREDIT, order_id, order_sequence)
        movement = Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, amount, grant)
        return post_transaction(position, request, [movement], opens)


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
) -> Operation:
    """Correct a card by hand: up is outside → available, down is available → removed.

    A reason of the closed list is a must. What is taken comes from usable grants first, in the
    order of spending. Raises `ReasonRequired`, `InvalidAmount`, `RequestConflict`; `BelowZero`,
    `CardClosed`, `CardExpired` (up only), `BalanceLimitExceeded` (recorded).
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
                grant = _grant(position, request, Origin.ADJUSTMENT, funding, None, expires_at, "")
                movements = [Movement(Bucket.OUTSIDE, Bucket.AVAILABLE, amount, grant)]
            else:
                movements = removed(position, amount, request.at)
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


def expired(position: Position, now: datetime.datetime) -> list[Movement]:
    """The movements that book what has expired, with the card or by its own dates."""
    return [
        Movement(Bucket.AVAILABLE, Bucket.EXPIRED, lot.remaining, lot.id)
        for lot in position.lots
        if lot.remaining and (position.is_expired_at(now) or lot.is_expired_at(now))
    ]


def removed(position: Position, amount: int, now: datetime.datetime) -> list[Movement]:
    """The movements that take an amount off a card; `BelowZero` when it is not there."""
    if amount > position.available:
        raise BelowZero
    movements = []
    for lot in sorted(position.lots, key=lambda lot: (not lot.is_usable_at(now), lot.turn)):
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


def _grant(
    position: Position,
    request: Request,
    origin: str,
    funding: str | None,
    valid_from: datetime.datetime | None,
    expires_at: datetime.datetime | None,
    reference: str,
) -> NewGrant:
    program = Program.objects.select_related("store").get(pk=position.program_id)
    start = valid_from or request.at
    ends = [end for end in (expires_at or program.expiry_after(start), position.expires_at) if end]
    end = min(ends, default=None)
    if end is not None and end <= start:
        raise InvalidDates
    return NewGrant(
        origin, funding or Funding(program.funding), request.amount, start, end, reference
    )


def _refuse_known_code(card: GiftCard, code: str) -> None:
    """A typed code finds one card: also under the previous key, also among codes that we made."""
    known = codes.typed_digests(code)
    if GiftCard.objects.filter(store=card.store, code_digest__in=known).exists():
        raise DuplicateCode
