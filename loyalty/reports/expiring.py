"""What is about to expire, by day, program and batch, as counted some minutes ago.

A grant's rest changes with every purchase, so no sum of it can be kept on the way of a purchase:
it is counted anew every few minutes, from the grants that end soon.
"""

import datetime
from dataclasses import dataclass

from django.db import connection
from django.db.models import Min, Sum
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.models import ExpiringMoney, Store
from loyalty.reports.amounts import finest
from loyalty.reports.sums import locked_progress

HORIZON = datetime.timedelta(days=120)
EVERY = datetime.timedelta(minutes=5)

_Key = tuple[int, int | None, str, str]

_COUNT = """
    INSERT INTO loyalty_expiringmoney
        (store_id, program_id, batch_id, currency, exponent, funding, day, amount, grants)
    SELECT card.store_id, card.program_id, card.batch_id, card.currency, card.exponent,
           lot.funding, (lot.expires_at AT TIME ZONE store.time_zone)::date,
           sum(lot.remaining), count(*)
    FROM loyalty_grant lot
    JOIN loyalty_giftcard card ON card.id = lot.card_id
    JOIN loyalty_store store ON store.id = card.store_id
    WHERE lot.expires_at > %(now)s AND lot.expires_at <= %(horizon)s AND lot.remaining > 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


@dataclass(frozen=True, slots=True)
class Expiring:
    """What expires of a program or one of its batches; the amount in the finest units."""

    program_id: int
    batch_id: int | None
    currency: str
    funding: str
    first_day: datetime.date
    amount: int
    grants: int


def count_expiring(*, every: datetime.timedelta = EVERY) -> bool:
    """Count it again, unless that was done within `every`; safe to run at once."""
    now = timezone.now()
    with atomic(), connection.cursor() as cursor:
        known = locked_progress()
        if known.expiring_at and now - every < known.expiring_at <= now:
            return False
        # Readers see the previous count until this one is complete.
        ExpiringMoney.objects.all().delete()
        cursor.execute(_COUNT, {"now": now, "horizon": now + HORIZON})
        known.expiring_at = now
        known.save(update_fields=["expiring_at"])
    return True


def expiring(store: Store, days: int) -> list[Expiring]:
    """What expires from today to the day so many days from now, soonest first."""
    today = timezone.localdate(timezone=store.zone)
    rows = (
        ExpiringMoney.objects.filter(
            store=store, day__gte=today, day__lte=today + datetime.timedelta(days=days)
        )
        .values_list("program_id", "batch_id", "currency", "funding", "exponent")
        .annotate(first=Min("day"), total=Sum("amount"), number=Sum("grants"))
    )
    found: dict[_Key, Expiring] = {}
    for program, batch, currency, funding, exponent, first, total, number in rows:
        key = (program, batch, currency, funding)
        known = found.get(key)
        found[key] = Expiring(
            *key,
            first_day=min(first, known.first_day) if known else first,
            amount=(known.amount if known else 0)
            + finest(int(total), currency=currency, exponent=exponent),
            grants=(known.grants if known else 0) + number,
        )
    return sorted(
        found.values(), key=lambda row: (row.first_day, row.program_id, row.batch_id or 0)
    )


def by_week(store: Store, weeks: int) -> dict[tuple[datetime.date, str], int]:
    """What expires in each week (its Monday) by currency, from this week on."""
    today = timezone.localdate(timezone=store.zone)
    monday = today - datetime.timedelta(days=today.weekday())
    found: dict[tuple[datetime.date, str], int] = {}
    rows = (
        ExpiringMoney.objects.filter(
            store=store, day__gte=today, day__lt=monday + datetime.timedelta(weeks=weeks)
        )
        .values_list("day", "currency", "exponent")
        .annotate(total=Sum("amount"))
    )
    for day, currency, exponent, total in rows:
        week = day - datetime.timedelta(days=day.weekday())
        amount = finest(int(total), currency=currency, exponent=exponent)
        found[week, currency] = found.get((week, currency), 0) + amount
    return found
