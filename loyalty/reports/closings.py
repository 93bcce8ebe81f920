"""Month ends: the books as they were when the month was closed, beside what the entries say now."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db import IntegrityError
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import audit
from loyalty.audit import Actor
from loyalty.models import AuditAction, BookDay, MonthClosing, MonthClosingLine, Store
from loyalty.money import FINER_DIGITS, exponent_of
from loyalty.reports.amounts import finest
from loyalty.reports.flows import Kind
from loyalty.reports.outstanding import Position, outstanding
from loyalty.reports.roll_forward import months_between, next_month

# Longer than any request may take to commit an entry that names the last instant of the month.
SETTLING = datetime.timedelta(hours=1)
AT_ONCE = 12  # months that one run closes at most


class MonthNotOver(Exception):
    """Only a month that is over can be closed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A kind of credit whose closing is not what it was when the month was closed."""

    kind: Kind
    closed: Position
    now: Position


def close_months() -> int:
    """Close the months that are over and still open, oldest first; how many were closed.

    Safe to repeat and to run at once: a month is closed once.
    """
    closed = 0
    for store in Store.objects.order_by("pk"):
        for month in open_months(store):
            if closed == AT_ONCE:
                return closed
            closed += close_month(store, month, actor=None)[1]
    return closed


def open_months(store: Store) -> Iterator[datetime.date]:
    """The months of the store that are over, had entries by then, and are not closed."""
    first = first_month(store)
    if first is None:
        return
    closed = set(store.month_closings.values_list("month", flat=True))
    for month in months_between(first, last_finished(store)):
        if month not in closed:
            yield month


def first_month(store: Store) -> datetime.date | None:
    """The month in which the store's books begin, as far as entries are in the sums."""
    day = BookDay.objects.filter(store=store).order_by("day").values_list("day", flat=True).first()
    return day.replace(day=1) if day else None


def last_finished(store: Store) -> datetime.date:
    """The last month whose end is long enough ago that no entry of it can still come."""
    day = timezone.localtime(timezone.now() - SETTLING, store.zone).date()
    return (day.replace(day=1) - datetime.timedelta(days=1)).replace(day=1)


def close_month(
    store: Store, month: datetime.date, *, actor: Actor | None
) -> tuple[MonthClosing, bool]:
    """Keep the month's closing figures as they are now, for good; whether it was this call.

    A month that is closed stays as it is. Raises `MonthNotOver`.
    """
    month = month.replace(day=1)
    if month > last_finished(store):
        raise MonthNotOver
    if existing := store.month_closings.filter(month=month).first():
        return existing, False
    found = outstanding(store, next_month(month) - datetime.timedelta(days=1))
    try:
        with atomic():
            closing = MonthClosing.objects.create(
                store=store,
                month=month,
                taken_at=timezone.now(),
                taken_by=actor.user if actor else None,
            )
            MonthClosingLine.objects.bulk_create(
                _line(closing, kind, position) for kind, position in found.items()
            )
            audit.record(
                AuditAction.MONTH_CLOSED,
                actor,
                subject=closing,
                store=store,
                note=f"{month:%Y-%m}",
                request_id=f"month:{store.pk}:{month:%Y-%m}",
            )
    except IntegrityError:
        return store.month_closings.get(month=month), False  # somebody else was first
    return closing, True


def closed_positions(closing: MonthClosing) -> dict[Kind, Position]:
    """The figures that were kept."""
    return {
        Kind(line.program_id, line.currency, line.funding, line.origin): Position(
            *(
                finest(int(amount), currency=line.currency, exponent=line.exponent)
                for amount in (
                    *(line.credited, line.available, line.held),
                    *(line.spent, line.expired, line.removed),
                )
            )
        )
        for line in closing.lines.all()
    }


def changes_since(closing: MonthClosing) -> list[Change]:
    """What the entries say now that the closing did not say; empty if nothing has changed."""
    last_day = next_month(closing.month) - datetime.timedelta(days=1)
    return differing(closed_positions(closing), outstanding(closing.store, last_day))


def differing(closed: Mapping[Kind, Position], now: Mapping[Kind, Position]) -> list[Change]:
    """The kinds of credit whose positions differ."""
    nothing = Position()
    return [
        Change(kind, closed.get(kind, nothing), now.get(kind, nothing))
        for kind in sorted({*closed, *now})
        if closed.get(kind, nothing) != now.get(kind, nothing)
    ]


def _line(closing: MonthClosing, kind: Kind, position: Position) -> MonthClosingLine:
    return MonthClosingLine(
        closing=closing,
        program_id=kind.program_id,
        currency=kind.currency,
        exponent=exponent_of(kind.currency) + FINER_DIGITS,
        funding=kind.funding,
        origin=kind.origin,
        credited=position.credited,
        available=position.available,
        held=position.held,
        spent=position.spent,
        expired=position.expired,
        removed=position.removed,
    )
