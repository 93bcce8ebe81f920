import datetime

import pytest
import time_machine

from loyalty import reports
from loyalty.models import ExpiringMoney
from loyalty.reports.expiring import by_week, expiring
from loyalty.reports.sums import progress
from tests.builders import (
    make_card,
    make_points_program,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
)

pytestmark = pytest.mark.django_db

# A Wednesday, 9:00 in São Paulo.
NOW = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)


def test_what_remains_is_counted_by_day_of_the_store_program_and_funding() -> None:
    store = make_store()
    plain = make_program(store, validity_days=6)
    points = make_points_program(store, validity_days=29)
    with time_machine.travel(NOW, tick=False):
        make_purchase(make_card(plain, balance=1000), 400)
        make_card(plain, balance=50)
        make_card(make_program(store), balance=9_999)  # never ends
        make_purchase(make_card(plain, balance=70), 70)  # nothing remains
        wallet = make_wallet(points, balance=1_2500)
        reports.count_expiring()

        soon, later = expiring(store, 7), expiring(store, 30)
        weeks = by_week(store, 13)

    assert [(row.program_id, row.amount, row.grants, row.first_day) for row in soon] == [
        (plain.pk, 650_0000, 2, datetime.date(2026, 3, 10))
    ]
    assert [(row.program_id, row.funding, row.amount) for row in later] == [
        (plain.pk, "paid", 650_0000),
        (wallet.program_id, "promotional", 1_2500_00),
    ]
    assert weeks == {
        (datetime.date(2026, 3, 9), "BRL"): 650_0000,
        (datetime.date(2026, 3, 30), "BRL"): 1_2500_00,
    }


def test_it_is_counted_again_only_after_a_while() -> None:
    program = make_program(validity_days=3)
    with time_machine.travel(NOW, tick=False):
        never = progress().expiring_at
        first = reports.count_expiring()
        make_card(program, balance=10)
        again = reports.count_expiring()
        counted = progress().expiring_at
    with time_machine.travel(NOW + datetime.timedelta(minutes=5), tick=False):
        later = reports.count_expiring()

    assert (never, first, again, later) == (None, True, False, True)
    assert counted == NOW
    assert ExpiringMoney.objects.values_list("amount", flat=True).get() == 10


def test_what_expired_yesterday_is_no_longer_about_to() -> None:
    program = make_program(validity_days=1)
    with time_machine.travel(NOW, tick=False):
        make_card(program, balance=10)
        reports.count_expiring()
    with time_machine.travel(NOW + datetime.timedelta(days=2), tick=False):
        assert expiring(program.store, 90) == []
        assert by_week(program.store, 13) == {}
