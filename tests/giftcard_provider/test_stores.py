"""A store never sees or touches what is another store's: it answers as if it were unknown."""

import pytest

from loyalty.models import GiftCard, Program, Transaction
from tests.builders import make_card, make_customer, make_hold, make_program, make_store, unchanged
from tests.giftcard_provider.conftest import Protocol, make_protocol
from tests.giftcard_provider.payloads import CREATE_CARD, debit, search
from tests.giftcard_provider.routes import Route, each_route_of_a_card


@pytest.fixture
def card(program: Program) -> GiftCard:
    owner = make_customer(program.store, email="ana@example.com", document="52998224725")
    return make_card(program, balance=10_000, owner=owner)


@pytest.fixture
def hold(card: GiftCard) -> Transaction:
    return make_hold(card, 2_500, request_id="payment-1")


@each_route_of_a_card
def test_the_card_of_another_store_is_unknown(
    other_protocol: Protocol, card: GiftCard, hold: Transaction, route: Route
) -> None:
    with unchanged(card):
        answer = other_protocol.call(route.method, route.path(card, hold), route.body)

    assert answer.refusal == (404, "unknown_card")


@each_route_of_a_card
def test_the_answer_is_the_same_as_for_a_card_that_is_nobodys(
    other_protocol: Protocol, card: GiftCard, hold: Transaction, route: Route
) -> None:
    of_a_store = other_protocol.call(route.method, route.path(card, hold), route.body)
    of_nobody = other_protocol.call(route.method, route.path("f" * 32, "f" * 32), route.body)

    assert (of_a_store.status, of_a_store.body) == (of_nobody.status, of_nobody.body)


def test_a_request_id_of_another_store_is_not_replayed(
    other_protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    with unchanged(card):
        answer = other_protocol.post(
            f"giftcards/{card.public_id}/transactions", debit(25, request_id=hold.request_id)
        )

    assert answer.refusal == (404, "unknown_card")


def test_a_code_of_another_store_finds_nothing(other_protocol: Protocol, card: GiftCard) -> None:
    answer = other_protocol.post("giftcards/_search", search(card.code))

    assert answer.data == []


@pytest.mark.parametrize("client", [{"email": "ana@example.com"}, {"document": "52998224725"}])
def test_an_owner_of_another_store_has_no_cards_here(
    protocol: Protocol, other_protocol: Protocol, card: GiftCard, client: dict[str, str]
) -> None:
    here = other_protocol.post("giftcards/_search", search(client=client))
    there = protocol.post("giftcards/_search", search(client=client))

    assert here.data == []
    assert [found["id"] for found in there.data] == [card.public_id]


def test_each_store_opens_its_own_wallet_for_a_profile(
    protocol: Protocol, other_protocol: Protocol
) -> None:
    body = CREATE_CARD | {"currencyCode": "BRL"}

    wallets = [each.post("giftcards", body).data["id"] for each in (protocol, other_protocol)]

    assert GiftCard.objects.count() == 2
    assert [GiftCard.objects.get(public_id=wallet).store_id for wallet in wallets] == [
        protocol.credential.store_id,
        other_protocol.credential.store_id,
    ]


def test_the_same_imported_code_is_a_card_of_each_store(
    protocol: Protocol, other_protocol: Protocol
) -> None:
    cards = [
        make_card(make_program(each.credential.store), balance=100, imported_code="VALE-2020")
        for each in (protocol, other_protocol)
    ]

    answers = [
        each.post("giftcards/_search", search("VALE-2020")) for each in (protocol, other_protocol)
    ]

    assert [[found["id"] for found in answer.data] for answer in answers] == [
        [card.public_id] for card in cards
    ]


def test_a_transaction_of_another_store_is_unknown_on_a_card_of_ours(
    protocol: Protocol, hold: Transaction
) -> None:
    other = make_store()
    its_own = make_card(make_program(other), balance=100)

    answer = make_protocol(other).get(
        f"giftcards/{its_own.public_id}/transactions/{hold.public_id}"
    )

    assert answer.refusal == (404, "unknown_transaction")


def test_each_answer_names_the_provider_id_of_its_store(db: None) -> None:
    store = make_store(provider_id="CreditoDaLoja")
    card = make_card(make_program(store), balance=100)
    protocol = make_protocol(store)

    found = protocol.post("giftcards/_search", search(card.code))
    seen = protocol.get(f"giftcards/{card.public_id}")

    assert (found.data[0]["provider"], seen.data["provider"]) == ("CreditoDaLoja", "CreditoDaLoja")
