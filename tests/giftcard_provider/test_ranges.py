"""REST-Range and REST-Content-Range: how VTEX pages, and what it may send instead."""

import pytest

from giftcard_provider.pagination import page
from loyalty.models import Customer, GiftCard, Program
from tests.builders import make_card, make_customer, make_hold
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import search

FIVE = ["a", "b", "c", "d", "e"]


@pytest.fixture
def owner(program: Program) -> Customer:
    return make_customer(program.store, email="ana@example.com")


@pytest.fixture
def cards(program: Program, owner: Customer) -> list[GiftCard]:
    """The owner's, in the order in which a search finds them."""
    return [make_card(program, balance=100, owner=owner) for _ in range(5)]


CLIENT = {"email": "ana@example.com"}


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        (None, 0, 5),
        ("resources=0-49", 0, 5),
        ("resources=0-1", 0, 2),
        ("resources=1-2", 1, 3),
        ("resources=4-4", 4, 5),
        ("resources=3-99", 3, 5),
        ("giftcard=0-2", 0, 3),
        ("0-2", 0, 3),
        ("resources 0-2", 0, 3),
        (" Resources = 0-2 ", 0, 3),
    ],
)
def test_a_search_answers_with_the_part_that_is_asked_for(
    protocol: Protocol, cards: list[GiftCard], asked: str | None, start: int, stop: int
) -> None:
    answer = protocol.post("giftcards/_search", search(None, CLIENT), rest_range=asked)

    assert [found["id"] for found in answer.data] == [card.public_id for card in cards[start:stop]]
    assert answer.headers["REST-Content-Range"] == f"resources {start}-{stop - 1}/5"


@pytest.mark.parametrize(
    "asked",
    [
        "", "resources", "resources=", "resources=-1", "resources=2-1", "resources=a-b", "0-",
        "-5--1", "resources=0-1,3-4", "resources=0.5-1", "resources=0-99999999999999999999",
        "bytes=0-1; DROP TABLE", "\x00", "x" * 10_000,
    ],
)  # fmt: skip
def test_a_malformed_range_is_ignored(
    protocol: Protocol, cards: list[GiftCard], asked: str
) -> None:
    answer = protocol.post("giftcards/_search", search(None, CLIENT), rest_range=asked)

    assert len(answer.data) == 5
    assert answer.headers["REST-Content-Range"] == "resources 0-4/5"


def test_a_range_behind_the_end_is_empty(protocol: Protocol, cards: list[GiftCard]) -> None:
    answer = protocol.post("giftcards/_search", search(None, CLIENT), rest_range="resources=5-9")

    assert answer.data == []
    assert answer.headers["REST-Content-Range"] == "resources 0-0/5"


def test_nothing_found_is_a_range_of_nothing(protocol: Protocol) -> None:
    answer = protocol.post("giftcards/_search", search("wrong"), rest_range="resources=0-49")

    assert (answer.status, answer.body) == (200, b"[]")
    assert answer.headers["REST-Content-Range"] == "resources 0-0/0"


def test_the_card_of_a_code_is_a_range_of_one(protocol: Protocol, cards: list[GiftCard]) -> None:
    answer = protocol.post("giftcards/_search", search(cards[0].code), rest_range="0-9")

    assert answer.headers["REST-Content-Range"] == "resources 0-0/1"


def test_transactions_are_paged_when_a_range_is_asked_for(
    protocol: Protocol, cards: list[GiftCard]
) -> None:
    holds = [make_hold(cards[0], 10) for _ in range(4)]

    answer = protocol.get(
        f"giftcards/{cards[0].public_id}/transactions", rest_range="resources=1-2"
    )

    assert [each["id"] for each in answer.data] == [holds[2].public_id, holds[1].public_id]
    assert answer.headers["REST-Content-Range"] == "resources 1-2/4"


def test_a_page_is_of_fifty_unless_more_are_asked_for() -> None:
    resources = list(range(70))

    assert page(resources, None) == (resources[:50], "resources 0-49/70")
    assert page(resources, "nonsense") == (resources[:50], "resources 0-49/70")
    assert page(resources, "resources=0-99") == (resources, "resources 0-69/70")


def test_pages_one_after_the_other_make_the_whole() -> None:
    pages = [page(FIVE, f"resources={start}-{start + 1}") for start in (0, 2, 4)]

    assert [each for part, _ in pages for each in part] == FIVE
    assert [header for _, header in pages] == [
        "resources 0-1/5",
        "resources 2-3/5",
        "resources 4-4/5",
    ]
