"""What a promise of the books is; and those about rows that name other rows: I15 to I17."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise of the books, and the query that finds what breaks it.

    The query sees `card`, `balance`, `lot` (the grants), `txn`, `operation` and `entry`: the whole
    tables, or the part of them that is being verified. Each speaks of one card, or is a sum over
    cards: so books are right when every part of them is. I16 lets no row hide between two parts.
    """

    name: str
    meaning: str
    sql: str


LINKS: Sequence[Invariant] = (
    Invariant(
        "I15",
        "a reversal undoes an accepted adjustment or transfer of its card as a whole, to the grants"
        " that it was taken from, and nothing is reversed twice",
        """
        SELECT reversal.card_id, reversal.id AS operation_id, reversal.reverses_id, adjusted.kind,
               adjusted.outcome, adjusted.applied AS adjusted, reversal.amount AS reversed,
               reversal.times, NULL::bigint AS grant_id
        FROM (
            SELECT card_id, id, kind, reverses_id, amount,
                   count(*) FILTER (WHERE outcome = 'ok') OVER (PARTITION BY reverses_id) AS times
            FROM operation WHERE kind = 'reverse' OR reverses_id IS NOT NULL
        ) reversal
        LEFT JOIN operation adjusted
          ON adjusted.id = reversal.reverses_id AND adjusted.card_id = reversal.card_id
        WHERE reversal.kind <> 'reverse' OR reversal.times > 1
           OR (adjusted.kind IN ('adjust', 'transfer'), adjusted.outcome, adjusted.applied)
              IS DISTINCT FROM (true, 'ok', reversal.amount)
        UNION ALL
        SELECT card_id, operation_id, reverses_id, NULL, NULL, sum(taken), sum(put_back), 1,
               grant_id
        FROM (
            SELECT entry.card_id, operation.id AS operation_id, operation.reverses_id,
                   entry.grant_id, 0 AS taken, entry.amount AS put_back
            FROM operation JOIN entry ON entry.operation_id = operation.id
            WHERE operation.kind = 'reverse' AND entry.source IN ('removed', 'outside')
            UNION ALL
            SELECT entry.card_id, operation.id, operation.reverses_id,
                   entry.grant_id, entry.amount, 0
            FROM operation JOIN entry ON entry.operation_id = operation.reverses_id
            WHERE operation.outcome = 'ok' AND entry.target IN ('removed', 'outside')
        ) moved
        GROUP BY card_id, operation_id, reverses_id, grant_id
        HAVING sum(taken) <> sum(put_back)
        """,
    ),
    Invariant(
        "I16",
        "what belongs to a card's rows is of the same card: operations, transactions and grants",
        """
        SELECT entry.card_id, 'entry ' || entry.seq AS row, parent.card_id AS other_card
        FROM entry JOIN loyalty_operation parent ON parent.id = entry.operation_id
        WHERE parent.card_id <> entry.card_id
        UNION ALL
        SELECT entry.card_id, 'entry ' || entry.seq, parent.card_id
        FROM entry
        JOIN loyalty_grant parent ON parent.id IN (entry.grant_id, entry.landing_grant_id)
        WHERE parent.card_id <> entry.card_id
        UNION ALL
        SELECT entry.card_id, 'entry ' || entry.seq, parent.card_id
        FROM entry JOIN loyalty_transaction parent ON parent.id = entry.transaction_id
        WHERE parent.card_id <> entry.card_id
        UNION ALL
        SELECT operation.card_id, 'operation ' || operation.id, parent.card_id
        FROM operation JOIN loyalty_transaction parent ON parent.id = operation.transaction_id
        WHERE parent.card_id <> operation.card_id
        UNION ALL
        SELECT lot.card_id, 'grant ' || lot.id, parent.card_id
        FROM lot JOIN loyalty_operation parent ON parent.id = lot.operation_id
        WHERE parent.card_id <> lot.card_id
        """,
    ),
    Invariant(
        "I17",
        "what one card sent by a transfer another received, grant by grant with its history, and"
        " both or neither was reversed: together they are zero",
        """
        SELECT received.card_id, received.id AS operation_id, received.applied AS received,
               sent.applied AS sent, 'received' AS what
        FROM operation received
        LEFT JOIN loyalty_operation sent ON sent.id = received.counterpart_id
        WHERE received.counterpart_id IS NOT NULL
          AND (sent.kind, sent.outcome, sent.counterpart_id IS NULL, sent.applied,
               sent.card_id <> received.card_id)
              IS DISTINCT FROM ('transfer', 'ok', true, received.applied, true)
        UNION ALL
        SELECT sent.card_id, sent.id, received.applied, sent.applied, 'sent'
        FROM operation sent
        LEFT JOIN loyalty_operation received ON received.counterpart_id = sent.id
        WHERE sent.kind = 'transfer' AND sent.outcome = 'ok' AND sent.counterpart_id IS NULL
          AND received.id IS NULL
        UNION ALL
        SELECT entry.card_id, operation.id, entry.amount, NULL,
               entry.source || ' to ' || entry.target
        FROM operation JOIN entry ON entry.operation_id = operation.id
        WHERE operation.kind = 'transfer'
          AND (entry.source = 'outside') <> (operation.counterpart_id IS NOT NULL)
        UNION ALL
        SELECT lot.card_id, lot.operation_id, lot.amount, coalesce(gone.amount, 0),
               'grant ' || lot.id
        FROM lot
        JOIN loyalty_operation received ON received.id = lot.operation_id
        LEFT JOIN loyalty_grant before ON before.id = lot.came_from_id
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS amount FROM loyalty_entry
            WHERE operation_id = received.counterpart_id AND grant_id = before.id
        ) gone ON true
        WHERE (lot.came_from_id IS NOT NULL OR received.kind = 'transfer')
          AND (lot.amount, lot.origin, lot.funding, lot.valid_from, lot.created_at)
              IS DISTINCT FROM
              (gone.amount, before.origin, before.funding, before.valid_from, before.created_at)
        UNION ALL
        SELECT received.card_id, received.id, kinds.received, kinds.sent, kinds.name
        FROM operation received
        JOIN LATERAL (
            SELECT lot.origin || ', ' || lot.funding AS name,
                   coalesce(sum(leg.amount) FILTER (WHERE leg.operation_id = received.id), 0)
                       AS received,
                   coalesce(sum(leg.amount) FILTER (WHERE leg.operation_id <> received.id), 0)
                       AS sent
            FROM (
                SELECT operation_id, grant_id, amount FROM loyalty_entry
                WHERE operation_id IN (received.id, received.counterpart_id)
            ) leg
            JOIN loyalty_grant lot ON lot.id = leg.grant_id GROUP BY 1
        ) kinds ON kinds.received <> kinds.sent
        WHERE received.counterpart_id IS NOT NULL
        UNION ALL
        SELECT reversal.card_id, reversal.id, reversal.applied, other.applied, 'reversal'
        FROM operation reversal
        JOIN operation leg ON leg.id = reversal.reverses_id AND leg.kind = 'transfer'
        JOIN loyalty_operation pair ON pair.id = leg.counterpart_id OR pair.counterpart_id = leg.id
        LEFT JOIN loyalty_operation other ON other.reverses_id = pair.id AND other.outcome = 'ok'
        WHERE reversal.outcome = 'ok' AND other.applied IS DISTINCT FROM reversal.applied
        """,
    ),
)
