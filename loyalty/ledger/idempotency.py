"""A request happens once: finding it again, and giving its first answer again.

The record is the Operation, written in the same transaction as the money and kept for ever, so that
no row means that nothing moved. Redis, headers, descriptions and order data have no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from loyalty import exceptions, metrics, prepared
from loyalty.exceptions import (
    Decline,
    InvalidRequestId,
    RequestConflict,
    UnknownCard,
    UnknownTransaction,
)
from loyalty.models import Operation, Outcome, Transaction

MAX_REQUEST_ID = 128

# These two share one space of request ids: the same id for the other one is a conflict.
PURCHASE_KINDS = (Operation.Kind.AUTHORIZE, Operation.Kind.CREDIT)

DECLINES: dict[str, type[Decline]] = {
    error.code: error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, Decline)
}

_OPERATION_FIELDS = (
    "id", "oid", "card_id", "transaction_id", "kind", "request_id", "amount", "applied",
    "outcome", "decline_code", "actor", "created_at",
)  # fmt: skip
_TRANSACTION_FIELDS = (
    "id", "public_id", "card_id", "kind", "amount", "settled", "released", "refunded",
    "request_id", "order_id", "order_sequence", "created_at",
)  # fmt: skip
OPERATION_COLUMNS = ", ".join(f"operation.{field}" for field in _OPERATION_FIELDS)
TRANSACTION_COLUMNS = ", ".join(f"txn.{field}" for field in _TRANSACTION_FIELDS)
PRIOR_COLUMNS = f"{OPERATION_COLUMNS}, {TRANSACTION_COLUMNS}"
_PRIOR = f"""
    SELECT {PRIOR_COLUMNS}
    FROM loyalty_operation operation
    LEFT JOIN loyalty_transaction txn ON txn.id = operation.transaction_id
    WHERE operation.id = %s
"""


def transaction_from(columns: Sequence[Any]) -> Transaction | None:
    """The transaction of a row's `TRANSACTION_COLUMNS`, if there is one."""
    if not columns or columns[0] is None:
        return None
    return Transaction.from_db("default", list(_TRANSACTION_FIELDS), list(columns))


@dataclass(frozen=True, slots=True)
class Prior:
    """An operation that carried the request id before."""

    operation: Operation
    transaction: Transaction | None

    @classmethod
    def from_columns(cls, columns: Sequence[Any]) -> Self:
        """The operation of a row's `PRIOR_COLUMNS`."""
        split = len(_OPERATION_FIELDS)
        operation = Operation.from_db("default", list(_OPERATION_FIELDS), list(columns[:split]))
        return cls(operation, transaction_from(columns[split:]))

    @classmethod
    def of(cls, operation_id: int) -> Self:
        """An operation that is known to be there."""
        [row] = prepared.rows(_PRIOR, [operation_id])
        return cls.from_columns(row)

    def first_answer(self, kind: str, amount: int) -> "Prior":
        """Itself, when the request means the same and was accepted.

        Raises the recorded `Decline` again, or `RequestConflict` for another meaning.
        """
        if (self.operation.kind, self.operation.amount) != (kind, amount):
            raise RequestConflict
        metrics.replayed(kind)
        if self.operation.outcome == Outcome.DECLINED:
            raise DECLINES[self.operation.decline_code]
        return self

    @property
    def purchase(self) -> Transaction:
        """The transaction that an accepted authorize or credit opened."""
        assert self.transaction is not None  # noqa: S101  every accepted purchase has one
        return self.transaction


def check_request_id(request_id: str) -> None:
    """Raise `InvalidRequestId` for what the ledger cannot keep to the letter."""
    if not 0 < len(request_id) <= MAX_REQUEST_ID or not request_id.isprintable():
        raise InvalidRequestId


@dataclass(frozen=True, slots=True)
class Recall:
    """What one unlocked statement knows of a request: the card, and what was done with this id."""

    card_id: int
    currency: str
    exponent: int
    priors: Sequence[Prior]

    def first_answer(self, kind: str, amount: int) -> Transaction | None:
        """The first answer to an authorize or credit; None when the id is new.

        Raises the recorded `Decline`, or `RequestConflict`.
        """
        for prior in self.priors:
            return prior.first_answer(kind, amount).purchase
        return None


@dataclass(frozen=True, slots=True)
class StepRecall:
    """The same for a settle or cancel: the card, its transaction, and what this id did to it."""

    card_id: int
    currency: str
    exponent: int
    priors: Sequence[Prior]
    transaction: Transaction

    def first_answer(self, kind: str, amount: int) -> Operation | None:
        """The first answer to a settle or cancel of this value; None when id and value are new.

        Raises the recorded `Decline`.
        """
        for prior in self.priors:
            if prior.operation.amount == amount:
                return prior.first_answer(kind, amount).operation
        return None


_RECALL_PURCHASE = f"""
    SELECT card.id, card.currency, card.exponent, {PRIOR_COLUMNS}
    FROM loyalty_giftcard card
    LEFT JOIN loyalty_operation operation
      ON operation.card_id = card.id AND operation.kind = ANY(%(kinds)s)
     AND operation.request_id = %(request_id)s
    LEFT JOIN loyalty_transaction txn ON txn.id = operation.transaction_id
    WHERE card.public_id = %(card)s AND card.store_id = %(store)s
"""
_RECALL_STEP = f"""
    SELECT card.id, card.currency, card.exponent, {PRIOR_COLUMNS}
    FROM loyalty_giftcard card
    LEFT JOIN loyalty_transaction txn
      ON txn.card_id = card.id AND txn.public_id = %(transaction)s
    LEFT JOIN loyalty_operation operation
      ON operation.card_id = card.id AND operation.kind = %(kind)s
     AND operation.request_id = %(request_id)s AND operation.transaction_id = txn.id
    WHERE card.public_id = %(card)s AND card.store_id = %(store)s
"""
_CARD_WIDTH = 3


def recall_purchase(store_id: int, card_public_id: str, *, request_id: str) -> Recall:
    """Look a card up together with what its request id did before: one statement, no lock.

    Raises `UnknownCard`, also for a card of another store.
    """
    check_request_id(request_id)
    rows = _rows(
        _RECALL_PURCHASE,
        {
            "store": store_id,
            "card": card_public_id,
            "kinds": list(PURCHASE_KINDS),
            "request_id": request_id,
        },
    )
    card_id, currency, exponent = rows[0][:_CARD_WIDTH]
    return Recall(card_id, currency, exponent, _priors(rows))


def recall_step(
    store_id: int, card_public_id: str, transaction_public_id: str, *, kind: str, request_id: str
) -> StepRecall:
    """Look a transaction up together with what the request id of a settle or cancel did before.

    Raises `UnknownCard` and `UnknownTransaction`.
    """
    check_request_id(request_id)
    rows = _rows(
        _RECALL_STEP,
        {
            "store": store_id,
            "card": card_public_id,
            "transaction": transaction_public_id,
            "kind": kind,
            "request_id": request_id,
        },
    )
    card_id, currency, exponent = rows[0][:_CARD_WIDTH]
    transaction = transaction_from(rows[0][_CARD_WIDTH + len(_OPERATION_FIELDS) :])
    if transaction is None:
        raise UnknownTransaction
    return StepRecall(card_id, currency, exponent, _priors(rows), transaction)


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows = prepared.rows(statement, parameters)
    if not rows:
        raise UnknownCard
    return rows


def _priors(rows: Sequence[Sequence[Any]]) -> list[Prior]:
    found = (row[_CARD_WIDTH:] for row in rows)
    return [Prior.from_columns(columns) for columns in found if columns[0] is not None]
