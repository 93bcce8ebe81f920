"""Failed calls in the back office: found by whatever somebody has in hand, read, linked."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from giftcard_provider.models import FailedCall
from loyalty.models import Customer, GiftCard, Store
from tests.builders import make_card, make_customer, make_hold, make_program, make_store
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db
LIST = reverse("admin:giftcard_provider_failedcall_changelist")


@pytest.fixture
def viewer(client: Client) -> User:
    person = make_staff(
        "view_failedcall", "view_giftcard", "view_customer", "view_transaction", "view_operation"
    )
    client.force_login(person)
    return person


@pytest.fixture
def store() -> Store:
    return make_store()


@pytest.fixture
def ana(store: Store) -> Customer:
    return make_customer(store, name="Ana", email="ana@example.com", document="52998224725")


@pytest.fixture
def card(store: Store, ana: Customer) -> GiftCard:
    return make_card(make_program(store), balance=100, owner=ana)


@pytest.fixture
def call(store: Store, ana: Customer, card: GiftCard) -> FailedCall:
    return make_call(store=store, card=card, customer=ana)


def make_call(**changes: Any) -> FailedCall:
    values: dict[str, Any] = {
        "created_at": "2026-03-01T12:00:00Z",
        "endpoint": "transactions",
        "method": "POST",
        "path": "giftcards/abc/transactions",
        "outcome": "declined",
        "status": 422,
        "code": "insufficient_balance",
        "request_body": '{"value": 1.10}',
        "answer": '{"error": {}}',
        "milliseconds": 12,
        "operation_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "request_id": "B56CBE231DEE4E1A859183C1030CE926",
        "order_id": "1402310500123-01",
    }
    return FailedCall.objects.create(**(values | changes))


def found(client: Client, **query: str | int) -> set[int]:
    page = client.get(LIST, query)
    assert page.status_code == 200
    return {row.pk for row in page.context["cl"].result_list}


@pytest.mark.parametrize(
    "typed",
    [
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "B56CBE231DEE4E1A859183C1030CE926",
        "1402310500123-01",
        "1402310500123",
        "giftcards/abc/transactions",
        "ana@example.com",
        "529.982.247-25",
    ],
)
def test_a_call_is_found_by_what_somebody_has_in_hand(
    client: Client, viewer: User, call: FailedCall, typed: str
) -> None:
    make_call(operation_id="", request_id="", order_id="2-01", path="giftcards")

    assert found(client, q=typed) == {call.pk}
    assert found(client, q=f"{typed}x") == set()


def test_a_call_is_found_by_its_card(
    client: Client, viewer: User, call: FailedCall, card: GiftCard
) -> None:
    make_call()

    assert found(client, q=card.public_id) == {call.pk}
    assert found(client, card__id__exact=card.pk) == {call.pk}


def test_the_list_narrows_by_store_status_result_and_what_was_called(
    client: Client, viewer: User, call: FailedCall
) -> None:
    other = make_call(status=404, outcome="unknown", endpoint="card")

    assert found(client, store__id__exact=call.store_id or 0) == {call.pk}
    assert found(client, answered="404") == {other.pk}
    assert found(client, outcome__exact="unknown") == {other.pk}
    assert found(client, endpoint__exact="transactions") == {call.pk}


def test_the_page_of_a_call_shows_its_bodies_readably(
    client: Client, viewer: User, call: FailedCall
) -> None:
    page = client.get(reverse("admin:giftcard_provider_failedcall_change", args=[call.pk]))

    assert b'<pre class="body" tabindex="0">{\n  &quot;value&quot;: 1.10\n}</pre>' in page.content


def test_a_call_without_a_store_has_a_page_too(client: Client, viewer: User) -> None:
    call = make_call(store=None, request_body="xx cut…", answer="", order_id="")

    page = client.get(reverse("admin:giftcard_provider_failedcall_change", args=[call.pk]))

    assert page.status_code == 200
    assert b"xx cut" in page.content


def test_card_order_and_customer_lead_to_their_calls(
    client: Client, viewer: User, call: FailedCall, card: GiftCard, ana: Customer
) -> None:
    make_hold(card, 10, order_id=call.order_id)
    address = reverse("admin:giftcard_provider_failedcall_change", args=[call.pk])

    for page in (
        reverse("admin:loyalty_giftcard_change", args=[card.pk]),
        reverse("admin:loyalty_customer_change", args=[ana.pk]),
        reverse("admin:loyalty_order", args=[call.order_id]),
    ):
        assert address in client.get(page).content.decode()


def test_who_may_not_see_calls_sees_none_on_other_pages(
    client: Client, call: FailedCall, card: GiftCard
) -> None:
    client.force_login(make_staff("view_giftcard"))

    page = client.get(reverse("admin:loyalty_giftcard_change", args=[card.pk]))

    assert page.status_code == 200
    assert b"failedcall" not in page.content
    assert client.get(LIST).status_code == 403


def test_the_list_takes_the_same_statements_for_any_number_of_calls(
    client: Client, viewer: User, store: Store, card: GiftCard
) -> None:
    make_call(store=store, card=card)
    statements(client)  # what is cached once
    few = statements(client)
    for _ in range(5):
        make_call(store=store, card=card)

    assert statements(client) == few


def statements(client: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        client.get(LIST)
    return len(captured)
