"""VTEX tells that an order changed: POST /hooks/orders/<account>."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from giftcard_provider.hooks import MOST_BYTES, TOKEN_HEADER
from giftcard_provider.models import OrderHook
from loyalty.models import ShopOrder, Store
from tests.builders import make_store

pytestmark = pytest.mark.django_db

NOTICE = {"Domain": "Fulfillment", "OrderId": "v1str-01", "State": "invoiced"}


@pytest.fixture
def store() -> Store:
    return make_store()


def post(store: Store, token: str, content: Any = NOTICE) -> int:
    body = content if isinstance(content, str) else json.dumps(content)
    client = Client(enforce_csrf_checks=True, headers={TOKEN_HEADER: token} if token else {})
    answer = client.post(
        f"/hooks/orders/{store.account}", data=body, content_type="application/json"
    )
    assert answer.content == b""
    return answer.status_code


def test_keeps_which_order_changed(store: Store) -> None:
    status = post(store, OrderHook.issue(store))

    row = ShopOrder.objects.get()
    assert (status, row.store, row.order_id, row.state) == (200, store, "v1str-01", "announced")
    assert row.read_after == row.announced_at
    assert OrderHook.objects.get().heard_at is not None


def test_answers_the_ping_with_which_vtex_tries_it(store: Store) -> None:
    assert post(store, OrderHook.issue(store), {"hookConfig": "ping"}) == 200
    assert not ShopOrder.objects.exists()


@pytest.mark.parametrize("token", ["", "wrong"])
def test_refuses_whoever_has_no_token(store: Store, token: str) -> None:
    OrderHook.issue(store)

    assert post(store, token) == 401
    assert not ShopOrder.objects.exists()


def test_refuses_the_token_of_another_store_and_an_old_one(store: Store) -> None:
    other = make_store()
    old, foreign = OrderHook.issue(store), OrderHook.issue(other)
    OrderHook.issue(store)

    assert [post(store, old), post(store, foreign)] == [401, 401]


def test_a_store_without_a_hook_is_like_a_wrong_token(store: Store) -> None:
    assert post(store, "x") == 401


@pytest.mark.parametrize(
    "content", ["", "[]", "{", "{}", '{"OrderId": 7}', json.dumps({"OrderId": "x" * 65})]
)
def test_refuses_what_is_no_notice(store: Store, content: str) -> None:
    assert post(store, OrderHook.issue(store), content) == 400
    assert not ShopOrder.objects.exists()


def test_refuses_too_much(store: Store) -> None:
    assert post(store, OrderHook.issue(store), '"' + "x" * MOST_BYTES + '"') == 413


def test_takes_nothing_but_a_post(store: Store) -> None:
    assert Client().get(f"/hooks/orders/{store.account}").status_code == 405


def test_the_command_prints_what_vtex_is_to_be_told(store: Store) -> None:
    out = StringIO()

    call_command(
        "create_order_hook", store=store.account, url="https://credit.example.com/", stdout=out
    )

    told = json.loads(out.getvalue())
    assert told["hook"]["url"] == f"https://credit.example.com/hooks/orders/{store.account}"
    assert post(store, told["hook"]["headers"][TOKEN_HEADER]) == 200


def test_the_command_refuses_what_cannot_work(store: Store) -> None:
    with pytest.raises(CommandError, match="There is no store"):
        call_command("create_order_hook", store="none", url="https://credit.example.com")
    with pytest.raises(CommandError, match="https addresses only"):
        call_command("create_order_hook", store=store.account, url="http://credit.example.com")
