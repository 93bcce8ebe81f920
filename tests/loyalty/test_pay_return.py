"""A return of goods paid as credit: once, within the order, with a bonus of its own."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from loyalty import approvals
from loyalty.actions import PayReturn, still_returnable
from loyalty.audit import Actor
from loyalty.exceptions import ReturnOutdated, UnknownCustomer
from loyalty.models import (
    Approval,
    AuditEvent,
    Entry,
    GiftCard,
    Grant,
    Program,
    ReturnPayment,
    ShopOrder,
)
from tests.builders import (
    buckets,
    make_cancellation,
    make_closed_card,
    make_customer,
    make_points_program,
    make_program,
    make_store,
    make_wallet,
)
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)


@pytest.fixture
def program() -> Program:
    return make_program(make_store(), kind="return_credit", name="Vale-troca")


@pytest.fixture
def order(program: Program) -> ShopOrder:
    return make_order(program)


def make_order(program: Program, **fields: Any) -> ShopOrder:
    """An order of 180.00 of goods and 20.00 of shipping, paid."""
    line = {"returned": 0, "reward": 0, "brand": "Acme", "categories": []}
    facts = {
        "lines": [{"sku": "1", "value": 100_00, **line}, {"sku": "2", "value": 80_00, **line}],
        "shipping": 20_00,
        "tenders": [],
    }
    defaults: dict[str, Any] = {
        "store": program.store,
        "order_id": "v1-01",
        "customer": make_customer(program.store, email="ana@example.com"),
        "state": ShopOrder.State.INVOICED,
        "currency": "BRL",
        "total": 180_00,
        "kept": 180_00,
        "version": 1,
        "facts": facts,
        **dict.fromkeys(("placed_at", "paid_at", "changed_at", "announced_at"), NOON),
    }
    return ShopOrder.objects.create(**defaults | fields)


def pay(order: ShopOrder, program: Program, value: int = 100_00, **fields: Any) -> GiftCard:
    """Pay the order's next return."""
    paid_before = fields.pop("paid_before", order.return_payments.count())
    action = PayReturn(
        order_key=order.pk,
        program_id=program.pk,
        value=value,
        paid_before=paid_before,
        reason="return",
        **fields,
    )
    card = action.perform(request_id="form-1", actor="staff:1")
    assert isinstance(card, GiftCard)
    return card


def test_the_buyer_gets_a_card_with_the_credit_and_the_bonus_apart(
    order: ShopOrder, program: Program
) -> None:
    card = pay(order, program, 100_00, bonus=10_00)

    grants = Grant.objects.filter(card=card).order_by("pk")
    assert card.owner == order.customer
    assert card.is_reloadable
    assert buckets(card) == {"credited": 110_00, "available": 110_00}
    assert list(grants.values_list("origin", "funding", "amount")) == [
        ("return", "paid", 100_00),
        ("credit", "promotional", 10_00),
    ]
    assert {each.order_id for each in card.transactions.all()} == {"v1-01"}


def test_a_card_that_takes_more_credit_is_used(order: ShopOrder, program: Program) -> None:
    wallet = make_wallet(program, balance=5_00, owner=order.customer)

    assert pay(order, program) == wallet
    assert buckets(wallet)["available"] == 105_00


def test_a_closed_card_is_followed_by_a_new_one(order: ShopOrder, program: Program) -> None:
    closed = make_closed_card(program, balance=0, owner=order.customer, is_reloadable=True)

    assert pay(order, program) != closed


def test_the_same_return_is_paid_once_whoever_asks_again(
    order: ShopOrder, program: Program
) -> None:
    first = pay(order, program, bonus=10_00)

    again = pay(order, program, bonus=10_00, paid_before=0)

    assert again == first
    assert buckets(first)["credited"] == 110_00
    assert ReturnPayment.objects.count() == 1


def test_another_return_in_its_place_is_outdated(order: ShopOrder, program: Program) -> None:
    card = pay(order, program)

    with pytest.raises(ReturnOutdated):
        pay(order, program, 80_00, paid_before=0)

    assert buckets(card)["credited"] == 100_00


def test_an_order_gives_no_more_than_it_cost(order: ShopOrder, program: Program) -> None:
    card = pay(order, program, 150_00)
    assert still_returnable(order) == 50_00

    with pytest.raises(ReturnOutdated):
        pay(order, program, 50_01)
    pay(order, program, 50_00)

    assert buckets(card)["credited"] == 200_00
    assert still_returnable(order) == 0


def test_what_was_taken_back_may_be_paid_again(order: ShopOrder, program: Program) -> None:
    card = pay(order, program, 200_00)
    make_cancellation(card.transactions.get(), 200_00)

    assert still_returnable(order) == 200_00
    pay(order, program, 200_00)

    assert buckets(card)["available"] == 200_00


def test_points_are_worth_what_the_goods_were(program: Program) -> None:
    points = make_points_program(program.store, kind="return_credit", name="Pontos")
    order = make_order(points)

    card = pay(order, points, 100_00 * 10**points.finer_digits)

    assert still_returnable(order) == 100_00
    assert buckets(card)["available"] == 100_00 * 10**points.finer_digits


def test_a_crash_between_credit_and_bonus_is_made_up_for(
    order: ShopOrder, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    credit = PayReturn._credit

    def dies(action: PayReturn, decided: ReturnPayment, units: int, *rest: str) -> None:
        if units == 10_00:
            raise KeyboardInterrupt
        credit(action, decided, units, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(PayReturn, "_credit", dies)
        with pytest.raises(KeyboardInterrupt):
            pay(order, program, bonus=10_00)
    card = pay(order, program, bonus=10_00, paid_before=0)

    assert buckets(card)["credited"] == 110_00


def test_an_order_of_nobody_gets_nothing(program: Program) -> None:
    order = make_order(program, customer=None)

    with pytest.raises(UnknownCustomer):
        pay(order, program)

    assert not ReturnPayment.objects.exists()
    assert not Entry.objects.exists()


def test_above_the_limit_another_person_decides(order: ShopOrder, program: Program) -> None:
    clerk = make_staff("credit_card", per_action=50_00)
    manager = make_staff("decide_approval", per_action=0)
    action = PayReturn(
        order_key=order.pk, program_id=program.pk, value=100_00, paid_before=0, reason="return"
    )

    waiting = approvals.carry_out(action, actor=Actor(clerk), token="t").approval
    assert waiting is not None
    assert not ReturnPayment.objects.exists()
    ended = approvals.approve(waiting, actor=Actor(manager))

    assert ended.status == Approval.Status.DONE
    assert buckets(GiftCard.objects.get())["available"] == 100_00
    assert AuditEvent.objects.filter(action="pay_return").count() == 1


def test_a_preview_shows_the_figures_and_keeps_nothing(order: ShopOrder, program: Program) -> None:
    make_wallet(program, balance=5_00, owner=order.customer)
    action = PayReturn(
        order_key=order.pk, program_id=program.pk, value=100_00, paid_before=0, reason="return"
    )

    shown = action.preview()

    assert (shown.before, shown.after) == ({"available": 5_00}, {"available": 105_00})
    assert not ReturnPayment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_pay_it_once(program: Program) -> None:
    order = make_order(program)
    other = make_program(program.store, kind="return_credit", name="Another")
    barrier = Barrier(2)

    def ask(wanted: Program) -> bool:
        try:
            barrier.wait(timeout=10)
            pay(order, wanted, paid_before=0)
        except ReturnOutdated:
            return False
        else:
            return True
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, [program, other]))

    assert sorted(answers) == [False, True]
    assert sum(Grant.objects.values_list("amount", flat=True)) == 100_00
