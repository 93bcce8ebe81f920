import datetime

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db.transaction import atomic

from loyalty import reports
from loyalty.audit import Actor
from loyalty.models import AuditEvent, MonthClosing, MonthClosingLine
from loyalty.reports import closings
from loyalty.reports.closings import (
    MonthNotOver,
    changes_since,
    close_month,
    closed_positions,
    open_months,
)
from loyalty.reports.outstanding import outstanding
from tests.builders import make_card, make_points_program, make_program, make_purchase, make_store

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH = (datetime.date(2026, month, 1) for month in (1, 2, 3))


def utc(month: int, day: int, hour: int = 12) -> datetime.datetime:
    return datetime.datetime(2026, month, day, hour, tzinfo=datetime.UTC)


def test_every_month_that_is_over_is_closed_once() -> None:
    store = make_store()
    with time_machine.travel(utc(1, 15)):
        make_purchase(make_card(make_points_program(store), balance=1_0000), 2500)
    with time_machine.travel(utc(3, 15)):
        reports.aggregate_due()

        closed = [reports.close_months(), reports.close_months()]

    assert closed == [2, 0]
    assert [closing.month for closing in store.month_closings.order_by("month")] == [
        JANUARY,
        FEBRUARY,
    ]
    lines = MonthClosingLine.objects.order_by("id")
    # Units of a millionth: the points count in ten-thousandths of a real.
    assert [(line.credited, line.available, line.spent) for line in lines] == [  # type: ignore[comparison-overlap]
        (100_0000, 75_0000, 25_0000)
    ] * 2
    assert AuditEvent.objects.filter(action="month_closed", user=None).count() == 2


def test_a_run_closes_a_bounded_number_of_months(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closings, "AT_ONCE", 3)
    with time_machine.travel(utc(1, 15)):
        make_card(make_program(make_store()), balance=1)
    with time_machine.travel(utc(11, 15)):
        reports.aggregate_due()

        assert [reports.close_months() for _ in range(5)] == [3, 3, 3, 1, 0]


def test_a_month_of_the_store_ends_in_its_zone_and_is_given_time_to_settle() -> None:
    store = make_store(time_zone="America/Sao_Paulo")
    with time_machine.travel(utc(1, 15)):
        make_card(make_program(store), balance=100)
    reports.aggregate_due()

    with time_machine.travel(utc(2, 1, 3)):  # midnight in São Paulo
        early = list(open_months(store))
    with time_machine.travel(utc(2, 1, 4)):
        late = list(open_months(store))

    assert early == []
    assert late == [JANUARY]


def test_a_closed_month_stays_as_it_was_and_says_what_changed_since() -> None:
    store = make_store()
    program = make_program(store)
    with time_machine.travel(utc(1, 15)):
        make_card(program, balance=1000)
    with time_machine.travel(utc(2, 15)):
        closing, _ = close_month(store, JANUARY, actor=None)
    unchanged = changes_since(closing)
    with time_machine.travel(utc(1, 20)):
        make_card(program, balance=50)

    [change] = changes_since(closing)

    assert unchanged == []
    assert (change.closed.available, change.now.available) == (10_000_000, 10_500_000)
    assert closed_positions(closing)[change.kind].available == 10_000_000


def test_a_person_closes_a_month_once() -> None:
    store = make_store()
    with time_machine.travel(utc(1, 15)):
        make_card(make_program(store), balance=1000)
    boss = User.objects.create_user("boss")
    with time_machine.travel(utc(2, 15)):
        first, is_new = close_month(store, JANUARY, actor=Actor(boss, "10.0.0.1"))
        again, is_again = close_month(store, JANUARY, actor=None)

    assert (is_new, is_again) == (True, False)
    assert again == first
    assert first.taken_by == boss
    event = AuditEvent.objects.get(action="month_closed")
    assert (event.user, event.address, event.note) == (boss, "10.0.0.1", "2026-01")
    assert event.subject == f"loyalty.monthclosing:{first.pk}"


def test_a_month_that_is_not_over_cannot_be_closed() -> None:
    store = make_store()
    with time_machine.travel(utc(2, 15)), pytest.raises(MonthNotOver):
        close_month(store, FEBRUARY, actor=None)

    assert not MonthClosing.objects.exists()


def test_the_figures_are_those_of_the_end_of_the_month() -> None:
    store = make_store()
    program = make_program(store)
    with time_machine.travel(utc(1, 31)):
        make_card(program, balance=300)
    with time_machine.travel(utc(2, 2)):
        make_card(program, balance=55)
    with time_machine.travel(utc(3, 15)):
        closing, _ = close_month(store, JANUARY, actor=None)

    assert closed_positions(closing) == outstanding(store, datetime.date(2026, 1, 31))
    assert [position.available for position in closed_positions(closing).values()] == [300_0000]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE loyalty_monthclosingline SET available = 1",
        "DELETE FROM loyalty_monthclosingline",
        "TRUNCATE loyalty_monthclosing CASCADE",
        "UPDATE loyalty_monthclosing SET taken_at = now()",
    ],
)
def test_the_database_refuses_to_change_a_closed_month(statement: str) -> None:
    store = make_store()
    with time_machine.travel(utc(1, 15)):
        make_card(make_program(store), balance=1000)
    with time_machine.travel(utc(2, 15)):
        close_month(store, JANUARY, actor=None)
    before = list(MonthClosingLine.objects.values())
    connection.check_constraints()  # what is still to be checked would refuse TRUNCATE by itself

    with pytest.raises(IntegrityError, match="is not allowed"), atomic():
        connection.cursor().execute(statement)

    assert list(MonthClosingLine.objects.values()) == before
