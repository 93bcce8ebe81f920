import datetime

import pytest
import time_machine
from django.utils import timezone

from loyalty import reports
from loyalty.models import BookCohort, BookDay, BookProgress, Entry, OpenHold
from loyalty.reports import sums
from tests.builders import (
    make_cancellation,
    make_card,
    make_hold,
    make_points_program,
    make_program,
    make_purchase,
    make_settlement,
    make_store,
)

pytestmark = pytest.mark.django_db


def days() -> list[tuple[object, ...]]:
    columns = ("day", "funding", "origin", "landing_origin", "source", "target", "amount", "count")
    return list(BookDay.objects.order_by("id").values_list(*columns))


def test_each_entry_is_added_once() -> None:
    card = make_card(balance=10_000)
    make_purchase(card, 3_000)

    added = [reports.aggregate_due(), reports.aggregate_due()]

    assert added == [3, 0]
    assert {(row[4], row[5]): (row[6], row[7]) for row in days()} == {
        ("outside", "available"): (10_000, 1),
        ("available", "held"): (3_000, 1),
        ("held", "spent"): (3_000, 1),
    }
    assert reports.verify() == []


def test_chunks_come_to_the_same() -> None:
    for _ in range(4):
        make_purchase(make_card(balance=500), 200)
    first = Entry.objects.order_by("id").values_list("id", flat=True)[0]
    BookProgress.objects.create(pk=1, last_entry=first - 1)

    added = reports.aggregate_due(chunk=5)

    assert added == 12
    assert reports.verify() == []


def test_a_day_is_that_of_the_store() -> None:
    stores = {
        zone: make_store(time_zone=zone)
        for zone in ("America/Sao_Paulo", "America/Santiago", "Asia/Kathmandu")
    }
    with time_machine.travel(datetime.datetime(2026, 3, 1, 2, 59, tzinfo=datetime.UTC), tick=False):
        for store in stores.values():
            make_card(make_program(store), balance=100)

    reports.aggregate_due()

    assert {
        zone: BookDay.objects.get(store=store).day.isoformat() for zone, store in stores.items()
    } == {
        "America/Sao_Paulo": "2026-02-28",
        "America/Santiago": "2026-02-28",
        "Asia/Kathmandu": "2026-03-01",
    }
    assert {cohort.issued.month for cohort in BookCohort.objects.all()} == {2, 3}


def test_an_entry_that_names_a_past_day_is_added_to_that_day() -> None:
    program = make_program()
    make_card(program, balance=100)
    reports.aggregate_due()
    with time_machine.travel(timezone.now() - datetime.timedelta(days=40)):
        make_card(program, balance=7)

    reports.aggregate_due()

    assert sorted((row[6], row[7]) for row in days()) == [(7, 1), (100, 1)]
    assert reports.verify() == []


def test_a_store_that_moves_to_another_zone_has_its_days_made_again() -> None:
    store = make_store(time_zone="America/Sao_Paulo")
    with time_machine.travel(datetime.datetime(2026, 3, 1, 2, tzinfo=datetime.UTC)):
        make_card(make_program(store), balance=100)
    reports.aggregate_due()
    store.time_zone = "Asia/Tokyo"
    store.save()

    usable = sums.covered(store, sums.progress())
    reports.aggregate_due()

    assert usable == 0
    assert [row[0] for row in days()] == [datetime.date(2026, 3, 1)]
    assert reports.verify() == []


def test_open_holds_are_what_purchases_still_hold() -> None:
    card = make_card(balance=10_000)
    half, whole, released = make_hold(card, 4_000), make_hold(card, 3_000), make_hold(card, 500)
    reports.aggregate_due()
    make_settlement(half, 1_000)
    make_settlement(whole, 3_000)
    make_cancellation(released, 500)

    reports.aggregate_due()

    assert list(OpenHold.objects.values_list("transaction_id", "amount")) == [(half.pk, 3_000)]  # type: ignore[comparison-overlap]
    assert OpenHold.objects.get().opened_at == half.created_at
    assert reports.verify() == []


def test_sums_of_points_keep_their_units() -> None:
    make_card(make_points_program(), balance=1_234_5678)

    reports.aggregate_due()

    assert BookDay.objects.values_list("currency", "exponent", "amount").get() == (  # type: ignore[comparison-overlap]
        "BRL",
        4,
        1_234_5678,
    )


def test_the_largest_amounts_are_summed() -> None:
    program = make_program()
    for _ in range(3):
        make_card(program, balance=2**63 - 1)

    reports.aggregate_due()

    assert BookDay.objects.get().amount == 3 * (2**63 - 1)


@pytest.mark.parametrize(("change", "right"), [({"amount": 1}, 100), ({"count": 9}, 1)])
def test_a_wrong_sum_is_found(change: dict[str, int], right: int) -> None:
    make_card(balance=100)
    reports.aggregate_due()
    BookDay.objects.update(**change)

    [difference] = reports.verify()

    assert difference.table == "loyalty_bookday"
    assert (difference.kept, difference.entries) == (*change.values(), right)


def test_a_missing_and_an_invented_sum_are_found() -> None:
    hold = make_hold(make_card(balance=100), 10)
    reports.aggregate_due()
    BookCohort.objects.filter(target="held").delete()
    OpenHold.objects.filter(pk=hold.pk).update(amount=11)

    differences = reports.verify()

    found = {each.table: (each.kept, each.entries) for each in differences}
    assert found == {"loyalty_bookcohort": (0, 10), "loyalty_openhold": (11, 10)}
    assert "kept 0, entries 10" in str(differences[0])


def test_forgotten_sums_are_made_again() -> None:
    make_purchase(make_card(balance=100), 30)
    reports.aggregate_due()
    before = days()

    reports.rebuild()
    forgotten = days()
    reports.aggregate_due()

    assert forgotten == []
    assert days() == before
    assert reports.verify() == []
