"""Who may see the metrics, and what is in them."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from loyalty.models import Job, JobKind
from tests.builders import make_card, make_hold
from tests.giftcard_provider.conftest import Protocol, make_protocol
from tests.giftcard_provider.payloads import debit

TOKEN = "a-token-for-prometheus"


@pytest.fixture(autouse=True)
def closed(settings: Settings) -> None:
    """As in production when nobody has set anything."""
    settings.METRICS_NETWORKS = []
    settings.METRICS_TOKEN = ""


def scraped(client: Client) -> dict[str, float]:
    """Every sample of a scrape, by its name with its labels."""
    response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    lines = response.content.decode().splitlines()
    found = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in found}


@pytest.mark.django_db
def test_by_default_nobody_sees_metrics(client: Client) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


@pytest.mark.django_db
def test_whoever_has_the_token_sees_them(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN

    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 404
    assert client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"), [("10.1.2.3", 200), ("10.2.2.3", 404), ("::1", 404), ("", 404)]
)
def test_a_network_that_is_allowed_sees_them(
    client: Client, settings: Settings, address: str, status: int
) -> None:
    settings.METRICS_NETWORKS = ["10.1.0.0/16"]

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


@pytest.mark.django_db(transaction=True)
def test_a_purchase_is_counted_with_its_money_its_replay_and_its_decline(
    client: Client, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN
    card = make_card(balance=50_00)
    protocol: Protocol = make_protocol(card.store)
    before = scraped(client)

    path = f"giftcards/{card.public_id}/transactions"
    protocol.post(path, debit(12.34, "FIRST"))
    protocol.post(path, debit(12.34, "FIRST"))
    protocol.post(path, debit(99, "SECOND"))

    after = scraped(client)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown('giftcard_money_moved_total{currency="BRL",verb="authorize"}') == pytest.approx(
        12.34
    )
    assert grown('giftcard_replays_total{verb="authorize"}') == 1
    assert grown('giftcard_declines_total{code="insufficient_balance",verb="authorize"}') == 1
    served = 'giftcard_request_seconds_count{endpoint="transactions",outcome="ok"}'
    assert grown(served) == 2
    declined = 'giftcard_request_seconds_count{endpoint="transactions",outcome="declined"}'
    assert grown(declined) == 1
    assert grown("giftcard_lock_seconds_count") == 2


@pytest.mark.django_db
def test_gauges_say_how_things_stand(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    Job.objects.create(kind=JobKind.ISSUE_BATCH)
    Job.objects.create(kind=JobKind.RECONCILE, status=Job.Status.FAILED)

    found = scraped(client)

    assert found['giftcard_jobs{kind="issue_batch",status="waiting"}'] == 1
    assert found['giftcard_jobs{kind="reconcile",status="failed"}'] == 1
    assert 0 <= found["giftcard_job_lag_seconds"] < 60
    assert found["giftcard_approvals_waiting"] == 0


@pytest.mark.django_db
def test_open_holds_are_told_by_store(client: Client, settings: Settings) -> None:
    from loyalty import reports

    settings.METRICS_TOKEN = TOKEN
    card = make_card(balance=100)
    make_hold(card, 10)
    reports.aggregate_due()

    found = scraped(client)

    assert found[f'giftcard_open_holds{{store="{card.store.account}"}}'] == 1
    assert found[f'giftcard_oldest_hold_seconds{{store="{card.store.account}"}}'] >= 0


@pytest.mark.django_db
def test_a_scrape_costs_few_statements_whatever_there_is(
    client: Client, settings: Settings, django_assert_max_num_queries: Any
) -> None:
    settings.METRICS_TOKEN = TOKEN

    with django_assert_max_num_queries(12):
        scraped(client)


@pytest.mark.django_db
def test_counters_are_told_without_a_database(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from loyalty import gauges

    def fail() -> None:
        raise OperationalError

    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(gauges, "_of_database", fail)

    found = scraped(client)

    assert "giftcard_lock_seconds_count" in found
    assert "giftcard_approvals_waiting" not in found


def test_no_label_has_a_value_that_callers_choose(
    client: Client, db: None, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN
    client.get(
        "/vtex/giftcards/K3M9-Q2RT-7WXY-4ZAB/anything", headers={"x-provider-api-appkey": "x"}
    )

    text = json.dumps(list(scraped(client)))

    assert "K3M9" not in text
    assert re.search(r'endpoint=\\"elsewhere\\",outcome=\\"no_entry\\"', text)
