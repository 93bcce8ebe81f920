import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import connection

from loyalty import limits
from loyalty.limits import Limit
from loyalty.models import Spending, SpendingLimit, Store
from tests.builders import make_store
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db


def reserve(user: User, store: Store, amount: int, request_id: str) -> bool:
    return limits.reserve(user, store=store, currency="BRL", amount=amount, request_id=request_id)


def role(user: User, name: str, per_action: int, per_day: int) -> None:
    group = Group.objects.create(name=name)
    user.groups.add(group)
    SpendingLimit.objects.create(
        group=group, currency="BRL", per_action=per_action, per_day=per_day
    )


def test_without_any_limit_nothing_may_be_moved_alone() -> None:
    assert limits.limit_of(make_staff(), "BRL") == Limit(0, 0)


def test_of_several_roles_the_largest_counts() -> None:
    user = make_staff()
    role(user, "one", 100, 5000)
    role(user, "other", 300, 900)

    assert limits.limit_of(user, "BRL") == Limit(300, 5000)


def test_a_persons_own_limit_counts_even_when_it_is_smaller() -> None:
    user = make_staff(per_action=50, per_day=60)
    role(user, "one", 100, 5000)

    assert limits.limit_of(user, "BRL") == Limit(50, 60)


def test_a_limit_is_of_one_currency() -> None:
    user = make_staff(per_action=50, currency="CLP")

    assert limits.limit_of(user, "BRL") == Limit(0, 0)


def test_a_superuser_has_none_unless_given_one() -> None:
    boss = User.objects.create_superuser("boss")
    assert limits.limit_of(boss, "BRL") == Limit(None, None)

    SpendingLimit.objects.create(user=boss, currency="BRL", per_action=1, per_day=2)
    assert limits.limit_of(boss, "BRL") == Limit(1, 2)


@pytest.mark.parametrize(
    ("units", "minor"), [(0, 0), (1, 1), (100, 1), (101, 2), (12_345_600, 123_456)]
)
def test_finer_units_are_counted_as_minor_units_rounded_up(units: int, minor: int) -> None:
    assert limits.minor_units(units, currency="BRL", exponent=4) == minor


def test_an_amount_at_the_limit_passes_and_one_above_does_not() -> None:
    user, store = make_staff(per_action=100, per_day=1000), make_store()

    assert reserve(user, store, 100, "a")
    assert not reserve(user, store, 101, "b")
    assert list(Spending.objects.values_list("amount", "request_id")) == [(100, "a")]


def test_the_day_is_full_when_its_sum_would_be_passed() -> None:
    user, store = make_staff(per_action=100, per_day=150), make_store()

    assert reserve(user, store, 100, "a")
    assert not reserve(user, store, 51, "b")
    assert reserve(user, store, 50, "c")
    assert limits.spent_on(user, "BRL", limits.today(store)) == 150


def test_the_same_request_is_counted_once() -> None:
    user, store = make_staff(per_action=100, per_day=100), make_store()

    assert [reserve(user, store, 100, "a"), reserve(user, store, 100, "a")] == [True, True]
    assert limits.spent_on(user, "BRL", limits.today(store)) == 100


def test_a_released_reservation_frees_the_day() -> None:
    user, store = make_staff(per_action=100, per_day=100), make_store()
    reserve(user, store, 100, "a")

    limits.release("a")

    assert reserve(user, store, 100, "b")


def test_the_day_is_the_stores() -> None:
    user = make_staff(per_action=100, per_day=100)
    store = make_store(time_zone="America/Sao_Paulo")

    with time_machine.travel(datetime.datetime(2026, 5, 2, 2, 59, tzinfo=datetime.UTC), tick=False):
        assert reserve(user, store, 100, "evening of the first")
    with time_machine.travel(datetime.datetime(2026, 5, 2, 3, 0, tzinfo=datetime.UTC), tick=False):
        assert reserve(user, store, 100, "midnight")

    assert sorted(Spending.objects.values_list("day", flat=True)) == [
        datetime.date(2026, 5, 1),
        datetime.date(2026, 5, 2),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_never_pass_the_day_together() -> None:
    user, store = make_staff(per_action=60, per_day=100), make_store()

    def attempt(number: int) -> bool:
        try:
            return reserve(user, store, 60, f"request {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        passed = list(pool.map(attempt, range(4)))

    assert sorted(passed) == [False, False, False, True]
    assert limits.spent_on(user, "BRL", limits.today(store)) == 60
