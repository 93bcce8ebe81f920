"""What moved, by kind of credit and period: the sums, and the entries that are not in them yet."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.db import connection

from loyalty.models import BookProgress, Store
from loyalty.reports.amounts import finest
from loyalty.reports.parts import MOVED
from loyalty.reports.sums import covered

Period = Literal["month", "week"]
Until = datetime.date | datetime.datetime


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What finance keeps apart: program, currency, who paid for it, why it was given."""

    program_id: int
    currency: str
    funding: str
    origin: str


@dataclass(frozen=True, slots=True)
class Flow:
    """What moved from bucket to bucket within a period, in the finest units of the currency.

    The money left the bucket of `kind`; it came to the bucket of `landing`, which is another kind
    only for a refund that came after the credit's end. Without a period: before all periods. What
    a card sent to another is less than nothing from outside: with what that one received, nothing.
    """

    period: datetime.date | None
    kind: Kind
    landing: Kind
    source: str
    target: str
    amount: int


_COLUMNS = "program_id, currency, exponent, funding, origin, landing_origin, source, target"
# Days that are over by `until` come from the sums; a day that is cut is read from its entries, and
# so is whatever is not in the sums yet.
_FLOWS = """
    SELECT CASE WHEN day >= %(since)s THEN {period} END AS period, {columns}, sum(amount)
    FROM (
        SELECT {columns}, day, amount FROM loyalty_bookday
        WHERE store_id = %(store)s AND day <= %(last_day)s AND %(covered)s > 0
        UNION ALL
        SELECT {columns}, day, amount FROM (
            {moved} WHERE card.store_id = %(store)s AND entry.id > %(covered)s
        ) tail WHERE {until}
        {cut}
    ) movement
    GROUP BY 1, {columns}
"""
_CUT = """
        UNION ALL
        SELECT {columns}, day, amount FROM (
            {moved} WHERE card.store_id = %(store)s AND entry.id <= %(covered)s
            AND entry.created_at <= %(instant)s
            AND entry.created_at >= %(instant)s::timestamptz - interval '27 hours'
        ) cut WHERE day > %(last_day)s
"""


def flows(
    store: Store,
    known: BookProgress,
    *,
    until: Until | None = None,
    since: datetime.date = datetime.date.max,
    period: Period = "month",
    only_sums: bool = False,
) -> list[Flow]:
    """Everything that moved in a store: to the end of a day, up to an instant, or until now.

    What moved before the day `since` has no period. Read `known` in the same snapshot. With
    `only_sums` what is not in the sums yet is left out.
    """
    parameters: dict[str, object] = {
        "store": store.pk,
        "covered": covered(store, known),
        "since": since,
        "last_day": datetime.date.max,
    }
    cut, condition = "", "true"
    if isinstance(until, datetime.datetime):
        # PostgreSQL knows on which day of the store the instant is; the day before it is over.
        cut, condition = _CUT.format(columns=_COLUMNS, moved=MOVED), "created_at <= %(instant)s"
        parameters |= {"instant": until, "last_day": _day_before(until, store)}
    elif until:
        condition = "day <= %(last_day)s"
        parameters["last_day"] = until
    if only_sums:
        condition = "false"
    sql = _FLOWS.format(
        columns=_COLUMNS,
        moved=MOVED,
        cut=cut,
        until=condition,
        period=f"date_trunc('{period}', day)::date",
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)  # type: ignore[arg-type]
        return [_flow(*line) for line in cursor.fetchall()]


def _day_before(instant: datetime.datetime, store: Store) -> datetime.date:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (%s::timestamptz AT TIME ZONE %s)::date - 1", [instant, store.time_zone]
        )
        [day] = cursor.fetchone()
    last: datetime.date = day
    return last


def _flow(
    period: datetime.date | None,
    program_id: int,
    currency: str,
    exponent: int,
    funding: str,
    origin: str,
    landing_origin: str,
    source: str,
    target: str,
    amount: int,
) -> Flow:
    source, target, amount = as_issued(source, target, int(amount))
    return Flow(
        period,
        Kind(program_id, currency, funding, origin),
        Kind(program_id, currency, funding, landing_origin or origin),
        source,
        target,
        finest(amount, currency=currency, exponent=exponent),
    )


def as_issued(source: str, target: str, amount: int) -> tuple[str, str, int]:
    """A movement to outside as one from there: only transfers have any."""
    return (target, source, -amount) if target == "outside" else (source, target, amount)


def currencies_of(kinds: Iterable[Kind]) -> list[str]:
    """The currencies there are; figures of two are never added."""
    return sorted({kind.currency for kind in kinds})
