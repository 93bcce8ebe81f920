"""Money that a purchase holds for long: given back on the store's word or on two people's."""

import datetime
from collections.abc import Iterator

import pytest
import time_machine
from django.contrib.auth.models import User

from loyalty import alerts, approvals, periodic, reports, schedule
from loyalty.actions import Cancel
from loyalty.approvals import OwnRequest
from loyalty.models import Alert, Approval, Reason, Transaction
from tests.builders import buckets, make_card, make_hold, make_program, make_store, unchanged
from tests.loyalty.admin.test_holds import make_difference
from tests.loyalty.staff import acting, make_staff

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON - 30 * DAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def hold(clock: time_machine.Traveller) -> Transaction:
    """A purchase that is as old as the store's days allow, seen from noon."""
    made = make_hold(make_card(balance=10_000), 5_000)
    clock.move_to(NOON)
    return made


@pytest.fixture
def support() -> User:
    return make_staff("cancel_transaction", per_action=1_000_000)


def release(hold: Transaction, user: User) -> approvals.Outcome:
    action = Cancel(card_id=hold.card_id, transaction_id=hold.pk, value=5_000, reason=Reason.OTHER)
    return approvals.carry_out(action, actor=acting(user), token="form")


def test_without_the_stores_word_it_waits_for_another_person_whatever_the_limit(
    hold: Transaction, support: User
) -> None:
    with unchanged(hold.card):
        outcome = release(hold, support)

    assert outcome.approval is not None
    assert outcome.approval.state == Approval.Status.WAITING


def test_another_person_gives_it_back(hold: Transaction, support: User) -> None:
    approval = release(hold, support).approval
    other = make_staff("decide_approval", "cancel_transaction")
    assert approval is not None

    approvals.approve(approval, actor=acting(other))

    assert buckets(hold.card) == {"credited": 10_000, "available": 10_000}


def test_whoever_asked_does_not_decide(hold: Transaction) -> None:
    person = make_staff("cancel_transaction", "decide_approval", per_action=1_000_000)
    approval = release(hold, person).approval
    assert approval is not None

    with unchanged(hold.card), pytest.raises(OwnRequest):
        approvals.approve(approval, actor=acting(person))


def test_the_stores_word_that_the_order_is_canceled_is_enough(
    hold: Transaction, support: User
) -> None:
    make_difference(hold, status="canceled", remedy="release")

    outcome = release(hold, support)

    assert outcome.approval is None
    assert buckets(hold.card) == {"credited": 10_000, "available": 10_000}


@pytest.mark.parametrize("remedy", ["none", "settle"])
def test_another_word_is_none(hold: Transaction, support: User, remedy: str) -> None:
    make_difference(hold, status="invoiced", remedy=remedy)

    with unchanged(hold.card):
        assert release(hold, support).approval is not None


def test_a_younger_hold_is_a_matter_of_limits(
    hold: Transaction, support: User, clock: time_machine.Traveller
) -> None:
    clock.move_to(NOON - datetime.timedelta(microseconds=1))

    assert release(hold, support).approval is None


def test_old_holds_raise_an_alert_and_a_new_one_another(clock: time_machine.Traveller) -> None:
    store = make_store(name="Casa Aurora")
    card = make_card(make_program(store), balance=10_000)
    first = make_hold(card, 100)
    clock.shift(DAY)
    make_hold(card, 100)
    reports.aggregate_due()
    told = []
    for days in (30, 31):
        clock.move_to(NOON + (days - 30) * DAY)
        periodic.run(schedule.WATCH, alerts.watch)
        told.append([alerts.words(alert) for alert in alerts.open_alerts()])
    keys = list(Alert.objects.filter(kind="holds_old").order_by("pk").values_list("key", flat=True))

    assert [len(each) for each in told] == [1, 1]
    assert "Casa Aurora" in told[0][0]
    assert keys == [f"holds:{store.pk}:2026-02-02", f"holds:{store.pk}:2026-02-03"]
    assert first.created_at == NOON - 30 * DAY
