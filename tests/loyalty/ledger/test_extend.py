import datetime
from collections.abc import Callable

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    CardClosed,
    InsufficientBalance,
    InvalidDates,
    InvalidRequestId,
    ReasonRequired,
    UnknownCard,
)
from loyalty.models import GiftCard, Grant, Operation
from tests.builders import (
    buckets,
    fresh,
    history,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_closed_card,
    make_credit,
    make_extension,
    make_hold,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
    moves,
    refuses,
    remaining,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def at(days: float) -> time_machine.travel:
    return time_machine.travel(NOON + days * DAY, tick=False)


def grants(card: GiftCard) -> list[Grant]:
    return list(card.grants.order_by("id"))


def ends(card: GiftCard) -> list[datetime.datetime | None]:
    return [grant.expires_at for grant in grants(card)]


def make_card_that_ends(days: float = 10, balance: int = 1000) -> GiftCard:
    return make_card(balance=balance, expires_at=NOON + days * DAY)


@pytest.mark.parametrize("end", [NOON + 10 * DAY + INSTANT, NOON + 400 * DAY, None])
def test_gives_a_grant_and_its_card_a_later_end_and_moves_nothing(
    end: datetime.datetime | None,
) -> None:
    with at(0):
        card = make_card_that_ends()
        make_hold(card, 300)
        before = history(card)

        operation = make_extension(card, expires_at=end)

    after = history(card)
    for table in ("card", "grants"):
        [old], [new] = before.pop(table), after.pop(table)
        assert {**old, "expires_at": end} == new
    assert after == before
    assert moves(operation) == []
    assert (operation.amount, operation.applied) == (0, 0)


@pytest.mark.parametrize("end", [NOON + 12 * DAY, None])
def test_brings_back_what_was_booked_as_expired(end: datetime.datetime | None) -> None:
    with at(0):
        card = make_card_that_ends()
        make_purchase(card, 100)

    with at(11):
        ledger.expire(card.pk, actor="clock")
        operation = make_extension(card, expires_at=end)
        make_hold(card, 900)

    assert moves(operation) == [("expired", "available", 900)]
    assert (operation.amount, operation.applied) == (900, 900)
    assert buckets(card) == {"credited": 1000, "held": 900, "spent": 100}
    assert (remaining(card), ends(card), fresh(card).expires_at) == ([0], [end], end)


def test_what_expired_and_nobody_booked_is_there_again() -> None:
    with at(0):
        card = make_card_that_ends()

    with at(11):
        operation = make_extension(card)
        make_hold(card, 1000)

    assert moves(operation) == []
    assert buckets(card) == {"credited": 1000, "held": 1000}


def test_extends_the_grants_that_are_named_and_no_other() -> None:
    with at(0):
        card = make_wallet(balance=100, expires_at=NOON + 10 * DAY)
        make_credit(card, 200, expires_at=NOON + DAY)
        make_credit(card, 400, expires_at=NOON + DAY, funding="promotional")

    with at(2):
        ledger.expire(card.pk, actor="clock")
        operation = make_extension(card, grants(card)[2], expires_at=NOON + 5 * DAY)
        with refuses(card, InsufficientBalance):
            make_hold(card, 501)

    assert moves(operation) == [("expired", "available", 400)]
    assert operation.entries.get().grant == grants(card)[2]
    assert ends(card) == [NOON + 10 * DAY, NOON + DAY, NOON + 5 * DAY]
    assert remaining(card) == [100, 0, 400]


def test_extends_several_at_once_each_with_its_own_money() -> None:
    with at(0):
        card = make_wallet(balance=100, expires_at=NOON + 10 * DAY)
        make_credit(card, 200, expires_at=NOON + DAY)
        make_credit(card, 400, expires_at=NOON + 2 * DAY, funding="promotional")
        make_credit(card, 800, expires_at=NOON + 4 * DAY)

    with at(3):
        ledger.expire(card.pk, actor="clock")
        operation = make_extension(card, *grants(card)[1:], expires_at=NOON + 6 * DAY)

    assert [(entry.grant, entry.amount) for entry in operation.entries.order_by("seq")] == [
        (grants(card)[1], 200),
        (grants(card)[2], 400),
    ]
    assert operation.applied == 600
    assert ends(card) == [NOON + 10 * DAY, *[NOON + 6 * DAY] * 3]
    assert remaining(card) == [100, 200, 400, 800]


def test_a_grant_named_twice_comes_back_once() -> None:
    with at(0):
        card = make_card_that_ends()

    with at(11):
        ledger.expire(card.pk, actor="clock")
        make_extension(card, grant_ids=[grants(card)[0].pk] * 2)

    assert buckets(card) == {"credited": 1000, "available": 1000}


def test_what_came_back_may_expire_and_come_back_again() -> None:
    with at(0):
        card = make_card_that_ends()
    with at(11):
        ledger.expire(card.pk, actor="clock")
        make_extension(card, expires_at=NOON + 12 * DAY)
        make_purchase(card, 400)
    with at(12):
        ledger.expire(card.pk, actor="clock")

        operation = make_extension(card, expires_at=NOON + 13 * DAY)

    assert moves(operation) == [("expired", "available", 600)]
    assert buckets(card) == {"credited": 1000, "available": 600, "spent": 400}


@pytest.mark.parametrize(
    ("card_end", "grant_end", "expected"),
    [
        (None, NOON + 30 * DAY, None),
        (None, None, None),
        (NOON + 10 * DAY, NOON + 30 * DAY, NOON + 30 * DAY),
        (NOON + 10 * DAY, None, None),
        (NOON + 90 * DAY, NOON + 30 * DAY, NOON + 90 * DAY),
        (NOON + 30 * DAY, NOON + 30 * DAY, NOON + 30 * DAY),
    ],
)
def test_the_card_ends_with_its_longest_grant_and_never_earlier_than_it_did(
    card_end: datetime.datetime | None,
    grant_end: datetime.datetime | None,
    expected: datetime.datetime | None,
) -> None:
    with at(0):
        card = make_wallet(expires_at=card_end)
        make_credit(card, 100, expires_at=NOON + 5 * DAY)

        make_extension(card, expires_at=grant_end)

    assert fresh(card).expires_at == expected
    assert ends(card) == [grant_end]


def test_what_a_purchase_holds_comes_back_to_the_later_end() -> None:
    with at(0):
        card = make_card_that_ends()
        hold = make_hold(card, 300)

    with at(11):
        ledger.expire(card.pk, actor="clock")
        make_extension(card, expires_at=NOON + 20 * DAY)
        make_cancellation(hold, 300)
        make_hold(card, 1000)

    assert remaining(card) == [0]  # no grant for a late refund
    assert fresh(card).expires_at == NOON + 20 * DAY


def test_what_landed_elsewhere_meanwhile_does_not_come_back_twice() -> None:
    with at(0):
        card = make_card_that_ends()
        hold = make_hold(card, 300)

    with at(11):
        ledger.expire(card.pk, actor="clock")
        make_cancellation(hold, 300)
        operation = make_extension(card, grants(card)[0], expires_at=NOON + 20 * DAY)

    assert operation.applied == 700
    assert remaining(card) == [700, 300]


def test_what_came_back_late_without_grace_and_expired_comes_back_too() -> None:
    with at(0):
        program = make_program(make_store(refund_grace_days=0))
        card = make_card(program, balance=1000, expires_at=NOON + 10 * DAY)
        hold = make_hold(card, 300)

    with at(11):
        ledger.expire(card.pk, actor="clock")
        make_cancellation(hold, 300)
        ledger.expire(card.pk, actor="clock")
        operation = make_extension(card, expires_at=NOON + 20 * DAY)

    assert operation.applied == 1000
    assert buckets(card) == {"credited": 1000, "available": 1000}


def test_lets_a_blocked_card_stay_blocked() -> None:
    with at(0):
        card = make_blocked_card(balance=1000, expires_at=NOON + DAY)

    with at(2):
        ledger.expire(card.pk, actor="clock")
        make_extension(card, expires_at=None)

    assert (fresh(card).status, fresh(card).expires_at) == ("blocked", None)
    assert buckets(card) == {"credited": 1000, "available": 1000}


def test_answers_with_the_operation_as_it_is_stored() -> None:
    with at(0):
        card = make_card_that_ends()
    with at(11):
        ledger.expire(card.pk, actor="clock")

        operation = make_extension(card, request_id="E1", actor="staff:7", note="Was ill.")

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("extend", "ok", "staff:7")
    assert (stored.request_id, stored.amount, stored.applied) == ("E1", 1000, 1000)
    assert (stored.reason, stored.note) == ("customer_service", "Was ill.")
    assert (stored.transaction, stored.reverses) == (None, None)


@pytest.mark.parametrize("end", [NOON + 12 * DAY, NOON + 30 * DAY, None])
def test_answers_a_repeated_request_as_before_whatever_the_end(
    end: datetime.datetime | None,
) -> None:
    with at(0):
        card = make_card_that_ends()
    with at(11):
        ledger.expire(card.pk, actor="clock")
        first = make_extension(card, request_id="E1", expires_at=NOON + 12 * DAY)

    with at(13), unchanged(card):
        again = make_extension(card, request_id="E1", expires_at=end)

    assert (again.oid, again.applied) == (first.oid, 1000)
    assert ends(card) == [NOON + 12 * DAY]


def test_another_request_extends_again() -> None:
    with at(0):
        card = make_card_that_ends()
        make_extension(card, expires_at=NOON + 20 * DAY)

        make_extension(card, expires_at=NOON + 30 * DAY)

    assert ends(card) == [NOON + 30 * DAY]
    assert card.operations.filter(kind="extend").count() == 2


@pytest.mark.parametrize("end", [NOON - DAY, NOON + 11 * DAY - INSTANT, NOON + 11 * DAY])
def test_refuses_an_end_that_has_passed(end: datetime.datetime) -> None:
    with at(0):
        card = make_card_that_ends()

    with at(11), refuses(card, InvalidDates):
        make_extension(card, expires_at=end)


@pytest.mark.parametrize("end", [NOON + DAY, NOON + 10 * DAY - INSTANT, NOON + 10 * DAY])
def test_refuses_an_end_that_is_not_later_than_that_of_every_grant(
    end: datetime.datetime,
) -> None:
    with at(0):
        card = make_wallet(balance=1000, expires_at=NOON + 10 * DAY)
        make_credit(card, 100, expires_at=NOON + INSTANT)

        with refuses(card, InvalidDates):
            make_extension(card, expires_at=end)


@pytest.mark.parametrize("end", [NOON + 90 * DAY, None])
def test_refuses_to_extend_what_never_ends(end: datetime.datetime | None) -> None:
    with at(0):
        card = make_wallet(balance=1000)
        make_credit(card, 100, expires_at=NOON + DAY)

        with refuses(card, InvalidDates):
            make_extension(card, expires_at=end)


def nothing(_card: GiftCard, _other: GiftCard) -> list[int]:
    return []


def unknown(card: GiftCard, _other: GiftCard) -> list[int]:
    return [grants(card)[0].pk, 0]


def of_another_card(card: GiftCard, other: GiftCard) -> list[int]:
    return [grants(card)[0].pk, grants(other)[0].pk]


@pytest.mark.parametrize("named", [nothing, unknown, of_another_card])
def test_refuses_grants_that_are_not_the_cards(
    named: Callable[[GiftCard, GiftCard], list[int]],
) -> None:
    with at(0):
        card, other = make_card_that_ends(), make_card_that_ends()

        with unchanged(other), refuses(card, InvalidDates):
            make_extension(card, grant_ids=named(card, other))


def test_is_refused_by_a_closed_card_for_good() -> None:
    with at(0):
        card = make_closed_card(balance=1000, expires_at=NOON + DAY)

        with refuses(card, CardClosed):
            make_extension(card, request_id="E1")
        with unchanged(card), pytest.raises(CardClosed):
            make_extension(card, request_id="E1")


@pytest.mark.parametrize("reason", ["", "because"])
def test_needs_a_reason_of_the_list(reason: str) -> None:
    with at(0):
        card = make_card_that_ends()

        with refuses(card, ReasonRequired):
            make_extension(card, reason=reason)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    with at(0):
        card = make_card_that_ends()

        with refuses(card, InvalidRequestId):
            make_extension(card, request_id=request_id)


def test_refuses_a_card_that_does_not_exist() -> None:
    with pytest.raises(UnknownCard):
        ledger.extend(
            0, expires_at=None, grant_ids=[1], request_id="E1", actor="staff:7", reason="other"
        )

    assert not Operation.objects.exists()
