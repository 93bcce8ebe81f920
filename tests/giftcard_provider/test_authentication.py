"""Credentials come before everything else: 401 and 403, both with an empty body."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from giftcard_provider.models import Credential
from loyalty.models import GiftCard, Program, Store
from tests.builders import make_card, make_hold, unchanged
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import debit, search
from tests.giftcard_provider.routes import Route, each_route

MISSING: dict[str, dict[str, str | None]] = {
    "no AppKey": {"x_provider_api_appkey": None},
    "no AppToken": {"x_provider_api_apptoken": None},
    "neither": {"x_provider_api_appkey": None, "x_provider_api_apptoken": None},
    "empty AppKey": {"x_provider_api_appkey": ""},
    "empty AppToken": {"x_provider_api_apptoken": ""},
    "VTEX's own headers": {
        "x_provider_api_appkey": None,
        "x_provider_api_apptoken": None,
        "x_vtex_api_appkey": "vtexappkey-store-ABCDEF",
        "x_vtex_api_apptoken": "0123456789",
    },
    "the header of other APIs": {
        "x_provider_api_appkey": None,
        "x_provider_api_apptoken": None,
        "authorization": "Basic YTpi",
    },
}
WRONG: dict[str, dict[str, str | None]] = {
    "unknown AppKey": {"x_provider_api_appkey": "nobody"},
    "wrong AppToken": {"x_provider_api_apptoken": "wrong"},
    "AppToken cut short": {"x_provider_api_apptoken": "cut"},
    "AppKey with a NUL": {"x_provider_api_appkey": "store\x00"},
    "AppKey with a lone surrogate": {"x_provider_api_appkey": "store\ud800"},
    "AppToken with a NUL": {"x_provider_api_apptoken": "\x00"},
    "AppToken with a lone surrogate": {"x_provider_api_apptoken": "\udfff"},
    "AppKey of 100 kB": {"x_provider_api_appkey": "k" * 100_000},
    "AppKey that is SQL": {"x_provider_api_appkey": "' OR 1=1 --"},
}
each_missing = pytest.mark.parametrize("headers", MISSING.values(), ids=MISSING)
each_wrong = pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
one_missing = pytest.mark.parametrize("name", ["x_provider_api_appkey", "x_provider_api_apptoken"])

# What would be answered otherwise, if the credentials were right.
UNANSWERABLE = {
    "broken JSON": ("POST", "giftcards/_search", b"{"),
    "no JSON": ("POST", "giftcards", b"\xff\xfe\x00"),
    "deep nesting": ("POST", "giftcards/_search", b"[" * 100_000),
    "body over the limit": ("POST", "giftcards/_search", b" " * (1024 * 1024 + 1)),
    "unknown card": ("GET", f"giftcards/{'0' * 32}", b""),
    "card id that cannot be": ("GET", "giftcards/%C3%A7", b""),
    "no such path": ("GET", "nothing/here", b""),
    "no such path, posted": ("POST", "giftcards/a/b/c/d", b"{}"),
    "path with a line break": ("GET", "giftcards/a%0Ab", b""),
    "path that ends with a line break": ("POST", "giftcards%0A", b"{}"),
    "path with a NUL": ("GET", "giftcards/%00", b""),
    "path that is not UTF-8": ("GET", "giftcards/%FF", b""),
    "the mount itself": ("GET", "/vtex", b""),
    "the mount and api": ("GET", "/vtex/api", b""),
    "PUT": ("PUT", "giftcards/_search", b"{}"),
    "DELETE": ("DELETE", "giftcards/x", b""),
    "PATCH": ("PATCH", "giftcards/x", b"{}"),
    "OPTIONS": ("OPTIONS", "giftcards", b""),
    "HEAD": ("HEAD", "giftcards/x", b""),
    "a method of nobody": ("BREW", "giftcards", b""),
    "GET of a POST": ("GET", "giftcards/_search", b""),
}
each_unanswerable = pytest.mark.parametrize("call", UNANSWERABLE.values(), ids=UNANSWERABLE)


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=10_000)


@one_missing
@each_route
def test_every_operation_answers_401_without_a_header(
    protocol: Protocol, card: GiftCard, route: Route, name: str
) -> None:
    hold = make_hold(card)

    with unchanged(card):
        answer = protocol.call(route.method, route.path(card, hold), route.body, **{name: None})

    assert (answer.status, answer.body) == (401, b"")


@one_missing
@each_route
def test_every_operation_answers_403_with_a_wrong_header(
    protocol: Protocol, card: GiftCard, route: Route, name: str
) -> None:
    hold = make_hold(card)

    with unchanged(card):
        answer = protocol.call(route.method, route.path(card, hold), route.body, **{name: "wrong"})

    assert (answer.status, answer.body) == (403, b"")


@each_missing
def test_answers_401_when_credentials_are_missing(
    protocol: Protocol, card: GiftCard, headers: dict[str, str | None]
) -> None:
    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", debit(1), **headers)

    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers["WWW-Authenticate"] == "X-PROVIDER-API-AppKey"


@each_wrong
def test_answers_403_when_credentials_are_wrong(
    protocol: Protocol, card: GiftCard, headers: dict[str, str | None]
) -> None:
    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", debit(1), **headers)

    assert (answer.status, answer.body) == (403, b"")


@each_unanswerable
def test_answers_401_before_anything_is_read(
    protocol: Protocol, call: tuple[str, str, bytes]
) -> None:
    answer = protocol.call(*call, x_provider_api_apptoken=None)

    assert (answer.status, answer.body) == (401, b"")


@each_unanswerable
def test_answers_403_before_anything_is_read(
    protocol: Protocol, call: tuple[str, str, bytes]
) -> None:
    answer = protocol.call(*call, x_provider_api_apptoken="wrong")

    assert (answer.status, answer.body) == (403, b"")


@pytest.mark.usefixtures("nothing_kept")
def test_a_missing_header_costs_no_statement(protocol: Protocol) -> None:
    with CaptureQueriesContext(connection) as captured:
        protocol.get("giftcards/x", x_provider_api_appkey=None)

    assert len(captured) == 0


@pytest.mark.usefixtures("sent_in_full", "nothing_kept")
def test_a_wrong_credential_costs_one_statement(protocol: Protocol) -> None:
    with CaptureQueriesContext(connection) as captured:
        protocol.get("giftcards/x", x_provider_api_apptoken="wrong")

    assert len(captured) == 1


def test_headers_are_found_whatever_their_case(protocol: Protocol, card: GiftCard) -> None:
    answer = protocol.get(
        f"giftcards/{card.public_id}",
        x_provider_api_appkey=None,
        x_provider_api_apptoken=None,
        **{
            "X-PROVIDER-API-APPKEY": protocol.credential.app_key,
            "X-Provider-Api-AppToken": protocol.token,
        },
    )

    assert answer.status == 200


def test_the_token_of_another_key_is_wrong(
    protocol: Protocol, other_protocol: Protocol, card: GiftCard
) -> None:
    path = f"giftcards/{card.public_id}"

    answer = protocol.get(path, x_provider_api_apptoken=other_protocol.token)

    assert (answer.status, answer.body) == (403, b"")


def test_a_hundred_failures_lock_nobody_out(protocol: Protocol, card: GiftCard) -> None:
    for _ in range(100):
        protocol.get(f"giftcards/{card.public_id}", x_provider_api_apptoken="wrong")

    answer = protocol.get(f"giftcards/{card.public_id}")

    assert answer.status == 200


@each_route
def test_the_right_credential_is_let_in(protocol: Protocol, card: GiftCard, route: Route) -> None:
    hold = make_hold(card)

    answer = protocol.call(route.method, route.path(card, hold), route.body)

    assert answer.status == 200


def test_both_tokens_are_live_while_one_replaces_the_other(
    protocol: Protocol, card: GiftCard
) -> None:
    new_token = protocol.credential.rotate()

    path = f"giftcards/{card.public_id}"
    answers = [protocol.get(path), protocol.get(path, x_provider_api_apptoken=new_token)]

    assert [answer.status for answer in answers] == [200, 200]


def test_a_retired_token_is_wrong_at_once(protocol: Protocol, card: GiftCard) -> None:
    new_token = protocol.credential.rotate()
    protocol.credential.retire_previous()

    path = f"giftcards/{card.public_id}"
    answers = [protocol.get(path), protocol.get(path, x_provider_api_apptoken=new_token)]

    assert [answer.status for answer in answers] == [403, 200]


def test_a_second_rotation_ends_the_first_token(protocol: Protocol, card: GiftCard) -> None:
    second, third = protocol.credential.rotate(), protocol.credential.rotate()

    path = f"giftcards/{card.public_id}"
    answers = [
        protocol.get(path, x_provider_api_apptoken=token)
        for token in (protocol.token, second, third)
    ]

    assert [answer.status for answer in answers] == [403, 200, 200]


def test_a_revoked_credential_is_wrong_with_both_tokens(protocol: Protocol, card: GiftCard) -> None:
    new_token = protocol.credential.rotate()
    protocol.credential.revoke()

    path = f"giftcards/{card.public_id}"
    answers = [protocol.get(path), protocol.get(path, x_provider_api_apptoken=new_token)]

    assert [answer.status for answer in answers] == [403, 403]


def test_two_credentials_of_a_store_serve_the_same_cards(
    store: Store, protocol: Protocol, card: GiftCard
) -> None:
    second = Protocol(*Credential.objects.issue(store))

    first_answer = protocol.post(f"giftcards/{card.public_id}/transactions", debit(1))
    second_answer = second.post(f"giftcards/{card.public_id}/transactions", debit(1))

    assert first_answer.data == second_answer.data


def test_an_empty_hash_fits_no_token(protocol: Protocol) -> None:
    Credential.objects.filter(pk=protocol.credential.pk).update(token_hash="")

    answers = [
        protocol.post("giftcards/_search", search(), x_provider_api_apptoken=token)
        for token in (protocol.token, " ", "0")
    ]

    assert [answer.status for answer in answers] == [403, 403, 403]


def test_the_database_has_no_token_in_clear(protocol: Protocol) -> None:
    row = Credential.objects.filter(pk=protocol.credential.pk).values().get()

    assert protocol.token not in str(row)
    assert len(row["token_hash"]) == 64


def test_the_actor_of_a_movement_is_the_credential(protocol: Protocol, card: GiftCard) -> None:
    protocol.post(f"giftcards/{card.public_id}/transactions", debit(1))

    actor = card.operations.values_list("actor", flat=True).get(kind="authorize")

    assert actor == f"vtex:{protocol.credential.app_key}"
