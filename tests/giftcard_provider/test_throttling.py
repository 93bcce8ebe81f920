"""Different wrong codes are bounded per shopper and per cart; checkout sees an empty list only."""

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
from tests.builders import make_card, make_customer, make_program, new_id
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


def type_wrong(protocol: Protocol, code: str, client: Body | None = None, **cart: object) -> None:
    """Type a code that no card has."""
    answer = protocol.post("giftcards/_search", search(code, client, **cart))
    assert (answer.status, answer.data) == (200, [])


def guess(
    protocol: Protocol, client: Body | None = None, times: int = LIMIT, **cart: object
) -> None:
    """Type so many wrong codes, which nobody has typed before."""
    for _ in range(times):
        type_wrong(protocol, new_id("wrong"), client, **cart)


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


@pytest.mark.usefixtures("sent_in_full", "nothing_kept")
def test_over_the_limit_no_statement_is_spent_on_a_code(protocol: Protocol, card: GiftCard) -> None:
    guess(protocol, ANA)

    with CaptureQueriesContext(connection) as captured:
        is_found(protocol, card, ANA)

    assert len(captured) == 1


@pytest.mark.parametrize("who", [{"client": ANA}, {"id": "cart-1"}])
def test_the_same_wrong_code_counts_once_however_often_it_is_searched(
    protocol: Protocol, card: GiftCard, who: dict[str, Any]
) -> None:
    guess(protocol, times=LIMIT - 2, **who)

    for _ in range(2 * LIMIT):
        type_wrong(protocol, "STALE-CODE", **who)

    assert is_found(protocol, card, **who)
    guess(protocol, times=1, **who)
    assert not is_found(protocol, card, **who)


def test_the_same_wrong_code_counts_for_each_shopper(protocol: Protocol, card: GiftCard) -> None:
    for number in range(LIMIT):
        type_wrong(protocol, f"WRONG-{number}", ANA)
        type_wrong(protocol, f"WRONG-{number}", EVA)

    assert not is_found(protocol, card, ANA)
    assert not is_found(protocol, card, EVA)


def test_a_cart_counts_a_code_that_its_shopper_has_typed_elsewhere(
    protocol: Protocol, card: GiftCard
) -> None:
    for number in range(LIMIT):
        type_wrong(protocol, f"WRONG-{number}", ANA)
        type_wrong(protocol, f"WRONG-{number}", {"email": f"{number}@example.com"}, id="cart-1")

    assert not is_found(protocol, card, EVA, id="cart-1")


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


@pytest.mark.parametrize("client", [None, {}, {"email": "", "id": None, "document": ""}])
def test_those_who_say_nothing_are_not_counted(
    protocol: Protocol, card: GiftCard, client: Body | None
) -> None:
    guess(protocol, client, 2 * LIMIT)

    assert redis_client().keys("*") == []
    assert is_found(protocol, card, client)


def test_for_those_who_say_nothing_redis_is_not_asked(
    protocol: Protocol, card: GiftCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("giftcard_provider.throttling.cache", None)

    guess(protocol, None, 1)

    assert is_found(protocol, card, None)


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

    [bound] = [key for key in redis_client().keys("*") if redis_client().get(key) == b"2"]
    assert 890 < redis_client().ttl(bound) <= 900


def test_every_key_ends_with_its_window(protocol: Protocol) -> None:
    guess(protocol, ANA, 1, id="cart-1")

    lives = [redis_client().ttl(key) for key in redis_client().keys("*")]

    assert len(lives) == 4
    assert all(890 < life <= 900 for life in lives)


def test_redis_holds_neither_personal_data_nor_codes(protocol: Protocol) -> None:
    ana = {"email": "ana@example.com", "document": "52998224725"}
    type_wrong(protocol, "PQRX-7777", ana, id="cart-1")

    keys = redis_client().keys("*")

    # A bound for the shopper and one for the cart, and below each the code.
    assert len(keys) == 4
    assert all(b"wrong-codes:" in key for key in keys)
    secrets = (b"ana@", b"52998224725", b"cart-1", b"PQRX", b"7777")
    assert not any(secret in key for key in keys for secret in secrets)


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
