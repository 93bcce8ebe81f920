"""Wrong codes are bounded per shopper and per cart; all that checkout sees is an empty list."""

import datetime
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from loyalty.models import GiftCard, Program
from tests.builders import make_card, make_customer, make_program
from tests.giftcard_provider.conftest import Protocol, make_protocol
from tests.giftcard_provider.payloads import Body, search

LIMIT = 10
ANA, EVA = {"email": "ana@example.com"}, {"email": "eva@example.com"}


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=100)


def redis_client() -> Any:
    """What the cache is made of."""
    return cast("Any", cache)._cache.get_client()


def guess(
    protocol: Protocol, client: Body | None = None, times: int = LIMIT, **cart: object
) -> None:
    """Type so many wrong codes."""
    for number in range(times):
        answer = protocol.post("giftcards/_search", search(f"WRONG-{number}", client, **cart))
        assert (answer.status, answer.data) == (200, [])


def is_found(
    protocol: Protocol, card: GiftCard, client: Body | None = None, **cart: object
) -> bool:
    """Whether the right code finds its card."""
    answer = protocol.post("giftcards/_search", search(card.code, client, **cart))
    assert answer.status == 200
    return [found["id"] for found in answer.data] == [card.public_id]


def test_the_right_code_is_found_just_below_the_limit(protocol: Protocol, card: GiftCard) -> None:
    guess(protocol, ANA, LIMIT - 1)

    assert is_found(protocol, card, ANA)


def test_the_right_code_is_not_found_over_the_limit(protocol: Protocol, card: GiftCard) -> None:
    guess(protocol, ANA)

    assert not is_found(protocol, card, ANA)


@pytest.mark.usefixtures("sent_in_full")
def test_over_the_limit_no_statement_is_spent_on_a_code(protocol: Protocol, card: GiftCard) -> None:
    guess(protocol, ANA)

    with CaptureQueriesContext(connection) as captured:
        is_found(protocol, card, ANA)

    assert len(captured) == 1


def test_right_codes_do_not_count(protocol: Protocol, card: GiftCard) -> None:
    for _ in range(2 * LIMIT):
        assert is_found(protocol, card, ANA, id="cart-1")


def test_searches_without_a_code_do_not_count(protocol: Protocol, card: GiftCard) -> None:
    for _ in range(2 * LIMIT):
        protocol.post("giftcards/_search", search(None, ANA))

    assert is_found(protocol, card, ANA)


def test_another_shopper_is_not_held_back(protocol: Protocol, card: GiftCard) -> None:
    guess(protocol, ANA)

    assert is_found(protocol, card, EVA)


def test_a_cart_is_held_back_whoever_it_says_it_is(protocol: Protocol, card: GiftCard) -> None:
    for number in range(LIMIT):
        guess(protocol, {"email": f"{number}@example.com"}, 1, id="cart-1")

    assert not is_found(protocol, card, EVA, id="cart-1")
    assert is_found(protocol, card, EVA, id="cart-2")


def test_a_shopper_is_held_back_in_every_cart(protocol: Protocol, card: GiftCard) -> None:
    for number in range(LIMIT):
        guess(protocol, ANA, 1, id=f"cart-{number}")

    assert not is_found(protocol, card, ANA, id="a new one")


def test_those_who_say_nothing_share_one_bound(protocol: Protocol, card: GiftCard) -> None:
    guess(protocol, None)

    assert not is_found(protocol, card, None)
    assert is_found(protocol, card, None, id="cart-1")
    assert is_found(protocol, card, ANA)


def test_another_store_is_not_held_back(
    protocol: Protocol, other_protocol: Protocol, program: Program
) -> None:
    guess(protocol, ANA)
    card = make_card(make_program(other_protocol.credential.store), balance=100)

    assert is_found(other_protocol, card, ANA)


def test_the_owner_still_finds_cards_without_a_code(protocol: Protocol, program: Program) -> None:
    owner = make_customer(program.store, **ANA)
    card = make_card(program, balance=100, owner=owner)
    guess(protocol, ANA)

    answer = protocol.post("giftcards/_search", search(None, ANA))

    assert [found["id"] for found in answer.data] == [card.public_id]


def test_the_bound_ends_a_window_after_the_first_wrong_code(
    protocol: Protocol, settings: Settings
) -> None:
    settings.GIFTCARD_PROVIDER_WRONG_CODES_WINDOW = datetime.timedelta(minutes=15)
    guess(protocol, ANA, 1)
    settings.GIFTCARD_PROVIDER_WRONG_CODES_WINDOW = datetime.timedelta(minutes=60)

    guess(protocol, ANA, 1)

    [key] = redis_client().keys("*")
    assert 890 < redis_client().ttl(key) <= 900


def test_redis_holds_no_personal_data(protocol: Protocol) -> None:
    guess(protocol, {"email": "ana@example.com", "document": "52998224725"}, 1, id="cart-1")

    keys = redis_client().keys("*")

    assert len(keys) == 2
    assert all(b"wrong-codes:" in key for key in keys)
    assert not any(word in key for key in keys for word in (b"ana", b"529", b"cart-1"))


@pytest.fixture
def redis_away(settings: Settings) -> Iterator[None]:
    """Nothing listens at the address of Redis."""
    with override_settings(
        CACHES={
            "default": {
                **settings.CACHES["default"],
                "LOCATION": "redis://127.0.0.1:9/0",
            }
        }
    ):
        yield


def test_without_redis_nobody_is_held_back(
    protocol: Protocol, card: GiftCard, redis_away: None
) -> None:
    guess(protocol, ANA, 2 * LIMIT)

    assert is_found(protocol, card, ANA)


def test_without_redis_a_search_is_still_quick(
    protocol: Protocol, card: GiftCard, redis_away: None
) -> None:
    start = time.monotonic()
    guess(protocol, ANA, 1)
    assert is_found(protocol, card, ANA)

    assert time.monotonic() - start < 1.5


def test_the_limit_is_a_setting(protocol: Protocol, card: GiftCard, settings: Settings) -> None:
    settings.GIFTCARD_PROVIDER_WRONG_CODES = 1
    guess(protocol, ANA, 1)

    assert not is_found(protocol, card, ANA)
    assert is_found(make_protocol(protocol.credential.store), card, EVA)
