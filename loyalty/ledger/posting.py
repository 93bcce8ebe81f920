"""The one writer of Balance, Grant, Transaction, Operation and Entry.

A verb says which amounts move between which buckets; everything else (the balance's new amounts,
what remains of each grant, the transaction's counters, the numbered entries) follows from the
movements and is written in one statement. Amounts are units of the card.
"""

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

from loyalty import prepared
from loyalty.exceptions import Decline
from loyalty.ledger.counting import counted, expired, total
from loyalty.ledger.durability import COMMIT_PATIENTLY
from loyalty.ledger.movements import (
    Issue,
    LaterEnd,
    Movement,
    NewGrant,
    NewTransaction,
    Request,
    new_public_id,
)
from loyalty.ledger.position import Position
from loyalty.models import Bucket, Operation, Origin, Outcome, Transaction


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


def post(
    position: Position,
    request: Request,
    movements: Sequence[Movement],
    *,
    transaction: Transaction | None = None,
    decline_code: str = "",
    card_changes: dict[str, object] | None = None,
    later_end: LaterEnd | None = None,
) -> Operation:
    """Write one operation and all that follows from it, in one statement.

    The position must be locked. The database's own constraints refuse what would lose, double or
    invent an amount, whatever the caller believed.
    """
    statement = _Statement(position, request)
    if transaction:
        statement.transaction_id = transaction.pk
        statement.advance_transaction(movements)
    statement.later_end = later_end
    statement.record(movements, decline_code)
    if card_changes:
        statement.change_card(card_changes)
    operation_id, transaction_id = statement.execute()
    applied = counted(position, request, movements, decline_code)
    return Operation(
        pk=operation_id,
        oid=request.oid,
        card_id=position.card_id,
        transaction_id=transaction_id,
        kind=request.kind,
        request_id=request.request_id,
        amount=request.amount,
        applied=applied,
        outcome=Outcome.DECLINED if decline_code else Outcome.OK,
        decline_code=decline_code,
        actor=request.actor,
        reason=request.reason,
        note=request.note,
        created_at=request.at,
        reverses_id=request.reverses_id,
        counterpart_id=request.counterpart_id,
    )


def post_transaction(
    position: Position, request: Request, movements: Sequence[Movement], opens: NewTransaction
) -> Transaction:
    """The same for an operation that opens a transaction, which is what it returns."""
    statement = _Statement(position, request)
    statement.open_transaction(opens)
    statement.record(movements)
    _, transaction_id = statement.execute()
    counted(position, request, movements)
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


# A new card has one row in each table: the values of a thousand cards travel as a few arrays.
_ISSUED = """
    WITH issued AS (
        SELECT * FROM unnest(
            %(cards)s::bigint[], %(oids)s::text[], %(requests)s::text[], %(amounts)s::bigint[],
            %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(references)s::text[]
        ) row (card_id, oid, request_id, amount, valid_from, expires_at, reference)
    ), balance AS (
        INSERT INTO loyalty_balance
            (card_id, credited, available, held, spent, expired, removed, version)
        SELECT card_id, amount, amount, 0, 0, 0, 0, CASE WHEN amount > 0 THEN 1 ELSE 0 END
        FROM issued
    ), operation AS (
        INSERT INTO loyalty_operation (oid, card_id, kind, request_id, amount, applied, outcome,
            decline_code, actor, reason, note, created_at)
        SELECT oid, card_id, %(kind)s, request_id, amount, amount, %(ok)s,
               '', %(actor)s, %(reason)s, %(note)s, %(at)s
        FROM issued RETURNING id, card_id
    ), lot AS (
        INSERT INTO loyalty_grant (card_id, operation_id, origin, funding, amount, remaining,
            valid_from, expires_at, reference, created_at)
        SELECT card_id, operation.id, %(origin)s, %(funding)s, amount, amount,
               valid_from, expires_at, reference, %(at)s
        FROM issued JOIN operation USING (card_id) WHERE amount > 0
        RETURNING id, card_id, operation_id, amount
    )
    INSERT INTO loyalty_entry (card_id, seq, operation_id, grant_id, source, target, amount,
        available_after, held_after, created_at)
    SELECT card_id, 1, operation_id, id, %(outside)s, %(available)s, amount, amount, 0, %(at)s
    FROM lot
"""


def post_issues(
    issues: Sequence[Issue],
    *,
    funding: str,
    actor: str,
    reason: str,
    note: str,
    at: datetime.datetime,
) -> None:
    """Open the books of new cards, in one statement: balance, operation, first grant and entry.

    Nobody else sees these cards yet, so that there is nothing to lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"{COMMIT_PATIENTLY}{_ISSUED}",
            {
                "cards": [issue.card_id for issue in issues],
                "oids": [new_public_id() for _ in issues],
                "requests": [issue.request_id for issue in issues],
                "amounts": [issue.amount for issue in issues],
                "starts": [issue.valid_from for issue in issues],
                "ends": [issue.expires_at for issue in issues],
                "references": [issue.reference for issue in issues],
                "kind": Operation.Kind.ISSUE,
                "ok": Outcome.OK,
                "origin": Origin.ISSUE,
                "funding": funding,
                "actor": actor,
                "reason": reason,
                "note": note,
                "at": at,
                "outside": Bucket.OUTSIDE,
                "available": Bucket.AVAILABLE,
            },
        )


# All that is left of the grants that are over, of many cards whose balances are locked.
_EXPIRED = """
    WITH due AS MATERIALIZED (
        SELECT lot.card_id, lot.id, lot.remaining AS amount, balance.version, balance.held,
               balance.available - sum(lot.remaining) OVER turn AS available,
               row_number() OVER turn AS number
        FROM loyalty_grant lot
        JOIN loyalty_giftcard card ON card.id = lot.card_id
        JOIN loyalty_balance balance ON balance.card_id = lot.card_id
        WHERE lot.card_id = ANY(%(cards)s) AND lot.remaining > 0
          AND least(lot.expires_at, card.expires_at) <= %(at)s
        WINDOW turn AS (PARTITION BY lot.card_id ORDER BY lot.id)
    ), total AS MATERIALIZED (
        SELECT card_id, version, sum(amount) AS amount, count(*) AS grants
        FROM due GROUP BY card_id, version
    ), operation AS (
        INSERT INTO loyalty_operation (oid, card_id, kind, request_id, amount, applied, outcome,
            decline_code, actor, reason, note, created_at)
        SELECT oid, card_id, 'expire', 'expire:' || version, amount, amount, 'ok',
               '', %(actor)s, '', '', %(at)s
        FROM total JOIN unnest(%(cards)s, %(oids)s) named (card_id, oid) USING (card_id)
        RETURNING id, card_id
    ), balance AS (
        UPDATE loyalty_balance SET available = available - amount, expired = expired + amount,
            version = loyalty_balance.version + grants
        FROM total WHERE total.card_id = loyalty_balance.card_id
    ), lot AS (
        UPDATE loyalty_grant SET remaining = remaining - due.amount
        FROM due WHERE due.id = loyalty_grant.id
    ), entry AS (
        INSERT INTO loyalty_entry (card_id, seq, operation_id, grant_id, source, target, amount,
            available_after, held_after, created_at)
        SELECT card_id, version + number, operation.id, due.id, 'available', 'expired', amount,
               available, held, %(at)s
        FROM due JOIN operation USING (card_id)
    )
    SELECT card_id, currency, total.amount::bigint, exponent
    FROM total JOIN loyalty_giftcard card ON card.id = total.card_id
"""


def post_expiries(card_ids: Sequence[int], *, actor: str, at: datetime.datetime) -> list[int]:
    """Book what has expired of cards that are locked, as `credits.expire` does for one; which."""
    oids = [new_public_id() for _ in card_ids]
    values: dict[str, Any] = {"cards": list(card_ids), "oids": oids, "actor": actor, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(f"{COMMIT_PATIENTLY}{_EXPIRED}", values)
        return expired(cursor.fetchall())


class _Statement:
    """INSERT after UPDATE after INSERT, gathered as the CTEs of one statement."""

    def __init__(self, position: Position, request: Request) -> None:
        self.position = position
        self.request = request
        self.transaction_id: int | None = None
        self.later_end: LaterEnd | None = None
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
            " outcome, decline_code, actor, reason, note, created_at, reverses_id, counterpart_id,"
            " transaction_id)"
            f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, {transaction})"
            " RETURNING id, transaction_id",
            request.oid,
            self.position.card_id,
            request.kind,
            request.request_id,
            request.amount,
            total(movements),
            Outcome.DECLINED if decline_code else Outcome.OK,
            decline_code,
            request.actor,
            request.reason,
            request.note,
            request.at,
            request.reverses_id,
            request.counterpart_id,
            *parameters,
        )
        if movements:
            self._move(movements)
        self._change_grants(movements)

    def _move(self, movements: Sequence[Movement]) -> None:
        new_grants = self._open_grants(movements)
        self._change_balance(movements)
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
                    " funding, amount, remaining, valid_from, expires_at, reference, came_from_id,"
                    " created_at)"
                    f" VALUES (%s, (SELECT id FROM operation), {transaction},"
                    " %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                    self.position.card_id,
                    *parameters,
                    grant.origin,
                    grant.funding,
                    grant.amount,
                    grant.amount,
                    grant.valid_from,
                    grant.expires_at,
                    grant.reference,
                    grant.came_from,
                    grant.given_at or self.request.at,
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

    def _change_grants(self, movements: Sequence[Movement]) -> None:
        """What remains, and a later end: of one row at once, which a statement may change once."""
        later = self.later_end
        change: Counter[int] = Counter(dict.fromkeys(later.grant_ids, 0) if later else {})
        for movement in movements:
            if not isinstance(movement.grant, int):
                continue
            if movement.source == Bucket.AVAILABLE:
                change[movement.grant] -= movement.amount
            elif movement.target == Bucket.AVAILABLE and not movement.landing:
                change[movement.grant] += movement.amount
        if change:
            end, parameters = (", expires_at = %s", [later.expires_at]) if later else ("", [])
            rows = ", ".join(["(%s::bigint, %s::bigint)"] * len(change))
            self._add(
                "remaining",
                f"UPDATE loyalty_grant SET remaining = remaining + change.amount{end}"
                f" FROM (VALUES {rows}) change (id, amount) WHERE loyalty_grant.id = change.id",
                *parameters,
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
        writes = f"WITH {', '.join(self._ctes)} SELECT id, transaction_id FROM operation"
        sql = f"{COMMIT_PATIENTLY}{writes}"
        [(operation_id, transaction_id)] = prepared.rows(sql, self._parameters)
        return operation_id, transaction_id
