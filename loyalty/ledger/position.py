"""What a verb sees of a card under its lock.

The balance row is locked first and read in the statement after: a row joined in the locking
statement would come from the snapshot taken before the lock was granted. Both statements travel
together, which shortens the time the lock is held by a round trip. NO KEY: whoever inserts a row
that points to this one takes a share lock on its key, and need not wait.
"""

import datetime
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from loyalty import metrics, prepared
from loyalty.exceptions import UnknownCard, UnknownTransaction
from loyalty.identity import Identity
from loyalty.ledger.idempotency import (
    PURCHASE_KINDS,
    TRANSACTION_COLUMNS,
    Prior,
    transaction_from,
)
from loyalty.models import Funding, GiftCard, Transaction
from loyalty.redemption import RedemptionRule

_FAR = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Lot:
    """A grant as a verb sees it; of a debit's lots, also what the debit holds or has spent."""

    id: int
    transaction_id: int | None
    remaining: int
    funding: str
    valid_from: datetime.datetime
    expires_at: datetime.datetime | None
    held: int = 0
    spent: int = 0

    def is_expired_at(self, instant: datetime.datetime) -> bool:
        """Whether its last instant has passed, booked or not."""
        return self.expires_at is not None and self.expires_at <= instant

    def is_usable_at(self, instant: datetime.datetime) -> bool:
        """Whether a debit may take from it."""
        return self.valid_from <= instant and not self.is_expired_at(instant)

    @property
    def turn(self) -> tuple[datetime.datetime, bool, int]:
        """When it is spent: soonest expiry first, then promotional before paid, then oldest."""
        return (self.expires_at or _FAR, self.funding == Funding.PAID, self.id)


@dataclass(frozen=True, slots=True)
class Position:
    """A card, its amounts in units and the lots that matter, locked until the transaction ends."""

    card_id: int
    version: int
    credited: int
    available: int
    held: int
    public_id: str
    program_id: int
    status: str
    valid_from: datetime.datetime
    expires_at: datetime.datetime | None
    currency: str
    exponent: int
    is_restricted: bool
    is_reloadable: bool
    is_reusable: bool
    store_currency: str
    refund_grace_days: int
    time_zone: str
    has_open_purchase: bool
    redemption: RedemptionRule
    owner: Identity
    lots: Sequence[Lot]
    prior: Prior | None
    transaction: Transaction | None

    @property
    def is_closed(self) -> bool:
        """Whether the card is closed for good."""
        return self.status == GiftCard.Status.CLOSED

    @property
    def is_blocked(self) -> bool:
        """Whether staff blocked the card."""
        return self.status == GiftCard.Status.BLOCKED

    @property
    def step_of(self) -> Transaction:
        """The transaction whose step is being taken, as it stands under the lock."""
        if self.transaction is None:
            raise UnknownTransaction
        return self.transaction

    def is_expired_at(self, instant: datetime.datetime) -> bool:
        """Whether the card's last instant has passed."""
        return self.expires_at is not None and self.expires_at <= instant


_LOCK = "SELECT 1 FROM loyalty_balance WHERE card_id = %(card)s FOR NO KEY UPDATE;"

# A card for one purchase that has had it: one that was canceled as a whole does not count.
HAS_OPEN_PURCHASE = """
    (NOT card.is_reusable AND EXISTS (
        SELECT 1 FROM loyalty_transaction purchase
        WHERE purchase.card_id = card.id AND purchase.kind = 'debit'
          AND purchase.released + purchase.refunded < purchase.amount))
"""
# In the order of `RedemptionRule`.
REDEMPTION = """
    program.redemption_minimum_cart, program.redemption_percent, program.redemption_counts_shipping,
    program.redemption_minimum, program.redemption_maximum
"""
REDEMPTION_WIDTH = 5
_CARD = f"""
    balance.card_id, balance.version, balance.credited, balance.available, balance.held,
    card.public_id, card.program_id, card.status, card.valid_from, card.expires_at, card.currency,
    card.exponent, card.is_restricted, card.is_reloadable, card.is_reusable,
    store.currency, store.refund_grace_days, store.time_zone,
    {HAS_OPEN_PURCHASE}, {REDEMPTION}
"""
OWNER = """
    coalesce(owner.profile_id, ''), coalesce(owner.email, ''),
    coalesce(owner.document, ''), coalesce(owner.corporate_document, '')
"""
_LOT = "lot.id, lot.transaction_id, lot.remaining, lot.funding, lot.valid_from, lot.expires_at"
_FROM = """
    loyalty_balance balance
    JOIN loyalty_giftcard card ON card.id = balance.card_id
    JOIN loyalty_store store ON store.id = card.store_id
    JOIN loyalty_program program ON program.id = card.program_id
    LEFT JOIN loyalty_customer owner ON owner.id = card.owner_id
"""
_CARD_WIDTH, OWNER_WIDTH, _LOT_WIDTH = 19 + REDEMPTION_WIDTH, 4, 8

# Every lot with money in it, and the operation that carried the request id before. A scalar: it is
# almost never there, and joining all of it would cost every purchase a third of its planning time.
_BY_REQUEST = f"""
    {_LOCK}
    SELECT {_CARD}, {OWNER}, {_LOT}, 0, 0, (
        SELECT operation.id FROM loyalty_operation operation
        WHERE operation.card_id = %(card)s AND operation.kind = ANY(%(kinds)s)
          AND operation.request_id = %(request_id)s LIMIT 1)
    FROM {_FROM}
    LEFT JOIN loyalty_grant lot ON lot.card_id = balance.card_id AND lot.remaining > 0
    WHERE balance.card_id = %(card)s
"""

# The operation that carried this request id and value before, on this transaction.
_PRIOR_STEP = """
    (SELECT operation.id FROM loyalty_operation operation
     WHERE operation.card_id = %(card)s AND operation.kind = ANY(%(kinds)s)
       AND operation.request_id = %(request_id)s AND operation.transaction_id = %(transaction)s
       AND operation.amount = %(amount)s)
"""
_STEP = """
    LEFT JOIN loyalty_transaction txn
      ON txn.id = %(transaction)s AND txn.card_id = balance.card_id
"""
# The lots that a debit took from, in the order in which it took, with what it still has of each.
_BY_DEBIT = f"""
    {_LOCK}
    SELECT {_CARD}, {OWNER}, {_LOT}, share.held, share.spent, {_PRIOR_STEP}, {TRANSACTION_COLUMNS}
    FROM {_FROM} {_STEP}
    LEFT JOIN (
        SELECT grant_id, min(id) AS first_entry,
               (coalesce(sum(amount) FILTER (WHERE target = 'held'), 0)
                - coalesce(sum(amount) FILTER (WHERE source = 'held'), 0))::bigint AS held,
               (coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0)
                - coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0))::bigint AS spent
        FROM loyalty_entry WHERE transaction_id = %(transaction)s GROUP BY grant_id
    ) share ON true
    LEFT JOIN loyalty_grant lot ON lot.id = share.grant_id
    WHERE balance.card_id = %(card)s
    ORDER BY share.first_entry
"""
# The lots with money in it, and the credit's own even when it is empty.
_BY_CREDIT = f"""
    {_LOCK}
    SELECT {_CARD}, {OWNER}, {_LOT}, 0, 0, {_PRIOR_STEP}, {TRANSACTION_COLUMNS}
    FROM {_FROM} {_STEP}
    LEFT JOIN loyalty_grant lot ON lot.card_id = balance.card_id
     AND (lot.remaining > 0 OR lot.transaction_id = txn.id)
    WHERE balance.card_id = %(card)s
"""


def lock_card(card_id: int, *, kind: str, request_id: str) -> Position:
    """Lock a card for a verb that is not about one transaction; `UnknownCard` when there is none.

    Authorize and credit share their request ids; every other verb has a space of its own.
    """
    kinds: Iterable[str] = PURCHASE_KINDS if kind in PURCHASE_KINDS else (kind,)
    return _read(_BY_REQUEST, {"card": card_id, "kinds": list(kinds), "request_id": request_id})


def lock_transaction(
    transaction: Transaction, *, kind: str, request_id: str, amount: int
) -> Position:
    """Lock a card for a step of one of its transactions, which is read anew under the lock."""
    is_debit = transaction.kind == Transaction.Kind.DEBIT
    return _read(
        _BY_DEBIT if is_debit else _BY_CREDIT,
        {
            "card": transaction.card_id,
            "transaction": transaction.pk,
            "kinds": [kind],
            "request_id": request_id,
            "amount": amount,
        },
    )


_LOCK_FREE = """
    SELECT card_id FROM loyalty_balance WHERE card_id = ANY(%s)
    ORDER BY card_id FOR NO KEY UPDATE SKIP LOCKED
"""


def lock_free(card_ids: Sequence[int]) -> list[int]:
    """Lock those of the cards that nobody has locked, without waiting; read them only after."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_FREE, [list(card_ids)])
        return [card_id for (card_id,) in cursor.fetchall()]


def _read(statement: str, parameters: dict[str, Any]) -> Position:
    began = time.perf_counter()
    rows = prepared.rows(statement, parameters)
    metrics.locked(time.perf_counter() - began)
    if not rows:
        raise UnknownCard
    first = rows[0]
    owner, lot = _CARD_WIDTH, _CARD_WIDTH + OWNER_WIDTH
    prior = lot + _LOT_WIDTH
    rest: tuple[Any, ...] = (
        Identity(*first[owner:lot]),
        [Lot(*row[lot:prior]) for row in rows if row[lot] is not None],
        Prior.of(first[prior]) if first[prior] else None,
        transaction_from(first[prior + 1 :]),
    )
    rule = owner - REDEMPTION_WIDTH
    return Position(*(*first[:rule], RedemptionRule(*first[rule:owner]), *rest))
