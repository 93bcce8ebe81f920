"""Whatever VTEX makes of our URL is served where it was meant, and never redirected."""

import pytest

from loyalty.models import GiftCard, Program
from tests.builders import make_card, make_hold
from tests.giftcard_provider.conftest import MOUNT, Protocol
from tests.giftcard_provider.payloads import debit, search
from tests.giftcard_provider.routes import Route, each_route

# What a service URL, the Hub and the years may put between the mount and the path.
PREFIXES = {
    "as documented": "/vtex/",
    "service URL that ends in a slash (known issue 669575)": "/vtex//",
    "many slashes": "///vtex////",
    "with api (documented 2021 to 2022)": "/vtex/api/",
    "with api and slashes": "/vtex//api//",
}
each_prefix = pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=10_000)


@each_prefix
@each_route
def test_every_operation_is_served_below_every_prefix(
    protocol: Protocol, card: GiftCard, route: Route, prefix: str
) -> None:
    path = prefix + route.path(card, make_hold(card))

    answer = protocol.call(route.method, path, route.body)

    assert answer.status == 200


@each_route
def test_a_slash_and_a_query_at_the_end_change_nothing(
    protocol: Protocol, card: GiftCard, route: Route
) -> None:
    path = route.path(card, make_hold(card))

    answer = protocol.call(route.method, f"{path}/?ts=639091131481342036", route.body)

    assert answer.status == 200


@pytest.mark.parametrize("suffix", ["/", "//", "?ts=639091131481342036", "?", "?a[]=%FF&b"])
def test_no_query_changes_the_answer(protocol: Protocol, card: GiftCard, suffix: str) -> None:
    path = f"giftcards/{card.public_id}"

    answer = protocol.get(path + suffix)

    assert answer.body == protocol.get(path).body


def test_slashes_inside_the_path_are_collapsed(protocol: Protocol, card: GiftCard) -> None:
    hold = make_hold(card)

    answer = protocol.get(
        f"giftcards//{card.public_id}///transactions//{hold.public_id}//settlements/"
    )

    assert answer.data == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "giftcard",
        "giftcards/_search/more",
        "giftcards/a/b",
        "giftcards/a/transactions/b/c",
        "giftcards/a/transactions/b/settlements/c",
        "giftcards/a.b",
        "giftcards/a%20b",
        "giftcards/%2e%2e/giftcards",
        "giftcards/" + "a" * 65,
        "api/api/giftcards/a",
        "Giftcards/a",
        "giftcards/caf%C3%A9",
        "giftcards/a%0A",
        "giftcards/a/transactions/b%0A/authorization",
        "giftcards/%00",
        "giftcards/%FF%FE",
    ],
)
def test_any_other_path_is_not_found(protocol: Protocol, path: str) -> None:
    answers = [protocol.get(path), protocol.post(path, {})]

    assert [answer.refusal for answer in answers] == [(404, "not_found")] * 2


@pytest.mark.parametrize("path", ["/vtex", "/vtex/", "//vtex", "/vtex/api", "/vtex/api/"])
def test_the_mount_itself_is_not_found(protocol: Protocol, path: str) -> None:
    answer = protocol.get(path)

    assert answer.refusal == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "giftcards"),
        ("PUT", "giftcards/a"),
        ("DELETE", "giftcards/a"),
        ("POST", "giftcards/a/transactions/b"),
        ("POST", "giftcards/a/transactions/b/authorization"),
        ("PATCH", "giftcards/a/transactions/b/settlements"),
        ("OPTIONS", "giftcards"),
        ("TRACE", "giftcards/a"),
    ],
)
def test_other_methods_are_not_allowed(protocol: Protocol, method: str, path: str) -> None:
    answer = protocol.call(method, path, b"{}")

    assert answer.refusal == (405, "method_not_allowed")


def test_links_are_relative_to_the_service_url(protocol: Protocol, card: GiftCard) -> None:
    """The Hub glues them to its own path; an absolute URL was tried by others and taken back."""
    found = protocol.post("/vtex/api//giftcards/_search", search(card.code))
    seen = protocol.get(f"/vtex//giftcards/{card.public_id}/")
    debited = protocol.post(f"giftcards/{card.public_id}/transactions/", debit(1))

    link = f"giftcards/{card.public_id}"
    assert found.data[0]["_self"] == {"href": link}
    assert seen.data["transaction"] == {"href": f"{link}/transactions"}
    assert debited.data["_self"] == {"href": f"{link}/transactions/{debited.data['id']}"}


def test_every_link_leads_somewhere(protocol: Protocol, card: GiftCard) -> None:
    reference = protocol.post(f"giftcards/{card.public_id}/transactions", debit(1))
    transaction = protocol.get(reference.data["_self"]["href"])

    links = [
        protocol.get(f"giftcards/{card.public_id}").data["transactions"]["href"],
        *(transaction.data[name]["href"] for name in ("authorization", "settlement")),
        transaction.data["cancellation"]["href"],
        transaction.data["_self"]["href"],
    ]

    assert [protocol.get(link).status for link in links] == [200] * 5


def test_the_same_ids_in_another_case_are_unknown(protocol: Protocol, card: GiftCard) -> None:
    shouted = card.public_id.upper()

    answer = protocol.get(f"giftcards/{shouted}")

    assert shouted != card.public_id
    assert answer.refusal == (404, "unknown_card")


def test_what_is_beside_the_mount_is_not_the_protocols(protocol: Protocol) -> None:
    """A path that only begins like the mount is left to the rest of the installation."""
    from django.test import Client

    response = Client().get(f"{MOUNT.rstrip('/')}x/giftcards")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
