"""What is true of the books at every instant, each as a query that must return no row.

Each is set-based: one pass over the tables, whatever their size. `invariants` asks them.
"""

from collections.abc import Mapping, Sequence

from loyalty.ledger.links import LINKS, Invariant


def _net(bucket: str) -> str:
    """What an entry changes in a bucket."""
    return (
        f"CASE WHEN target = '{bucket}' THEN amount WHEN source = '{bucket}' THEN -amount"
        " ELSE 0 END"
    )


# What each verb may do with money; everything else is not a movement of the books.
_MOVEMENTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "issue": [("outside", "available")],
    "credit": [("outside", "available")],
    "authorize": [("available", "held")],
    "settle": [("held", "spent")],
    "cancel": [("held", "available"), ("spent", "available"), ("available", "removed")],
    "expire": [("available", "expired")],
    "adjust": [("outside", "available"), ("available", "removed")],
    "close": [("available", "removed")],
    "renew": [("available", "expired")],
    "extend": [("expired", "available")],
    "revalue": [("outside", "available"), ("available", "removed")],
    "reverse": [
        *(("available", "removed"), ("removed", "available")),
        *(("available", "outside"), ("outside", "available")),
    ],
    "transfer": [("available", "outside"), ("outside", "available")],
}
_ALLOWED = ", ".join(
    f"('{kind}', '{source}', '{target}')"
    for kind, movements in _MOVEMENTS.items()
    for source, target in movements
)
_STATES = "('block', 'unblock', 'close')"

INVARIANTS: Sequence[Invariant] = (
    Invariant(
        "I1",
        "every card has a balance; what was credited is in its buckets, none of them negative",
        """
        SELECT card.id AS card_id, credited, available, held, spent, expired, removed, version
        FROM card LEFT JOIN balance ON balance.card_id = card.id
        WHERE balance.card_id IS NULL
           OR credited <> available::numeric + held + spent + expired + removed
           OR least(credited, available, held, spent, expired, removed, version) < 0
        """,
    ),
    Invariant(
        "I2",
        "each bucket of a balance is the sum of the card's entries",
        f"""
        SELECT balance.card_id, bucket.name AS bucket, bucket.balance, bucket.entries
        FROM balance
        LEFT JOIN (
            SELECT card_id, -sum({_net("outside")}) AS credited,
                   sum({_net("available")}) AS available, sum({_net("held")}) AS held,
                   sum({_net("spent")}) AS spent, sum({_net("expired")}) AS expired,
                   sum({_net("removed")}) AS removed
            FROM entry GROUP BY card_id
        ) moved ON moved.card_id = balance.card_id
        CROSS JOIN LATERAL (VALUES
            ('credited', balance.credited, coalesce(moved.credited, 0)),
            ('available', balance.available, coalesce(moved.available, 0)),
            ('held', balance.held, coalesce(moved.held, 0)),
            ('spent', balance.spent, coalesce(moved.spent, 0)),
            ('expired', balance.expired, coalesce(moved.expired, 0)),
            ('removed', balance.removed, coalesce(moved.removed, 0))
        ) bucket (name, balance, entries)
        WHERE bucket.balance <> bucket.entries
        """,
    ),
    Invariant(
        "I3",
        "a card's entries are numbered from 1 without a gap up to its version",
        """
        SELECT balance.card_id, balance.version, numbered.entries, numbered.first, numbered.last
        FROM balance
        LEFT JOIN (
            SELECT card_id, count(*) AS entries, count(DISTINCT seq) AS numbers,
                   min(seq) AS first, max(seq) AS last
            FROM entry GROUP BY card_id
        ) numbered ON numbered.card_id = balance.card_id
        WHERE balance.version <> coalesce(numbered.entries, 0)
           OR numbered.first <> 1 OR numbered.last <> numbered.entries
           OR numbered.numbers <> numbered.entries
        """,
    ),
    Invariant(
        "I4",
        "each entry carries on from the amounts that the one before it left",
        f"""
        SELECT * FROM (
            SELECT card_id, seq,
                   available_after, lag(available_after, 1, 0::bigint) OVER earlier
                                    + {_net("available")} AS available_due,
                   held_after, lag(held_after, 1, 0::bigint) OVER earlier
                               + {_net("held")} AS held_due
            FROM entry WINDOW earlier AS (PARTITION BY card_id ORDER BY seq)
        ) chain
        WHERE available_after <> available_due OR held_after <> held_due
        """,
    ),
    Invariant(
        "I5",
        "no transaction gives or takes more than its amount",
        """
        SELECT card_id, id AS transaction_id, kind, amount, settled, released, refunded
        FROM txn
        WHERE settled::numeric + released > amount OR refunded > settled
           OR least(settled, released, refunded) < 0 OR amount <= 0
           OR (kind = 'credit' AND (settled <> 0 OR refunded <> 0))
        """,
    ),
    Invariant(
        "I6",
        "what a card holds and has spent is what its debits hold and have spent",
        """
        SELECT balance.card_id, balance.held, coalesce(debits.held, 0) AS held_by_debits,
               balance.spent, coalesce(debits.spent, 0) AS spent_by_debits
        FROM balance
        LEFT JOIN (
            SELECT card_id, sum(amount - settled - released) AS held,
                   sum(settled - refunded) AS spent
            FROM txn WHERE kind = 'debit' GROUP BY card_id
        ) debits ON debits.card_id = balance.card_id
        WHERE balance.held <> coalesce(debits.held, 0)
           OR balance.spent <> coalesce(debits.spent, 0)
        """,
    ),
    Invariant(
        "I7",
        "a transaction's figures are the sums of its accepted operations and of its entries",
        """
        SELECT txn.card_id, txn.id AS transaction_id, txn.kind,
               txn.amount, asked.openings, asked.opened,
               txn.settled, asked.settled AS settled_by_operations,
               moved.settled AS settled_by_entries,
               txn.released + txn.refunded AS canceled,
               asked.canceled AS canceled_by_operations,
               txn.released, moved.released AS released_by_entries,
               txn.refunded, moved.refunded AS refunded_by_entries
        FROM txn
        LEFT JOIN (
            SELECT card_id, transaction_id,
                   count(*) FILTER (WHERE kind IN ('authorize', 'credit')) AS openings,
                   min(kind) FILTER (WHERE kind IN ('authorize', 'credit')) AS opened_by,
                   sum(applied) FILTER (WHERE kind IN ('authorize', 'credit')) AS opened,
                   coalesce(sum(applied) FILTER (WHERE kind = 'settle'), 0) AS settled,
                   coalesce(sum(applied) FILTER (WHERE kind = 'cancel'), 0) AS canceled
            FROM operation WHERE outcome = 'ok' AND transaction_id IS NOT NULL
            GROUP BY card_id, transaction_id
        ) asked ON asked.transaction_id = txn.id AND asked.card_id = txn.card_id
        LEFT JOIN (
            SELECT card_id, transaction_id,
                   coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0) AS settled,
                   coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0) AS refunded,
                   coalesce(sum(amount) FILTER (
                       WHERE target = 'removed' OR (source = 'held' AND target = 'available')
                   ), 0) AS released
            FROM entry WHERE transaction_id IS NOT NULL
            GROUP BY card_id, transaction_id
        ) moved ON moved.transaction_id = txn.id AND moved.card_id = txn.card_id
        WHERE (txn.amount, 1, CASE txn.kind WHEN 'debit' THEN 'authorize' ELSE 'credit' END)
              IS DISTINCT FROM (asked.opened, asked.openings, asked.opened_by)
           OR (txn.settled, txn.released + txn.refunded)
              IS DISTINCT FROM (asked.settled, asked.canceled)
           OR (txn.settled, txn.released, txn.refunded)
              IS DISTINCT FROM (moved.settled, moved.released, moved.refunded)
        """,
    ),
    Invariant(
        "I8",
        "an accepted operation moved what it applied, as its verb may; a declined one nothing",
        f"""
        SELECT operation.card_id, operation.id AS operation_id, operation.kind,
               operation.outcome, operation.amount, operation.applied,
               coalesce(moved.amount, 0) AS moved
        FROM operation
        LEFT JOIN (
            SELECT operation_id, sum(amount) AS amount FROM entry GROUP BY operation_id
        ) moved ON moved.operation_id = operation.id
        LEFT JOIN txn ON txn.id = operation.transaction_id
        WHERE operation.applied <> coalesce(moved.amount, 0)
           OR (operation.outcome = 'declined' AND moved.amount IS NOT NULL)
           OR (operation.outcome = 'ok' AND operation.applied <> operation.amount AND NOT (
               operation.kind = 'cancel' AND operation.amount = txn.amount
               AND operation.applied BETWEEN 1 AND operation.amount))
        UNION ALL
        SELECT entry.card_id, operation.id, operation.kind,
               entry.source || ' to ' || entry.target, operation.amount, operation.applied,
               entry.amount
        FROM entry JOIN operation ON operation.id = entry.operation_id
        WHERE (operation.kind, entry.source, entry.target) NOT IN ({_ALLOWED})
           OR (entry.card_id, entry.transaction_id)
              IS DISTINCT FROM (operation.card_id, operation.transaction_id)
        """,
    ),
    Invariant(
        "I9",
        "a request id means one thing: one operation for each request",
        """
        SELECT card_id, min(kind) AS kind, request_id, min(transaction_id) AS transaction_id,
               count(*) AS operations
        FROM operation
        GROUP BY card_id, CASE WHEN kind = 'credit' THEN 'authorize' ELSE kind END, request_id,
                 CASE WHEN kind IN ('settle', 'cancel') THEN transaction_id END,
                 CASE WHEN kind IN ('settle', 'cancel') THEN amount END
        HAVING count(*) > 1
        """,
    ),
    Invariant(
        "I10",
        "in each store and currency, all credit ever given is in the buckets and in the grants,"
        " but for what went on to another card",
        """
        SELECT card.store_id, card.currency, card.exponent, sum(balance.credited) AS credited,
               sum(balance.available::numeric + held + spent + expired + removed) AS in_buckets,
               coalesce(sum(given.amount), 0) - coalesce(sum(gone.amount), 0) AS in_grants
        FROM card
        JOIN balance ON balance.card_id = card.id
        LEFT JOIN (
            SELECT card_id, sum(amount) AS amount FROM lot
            WHERE origin <> 'refund' OR came_from_id IS NOT NULL
            GROUP BY card_id
        ) given ON given.card_id = card.id
        LEFT JOIN (
            SELECT operation.card_id, sum(CASE
                WHEN target = 'outside' THEN entry.amount
                WHEN source = 'outside' AND operation.id <> lot.operation_id THEN -entry.amount
                ELSE 0
            END) AS amount
            FROM operation
            JOIN entry ON entry.operation_id = operation.id
            JOIN lot ON lot.id = entry.grant_id
            WHERE kind IN ('transfer', 'reverse') GROUP BY operation.card_id
        ) gone ON gone.card_id = card.id
        GROUP BY card.store_id, card.currency, card.exponent
        HAVING sum(balance.credited)
               <> sum(balance.available::numeric + held + spent + expired + removed)
            OR sum(balance.credited)
               <> coalesce(sum(given.amount), 0) - coalesce(sum(gone.amount), 0)
        """,
    ),
    Invariant(
        "I11",
        "no purchase was accepted outside the dates of its card and grants or while the card was"
        " not active; what had expired came back to a card and grant that live longer; and a card"
        " is in the state that it was last put in",
        f"""
        SELECT card.id AS card_id, operation.id AS operation_id, operation.created_at AS at,
               'card' AS what, card.valid_from, card.expires_at, NULL AS state
        FROM operation JOIN card ON card.id = operation.card_id
        WHERE operation.kind = 'authorize' AND operation.outcome = 'ok'
          AND NOT (operation.created_at >= card.valid_from
                   AND operation.created_at < coalesce(card.expires_at, 'infinity'))
        UNION ALL
        SELECT entry.card_id, entry.operation_id, entry.created_at,
               'grant ' || lot.id, lot.valid_from, lot.expires_at, NULL
        FROM entry JOIN lot ON lot.id = entry.grant_id
        WHERE entry.source = 'available' AND entry.target = 'held'
          AND NOT (entry.created_at >= lot.valid_from
                   AND entry.created_at < coalesce(lot.expires_at, 'infinity'))
        UNION ALL
        SELECT entry.card_id, entry.operation_id, entry.created_at,
               'revival of grant ' || lot.id, lot.valid_from,
               least(lot.expires_at, card.expires_at), NULL
        FROM entry
        JOIN lot ON lot.id = entry.grant_id
        JOIN card ON card.id = entry.card_id
        WHERE entry.source = 'expired'
          AND entry.created_at >= coalesce(least(lot.expires_at, card.expires_at), 'infinity')
        UNION ALL
        SELECT history.card_id, history.id, history.created_at, 'purchase', NULL, NULL, state.kind
        FROM (
            SELECT card_id, id, created_at, kind,
                   max(id) FILTER (WHERE kind IN {_STATES}) OVER earlier AS state_id
            FROM operation
            WHERE outcome = 'ok' AND kind IN ('authorize', 'block', 'unblock', 'close')
              AND card_id IN (SELECT card_id FROM operation WHERE kind IN {_STATES})
            WINDOW earlier AS (PARTITION BY card_id ORDER BY id)
        ) history
        JOIN operation state ON state.id = history.state_id
        WHERE history.kind = 'authorize' AND state.kind IN ('block', 'close')
        UNION ALL
        SELECT card.id, last.id, last.created_at, 'state', NULL, NULL, card.status
        FROM card
        LEFT JOIN (
            SELECT DISTINCT ON (card_id) card_id, id, created_at, kind FROM operation
            WHERE outcome = 'ok' AND kind IN {_STATES} ORDER BY card_id, id DESC
        ) last ON last.card_id = card.id
        WHERE card.status <> CASE last.kind WHEN 'block' THEN 'blocked' WHEN 'close' THEN 'closed'
                             ELSE 'active' END
        """,
    ),
    Invariant(
        "I12",
        "what remains of a card's grants is what is available on it",
        """
        SELECT balance.card_id, balance.available, coalesce(lots.remaining, 0) AS remaining
        FROM balance
        LEFT JOIN (
            SELECT card_id, sum(remaining) AS remaining FROM lot GROUP BY card_id
        ) lots ON lots.card_id = balance.card_id
        WHERE balance.available <> coalesce(lots.remaining, 0)
        """,
    ),
    Invariant(
        "I13",
        "what remains of a grant is what its entries left of it; none of its buckets is negative",
        f"""
        SELECT lot.card_id, lot.id AS grant_id, lot.amount, lot.remaining,
               coalesce(moved.available, 0) AS available, moved.held, moved.spent, moved.expired,
               moved.removed
        FROM lot
        LEFT JOIN (
            SELECT card_id, grant_id, sum(available) AS available, sum(held) AS held,
                   sum(spent) AS spent, sum(expired) AS expired, sum(removed) AS removed
            FROM (
                SELECT card_id, grant_id,
                       CASE WHEN landing_grant_id IS NULL THEN {_net("available")} ELSE 0 END
                           AS available,
                       {_net("held")} AS held, {_net("spent")} AS spent,
                       {_net("expired")} AS expired, {_net("removed")} AS removed
                FROM entry
                UNION ALL
                SELECT card_id, landing_grant_id, amount, 0, 0, 0, 0
                FROM entry WHERE landing_grant_id IS NOT NULL
            ) movement
            GROUP BY card_id, grant_id
        ) moved ON moved.grant_id = lot.id AND moved.card_id = lot.card_id
        WHERE lot.remaining <> coalesce(moved.available, 0)
           OR lot.remaining NOT BETWEEN 0 AND lot.amount
           OR least(moved.held, moved.spent, moved.expired, moved.removed) < 0
        """,
    ),
    Invariant(
        "I14",
        "a grant's amount is what came in by the operation that opened it: from outside, or for a"
        " refund, on the card where it landed, from grants of the same funding",
        """
        SELECT lot.card_id, lot.id AS grant_id, lot.origin, lot.funding, lot.amount,
               brought.from_outside, brought.from_grants
        FROM lot
        LEFT JOIN (
            SELECT entry.card_id, coalesce(landing_grant_id, grant_id) AS grant_id,
                   min(operation_id) AS first_operation, max(operation_id) AS last_operation,
                   coalesce(sum(amount) FILTER (WHERE landing_grant_id IS NULL), 0)
                       AS from_outside,
                   coalesce(sum(amount) FILTER (WHERE landing_grant_id IS NOT NULL), 0)
                       AS from_grants
            FROM entry
            WHERE landing_grant_id IS NOT NULL OR (source = 'outside' AND id NOT IN (
                SELECT back.id FROM operation
                JOIN entry back ON back.operation_id = operation.id
                JOIN lot gone ON gone.id = back.grant_id AND gone.operation_id <> operation.id
                WHERE kind IN ('reverse', 'transfer')))
            GROUP BY entry.card_id, coalesce(landing_grant_id, grant_id)
        ) brought ON brought.grant_id = lot.id AND brought.card_id = lot.card_id
        WHERE (lot.operation_id, lot.operation_id)
              IS DISTINCT FROM (brought.first_operation, brought.last_operation)
           OR (CASE WHEN lot.origin = 'refund' AND lot.came_from_id IS NULL
                    THEN 0 ELSE lot.amount END,
               CASE WHEN lot.origin = 'refund' AND lot.came_from_id IS NULL
                    THEN lot.amount ELSE 0 END)
              IS DISTINCT FROM (brought.from_outside, brought.from_grants)
        UNION ALL
        SELECT entry.card_id, landing.id, landing.origin, landing.funding, landing.amount,
               0, entry.amount
        FROM entry
        JOIN lot landing ON landing.id = entry.landing_grant_id
        LEFT JOIN lot ON lot.id = entry.grant_id
        WHERE lot.funding IS DISTINCT FROM landing.funding
           OR entry.target <> 'available' OR entry.source NOT IN ('held', 'spent', 'removed')
        """,
    ),
    *LINKS,
)
