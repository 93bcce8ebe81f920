"""Staff and checkout on the same card at the same moment: nothing is lost, doubled or invented."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from loyalty import approvals, ledger
from loyalty.actions import Action, Adjust, Block, Cancel, Close, Settle
from loyalty.audit import Actor
from loyalty.exceptions import Decline
from loyalty.ledger.invariants import violations
from loyalty.models import GiftCard, Outcome, Transaction
from tests.builders import buckets, fresh, make_card, make_hold
from tests.loyalty.staff import acting, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


@pytest.fixture
def clerk() -> Actor:
    return acting(
        make_staff(
            *("adjust_card", "block_card", "close_card"),
            *("settle_transaction", "cancel_transaction"),
            per_action=1_000_000,
        )
    )


def together(*calls: Callable[[], object]) -> list[str]:
    """Run them at once; what each came to: "ok" or the code of its refusal."""

    def run(call: Callable[[], object]) -> str:
        try:
            call()
        except Decline as decline:
            return decline.code
        finally:
            connection.close()
        return "ok"

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def staff(action: Action, actor: Actor, token: str) -> Callable[[], object]:
    return partial(approvals.carry_out, action, actor=actor, token=token)


def checkout(card: GiftCard, amount: int, request_id: str) -> Callable[[], object]:
    return partial(
        ledger.authorize, card.pk, amount=amount, request_id=request_id, actor="credential:1"
    )


def test_an_adjustment_and_debits_share_what_is_there(clerk: Actor) -> None:
    for number in range(ROUNDS):
        card = make_card(balance=1000)
        take = Adjust(card_id=card.pk, change=-600, reason="correction", note="x")

        came_to = together(
            staff(take, clerk, f"t{number}"),
            checkout(card, 600, "first"),
            checkout(card, 300, "second"),
        )

        now = buckets(card)
        taken = now.get("removed", 0) + now.get("held", 0)
        assert now["credited"] == 1000
        assert now.get("available", 0) == 1000 - taken
        assert came_to.count("ok") >= 1
        assert taken == sum(
            amount
            for amount, answer in zip((600, 600, 300), came_to, strict=True)
            if answer == "ok"
        )
        assert violations([card.pk]) == []


def test_closing_races_with_a_debit_and_one_of_them_is_refused(clerk: Actor) -> None:
    for number in range(ROUNDS):
        card = make_card(balance=1000)
        close = Close(card_id=card.pk, reason="lost", note="x")

        answers = together(staff(close, clerk, f"t{number}"), checkout(card, 400, "debit"))

        assert answers in (["ok", "card_closed"], ["money_held", "ok"])
        expected = (
            {"credited": 1000, "removed": 1000}
            if answers[0] == "ok"
            else {"credited": 1000, "available": 600, "held": 400}
        )
        assert buckets(card) == expected
        assert violations([card.pk]) == []


def test_a_block_lets_a_purchase_in_or_keeps_it_out_but_never_half(clerk: Actor) -> None:
    for number in range(ROUNDS):
        card = make_card(balance=1000)
        block = Block(card_id=card.pk, reason="fraud", note="")

        answers = together(staff(block, clerk, f"t{number}"), checkout(card, 400, "debit"))

        assert answers in (["ok", "ok"], ["ok", "card_blocked"])
        assert buckets(card).get("held", 0) == (400 if answers[1] == "ok" else 0)
        assert fresh(card).status == GiftCard.Status.BLOCKED


def test_a_refund_by_hand_and_vtexs_own_give_back_no_more_than_there_is(clerk: Actor) -> None:
    for number in range(ROUNDS):
        card = make_card(balance=1000)
        debit = make_hold(card, 1000)
        ledger.settle(debit, amount=1000, request_id="s", actor="credential:1")
        by_hand = Cancel(
            card_id=card.pk, transaction_id=debit.pk, value=700, reason="return", note=""
        )

        answers = together(
            staff(by_hand, clerk, f"t{number}"),
            partial(ledger.cancel, debit, amount=700, request_id="vtex", actor="credential:1"),
        )

        assert sorted(answers) == ["exceeds_transaction", "ok"]
        assert Transaction.objects.get(pk=debit.pk).refunded == 700
        assert buckets(card) == {"credited": 1000, "available": 700, "spent": 300}


def test_a_settlement_by_hand_and_vtexs_own_capture_it_once(clerk: Actor) -> None:
    for number in range(ROUNDS):
        card = make_card(balance=1000)
        debit = make_hold(card, 1000)
        by_hand = Settle(
            card_id=card.pk, transaction_id=debit.pk, value=1000, reason="other", note=""
        )

        answers = together(
            staff(by_hand, clerk, f"t{number}"),
            partial(ledger.settle, debit, amount=1000, request_id="vtex", actor="credential:1"),
        )

        assert sorted(answers) == ["exceeds_hold", "ok"]
        assert buckets(card) == {"credited": 1000, "spent": 1000}


def test_two_tabs_of_one_form_do_it_once(clerk: Actor) -> None:
    card = make_card(balance=1000)
    take = Adjust(card_id=card.pk, change=-100, reason="correction", note="x")

    answers = together(*[staff(take, clerk, "one form")] * 4)

    assert answers == ["ok"] * 4
    assert buckets(card) == {"credited": 1000, "available": 900, "removed": 100}
    assert card.operations.filter(kind="adjust", outcome=Outcome.OK).count() == 1
