"""A purchase from the debit to the last refund."""

import re
import secrets
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed
from giftcard_provider.self_check.checkout import (
    Checkout,
    Purchase,
    equals,
    filled,
    number,
    transaction_id,
)
from giftcard_provider.self_check.moments import just_now
from giftcard_provider.self_check.sources import GUIDE, PROTOCOL, issue
from giftcard_provider.self_check.wire import Answer

area = Area("purchase")

_DEBIT = "POST giftcards/{id}/transactions"
_SETTLE, _CANCEL = f"{_DEBIT}/{{tid}}/settlements", f"{_DEBIT}/{{tid}}/cancellations"


@area.check("id", _("A debit is answered with an id that is not empty."), issue(855864))
def identity(checkout: Checkout) -> None:
    """The Hub takes an empty one without a word, and the order hangs."""
    answer = checkout.post_debit(checkout.debit_body(checkout.step * 10)).accepted()
    found = transaction_id(answer)
    with checkout.undone(Purchase(checkout, found, checkout.step * 10)):
        if not re.fullmatch(r"[A-Za-z0-9_-]+", found):
            raise Failed("unsafe_id", call=answer.call, found=found)
        filled(answer, answer.object(), "cardId")
        filled(answer, answer.object(), "_self")


@area.check("holds", _("A debit lowers the balance at once, by exactly its value."), PROTOCOL)
def holds(checkout: Checkout) -> None:
    """Three times, in amounts that no binary float holds."""
    before = checkout.balance()
    one, two = checkout.step * 10, checkout.step * 19
    with checkout.debit(one):
        checkout.expect_balance(before - one, _DEBIT)
        with checkout.debit(two):
            checkout.expect_balance(before - one - two, _DEBIT)


@area.check("reads", _("A transaction is read back as it was made."), PROTOCOL)
def reads(checkout: Checkout) -> None:
    """By itself, its authorization, and in the card's list."""
    request_id, value = checkout.new_id(), checkout.step * 10
    with checkout.debit(value, request_id=request_id) as purchase:
        answer = purchase.get()
        row = answer.object()
        equals(answer, row, "operation", "Debit")
        equals(answer, row, "value", value)
        equals(answer, row, "requestId", request_id)
        for name in ("authorization", "settlement", "cancellation"):
            filled(answer, row, name)
        listed = checkout.wire.call("GET", f"giftcards/{checkout.card.id}/transactions")
        found = [each.get("id") for each in listed.rows()].count(purchase.id)
        if found != 1:
            raise Failed("count", call=listed.call, found=found, expected=1)


@area.check("authorization", _("The authorization is the whole value, also later."), PROTOCOL)
def authorization(checkout: Checkout) -> None:
    """The Hub compares its sums with it."""
    value = checkout.step * 10
    with checkout.debit(value) as purchase:
        purchase.cancel(checkout.step * 4).accepted()
        answer = purchase.get("authorization")
        row = answer.object()
        equals(answer, row, "value", value)
        filled(answer, row, "oid")


@area.check("empty_lists", _("A new debit has no settlements and no cancellations: []."), GUIDE)
def empty_lists(checkout: Checkout) -> None:
    """The Hub reads both before it posts."""
    with checkout.debit(checkout.step * 10) as purchase:
        for kind in ("settlements", "cancellations"):
            answer = purchase.get(kind)
            if rows := answer.rows():
                raise Failed("count", call=answer.call, found=len(rows), expected=0)


@area.check(
    "settles",
    _("Settlements in parts are listed one by one, and leave the balance as it is."),
    PROTOCOL,
)
def settles(checkout: Checkout) -> None:
    """The amount was taken by the debit."""
    with checkout.debit(checkout.step * 10) as purchase:
        with checkout.moves(0, _SETTLE):
            for steps in (3, 7):
                _taken(purchase.settle(checkout.step * steps), checkout.step * steps)
        _listed(purchase, "settlements", [checkout.step * 3, checkout.step * 7])


@area.check(
    "releases",
    _("Cancellations in parts give back exactly their values, and are listed one by one."),
    PROTOCOL,
)
def releases(checkout: Checkout) -> None:
    """Before anything is settled."""
    with checkout.debit(checkout.step * 10) as purchase:
        with checkout.moves(checkout.step * 7, _CANCEL):
            for steps in (3, 4):
                _taken(purchase.cancel(checkout.step * steps), checkout.step * steps)
        _listed(purchase, "cancellations", [checkout.step * 3, checkout.step * 4])


@area.check("refunds", _("What was settled is given back by a cancellation, too."), GUIDE)
def refunds(checkout: Checkout) -> None:
    """One endpoint is release and refund."""
    with checkout.debit(checkout.step * 10) as purchase:
        purchase.settle(checkout.step * 10).accepted()
        with checkout.moves(checkout.step * 6, _CANCEL):
            _taken(purchase.cancel(checkout.step * 6), checkout.step * 6)
        _listed(purchase, "settlements", [checkout.step * 10])


@area.check(
    "rest_settles", _("After a cancellation in part the rest can be settled."), issue(1201336)
)
def rest_settles(checkout: Checkout) -> None:
    """A refusal leaves the payment stuck."""
    with checkout.debit(checkout.step * 10) as purchase:
        purchase.cancel(checkout.step * 4).accepted()
        _taken(purchase.settle(checkout.step * 6), checkout.step * 6)


@area.check(
    "null_fields",
    _("A debit is taken with a code that is empty, masked or null, and without the order."),
    PROTOCOL,
)
def null_fields(checkout: Checkout) -> None:
    """All of it has been sent."""
    for changes in (
        {"redemptionCode": "***********ASDQ"},
        {"redemptionCode": None, "description": None},
        {"orderInfo": None},
    ):
        value = checkout.step * 2
        body = checkout.debit_body(value, **changes)
        note = ", ".join(f"{name} {given!r}" for name, given in changes.items())
        answer = checkout.post_debit(body, note=note)
        with checkout.undone(*checkout.settle_accounts([answer], value)):
            answer.accepted()


@area.check("too_much", _("A debit of more than the balance is refused, and moves nothing."), GUIDE)
def too_much(checkout: Checkout) -> None:
    """By the smallest step, and by far."""
    before = checkout.balance()
    for value in (before + checkout.step, before + 1_000_000):
        with checkout.moves(0, _DEBIT):
            answer = checkout.post_debit(checkout.debit_body(value), note="above the balance")
            _none(checkout, answer, value)


@area.check(
    "unknown", _("Unknown cards and transactions are refused, and no fault of the provider."), GUIDE
)
def unknown(checkout: Checkout) -> None:
    """Each operation that names one."""
    value = checkout.step * 2
    answer = checkout.post_debit(
        checkout.debit_body(value), card_id=secrets.token_hex(16), note="unknown card"
    )
    answer.refused()
    path = f"giftcards/{checkout.card.id}/transactions/{secrets.token_hex(16)}"
    note = "unknown transaction"
    for part in ("", "/authorization", "/settlements", "/cancellations"):
        checkout.wire.call("GET", f"{path}{part}", note=note).refused()
    with checkout.moves(0, _CANCEL):
        for part in ("/settlements", "/cancellations"):
            body = {"value": value, "requestId": checkout.new_id()}
            checkout.wire.call("POST", f"{path}{part}", body, note=note).refused()


@area.check(
    "times", _("Transactions, settlements and cancellations say when they were, in UTC."), GUIDE
)
def times(checkout: Checkout) -> None:
    """Just now."""
    with checkout.debit(checkout.step * 10) as purchase:
        answers = [
            purchase.get(),
            purchase.get("authorization"),
            purchase.settle(checkout.step * 5),
            purchase.cancel(checkout.step * 5),
        ]
        for answer in answers:
            just_now(answer, answer.object(), "date")


def _taken(answer: Answer, value: Decimal) -> None:
    """A settlement or cancellation of exactly this, with an id."""
    row = answer.object()
    equals(answer, row, "value", value)
    if not str(filled(answer, row, "oid")).strip():
        raise Failed("empty", call=answer.call, name="oid")


def _listed(purchase: Purchase, kind: str, expected: list[Decimal]) -> None:
    answer = purchase.get(kind)
    found = sorted(number(answer, row, "value") for row in answer.rows())
    if len(found) != len(expected):
        raise Failed("count", call=answer.call, found=len(found), expected=len(expected))
    purchase.expect_sum(kind, sum(expected, Decimal(0)))


def _none(checkout: Checkout, answer: Answer, value: Decimal) -> None:
    """A refusal; should it have been accepted, it is given back before that is said."""
    with checkout.undone(*checkout.settle_accounts([answer], value)):
        answer.refused()
