from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import approvals
from loyalty.actions import Adjust
from loyalty.models import Approval, GiftCard
from tests.builders import buckets, make_adjustment, make_card, unchanged
from tests.loyalty.staff import acting, make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
State = Approval.Status


def ask(card: GiftCard, change: int = 500, person: User | None = None) -> Approval:
    action = Adjust(card_id=card.pk, change=change, reason="correction", note="typo")
    person = person or make_staff("adjust_card")
    approval = approvals.carry_out(action, actor=acting(person), token="t").approval
    assert approval is not None
    return approval


def page_of(approval: Approval) -> str:
    return reverse("admin:loyalty_approval_change", args=[approval.pk])


def decide(client: Client, approval: Approval, button: str, note: str = "") -> Any:
    address = reverse("admin:loyalty_approval_decide", args=[approval.pk])
    return client.post(address, {button: "1", "note": note}, follow=True)


def said(answer: Any) -> str:
    [message] = answer.context["messages"]
    return str(message)


@pytest.fixture
def decider(signed_in: SignedIn) -> Client:
    return signed_in(make_staff("decide_approval", "view_approval"))


def test_the_list_says_what_waits_for_whom(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    text = decider.get(reverse("admin:loyalty_approval_changelist")).content.decode()

    assert "R$5.00" in text
    assert str(approval.requested_by) in text
    assert "waiting" in text


def test_the_list_is_narrowed_to_an_action_that_can_be_asked_for(decider: Client) -> None:
    approval = ask(make_card(balance=1000))
    address = reverse("admin:loyalty_approval_changelist")

    found = {
        name: decider.get(address, {"action": name}).context["cl"].result_count
        for name in ("adjust", "close")
    }
    listed = decider.get(address).context["cl"]
    offered = {choice["display"] for choice in listed.filter_specs[1].choices(listed)}

    assert found == {"adjust": 1, "close": 0}
    assert approval.get_action_display() in offered
    assert "sign in" not in offered


def test_the_page_shows_what_was_asked_for_and_why(decider: Client) -> None:
    approval = ask(make_card(balance=1000))

    answer = decider.get(page_of(approval))

    [change] = answer.context["asked"]
    assert (change.before, change.after) == ("R$10.00", "R$15.00")
    assert "typo" in answer.content.decode()
    assert answer.context["is_as_asked"] is True


def test_figures_that_moved_since_are_shown_beside_those_that_were_seen(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card)
    make_adjustment(card, -300)

    answer = decider.get(page_of(approval))

    assert answer.context["is_as_asked"] is False
    assert answer.context["asked"][0].before == "R$10.00"
    assert answer.context["now"][0].after == "R$12.00"


def test_what_would_be_refused_now_is_said_before_the_decision(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card, change=-1000)
    make_adjustment(card, -1)

    with unchanged(card):
        answer = decider.get(page_of(approval))

    assert answer.context["refusal"] == "The adjustment would take more than is available."


def test_looking_moves_nothing(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    with unchanged(card):
        decider.get(page_of(approval))


def test_approved_it_is_done(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    answer = decide(decider, approval, "approve", note="fine")

    assert said(answer) == "Approved and done."
    assert buckets(card)["available"] == 1500
    assert Approval.objects.get(pk=approval.pk).decision_note == "fine"


def test_rejected_nothing_moves(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    with unchanged(card):
        answer = decide(decider, approval, "reject")

    assert said(answer) == "Rejected. Nothing moves."
    assert Approval.objects.get(pk=approval.pk).status == State.REJECTED


def test_a_second_decision_is_told_what_became_of_it(decider: Client, signed_in: SignedIn) -> None:
    card = make_card(balance=1000)
    approval = ask(card)
    decide(signed_in(make_staff("decide_approval", "view_approval")), approval, "reject")

    with unchanged(card):
        answer = decide(decider, approval, "approve")

    assert "no longer waits" in said(answer)


def test_the_ledgers_refusal_after_the_decision_is_said_in_words(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card, change=-1000)
    make_adjustment(card, -1)

    with unchanged(card, declined="below_zero"):
        answer = decide(decider, approval, "approve")

    assert "more than is available" in said(answer)
    assert answer.context["failure"] == "The adjustment would take more than is available."


def test_the_person_who_asked_sees_no_buttons_and_cannot_decide(signed_in: SignedIn) -> None:
    person = make_staff("adjust_card", "decide_approval", "view_approval")
    client, card = signed_in(person), make_card(balance=1000)
    approval = ask(card, person=person)

    text = client.get(page_of(approval)).content.decode()
    with unchanged(card):
        answer = decide(client, approval, "approve")

    assert 'name="approve"' not in text
    assert "Another person has to decide" in said(answer)


def test_who_may_only_look_sees_no_buttons_and_is_refused(signed_in: SignedIn) -> None:
    client, card = signed_in(make_staff("view_approval")), make_card(balance=1000)
    approval = ask(card)

    text = client.get(page_of(approval)).content.decode()
    with unchanged(card):
        status = decide(client, approval, "approve").status_code

    assert 'name="approve"' not in text
    assert status == 403


def test_a_decision_is_never_made_by_a_link(decider: Client) -> None:
    card = make_card(balance=1000)
    approval = ask(card)

    with unchanged(card):
        answer = decider.get(reverse("admin:loyalty_approval_decide", args=[approval.pk]))

    assert answer.status_code == 405
