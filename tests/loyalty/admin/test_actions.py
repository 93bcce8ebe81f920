"""The way from a form to what it does, in the pages of staff."""

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from loyalty.models import Approval, AuditEvent, GiftCard, Operation, Transaction
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_customer,
    make_hold,
    make_points_program,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
    unchanged,
)
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
WORDS = {"reason": "customer_service", "note": "the parcel was late"}


def address(row: Model, name: str) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_action", args=[row.pk, name])


def hidden(answer: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.content.decode())
    assert found, name
    return found[1]


def preview(client: Client, row: Model, name: str, typed: Mapping[str, Any]) -> Any:
    form = client.get(address(row, name))
    assert form.status_code == 200
    return client.post(address(row, name), {**typed, "token": hidden(form, "token")})


def confirm(client: Client, row: Model, name: str, typed: Mapping[str, Any], shown: Any) -> Any:
    extra = {"token": hidden(shown, "token"), "seen": hidden(shown, "seen"), "confirm": "1"}
    return client.post(address(row, name), {**typed, **extra}, follow=True)


def do(client: Client, row: Model, name: str, **typed: Any) -> Any:
    """Type it, look at the figures, confirm."""
    typed = WORDS | typed
    return confirm(client, row, name, typed, preview(client, row, name, typed))


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def errors(answer: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = dict(answer.context["form"].errors)
    return found


@pytest.fixture
def clerk(signed_in: SignedIn) -> Client:
    """Somebody who may do everything alone."""
    return signed_in(
        make_staff(
            *("issue_card", "credit_card", "adjust_card", "block_card", "extend_card"),
            *("close_card", "change_owner", "settle_transaction", "cancel_transaction"),
            *("reverse_operation", "view_giftcard", "view_transaction", "view_operation"),
            *("view_customer", "view_program", "view_approval"),
            per_action=100_000_00,
        )
    )


def test_the_form_moves_nothing_and_shows_before_and_after(clerk: Client) -> None:
    card = make_card(balance=1000)

    with unchanged(card):
        shown = preview(clerk, card, "adjust", {**WORDS, "direction": "up", "amount": "5.00"})

    changed = [(str(c.label), c.before, c.after) for c in shown.context["changes"]]
    assert changed == [("available", "R$10.00", "R$15.00")]


def test_confirmed_it_is_done(clerk: Client) -> None:
    card = make_card(balance=1000)

    answer = do(clerk, card, "adjust", direction="down", amount="2.50")

    assert said(answer) == ["Done."]
    assert buckets(card) == {"credited": 1000, "available": 750, "removed": 250}


def test_a_second_confirmation_does_nothing_more(clerk: Client) -> None:
    card = make_card(balance=1000)
    typed = {**WORDS, "direction": "up", "amount": "5.00"}
    shown = preview(clerk, card, "adjust", typed)

    confirm(clerk, card, "adjust", typed, shown)
    again = confirm(clerk, card, "adjust", typed, shown)

    assert said(again) == ["This was done already; nothing was done twice."]
    assert buckets(card)["available"] == 1500


def test_what_changed_since_is_shown_before_it_is_done(clerk: Client) -> None:
    card = make_card(balance=1000)
    typed = {**WORDS, "direction": "down", "amount": "5.00"}
    shown = preview(clerk, card, "adjust", typed)
    make_purchase(card, 300)

    with unchanged(card):
        answer = confirm(clerk, card, "adjust", typed, shown)

    assert "Something changed since you looked" in said(answer)[0]
    assert answer.context["changes"][0].before == "R$7.00"
    confirm(clerk, card, "adjust", typed, answer)
    assert buckets(card)["available"] == 200


def test_what_was_typed_can_be_changed(clerk: Client) -> None:
    card = make_card(balance=1000)
    typed = {**WORDS, "direction": "up", "amount": "5.00"}
    shown = preview(clerk, card, "adjust", typed)

    with unchanged(card):
        answer = clerk.post(
            address(card, "adjust"), {**typed, "token": hidden(shown, "token"), "edit": "1"}
        )

    assert answer.context["form"]["amount"].value() == "5.00"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"amount": "0.00"}, "amount"),
        ({"amount": "-5.00"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": "10,50"}, "amount"),
        ({"amount": ""}, "amount"),
        ({"amount": "10.01", "direction": "down"}, "amount"),
        ({"reason": ""}, "reason"),
        ({"reason": "because"}, "reason"),
        ({"note": ""}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"direction": "sideways"}, "direction"),
    ],
)
def test_what_is_wrong_is_said_next_to_its_field(
    clerk: Client, typed: dict[str, str], field: str
) -> None:
    card = make_card(balance=1000)
    good = {**WORDS, "direction": "up", "amount": "5.00"}

    with unchanged(card):
        answer = preview(clerk, card, "adjust", good | typed)

    assert list(errors(answer)) == [field]


@pytest.mark.parametrize(
    ("language", "typed", "units"),
    [("pt-br", "1.234,56", 123456), ("es", "1234,56", 123456), ("en", "1,234.56", 123456)],
)
def test_amounts_are_typed_as_the_language_writes_them(
    clerk: Client, language: str, typed: str, units: int
) -> None:
    card = make_card(balance=1000)
    headers = {"accept-language": language}
    form = clerk.get(address(card, "adjust"), headers=headers)
    typed_all = {**WORDS, "direction": "up", "amount": typed, "token": hidden(form, "token")}
    shown = clerk.post(address(card, "adjust"), typed_all, headers=headers)
    clerk.post(
        address(card, "adjust"),
        {**typed_all, "seen": hidden(shown, "seen"), "confirm": "1"},
        headers=headers,
    )

    assert buckets(card)["available"] == 1000 + units


def test_without_the_permission_there_is_neither_form_nor_effect(signed_in: SignedIn) -> None:
    card = make_card(balance=1000)
    other = signed_in(make_staff("view_giftcard", "credit_card", per_action=9999))

    with unchanged(card):
        answers = [
            other.get(address(card, "adjust")).status_code,
            other.post(
                address(card, "adjust"),
                {**WORDS, "direction": "up", "amount": "1.00", "token": "t", "confirm": "1"},
            ).status_code,
        ]

    assert answers == [403, 403]


def test_an_unknown_action_or_card_is_not_found(clerk: Client) -> None:
    card = make_card(balance=1000)

    assert clerk.get(address(card, "double")).status_code == 404
    card.pk += 1000
    assert clerk.get(address(card, "adjust")).status_code == 404


def test_above_the_limit_it_is_asked_for_and_shown(signed_in: SignedIn) -> None:
    card = make_card(balance=1000)
    person = make_staff("adjust_card", "view_giftcard", "view_approval", per_action=499)
    client = signed_in(person)
    typed = {**WORDS, "direction": "up", "amount": "5.00"}

    shown = preview(client, card, "adjust", typed)
    with unchanged(card):
        answer = confirm(client, card, "adjust", typed, shown)

    assert shown.context["needs_another"] is True
    approval = Approval.objects.get()
    assert answer.redirect_chain[-1][0] == reverse(
        "admin:loyalty_approval_change", args=[approval.pk]
    )
    assert "It waits for another person" in said(answer)[0]


def test_ones_own_credit_is_refused_in_words(signed_in: SignedIn) -> None:
    store = make_store()
    card = make_wallet(make_program(store), owner=make_customer(store, email="eu@loja.com.br"))
    person = make_staff("credit_card", "view_giftcard", per_action=9999, email="eu@loja.com.br")
    typed = {**WORDS, "amount": "5.00", "origin": "credit", "funding": "paid"}

    with unchanged(card):
        answer = preview(signed_in(person), card, "credit", typed)

    assert "nobody may give credit to themselves" in errors(answer)["__all__"][0]


def test_credit_is_given_with_its_own_day_and_order(clerk: Client) -> None:
    card = make_wallet(balance=1000)

    do(
        clerk,
        card,
        "credit",
        amount="7.50",
        origin="return",
        funding="promotional",
        order_id="1402310500123-01",
        last_day="2099-12-31",
    )

    grant = card.grants.get(origin="return")
    assert (grant.amount, grant.funding) == (750, "promotional")
    assert grant.expires_at is not None
    assert str(grant.expires_at.astimezone(card.store.zone)) == "2099-12-31 23:59:59.999999-03:00"
    assert Transaction.objects.get(card=card).order_id == "1402310500123-01"


def test_a_card_is_blocked_unblocked_and_closed(clerk: Client) -> None:
    card = make_card(balance=1000)

    do(clerk, card, "block")
    assert fresh(card).status == GiftCard.Status.BLOCKED
    do(clerk, card, "unblock")
    assert fresh(card).status == GiftCard.Status.ACTIVE
    do(clerk, card, "close")
    assert fresh(card).status == GiftCard.Status.CLOSED
    assert buckets(card) == {"credited": 1000, "removed": 1000}


def test_closing_while_a_purchase_holds_money_is_refused(clerk: Client) -> None:
    card = make_card(balance=1000)
    make_hold(card, 100)

    with unchanged(card):
        answer = preview(clerk, card, "close", WORDS)

    assert "settle or cancel them first" in errors(answer)["__all__"][0]


def test_a_purchase_is_settled_in_part_and_refunded_by_hand(clerk: Client) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 800)

    do(clerk, debit, "settle", amount="5.00")
    do(clerk, fresh(debit), "cancel", amount="4.00")

    debit = fresh(debit)
    assert (debit.settled, debit.released, debit.refunded) == (500, 300, 100)
    steps = Operation.objects.filter(transaction=debit, kind__in=["settle", "cancel"])
    assert set(steps.values_list("kind", "applied", "reason", "note")) == {
        ("settle", 500, *WORDS.values()),
        ("cancel", 400, *WORDS.values()),
    }


def test_more_than_is_held_is_refused_next_to_the_amount(clerk: Client) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 800)

    with unchanged(card):
        answer = preview(clerk, debit, "settle", {**WORDS, "amount": "8.01"})

    assert list(errors(answer)) == ["amount"]


def test_an_adjustment_is_reversed_once(clerk: Client) -> None:
    card = make_card(balance=1000)
    operation = make_adjustment(card, 300)

    do(clerk, operation, "reverse")

    assert buckets(card)["available"] == 1000
    assert Operation.objects.get(kind="reverse").reverses == operation
    with unchanged(card):
        preview(clerk, operation, "reverse", WORDS)


def test_the_owner_is_found_by_document_and_changed(clerk: Client) -> None:
    store = make_store()
    card = make_card(make_program(store), balance=1000)
    customer = make_customer(store, document="12345678909")

    do(clerk, card, "owner", owner="123.456.789-09")

    assert fresh(card).owner == customer


def test_an_owner_of_another_store_is_not_found(clerk: Client) -> None:
    card = make_card(balance=1000)
    make_customer(document="12345678909")

    with unchanged(card):
        answer = preview(clerk, card, "owner", {**WORDS, "owner": "12345678909"})

    assert list(errors(answer)) == ["owner"]


def test_chosen_credit_is_extended(clerk: Client) -> None:
    card = make_card(make_program(validity_days=10), balance=1000)
    grant = card.grants.get()

    do(clerk, card, "extend", grants=[str(grant.pk)], last_day="2099-01-31")

    grant.refresh_from_db()
    assert grant.expires_at == card.store.last_instant(datetime.date(2099, 1, 31))
    assert fresh(card).expires_at == grant.expires_at


def test_a_customer_gets_a_new_card_with_what_it_is_for(clerk: Client) -> None:
    store = make_store()
    program, customer = make_program(store, kind="return_credit"), make_customer(store)

    do(
        clerk,
        customer,
        "give",
        destination=f"program-{program.pk}",
        amount="49.90",
        origin="return",
        order_id="1402310500123-01",
    )

    card = GiftCard.objects.get(owner=customer)
    assert (card.program, buckets(card)) == (program, {"credited": 4990, "available": 4990})
    assert card.grants.get().reference == "1402310500123-01"


def test_a_customer_gets_credit_on_the_points_they_have(clerk: Client) -> None:
    store = make_store()
    customer = make_customer(store)
    wallet = make_wallet(make_points_program(store), balance=1_0000, owner=customer)

    do(clerk, customer, "give", destination=f"card-{wallet.pk}", amount="2.00", origin="reward")

    assert buckets(wallet)["available"] == 3_0000


def test_a_new_card_is_issued_once_however_often_it_is_confirmed(clerk: Client) -> None:
    program = make_program()
    typed = {**WORDS, "amount": "20.00"}
    shown = preview(clerk, program, "issue", typed)

    first = confirm(clerk, program, "issue", typed, shown)
    confirm(clerk, program, "issue", typed, shown)

    card = GiftCard.objects.get()
    assert buckets(card) == {"credited": 2000, "available": 2000}
    assert first.redirect_chain[-1][0] == reverse("admin:loyalty_giftcard_change", args=[card.pk])
    assert AuditEvent.objects.filter(action="issue").count() == 1


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: make_card(balance=1), ["adjust", "owner", "block", "close"]),
        (make_wallet, ["credit", "adjust", "owner", "block", "close"]),
        (lambda: make_blocked_card(balance=1), ["adjust", "owner", "unblock", "close"]),
        (lambda: make_closed_card(balance=1), []),
    ],
    ids=["card", "wallet", "blocked", "closed"],
)
def test_only_what_makes_sense_is_offered(
    make: Callable[[], GiftCard], names: list[str], rf: Any, superuser: User
) -> None:
    from loyalty.admin.actions import buttons

    card = make()
    request = rf.get("/")
    request.user = superuser

    assert [button.url.split("/")[-2] for button in buttons(request, card)] == names
    request.user = make_staff("view_giftcard")
    assert buttons(request, card) == []
