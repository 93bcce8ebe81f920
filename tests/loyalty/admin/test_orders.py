import datetime
import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import ledger
from loyalty.actions import Cancel
from loyalty.approvals import carry_out
from loyalty.audit import Actor
from loyalty.exceptions import LedgerError
from loyalty.models import (
    Approval,
    Discrepancy,
    GiftCard,
    Reason,
    ReconciliationRun,
    SpendingLimit,
    Store,
    Transaction,
)
from tests.builders import (
    make_cancellation,
    make_card,
    make_hold,
    make_program,
    make_settlement,
    make_store,
)

GROUP = "1402310500123"
ORDER = f"{GROUP}-01"


def page_of(order_id: str) -> str:
    return reverse("admin:loyalty_order", args=[order_id])


def text_of(client: Client, order_id: str) -> str:
    answer = client.get(page_of(order_id))
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def make_difference(store: Store, group: str, **fields: object) -> Discrepancy:
    now = timezone.now()
    run = ReconciliationRun.objects.create(
        store=store,
        source="orders",
        by="changed",
        since=now - datetime.timedelta(days=1),
        until=now,
        compared_until=now,
        status="done",
        started_at=now,
        finished_at=now,
    )
    values = {
        "kind": Discrepancy.Kind.PAYMENT_WITHOUT_DEBIT,
        "key": group,
        "severity": 3,
        "currency": "BRL",
        "amount": 4_200,
        "order_group": group,
        "first_seen": now,
        "last_seen": now,
    }
    return Discrepancy.objects.create(store=store, run=run, **values | fields)


def decline(card: GiftCard, amount: int) -> None:
    with pytest.raises(LedgerError):
        ledger.authorize(card.pk, amount=amount, request_id="refused", actor="vtex:x")


def test_two_cards_of_one_order_are_added_up(db: None, boss: Client) -> None:
    program = make_program()
    first = make_hold(make_card(program, balance=10_000), 3_000, order_id=ORDER)
    second = make_hold(make_card(program, balance=10_000), 2_000, order_id=ORDER)
    make_settlement(first, 3_000)
    make_cancellation(first, 1_000)

    context = boss.get(page_of(ORDER)).context

    (sums,) = context["sums"]
    shown = (sums.asked, sums.settled, sums.given_back, sums.held)
    assert shown == ("R$50.00", "R$30.00", "R$10.00", "R$20.00")
    assert [step.operation.kind for step in context["steps"]] == [
        *("authorize", "authorize", "settle", "cancel"),
    ]
    assert {step.operation.transaction for step in context["steps"]} == {first, second}


def test_what_was_refused_is_there_with_the_reason(db: None, boss: Client) -> None:
    card = make_card(balance=5_000)
    hold = make_hold(card, 3_000, order_id=ORDER)
    decline(card, 9_000)
    with pytest.raises(LedgerError):
        make_settlement(hold, 4_000)

    context = boss.get(page_of(ORDER)).context

    assert [step.operation.outcome for step in context["steps"]] == ["ok", "declined"]
    assert [step.amount for step in context["around"]] == ["R$90.00"]
    assert all(step.refusal for step in context["around"])


def test_a_checkout_is_all_of_its_orders(db: None, boss: Client) -> None:
    card = make_card(balance=10_000)
    parts = [make_hold(card, 100, order_id=f"{GROUP}-0{number}") for number in (1, 2)]
    make_hold(card, 100, order_id=f"{GROUP}9-01")

    steps = boss.get(page_of(GROUP)).context["steps"]

    assert [step.operation.transaction for step in steps] == parts


def test_differences_with_the_store_stand_on_the_order(db: None, boss: Client) -> None:
    card = make_card(balance=10_000)
    hold = make_hold(card, 3_000, order_id=ORDER)
    of_group = make_difference(card.store, GROUP)
    of_hold = make_difference(card.store, "", key="other", card=card, transaction=hold)
    make_difference(card.store, "9999999999999")

    text = text_of(boss, ORDER)

    shown = set(re.findall(r"/admin/loyalty/discrepancy/(\d+)/change/", text))
    assert shown == {str(of_group.pk), str(of_hold.pk)}
    assert "R$42.00" in text


def test_an_order_that_no_card_was_debited_for_has_its_difference(db: None, boss: Client) -> None:
    difference = make_difference(make_store(), GROUP)

    text = text_of(boss, GROUP)

    assert reverse("admin:loyalty_discrepancy_change", args=[difference.pk]) in text
    assert "Cards that were used" not in text


def test_what_waits_for_approval_stands_on_the_order(
    db: None, boss: Client, signed_in: Callable[[User], Client]
) -> None:
    hold = make_hold(make_card(balance=10_000), 3_000, order_id=ORDER)
    other = make_hold(hold.card, 500, order_id="1402310500999-01")
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="cancel_transaction"))
    SpendingLimit.objects.create(user=clerk, currency="BRL", per_action=1, per_day=1)
    for each in (hold, other):
        ask_to_cancel(each, clerk)

    shown = boss.get(page_of(ORDER)).context["approvals"]

    assert [approval.parameters["transaction_id"] for approval in shown] == [hold.pk]
    assert shown[0].state == Approval.Status.WAITING


def ask_to_cancel(transaction: Transaction, clerk: User) -> None:
    action = Cancel(
        card_id=transaction.card_id,
        transaction_id=transaction.pk,
        value=transaction.amount,
        reason=Reason.OTHER,
        note="",
    )
    outcome = carry_out(action, actor=Actor(clerk, None), token=f"{transaction.pk:032}")
    assert outcome.approval is not None


def test_an_unknown_order_is_not_found(db: None, boss: Client) -> None:
    assert boss.get(page_of("v0000000nothing-01")).status_code == 404
