"""What is summed of the entries: two parts, each with its tables and a progress of its own.

Each part is added to by one statement. A new part begins with nothing and leaves the others alone:
workers of the version before, which do not know it, go on beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Model

from loyalty.models import BookActive, BookCause, BookCohort, BookDay, BookJoined, OpenHold

# The entries with everything that they are summed by. The days and months are those of the store,
# and PostgreSQL alone works them out, so that no two clocks' rules are mixed.
MOVED = """
    SELECT entry.id, card.store_id, card.program_id, card.currency, card.exponent, lot.funding,
           lot.origin, coalesce(landing.origin, '') AS landing_origin, entry.source, entry.target,
           entry.amount, entry.created_at, entry.transaction_id, entry.operation_id, entry.card_id,
           (entry.created_at AT TIME ZONE store.time_zone)::date AS day,
           date_trunc('month', card.created_at AT TIME ZONE store.time_zone)::date AS joined,
           date_trunc('month', lot.created_at AT TIME ZONE store.time_zone)::date AS issued
    FROM loyalty_entry entry
    JOIN loyalty_giftcard card ON card.id = entry.card_id
    JOIN loyalty_store store ON store.id = card.store_id
    JOIN loyalty_grant lot ON lot.id = entry.grant_id
    LEFT JOIN loyalty_grant landing ON landing.id = entry.landing_grant_id
"""
# Of these, what moved in loyalty programs and what for. A step of an earning is written down before
# the ledger is asked with its request id, so that each of its entries finds it.
CAUSED = """
    SELECT moved.*, operation.kind AS verb, coalesce(earning.rule_id, 0) AS rule,
           coalesce(earning.campaign_id, 0) AS campaign,
           date_trunc('month', moved.day)::date AS month,
           CASE WHEN moved.source = 'outside' THEN moved.amount
                WHEN moved.target = 'outside' THEN -moved.amount
                WHEN moved.target = 'removed'
                 AND (operation.kind IN ('cancel', 'revalue') OR step.id IS NOT NULL)
                THEN -moved.amount
                ELSE 0 END AS given,
           CASE 'spent' WHEN moved.target THEN moved.amount WHEN moved.source THEN -moved.amount
                ELSE 0 END AS spent,
           (moved.source, moved.target) = ('available', 'held')
           OR moved.source = 'outside' AND moved.origin IN ('earning', 'reward')
              AND operation.kind NOT IN ('revalue', 'transfer', 'reverse') AS is_active
    FROM moved
    JOIN loyalty_program program ON program.id = moved.program_id AND program.kind = 'loyalty'
    JOIN loyalty_operation operation ON operation.id = moved.operation_id
    LEFT JOIN loyalty_earningmovement step
           ON moved.origin = 'earning' AND step.request_id = operation.request_id
          AND step.card_id = moved.card_id
    LEFT JOIN loyalty_earning earning ON earning.id = step.earning_id
"""
_LINE = "store_id, program_id, currency, exponent, funding, origin, landing_origin, source, target"
_DAYS = f"""
    SELECT {_LINE}, day, sum(amount) AS amount, count(*) AS count
    FROM moved GROUP BY {_LINE}, day
"""
_COHORTS = f"""
    SELECT {_LINE}, issued, date_trunc('month', day)::date AS month, sum(amount) AS amount,
           count(*) AS count
    FROM moved GROUP BY {_LINE}, issued, date_trunc('month', day)::date
"""
_CAUSE = (
    "program_id, day, store_id, currency, exponent, origin, verb, rule, campaign, source, target"
)
_CAUSES = f"""
    SELECT {_CAUSE}, sum(amount) AS amount, count(*) AS count FROM caused GROUP BY {_CAUSE}
"""
_JOINED = "program_id, joined, month, store_id, currency, exponent"
_JOINS = f"""
    SELECT {_JOINED}, sum(given) AS given, sum(spent) AS spent,
           count(DISTINCT card_id) FILTER (WHERE is_active) AS active
    FROM caused GROUP BY {_JOINED}
"""
# A wallet is active in a month once, whatever chunk says it first.
_NEWLY_JOINED = f"""
    SELECT {_JOINED}, sum(given), sum(spent), sum(active) FROM (
        SELECT {_JOINED}, given, spent, 0 AS active FROM caused
        UNION ALL
        SELECT {_JOINED}, 0, 0, count(DISTINCT card_id)
        FROM caused JOIN marked USING (card_id, month) GROUP BY {_JOINED}
    ) together GROUP BY {_JOINED}
"""
_HOLDS = """
    SELECT transaction_id, store_id, currency, exponent, min(created_at) AS opened_at,
           sum(CASE WHEN target = 'held' THEN amount ELSE -amount END) AS amount
    FROM moved WHERE 'held' IN (source, target)
    GROUP BY transaction_id, store_id, currency, exponent
"""
_ADD_TO_BOOKS = f"""
    WITH moved AS MATERIALIZED (
        {MOVED} WHERE entry.id > %(after)s AND entry.id <= %(upto)s
    ), days AS (
        INSERT INTO loyalty_bookday AS known ({_LINE}, day, amount, count) {_DAYS}
        ON CONFLICT ({_LINE}, day) DO UPDATE
        SET amount = known.amount + EXCLUDED.amount, count = known.count + EXCLUDED.count
    ), cohorts AS (
        INSERT INTO loyalty_bookcohort AS known ({_LINE}, issued, month, amount, count) {_COHORTS}
        ON CONFLICT ({_LINE}, issued, month) DO UPDATE
        SET amount = known.amount + EXCLUDED.amount, count = known.count + EXCLUDED.count
    ), holds AS (
        INSERT INTO loyalty_openhold AS known
            (transaction_id, store_id, currency, exponent, opened_at, amount) {_HOLDS}
        ON CONFLICT (transaction_id) DO UPDATE SET amount = known.amount + EXCLUDED.amount
    )
    SELECT count(*) FROM moved
"""
_ADD_TO_PROGRAMS = f"""
    WITH moved AS MATERIALIZED (
        {MOVED} WHERE entry.id > %(after)s AND entry.id <= %(upto)s
    ), caused AS MATERIALIZED (
        {CAUSED}
    ), causes AS (
        INSERT INTO loyalty_bookcause AS known ({_CAUSE}, amount, count) {_CAUSES}
        ON CONFLICT ({_CAUSE}) DO UPDATE
        SET amount = known.amount + EXCLUDED.amount, count = known.count + EXCLUDED.count
    ), marked AS (
        INSERT INTO loyalty_bookactive (card_id, month)
        SELECT DISTINCT card_id, month FROM caused WHERE is_active
        ON CONFLICT (card_id, month) DO NOTHING
        RETURNING card_id, month
    ), joins AS (
        INSERT INTO loyalty_bookjoined AS known ({_JOINED}, given, spent, active) {_NEWLY_JOINED}
        ON CONFLICT ({_JOINED}) DO UPDATE
        SET given = known.given + EXCLUDED.given, spent = known.spent + EXCLUDED.spent,
            active = known.active + EXCLUDED.active
    )
    SELECT count(*) FROM moved
"""
_CLOSE_HOLDS = """
    DELETE FROM loyalty_openhold
    WHERE amount = 0 AND transaction_id IN (
        SELECT transaction_id FROM loyalty_entry WHERE id > %(after)s AND id <= %(upto)s
    )
"""
_COUNTED = ("amount", "count")


@dataclass(frozen=True, slots=True)
class Sums:
    """A table of sums: what its rows should be, by which columns, and the sums themselves."""

    made: str
    key: Sequence[str]
    values: Sequence[str] = _COUNTED


@dataclass(frozen=True, slots=True)
class Part:
    """Sums that are kept together: the key of their progress, and the statements that add."""

    row: int
    statements: Sequence[str]
    sums: Mapping[str, Sums]
    tables: Sequence[type[Model]]


BOOKS = Part(
    row=1,
    statements=(_ADD_TO_BOOKS, _CLOSE_HOLDS),
    sums={
        "loyalty_bookday": Sums(_DAYS, (*_LINE.split(", "), "day")),
        "loyalty_bookcohort": Sums(_COHORTS, (*_LINE.split(", "), "issued", "month")),
        "loyalty_openhold": Sums(
            f"SELECT * FROM ({_HOLDS}) held WHERE amount <> 0",
            ("transaction_id", "store_id", "currency", "exponent", "opened_at"),
            ("amount",),
        ),
    },
    tables=(BookDay, BookCohort, OpenHold),
)
PROGRAMS = Part(
    row=2,
    statements=(_ADD_TO_PROGRAMS,),
    sums={
        "loyalty_bookcause": Sums(_CAUSES, _CAUSE.split(", ")),
        "loyalty_bookjoined": Sums(_JOINS, _JOINED.split(", "), ("given", "spent", "active")),
    },
    tables=(BookCause, BookJoined, BookActive),
)
PARTS = (BOOKS, PROGRAMS)
