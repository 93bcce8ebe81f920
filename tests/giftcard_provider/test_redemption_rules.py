"""A program's rule about orders: search, read and debit say the same of one cart."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError as RedisAway

from loyalty.models import GiftCard, Program
from tests.builders import buckets, make_customer, make_program, make_wallet, unchanged
from tests.giftcard_provider.conftest import Answer, Protocol
from tests.giftcard_provider.payloads import DEBIT, changed, debit, search

CLIENT = {"id": None, "email": "ana@example.com", "document": "52998224725"}
# 200 of goods, 20 off, 2 of shipping: 182.
CART = {"itemsTotal": 200, "discounts": -20, "shipping": 2, "taxes": 0, "grandTotal": 0}


def make_ruled(program: Program, **rule: Any) -> GiftCard:
    """A wallet of 500.00 of a program with this rule."""
    for name, value in rule.items():
        setattr(program, f"redemption_{name}", value)
    program.full_clean()
    program.save()
    owner = make_customer(program.store, email="ana@example.com", document="52998224725")
    return make_wallet(program, balance=500_00, owner=owner)


def found(protocol: Protocol, **cart: Any) -> list[Decimal]:
    """The balances that a search shows."""
    answer = protocol.post("giftcards/_search", search(client=CLIENT, **CART | cart))
    return [each["balance"] for each in answer.data]


def read(protocol: Protocol, card: GiftCard) -> Decimal:
    """The balance that a read shows."""
    balance = protocol.get(f"giftcards/{card.public_id}").data["balance"]
    assert isinstance(balance, Decimal)
    return balance


def buy(protocol: Protocol, card: GiftCard, value: str, **cart: Any) -> Answer:
    """A purchase of a cart."""
    order = changed(DEBIT["orderInfo"], cart=CART | cart, clientProfile=CLIENT)
    body = debit(value, f"payment-{value}", orderInfo=order)
    return protocol.post(f"giftcards/{card.public_id}/transactions", body)


@pytest.fixture(autouse=True)
def no_carts() -> None:
    cache.clear()


@pytest.mark.parametrize(
    ("rule", "allowed", "too_much"),
    [
        ({"percent": Decimal(50)}, "91.00", "91.01"),
        ({"percent": Decimal(50), "counts_shipping": False}, "90.00", "90.01"),
        ({"maximum": Decimal(25)}, "25.00", "25.01"),
        ({"minimum_cart": Decimal(182)}, "500.00", "500.01"),
    ],
    ids=["share", "share without shipping", "maximum", "large enough a cart"],
)
def test_search_read_and_debit_allow_the_same(
    protocol: Protocol, program: Program, rule: dict[str, Any], allowed: str, too_much: str
) -> None:
    card = make_ruled(program, **rule)
    code = "insufficient_balance" if allowed == "500.00" else "redemption_refused"

    assert found(protocol) == [Decimal(allowed)]
    assert read(protocol, card) == Decimal(allowed)
    with unchanged(card, declined=code):
        refused = buy(protocol, card, too_much)
    accepted = buy(protocol, card, allowed)

    assert refused.refusal == (422, code)
    assert accepted.status == 200
    assert buckets(card)["held"] == int(Decimal(allowed) * 100)


def test_a_cart_below_the_minimum_is_paid_without_the_credit(
    protocol: Protocol, program: Program
) -> None:
    card = make_ruled(program, minimum_cart=Decimal("182.01"))

    assert found(protocol) == []
    with unchanged(card, declined="redemption_refused"):
        assert buy(protocol, card, "1.00").refusal == (422, "redemption_refused")


def test_a_payment_below_the_smallest_is_refused_for_good(
    protocol: Protocol, program: Program
) -> None:
    card = make_ruled(program, minimum=Decimal(10))

    with unchanged(card, declined="redemption_refused"):
        first, again = buy(protocol, card, "9.99"), buy(protocol, card, "9.99")

    assert first.refusal == again.refusal == (422, "redemption_refused")


def test_a_card_without_a_search_shows_what_holds_for_any_cart(
    protocol: Protocol, program: Program
) -> None:
    card = make_ruled(program, percent=Decimal(1), maximum=Decimal(80))

    assert read(protocol, card) == Decimal("80.00")


def test_the_last_search_counts_for_a_read(protocol: Protocol, program: Program) -> None:
    card = make_ruled(program, percent=Decimal(50))

    found(protocol)
    found(protocol, itemsTotal=100)

    assert read(protocol, card) == Decimal("41.00")


def test_a_debit_without_a_cart_is_not_held_to_it(protocol: Protocol, program: Program) -> None:
    card = make_ruled(program, percent=Decimal(1))

    answer = protocol.post(
        f"giftcards/{card.public_id}/transactions", debit("50.00", orderInfo=None)
    )

    assert answer.status == 200


def test_without_the_cache_a_read_shows_what_holds_for_any_cart(
    protocol: Protocol, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_ruled(program, percent=Decimal(50))

    def away(*_: object, **__: object) -> None:
        raise RedisAway

    for name in ("get", "set_many"):
        monkeypatch.setattr(cache, name, away)

    assert found(protocol) == [Decimal("91.00")]
    assert read(protocol, card) == Decimal("500.00")


@pytest.mark.parametrize("total", [None, "x", True, 1e400, "NaN", [], {}], ids=repr)
def test_a_cart_that_cannot_be_read_is_not_known(
    protocol: Protocol, program: Program, total: object
) -> None:
    make_ruled(program, percent=Decimal(50))

    body = search(client=CLIENT, itemsTotal=total) if total != 1e400 else None
    answer = protocol.post(
        "giftcards/_search",
        body
        or b'{"client": {"document": "52998224725"}, "cart": {"itemsTotal": 1e400, "shipping": 0}}',
    )

    assert [each["balance"] for each in answer.data] == [Decimal("500.00")]


def test_points_are_held_to_a_share_of_money(protocol: Protocol, program: Program) -> None:
    points = make_program(
        program.store, name="Points", unit_name="pontos", finer_digits=2, point_units=25
    )
    owner = make_customer(program.store, email="ana@example.com", document="52998224725")
    points.redemption_percent = Decimal(50)
    points.save()
    make_wallet(points, balance=500_0000, owner=owner)

    assert found(protocol) == [Decimal("91.00")]


def test_no_rule_costs_no_look_into_the_cache(
    protocol: Protocol, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_wallet(
        program, balance=500_00, owner=make_customer(program.store, document="52998224725")
    )

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("get", "set_many"):
        monkeypatch.setattr(cache, name, never)

    assert found(protocol) == [Decimal("500.00")]
    assert read(protocol, card) == Decimal("500.00")


def test_a_rule_costs_no_statement_more(
    protocol: Protocol, program: Program, statements: Callable[..., list[str]]
) -> None:
    card = make_ruled(program, percent=Decimal(50))
    found(protocol)

    assert len(statements(lambda: protocol.get(f"giftcards/{card.public_id}"))) == 1
