"""What a store sees of its cards: usable balances now, by id, by typed code, by owner. Read only.

From the primary database, in one statement; by owner in two. Usable means here what it means to a
debit (`loyalty.ledger`): card active, open to a purchase, within its dates, grants within theirs.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

from django.utils import timezone

from loyalty import codes, money, prepared
from loyalty.exceptions import UnknownCard, UnknownTransaction
from loyalty.identity import Identity
from loyalty.ledger.position import HAS_OPEN_PURCHASE, OWNER, OWNER_WIDTH, REDEMPTION
from loyalty.models import Customer, Operation, Outcome, Transaction
from loyalty.redemption import Cart, RedemptionRule


@dataclass(frozen=True, slots=True)
class CardView:
    """A card as its store sees it; `usable` is in units."""

    public_id: str
    code_last4: str
    currency: str
    exponent: int
    created_at: datetime.datetime
    expires_at: datetime.datetime | None
    relation_name: str
    caption: str
    is_restricted: bool
    redemption: RedemptionRule
    usable: int
    owner: Identity

    @property
    def balance(self) -> Decimal:
        """What is usable now, in major units with the currency's digits, rounded down."""
        return money.shown(self.usable, currency=self.currency, exponent=self.exponent)

    def within(self, cart: Cart | None) -> Self:
        """The same with what of it may pay in this cart."""
        usable = self.redemption.usable(
            self.usable, cart, currency=self.currency, exponent=self.exponent
        )
        return replace(self, usable=usable)


_COLUMNS = f"""
    card.public_id, card.code_last4, card.currency, card.exponent, card.created_at, card.expires_at,
    card.relation_name, card.caption, card.is_restricted, {REDEMPTION}
"""
_RULE, _USABLE_AND_OWNER = 9, 1 + OWNER_WIDTH
_IS_VALID = f"""
    card.status = 'active' AND card.valid_from <= %(now)s
    AND (card.expires_at IS NULL OR card.expires_at > %(now)s)
    AND card.currency = (SELECT currency FROM loyalty_store WHERE id = %(store)s)
    AND NOT {HAS_OPEN_PURCHASE}
"""
_USABLE = """
    SELECT coalesce(sum(lot.remaining), 0)::bigint AS amount
    FROM loyalty_grant lot
    WHERE lot.card_id = card.id AND lot.remaining > 0 AND lot.valid_from <= %(now)s
      AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s)
"""
_TABLES = f"""
    loyalty_giftcard card
    JOIN loyalty_program program ON program.id = card.program_id
    LEFT JOIN loyalty_customer owner ON owner.id = card.owner_id
    CROSS JOIN LATERAL ({_USABLE}) usable
"""
_BY_ID = f"""
    SELECT {_COLUMNS}, CASE WHEN {_IS_VALID} THEN usable.amount ELSE 0 END, {OWNER}
    FROM {_TABLES}
    WHERE card.public_id = %(card)s AND card.store_id = %(store)s
"""
_SPENDABLE = f"""
    SELECT {_COLUMNS}, usable.amount, {OWNER}
    FROM {_TABLES}
    WHERE card.store_id = %(store)s AND {_IS_VALID} AND usable.amount > 0
"""
_BY_CODE = f"{_SPENDABLE} AND card.code_digest = ANY(%(digests)s) ORDER BY NOT card.is_imported"
_BY_OWNERS = f"""
    {_SPENDABLE} AND card.owner_id = ANY(%(owners)s)
    ORDER BY card.expires_at NULLS LAST, card.id
"""


def card_by_id(store_id: int, public_id: str) -> CardView:
    """A card with what is usable of it: 0 when it may not pay now, as a blocked or expired one.

    Raises `UnknownCard`, also for a card of another store.
    """
    for view in _views(_BY_ID, {"store": store_id, "card": public_id}):
        return view
    raise UnknownCard


def card_by_code(
    store_id: int, typed: str, bearer: Identity, cart: Cart | None = None
) -> CardView | None:
    """The usable card of a typed code, if any; a restricted one only for its owner."""
    parameters = {"store": store_id, "digests": codes.typed_digests(typed)}
    for view in _spendable(_BY_CODE, parameters, cart):
        if not view.is_restricted or view.owner.matches(bearer) or _is_merged(view, bearer):
            return view
    return None


def _is_merged(view: CardView, bearer: Identity) -> bool:
    """Whether the bearer is known as a customer who was merged into the owner."""
    others = Customer.objects.filter(merged_into__cards__public_id=view.public_id)
    return others.identified_by(bearer).exists()


def cards_of(store_id: int, identity: Identity, cart: Cart | None = None) -> list[CardView]:
    """The usable cards of whoever the identity matches, each once, soonest expiry first."""
    customers = Customer.objects.filter(store_id=store_id).identified_by(identity)
    owners = list(customers.people()) if identity else []
    return _spendable(_BY_OWNERS, {"store": store_id, "owners": owners}, cart) if owners else []


def transactions_of(store_id: int, card_public_id: str) -> Sequence[Transaction]:
    """A card's transactions, newest first. Raises `UnknownCard`."""
    found = Transaction.objects.filter(
        card__store_id=store_id, card__public_id=card_public_id
    ).select_related("card")
    transactions = list(found.order_by("-id"))
    if not transactions:
        card_by_id(store_id, card_public_id)
    return transactions


def transaction_of(store_id: int, card_public_id: str, public_id: str) -> Transaction:
    """One transaction of a card, with the card. Raises `UnknownTransaction`, `UnknownCard`."""
    found = Transaction.objects.filter(
        card__store_id=store_id, card__public_id=card_public_id, public_id=public_id
    ).select_related("card")
    transaction = found.first()
    if transaction is None:
        card_by_id(store_id, card_public_id)
        raise UnknownTransaction
    return transaction


def steps_of(transaction: Transaction, kind: Operation.Kind) -> Sequence[Operation]:
    """The settlements or cancellations that were applied to a transaction, oldest first.

    VTEX adds them up and posts what is missing: they are complete, and every one moved money.
    """
    return list(
        transaction.operations.filter(kind=kind, outcome=Outcome.OK, applied__gt=0).order_by("id")
    )


def _spendable(statement: str, parameters: dict[str, Any], cart: Cart | None) -> list[CardView]:
    """What may pay in the cart, without points worth less than a cent.

    Checkout loops on a balance of 0 (known issue 1356257).
    """
    views = (view.within(cart) for view in _views(statement, parameters))
    return [view for view in views if view.balance]


def _views(statement: str, parameters: dict[str, Any]) -> list[CardView]:
    rows = prepared.rows(statement, {"now": timezone.now(), **parameters})
    return [
        CardView(
            *(
                *row[:_RULE],
                RedemptionRule(*row[_RULE:-_USABLE_AND_OWNER]),
                row[-_USABLE_AND_OWNER],
                Identity(*row[-OWNER_WIDTH:]),
            )
        )
        for row in rows
    ]
