"""Every report equals a plain sum over the entries, whatever is in the sums by then."""

import datetime
import zoneinfo
from collections import defaultdict
from dataclasses import asdict

import pytest
import time_machine

from loyalty import reports
from loyalty.demo.clock import Dice
from loyalty.models import Entry, Store
from loyalty.reports.cohorts import Share, cohorts
from loyalty.reports.flows import Kind
from loyalty.reports.outstanding import Position, outstanding
from loyalty.reports.roll_forward import Month, next_month, roll_forward
from tests.loyalty.reports.histories import (
    DAYS,
    FIRST,
    LAST,
    entries_of,
    make_history,
    plain_positions,
)

pytestmark = pytest.mark.django_db

SEEDS = [f"history {number}" for number in range(5)]
every_history = pytest.mark.parametrize("seed", SEEDS)


def buckets_of(found: dict[Kind, Position]) -> dict[Kind, dict[str, int]]:
    return {
        kind: {name: amount for name, amount in sorted(asdict(position).items()) if amount}
        for kind, position in found.items()
    }


def test_the_histories_reach_what_is_hard() -> None:
    for seed in SEEDS:
        make_history(seed)

    landings = Entry.objects.exclude(landing_grant=None)
    assert landings.filter(source="held").exists()
    assert landings.filter(source="spent").exists()
    assert Entry.objects.filter(target="expired").exists()
    assert Entry.objects.filter(target="removed").exists()
    assert Entry.objects.filter(source="spent", landing_grant=None).exists()
    assert Entry.objects.filter(source="expired", target="available").exists()


@every_history
def test_outstanding_as_of_any_instant(seed: str) -> None:
    dice = Dice(f"{seed} instants")
    stores = make_history(seed)

    for store in stores:
        instants = [FIRST + datetime.timedelta(minutes=dice.below(DAYS * 1440)) for _ in range(6)]
        # The very instants of entries are the edges.
        instants += [entry.created_at for entry in entries_of(store)[::9]]
        for instant in instants:
            found = outstanding(store, instant)
            assert buckets_of(found) == plain_positions(store, lambda at, to=instant: at <= to)  # type: ignore[misc]


@every_history
def test_outstanding_at_the_end_of_any_day(seed: str) -> None:
    stores = make_history(seed)

    for store in stores:
        for number in range(0, DAYS, 11):
            day = FIRST.date() + datetime.timedelta(days=number)
            found = outstanding(store, day)
            assert buckets_of(found) == plain_positions(store, lambda at, to=day: at.date() <= to)  # type: ignore[misc]


@every_history
def test_outstanding_now_before_and_after_adding(seed: str) -> None:
    stores = make_history(seed)

    before = [buckets_of(outstanding(store)) for store in stores]
    reports.aggregate_due()
    after = [buckets_of(outstanding(store)) for store in stores]

    assert before == after == [plain_positions(store, lambda _at: True) for store in stores]
    assert reports.verify() == []


def plain_months(store: Store) -> dict[datetime.date, dict[str, int]]:
    """Of each month and the whole store: what each pair of buckets moved."""
    zone = zoneinfo.ZoneInfo(store.time_zone)
    found: dict[datetime.date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries_of(store):
        amount = entry.amount * 10 ** (4 - entry.card.exponent + (store.currency == "BRL") * 2)
        month = entry.created_at.astimezone(zone).date().replace(day=1)
        found[month][f"{entry.source} {entry.target}"] += amount
    return found


@every_history
def test_the_roll_forward_ties_to_the_entries_and_to_outstanding(seed: str) -> None:
    stores = make_history(seed)

    for store in stores:
        found = roll_forward(store, FIRST.date(), LAST.date())
        moved = plain_months(store)
        opening: dict[Kind, int] = {}
        for month, rows in found.items():
            total = Month.total(rows.values())
            closing = outstanding(store, next_month(month) - datetime.timedelta(days=1))
            assert {
                "issued": total.issued,
                "spent": total.spent,
                "refunded": total.refunded,
                "expired": total.expired,
                "removed": total.removed,
                "restored": total.restored,
                "moved": total.moved,
            } == {
                "issued": moved[month]["outside available"],
                "spent": moved[month]["held spent"],
                "refunded": moved[month]["spent available"],
                "expired": moved[month]["available expired"],
                "removed": moved[month]["available removed"],
                "restored": moved[month]["expired available"],
                "moved": 0,
            }
            for kind, row in rows.items():
                assert row.opening == opening.get(kind, 0)
                assert row.closing == closing.get(kind, Position()).outstanding
                assert row.held == closing.get(kind, Position()).held
                assert row.available == closing.get(kind, Position()).available
            opening = {kind: row.closing for kind, row in rows.items()}
        assert sum(moved[month]["outside available"] for month in found) > 0


def test_a_roll_forward_of_some_months_opens_with_all_that_was_before() -> None:
    store, _ = make_history(SEEDS[0])
    whole = roll_forward(store, FIRST.date(), LAST.date())
    months = list(whole)

    part = roll_forward(store, months[2], months[3])

    assert list(part) == months[2:4]
    assert part == {month: whole[month] for month in months[2:4]}


def plain_share(store: Store, issued: datetime.date, until: datetime.date, currency: str) -> Share:
    """What became of a month's credit, refund credit not counted as given."""
    zone = zoneinfo.ZoneInfo(store.time_zone)
    share = Share()
    for entry in entries_of(store):
        given = entry.grant.created_at.astimezone(zone).date().replace(day=1)
        month = entry.created_at.astimezone(zone).date().replace(day=1)
        if entry.grant.origin == "refund" or given != issued or month > until:
            continue
        amount = entry.amount * 10 ** (4 - entry.card.exponent + (currency == "BRL") * 2)
        share.issued += amount * (entry.source == "outside")
        share.spent += amount * ((entry.target == "spent") - (entry.source == "spent"))
        share.expired += amount * ((entry.target == "expired") - (entry.source == "expired"))
        share.removed += amount * (entry.target == "removed")
        share.moved += amount * (entry.landing_grant_id is not None)
    return share


@every_history
def test_the_curves_say_what_became_of_each_months_credit(seed: str) -> None:
    stores = make_history(seed)

    with time_machine.travel(LAST):
        for store in stores:
            found = cohorts(store, currency=store.currency)
            assert found
            for cohort in found:
                month = cohort.month
                for share in cohort.ages:
                    assert share == plain_share(store, cohort.month, month, store.currency)
                    assert share.open >= 0
                    month = next_month(month)


@every_history
def test_nothing_is_lost_between_the_curves_and_what_is_outstanding(seed: str) -> None:
    stores = make_history(seed)

    with time_machine.travel(LAST + datetime.timedelta(days=3)):
        for store in stores:
            given = cohorts(store, currency=store.currency)
            came_back = cohorts(store, currency=store.currency, refunds=True)
            owed = Position.total(outstanding(store).values()).outstanding
            open_now = sum(cohort.now.open for cohort in (*given, *came_back))
            moved = sum(cohort.now.moved for cohort in (*given, *came_back))

            assert open_now == owed
            assert sum(cohort.now.issued for cohort in came_back) == moved
