import datetime

import pytest
import time_machine
from django.utils import timezone

from loyalty import reports
from loyalty.reports.holds import HeldTotal, held_totals, open_holds
from tests.builders import (
    make_card,
    make_hold,
    make_points_program,
    make_program,
    make_settlement,
    make_store,
)

pytestmark = pytest.mark.django_db


def days_ago(days: int) -> time_machine.travel:
    return time_machine.travel(timezone.now() - datetime.timedelta(days=days), tick=False)


def test_holds_older_than_some_days_oldest_first() -> None:
    store = make_store()
    with days_ago(50):
        card, points = (
            make_card(make_program(store), balance=10_000),
            make_card(make_points_program(store), balance=10_0000),
        )
        make_hold(make_card(balance=10), 10)  # of another store
    holds = {}
    for days, on, amount in ((31, card, 1_000), (40, points, 5_0000), (10, card, 300)):
        with days_ago(days):
            holds[days] = make_hold(on, amount)
    reports.aggregate_due()

    found = [hold.pk for hold in open_holds(store, days=30)]

    assert found == [holds[40].pk, holds[31].pk]
    assert held_totals(store, days=30) == [HeldTotal("BRL", 2, 15_00_0000)]
    assert held_totals(store, days=0) == [HeldTotal("BRL", 3, 18_00_0000)]


def test_what_was_settled_a_moment_ago_is_no_longer_listed() -> None:
    with days_ago(40):
        card = make_card(balance=1_000)
        hold = make_hold(card, 600)
    reports.aggregate_due()
    before = [row.pk for row in open_holds(card.store, days=30)]
    make_settlement(hold, 600)

    after = [row.pk for row in open_holds(card.store, days=30)]

    assert before == [hold.pk]
    assert after == []
