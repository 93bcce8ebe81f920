"""The one writer of Balance, Grant, Transaction, Operation and Entry.

A verb says which amounts move between which buckets; everything else (the balance's new amounts,
what remains of each grant, the transaction's counters, the numbered entries) follows from the
movements and is written in one statement. Amounts are units of the card.
"""

import datetime
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import prepared
from loyalty.exceptions import Decline, LedgerBusy
from loyalty.ledger.position import Position
from loyalty.models import Balance, Bucket, GiftCard, Operation, Outcome, Transaction

_ONCE = "operation_happens_once"


def new_public_id() -> str:
    """An id for URLs: 32 hexadecimal digits, 128 random bits, never empty (known issue 855864)."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, eq=False)
class NewGrant:
    """A grant that the operation opens."""

    origin: str
    funding: str
    amount: int
    valid_from: datetime.datetime
    expires_at: datetime.datetime | None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """Units of a grant from bucket to bucket; `landing` is where a late refund lands instead."""

    source: Bucket
    target: Bucket
    amount: int
    grant: int | NewGrant
    landing: NewGrant | None = None


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """A debit or credit that the operation opens."""

    kind: Transaction.Kind
    order_id: str = ""
    order_sequence: str = ""
    public_id: str = field(default_factory=new_public_id)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the card, by whom, and when the ledger took it up."""

    kind: Operation.Kind
    request_id: str
    amount: int
    actor: str
    reason: str = ""
    note: str = ""
    oid: str = field(default_factory=new_public_id)
    # Looked up when it is called: a stopped clock (`loyalty.demo`, tests) must reach it.
    at: datetime.datetime = field(default_factory=lambda: timezone.now())  # noqa: PLW0108


@contextmanager
def durable() -> Iterator[None]:
    """One durable transaction: leaving it without an error means that the money is committed.

    A `Decline` is committed too, with its record, before it goes on to the caller. Raises
    `LedgerBusy` when the lock was not to be had in time, the connection broke (so that the outcome
    is unknown), or an equal request got in between: the same request may be sent again.
    """
    declined: Decline | None = None
    try:
        with atomic(durable=True):
            try:
                yield
            except Decline as decline:
                declined = decline
    except (OperationalError, InterfaceError) as error:
        raise LedgerBusy from error
    except IntegrityError as error:
        if _ONCE in str(error):
            raise LedgerBusy from error
        raise
    if declined:
        raise declined


@contextmanager
def declines_recorded(
    position: Position, request: Request, *, transaction: Transaction | None = None
) -> Iterator[None]:
    """Record a `Decline` raised inside as the final answer to the request, and let it go on."""
    try:
        yield
    except Decline as decline:
        post(position, request, (), transaction=transaction, decline_code=decline.code)
        raise


def open_balance(card: GiftCard) -> None:
    """The empty balance of a new card."""
    Balance.objects.create(card_id=card.pk)  # not the card: it would keep this empty copy


def post(
    position: Position,
    request: Request,
    movements: Sequence[Movement],
    *,
    transaction: Transaction | None = None,
    decline_code: str = "",
    card_changes: dict[str, object] | None = None,
) -> Operation:
    """Write one operation and all that follows from it, in one statement.

    The position must be locked. The database's own constraints refuse what would lose, double or
    invent an amount, whatever the caller believed.
    """
    statement = _Statement(position, request)
    if transaction:
        statement.transaction_id = transaction.pk
        statement.advance_transaction(movements)
    statement.record(movements, decline_code)
    if card_changes:
        statement.change_card(card_changes)
    operation_id, transaction_id = statement.execute()
    return Operation(
        pk=operation_id,
        oid=request.oid,
        card_id=position.card_id,
        transaction_id=transaction_id,
        kind=request.kind,
        request_id=request.request_id,
        amount=request.amount,
        applied=_total(movements),
        outcome=Outcome.DECLINED if decline_code else Outcome.OK,
        decline_code=decline_code,
        actor=request.actor,
        reason=request.reason,
        note=request.note,
        created_at=request.at,
    )


def post_transaction(
    position: Position, request: Request, movements: Sequence[Movement], opens: NewTransaction
) -> Transaction:
    """The same for an operation that opens a transaction, which is what it returns."""
    statement = _Statement(position, request)
    statement.open_transaction(opens)
    statement.record(movements)
    _, transaction_id = statement.execute()
    return Transaction(
        pk=transaction_id,
        public_id=opens.public_id,
        card_id=position.card_id,
        kind=opens.kind,
        amount=request.amount,
        request_id=request.request_id,
        order_id=opens.order_id,
        order_sequence=opens.order_sequence,
        created_at=request.at,
    )


def _total(movements: Sequence[Movement]) -> int:
    return sum(movement.amount for movement in movements)


class _Statement:
    """INSERT after UPDATE after INSERT, gathered as the CTEs of one statement."""

    def __init__(self, position: Position, request: Request) -> None:
        self.position = position
        self.request = request
        self.transaction_id: int | None = None
        self._opens_transaction = False
        self._ctes: list[str] = []
        self._parameters: list[Any] = []

    def _add(self, name: str, sql: str, *parameters: Any) -> None:
        self._ctes.append(f"{name} AS ({sql})")
        self._parameters += parameters

    def _transaction(self) -> tuple[str, list[Any]]:
        if self._opens_transaction:
            return "(SELECT id FROM txn)", []
        return "%s", [self.transaction_id]

    def open_transaction(self, opens: NewTransaction) -> None:
        self._opens_transaction = True
        self._add(
            "txn",
            "INSERT INTO loyalty_transaction (public_id, card_id, kind, amount, settled, released,"
            " refunded, request_id, order_id, order_sequence, created_at)"
            " VALUES (%s, %s, %s, %s, 0, 0, 0, %s, %s, %s, %s) RETURNING id",
            opens.public_id,
            self.position.card_id,
            opens.kind,
            self.request.amount,
            self.request.request_id,
            opens.order_id,
            opens.order_sequence,
            self.request.at,
        )

    def advance_transaction(self, movements: Sequence[Movement]) -> None:
        """What was settled, released or refunded is what moved to spent, or back out."""
        settled = released = refunded = 0
        for movement in movements:
            if movement.target == Bucket.SPENT:
                settled += movement.amount
            elif movement.source == Bucket.SPENT:
                refunded += movement.amount
            else:
                released += movement.amount
        if movements:
            self._add(
                "txn",
                "UPDATE loyalty_transaction SET settled = settled + %s, released = released + %s,"
                " refunded = refunded + %s WHERE id = %s",
                settled,
                released,
                refunded,
                self.transaction_id,
            )

    def record(self, movements: Sequence[Movement], decline_code: str = "") -> None:
        """The operation, and what it moves."""
        request = self.request
        transaction, parameters = self._transaction()
        self._add(
            "operation",
            "INSERT INTO loyalty_operation (oid, card_id, kind, request_id, amount, applied,"
            " outcome, decline_code, actor, reason, note, created_at, transaction_id)"
            f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, {transaction})"
            " RETURNING id, transaction_id",
            request.oid,
            self.position.card_id,
            request.kind,
            request.request_id,
            request.amount,
            _total(movements),
            Outcome.DECLINED if decline_code else Outcome.OK,
            decline_code,
            request.actor,
            request.reason,
            request.note,
            request.at,
            *parameters,
        )
        if movements:
            self._move(movements)

    def _move(self, movements: Sequence[Movement]) -> None:
        new_grants = self._open_grants(movements)
        self._change_balance(movements)
        self._change_remaining(movements)
        self._number_entries(movements, new_grants)

    def _open_grants(self, movements: Sequence[Movement]) -> dict[NewGrant, str]:
        """The CTE that makes each new grant. What it holds at first is its whole amount."""
        names: dict[NewGrant, str] = {}
        for movement in movements:
            for grant in (movement.grant, movement.landing):
                if not isinstance(grant, NewGrant) or grant in names:
                    continue
                names[grant] = f"grant_{len(names)}"
                transaction, parameters = self._transaction()
                self._add(
                    names[grant],
                    "INSERT INTO loyalty_grant (card_id, operation_id, transaction_id, origin,"
                    " funding, amount, remaining, valid_from, expires_at, reference, created_at)"
                    f" VALUES (%s, (SELECT id FROM operation), {transaction},"
                    " %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                    self.position.card_id,
                    *parameters,
                    grant.origin,
                    grant.funding,
                    grant.amount,
                    grant.amount,
                    grant.valid_from,
                    grant.expires_at,
                    grant.reference,
                    self.request.at,
                )
        return names

    def _change_balance(self, movements: Sequence[Movement]) -> None:
        change: Counter[str] = Counter()
        for movement in movements:
            change[movement.source] -= movement.amount
            change[movement.target] += movement.amount
        # What leaves `outside` is what was ever credited.
        change["credited"] = -change.pop(Bucket.OUTSIDE, 0)
        columns = [column for column, amount in change.items() if amount]
        assignments = "".join(f"{column} = {column} + %s, " for column in columns)
        self._add(
            "balance",
            f"UPDATE loyalty_balance SET {assignments}version = version + %s WHERE card_id = %s",
            *(change[column] for column in columns),
            len(movements),
            self.position.card_id,
        )

    def _change_remaining(self, movements: Sequence[Movement]) -> None:
        change: Counter[int] = Counter()
        for movement in movements:
            if not isinstance(movement.grant, int):
                continue
            if movement.source == Bucket.AVAILABLE:
                change[movement.grant] -= movement.amount
            elif movement.target == Bucket.AVAILABLE and not movement.landing:
                change[movement.grant] += movement.amount
        if change:
            rows = ", ".join(["(%s::bigint, %s::bigint)"] * len(change))
            self._add(
                "remaining",
                "UPDATE loyalty_grant SET remaining = remaining + change.amount"
                f" FROM (VALUES {rows}) change (id, amount) WHERE loyalty_grant.id = change.id",
                *(value for pair in change.items() for value in pair),
            )

    def _number_entries(
        self, movements: Sequence[Movement], new_grants: dict[NewGrant, str]
    ) -> None:
        def grant(reference: int | NewGrant | None) -> tuple[str, list[Any]]:
            if isinstance(reference, NewGrant):
                return f"(SELECT id FROM {new_grants[reference]})", []
            return "%s", [reference]

        transaction, transaction_parameters = self._transaction()
        available, held = self.position.available, self.position.held
        rows, parameters = [], []
        for seq, movement in enumerate(movements, start=self.position.version + 1):
            for bucket, amount in (
                (movement.source, -movement.amount),
                (movement.target, movement.amount),
            ):
                available += amount if bucket == Bucket.AVAILABLE else 0
                held += amount if bucket == Bucket.HELD else 0
            origin, origin_parameters = grant(movement.grant)
            landing, landing_parameters = grant(movement.landing)
            rows.append(
                f"(%s, %s, (SELECT id FROM operation), {transaction}, {origin}, {landing},"
                " %s, %s, %s, %s, %s, %s)"
            )
            parameters += [
                self.position.card_id,
                seq,
                *transaction_parameters,
                *origin_parameters,
                *landing_parameters,
                movement.source,
                movement.target,
                movement.amount,
                available,
                held,
                self.request.at,
            ]
        self._add(
            "entry",
            "INSERT INTO loyalty_entry (card_id, seq, operation_id, transaction_id, grant_id,"
            " landing_grant_id, source, target, amount, available_after, held_after, created_at)"
            f" VALUES {', '.join(rows)}",
            *parameters,
        )

    def change_card(self, changes: dict[str, object]) -> None:
        assignments = ", ".join(f"{column} = %s" for column in changes)
        self._add(
            "card",
            f"UPDATE loyalty_giftcard SET {assignments} WHERE id = %s",
            *changes.values(),
            self.position.card_id,
        )

    def execute(self) -> tuple[int, int | None]:
        """Write it; the ids of the operation and of its transaction."""
        sql = f"WITH {', '.join(self._ctes)} SELECT id, transaction_id FROM operation"
        [(operation_id, transaction_id)] = prepared.rows(sql, self._parameters)
        return operation_id, transaction_id
