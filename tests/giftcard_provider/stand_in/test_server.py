"""The stand-in answers as VTEX's specification has it, and misbehaves only on demand."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.vtex import Payment, Purchase, StandIn

NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)


@pytest.fixture
def vtex() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


def get(vtex: StandIn, path: str, **query: Any) -> requests.Response:
    keys = {"X-VTEX-API-AppKey": vtex.app_key, "X-VTEX-API-AppToken": vtex.app_token}
    return requests.get(vtex.url + path, params=query, headers=keys, timeout=5)


def test_lists_orders_of_a_window_page_by_page(vtex: StandIn) -> None:
    for minute in range(5):
        moment = NOON + datetime.timedelta(minutes=minute)
        vtex.scenario.add(Purchase(f"v{minute}str", moment, [Payment(100)], parts=minute // 4 + 1))
    window = "authorizedDate:[2026-11-10T12:01:00.000Z TO 2026-11-10T12:04:00.000Z]"

    first = get(vtex, "/api/oms/pvt/orders", f_authorizedDate=window, per_page=3).json()
    second = get(vtex, "/api/oms/pvt/orders", f_authorizedDate=window, per_page=3, page=2).json()

    assert [row["orderId"] for row in first["list"]] == ["v1str-01", "v2str-01", "v3str-01"]
    assert [row["orderId"] for row in second["list"]] == ["v4str-01", "v4str-02"]
    assert first["paging"] == {"total": 5, "pages": 2, "currentPage": 1, "perPage": 3}


@pytest.mark.parametrize("query", [{"per_page": 101}, {"page": 31}])
def test_keeps_the_limits_of_the_list(vtex: StandIn, query: dict[str, int]) -> None:
    assert get(vtex, "/api/oms/pvt/orders", **query).status_code == 400


def test_gives_what_was_paid_settled_and_given_back(vtex: StandIn) -> None:
    payment = Payment(399, tid="t1", card_id="c1", settled=399, refunded=100)
    purchase = Purchase("v1str", NOON, [payment], transaction_id="T1")
    vtex.scenario.add(purchase)

    order = get(vtex, "/api/oms/pvt/orders/v1str-01").json()
    transaction = get(vtex, "/api/pvt/transactions/T1").json()
    settled = get(vtex, transaction["settlements"]["href"]).json()
    refunded = get(vtex, transaction["refunds"]["href"]).json()
    canceled = get(vtex, transaction["cancellations"]["href"]).json()

    [paid] = order["paymentData"]["transactions"][0]["payments"]
    assert (paid["id"], paid["tid"], paid["value"]) == (payment.id, "t1", 399)
    assert (transaction["totalRefunds"], transaction["value"]) == (100, 399)
    assert [action["value"] for action in settled["actions"]] == [399]
    assert [action["value"] for action in refunded["actions"]] == [100]
    assert canceled == {"requests": [], "actions": []}
    assert get(vtex, "/api/oms/pvt/orders/order-group/v1str").json() == [order]
    assert get(vtex, f"/api/pvt/transactions/T1/payments/{payment.id}").json()["value"] == 399
    assert get(vtex, "/api/pvt/transactions/T1/payments").json()[0]["paymentSystem"] == 16
    assert vtex.total_calls == 8


def test_refuses_other_keys(vtex: StandIn) -> None:
    answer = requests.get(f"{vtex.url}/api/oms/pvt/orders", timeout=5)

    assert answer.status_code == 403
    assert dict(vtex.calls) == {"refused": 1}


def test_misbehaves_as_often_as_it_was_told(vtex: StandIn) -> None:
    vtex.trouble("orders", status=429, headers={"Retry-After": "7"})
    vtex.trouble("orders", body=b'{"list": [')
    vtex.trouble("orders", cut_after=0)

    first = get(vtex, "/api/oms/pvt/orders")
    second = get(vtex, "/api/oms/pvt/orders")
    with pytest.raises(requests.ConnectionError):
        get(vtex, "/api/oms/pvt/orders")
    fourth = get(vtex, "/api/oms/pvt/orders")

    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    with pytest.raises(json.JSONDecodeError):
        json.loads(second.content)
    assert fourth.json()["list"] == []
