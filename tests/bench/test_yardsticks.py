"""The yardsticks do what the protocol does: else the ratios would compare nothing."""

import json
from http import HTTPStatus

import pytest
from django.test import Client

from giftcard_provider.models import Credential
from loyalty.ledger.invariants import violations
from loyalty.models import Entry, GiftCard, Transaction
from tests.builders import buckets, make_card

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.bench.yardsticks.urls")]

DEBIT = {
    "operation": "Debit",
    "value": 2.5,
    "redemptionToken": "",
    "redemptionCode": "",
    "requestId": "PAYMENT",
    "orderInfo": {
        "orderId": "v1",
        "sequence": 1,
        "clientProfile": {
            "email": "ana@example.com",
            "firstName": "Ana",
            "lastName": "Souza",
            "document": "52998224725",
        },
    },
}


@pytest.fixture
def card() -> GiftCard:
    return make_card(balance=1000)


@pytest.fixture
def caller(card: GiftCard) -> Client:
    credential, token = Credential.objects.issue(card.store)
    return Client(
        headers={
            "X-PROVIDER-API-AppKey": credential.app_key,
            "X-PROVIDER-API-AppToken": token,
        }
    )


@pytest.mark.parametrize("yardstick", ["floor", "plain"])
def test_a_debit_writes_the_rows_of_the_ledgers_own(
    caller: Client, card: GiftCard, yardstick: str
) -> None:
    answer = caller.post(
        f"/{yardstick}/giftcards/{card.public_id}/transactions",
        json.dumps(DEBIT),
        content_type="application/json",
    )

    assert answer.status_code == HTTPStatus.OK
    debit = Transaction.objects.get(public_id=answer.json()["id"])
    assert (debit.amount, debit.request_id, debit.order_id) == (250, "PAYMENT", "v1")
    assert buckets(card) == {"credited": 1000, "available": 750, "held": 250}
    entry = Entry.objects.get(transaction=debit)
    assert (entry.source, entry.target, entry.amount) == ("available", "held", 250)
    assert list(violations()) == []


@pytest.mark.parametrize("yardstick", ["floor", "plain"])
def test_a_card_shows_its_balance(caller: Client, card: GiftCard, yardstick: str) -> None:
    answer = caller.get(f"/{yardstick}/giftcards/{card.public_id}")

    assert answer.json()["id"] == card.public_id
    assert answer.json()["balance"] == 10


def test_the_plain_version_knows_a_repeated_request(caller: Client, card: GiftCard) -> None:
    path = f"/plain/giftcards/{card.public_id}/transactions"

    first, again = (
        caller.post(path, json.dumps(DEBIT), content_type="application/json") for _ in range(2)
    )

    assert first.json() == again.json()
    assert buckets(card) == {"credited": 1000, "available": 750, "held": 250}
