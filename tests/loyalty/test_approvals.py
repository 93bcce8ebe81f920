import datetime
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from loyalty import approvals, ledger
from loyalty.actions import Adjust, Close, GiveCredit, IssueCard
from loyalty.approvals import NotWaiting, OwnCredit, OwnRequest
from loyalty.exceptions import BelowZero, LedgerBusy, MoneyHeld
from loyalty.models import Approval, AuditAction, AuditEvent, GiftCard, Operation, Spending
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_card,
    make_customer,
    make_hold,
    make_points_program,
    make_program,
    make_store,
    make_wallet,
    unchanged,
)
from tests.loyalty.staff import acting, make_staff

pytestmark = pytest.mark.django_db

State = Approval.Status


def adjustment(card: GiftCard, change: int) -> Adjust:
    return Adjust(card_id=card.pk, change=change, reason="correction", note="typo")


def ask(card: GiftCard, change: int = 500) -> Approval:
    """A request above its person's limit."""
    person = make_staff("adjust_card")
    outcome = approvals.carry_out(adjustment(card, change), actor=acting(person), token="t")
    assert outcome.approval is not None
    return outcome.approval


def test_within_the_limit_it_is_done_at_once_by_that_person() -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card", per_action=500)

    outcome = approvals.carry_out(adjustment(card, 500), actor=acting(person), token="t")

    assert (outcome.subject, outcome.approval, outcome.is_repeat) == (card, None, False)
    assert buckets(card) == {"credited": 1500, "available": 1500}
    operation = Operation.objects.get(card=card, kind="adjust")
    assert (operation.actor, operation.reason, operation.note) == (
        f"staff:{person.pk}",
        "correction",
        "typo",
    )


def test_what_was_done_is_in_the_audit_trail_with_what_changed() -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card", per_action=500)

    approvals.carry_out(adjustment(card, -300), actor=acting(person), token="t")

    event = AuditEvent.objects.get()
    assert (event.action, event.user, event.address) == (AuditAction.ADJUST, person, "192.0.2.7")
    assert (event.card, event.store, event.amount, event.currency) == (card, card.store, 300, "BRL")
    assert event.before == {"available": 1000, "removed": 0}
    assert event.after == {"available": 700, "removed": 300}
    assert (event.reason, event.note) == ("correction", "typo")


def test_the_same_form_sent_again_does_it_once() -> None:
    card = make_card(balance=1000)
    actor = acting(make_staff("adjust_card", per_action=500, per_day=500))

    approvals.carry_out(adjustment(card, 500), actor=actor, token="t")
    outcome = approvals.carry_out(adjustment(card, 500), actor=actor, token="t")

    assert outcome.is_repeat
    assert buckets(card)["available"] == 1500
    assert Spending.objects.get().amount == 500
    assert AuditEvent.objects.count() == 1


def test_the_same_form_with_another_amount_is_counted_anew() -> None:
    card = make_card(balance=1000)
    actor = acting(make_staff("adjust_card", per_action=500, per_day=500))
    approvals.carry_out(adjustment(card, 500), actor=actor, token="t")

    outcome = approvals.carry_out(adjustment(card, 400), actor=actor, token="t")

    assert outcome.approval is not None
    assert buckets(card)["available"] == 1500


def test_without_the_permission_nothing_moves() -> None:
    card = make_card(balance=1000)
    person = make_staff("credit_card", per_action=500)

    with unchanged(card), pytest.raises(PermissionDenied):
        approvals.carry_out(adjustment(card, 500), actor=acting(person), token="t")

    assert not AuditEvent.objects.exists()


def test_what_the_ledger_refuses_does_not_count_against_the_day() -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card", per_action=5000, per_day=5000)

    with unchanged(card, declined="below_zero"), pytest.raises(BelowZero):
        approvals.carry_out(adjustment(card, -1001), actor=acting(person), token="t")

    assert not Spending.objects.exists()
    assert not AuditEvent.objects.exists()


def test_an_unknown_outcome_keeps_the_reservation_for_the_repeat() -> None:
    card = make_card(balance=1000)
    actor = acting(make_staff("adjust_card", per_action=500, per_day=500))

    with patch.object(ledger, "adjust", side_effect=LedgerBusy), pytest.raises(LedgerBusy):
        approvals.carry_out(adjustment(card, 500), actor=actor, token="t")
    approvals.carry_out(adjustment(card, 500), actor=actor, token="t")

    assert buckets(card)["available"] == 1500
    assert Spending.objects.get().amount == 500


@pytest.mark.parametrize(
    "own", [{"email": "Eu@Loja.com.br"}, {"document": "12345678909"}], ids=["e-mail", "document"]
)
def test_nobody_gives_credit_to_themselves(own: dict[str, Any]) -> None:
    store = make_store()
    myself = make_customer(store, email="eu@loja.com.br", document="12345678909")
    card = make_wallet(make_program(store), balance=1000, owner=myself)
    person = make_staff("credit_card", "issue_card", "adjust_card", per_action=9999, **own)
    gifts = [
        GiveCredit(card_id=card.pk, value=1),
        IssueCard(program_id=card.program_id, value=1, owner_id=myself.pk),
        adjustment(card, 1),
    ]

    for gift in gifts:
        with unchanged(card), pytest.raises(OwnCredit):
            approvals.carry_out(gift, actor=acting(person), token="t")

    assert GiftCard.objects.count() == 1


def test_taking_from_oneself_is_no_gift() -> None:
    store = make_store()
    card = make_card(make_program(store), balance=1000, owner=make_customer(store, email="a@b.co"))
    person = make_staff("adjust_card", per_action=9999, email="a@b.co")

    approvals.carry_out(adjustment(card, -1), actor=acting(person), token="t")

    assert buckets(card)["available"] == 999


def test_above_the_limit_it_waits_and_nothing_moves() -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card", per_action=499)

    with unchanged(card):
        outcome = approvals.carry_out(adjustment(card, 500), actor=acting(person), token="t")

    approval = outcome.approval
    assert approval is not None
    assert (approval.state, approval.amount, approval.requested_by) == (State.WAITING, 500, person)
    assert approval.before["available"] == 1000
    assert approval.after["available"] == 1500
    assert AuditEvent.objects.get().action == AuditAction.APPROVAL_REQUESTED
    assert approval.expires_at - approval.requested_at == datetime.timedelta(days=7)


def test_what_the_ledger_would_refuse_is_refused_before_it_waits() -> None:
    card = make_card(balance=1000)
    make_hold(card, 1)
    person = make_staff("close_card")
    close = Close(card_id=card.pk, reason="lost", note="x")

    with unchanged(card), pytest.raises(MoneyHeld):
        approvals.carry_out(close, actor=acting(person), token="t")

    assert not Approval.objects.exists()


def test_points_are_measured_in_the_currency() -> None:
    card = make_card(make_points_program(), balance=1_0000)
    person = make_staff("adjust_card", per_action=500)
    five_reals, a_little_more = 5_0000, 5_0001

    within = approvals.carry_out(adjustment(card, five_reals), actor=acting(person), token="a")
    above = approvals.carry_out(adjustment(card, a_little_more), actor=acting(person), token="b")

    assert (within.approval is None, above.approval is None) == (True, False)


def test_another_person_approves_and_it_is_done_in_the_askers_name() -> None:
    card = make_card(balance=1000)
    approval = ask(card)
    decider = make_staff("decide_approval")

    done = approvals.approve(approval, actor=acting(decider), note="fine")

    assert (done.status, done.decided_by, done.decision_note) == (State.DONE, decider, "fine")
    assert buckets(card)["available"] == 1500
    operation = Operation.objects.get(card=card, kind="adjust")
    assert operation.actor == f"staff:{approval.requested_by_id}"
    actions = set(AuditEvent.objects.values_list("action", "user"))
    assert actions == {
        ("approval_requested", approval.requested_by_id),
        ("approved", decider.pk),
        ("adjust", approval.requested_by_id),
    }


def test_nobody_decides_what_they_asked_for() -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card", "decide_approval")
    approval = approvals.carry_out(adjustment(card, 5), actor=acting(person), token="t").approval
    assert approval is not None

    with unchanged(card), pytest.raises(OwnRequest):
        approvals.approve(approval, actor=acting(person))
    with pytest.raises(OwnRequest):
        approvals.reject(approval, actor=acting(person))

    assert fresh_state(approval) == State.WAITING


def test_nobody_decides_without_the_permission() -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    with unchanged(card), pytest.raises(PermissionDenied):
        approvals.approve(approval, actor=acting(make_staff("adjust_card")))

    assert fresh_state(approval) == State.WAITING


def test_nobody_approves_credit_to_themselves() -> None:
    store = make_store()
    card = make_card(make_program(store), balance=1000, owner=make_customer(store, email="a@b.co"))
    approval = ask(card)

    with unchanged(card), pytest.raises(OwnCredit):
        approvals.approve(approval, actor=acting(make_staff("decide_approval", email="a@b.co")))

    assert fresh_state(approval) == State.WAITING


def test_a_rejected_request_moves_nothing_and_stays_rejected() -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    with unchanged(card):
        approvals.reject(approval, actor=acting(make_staff("decide_approval")), note="no")
        with pytest.raises(NotWaiting):
            approvals.approve(approval, actor=acting(make_staff("decide_approval")))

    assert fresh_state(approval) == State.REJECTED


def test_a_request_lapses_after_a_week() -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    with time_machine.travel(timezone.now() + datetime.timedelta(days=7, seconds=1), tick=False):
        assert Approval.objects.get(pk=approval.pk).state == State.LAPSED
        with unchanged(card), pytest.raises(NotWaiting):
            approvals.approve(approval, actor=acting(make_staff("decide_approval")))
        assert (approvals.lapse_due(), approvals.lapse_due()) == (1, 0)

    assert Approval.objects.get(pk=approval.pk).status == State.LAPSED


def test_what_can_no_longer_be_done_ends_as_refused_with_the_reason() -> None:
    card = make_card(balance=1000)
    approval = ask(card, change=-1000)
    make_adjustment(card, -1)

    with unchanged(card, declined="below_zero"):
        failed = approvals.approve(approval, actor=acting(make_staff("decide_approval")))

    assert (failed.status, failed.failure) == (State.FAILED, "below_zero")


def test_a_crash_after_the_decision_is_made_up_for() -> None:
    card = make_card(balance=1000)
    approval = ask(card)
    with patch.object(ledger, "adjust", side_effect=LedgerBusy):
        approvals.approve(approval, actor=acting(make_staff("decide_approval")))
    assert fresh_state(approval) == State.APPROVED
    assert buckets(card)["available"] == 1000

    assert approvals.finish_interrupted() == 0
    with time_machine.travel(timezone.now() + datetime.timedelta(minutes=2), tick=False):
        assert (approvals.finish_interrupted(), approvals.finish_interrupted()) == (1, 0)

    assert fresh_state(approval) == State.DONE
    assert buckets(card)["available"] == 1500


def test_sending_the_form_again_after_the_decision_shows_what_became_of_it() -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card")
    first = approvals.carry_out(adjustment(card, 500), actor=acting(person), token="t")
    assert first.approval is not None
    approvals.approve(first.approval, actor=acting(make_staff("decide_approval")))

    again = approvals.carry_out(adjustment(card, 500), actor=acting(person), token="t")

    assert again.is_repeat
    assert again.approval == first.approval
    assert buckets(card)["available"] == 1500


@pytest.mark.django_db(transaction=True)
def test_of_two_who_approve_at_once_one_does_and_the_other_sees_it() -> None:
    card = make_card(balance=1000)
    approval = ask(card)
    deciders = [make_staff("decide_approval") for _ in range(4)]

    def decide(number: int) -> str:
        try:
            approvals.approve(approval, actor=acting(deciders[number]))
        except NotWaiting:
            return "late"
        finally:
            connection.close()
        return "approved"

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(decide, range(4)))

    assert answers == ["approved", "late", "late", "late"]
    assert buckets(fresh(card))["available"] == 1500


@pytest.mark.django_db(transaction=True)
def test_a_double_click_does_it_once() -> None:
    card = make_card(balance=1000)
    actor = acting(make_staff("adjust_card", per_action=500, per_day=500))

    def click(_: int) -> str:
        try:
            outcome = approvals.carry_out(adjustment(card, 500), actor=actor, token="t")
        finally:
            connection.close()
        return "waiting" if outcome.approval else "done"

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(click, range(4))) == ["done"] * 4

    assert buckets(fresh(card))["available"] == 1500
    assert AuditEvent.objects.count() == 1


def fresh_state(approval: Approval) -> Approval.Status:
    return Approval.objects.get(pk=approval.pk).state
