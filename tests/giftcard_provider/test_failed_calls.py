"""The log of calls that got nothing: what has a row, what is in it, what it never touches."""

import datetime
import logging
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import time_machine
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from giftcard_provider import failed_calls
from giftcard_provider.middleware import ProtocolMiddleware
from giftcard_provider.models import FailedCall
from loyalty import privacy
from loyalty.models import GiftCard, Program, Store
from tests.builders import make_card, make_customer, make_hold
from tests.giftcard_provider.conftest import HEADERS, Protocol
from tests.giftcard_provider.payloads import debit, search
from tests.loyalty.staff import acting, make_staff

ANA = {"name": "Ana Souza", "email": "ana@example.com", "document": "52998224725"}
CLIENT = {"email": "ana@example.com", "document": "529.982.247-25"}


@pytest.fixture(autouse=True)
def fresh_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_calls, "_bound", failed_calls._Bound())


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=100)


def kept() -> FailedCall:
    return FailedCall.objects.get()


def test_a_call_that_was_served_has_no_row(protocol: Protocol, card: GiftCard) -> None:
    protocol.get(f"giftcards/{card.public_id}")
    protocol.post("giftcards/_search", search(card.code))
    protocol.post("giftcards/_search", search(None, CLIENT))
    protocol.post(f"giftcards/{card.public_id}/transactions", debit(1))

    assert not FailedCall.objects.exists()


def test_a_declined_debit_says_what_was_asked_and_why_not(
    protocol: Protocol, store: Store, card: GiftCard
) -> None:
    path = f"giftcards/{card.public_id}/transactions"
    body = debit(
        1.01, "PAYMENT", orderInfo={"orderId": "1402310500123-01"}, redemptionToken=card.token
    )

    protocol.post(f"/vtex//api/{path}/?ts=1", body)

    call = kept()
    assert (call.store, call.app_key) == (store, protocol.credential.app_key)
    assert (call.method, call.path, call.endpoint) == ("POST", path, "transactions")
    assert (call.outcome, call.status, call.code) == ("declined", 422, "insufficient_balance")
    assert (call.card, call.order_id, call.request_id) == (card, "1402310500123-01", "PAYMENT")
    assert call.operation_id == HEADERS["x-vtex-operation-id"]
    assert '"value": 1.01' in call.request_body
    assert call.answer.startswith('{"error": {"code": "insufficient_balance"')
    assert card.token not in call.request_body
    assert 0 <= call.milliseconds < 60_000


def test_a_code_without_a_match_is_kept_without_the_code(
    protocol: Protocol, store: Store, card: GiftCard
) -> None:
    ana = make_customer(store, **ANA)

    protocol.post("giftcards/_search", search("K3M9-Q2RT-7WXY-4ZAB", CLIENT))

    call = kept()
    assert (call.outcome, call.status, call.endpoint) == ("no_match", 200, "search")
    assert (call.customer, call.card, call.answer) == (ana, None, "[]")
    assert "K3M9" not in call.request_body
    assert "ana" not in call.request_body


def test_a_code_of_a_card_that_cannot_be_used_leads_to_the_card(
    protocol: Protocol, card: GiftCard
) -> None:
    make_hold(card, 100)

    protocol.post("giftcards/_search", search(card.code))

    assert (kept().outcome, kept().card) == ("no_match", card)


def test_the_owner_of_the_card_is_who_a_call_was_about(
    protocol: Protocol, program: Program
) -> None:
    owned = make_card(program, balance=1, owner=make_customer(program.store, **ANA))

    body = debit(5, orderInfo={"orderId": "v1-01"})
    protocol.post(f"giftcards/{owned.public_id}/transactions", body)

    assert kept().customer == owned.owner


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("giftcards/_search", b"{", ("malformed", 400, "malformed_json", "{")),
        ("giftcards", {"value": 1}, ("malformed", 400, "invalid_field", '{"value": 1}')),
        ("giftcards/K3M9-Q2RT-7WXY-4ZAB/x", {}, ("unknown", 404, "not_found", "")),
    ],
)
def test_what_cannot_be_served_is_kept(
    protocol: Protocol, path: str, body: object, expected: tuple[Any, ...]
) -> None:
    protocol.post(path, body)

    call = kept()
    assert (call.outcome, call.status, call.code, call.request_body) == expected
    assert "K3M9" not in call.path


def test_without_valid_credentials_nothing_that_was_sent_is_kept(
    protocol: Protocol, store: Store
) -> None:
    stranger = "somebody-elses-secret"
    protocol.post("giftcards/_search", search("CODE"), x_provider_api_apptoken="wrong")
    protocol.post("giftcards/_search", search("CODE"), x_provider_api_appkey=stranger)
    protocol.post("giftcards/_search", search("CODE"), x_provider_api_appkey=None)

    found = FailedCall.objects.order_by("pk").values_list(
        "outcome", "status", "store", "app_key", "request_body"
    )
    assert list(found) == [
        ("no_entry", 403, store.pk, protocol.credential.app_key, ""),
        ("no_entry", 403, None, "", ""),
        ("no_entry", 401, None, "", ""),
    ]


def test_our_own_failure_is_kept(
    protocol: Protocol, card: GiftCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("loyalty.lookup.card_by_id", fail)

    answer = protocol.get(f"giftcards/{card.public_id}")

    assert answer.refusal == (500, "error")
    assert (kept().outcome, kept().status, kept().code) == ("failed", 500, "error")


# --- Off the hot path -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_row_is_written_when_the_answer_has_left(rf: RequestFactory) -> None:
    answer = ProtocolMiddleware(Mock())(rf.get("/vtex/giftcards/unknown"))
    before = FailedCall.objects.exists()
    request_finished.disconnect(close_old_connections)
    answer.close()  # as the server does after the last byte
    request_finished.connect(close_old_connections)

    assert answer.status_code == 401
    assert not before
    assert kept().outcome == "no_entry"


def test_a_write_that_fails_breaks_no_answer_and_no_later_call(
    protocol: Protocol,
    card: GiftCard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: object) -> FailedCall:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        raise AssertionError

    monkeypatch.setattr(failed_calls, "_row", fail)
    with caplog.at_level(logging.CRITICAL):
        answer = protocol.get("giftcards/unknown")

    assert answer.refusal == (404, "unknown_card")
    assert protocol.get(f"giftcards/{card.public_id}").status == 200
    assert not FailedCall.objects.exists()


@pytest.mark.parametrize("credentials", [True, False])
def test_a_flood_leaves_no_more_rows_than_the_bound(
    protocol: Protocol, other_protocol: Protocol, settings: Settings, *, credentials: bool
) -> None:
    settings.FAILED_CALLS_PER_MINUTE = 3
    wrong = {} if credentials else {"x_provider_api_apptoken": "wrong"}
    began = timezone.now()

    for _ in range(5):
        protocol.get("giftcards/unknown", **wrong)
    other_protocol.get("giftcards/unknown")

    assert FailedCall.objects.filter(created_at__gte=began).count() == 4


def test_the_next_minute_has_rows_again(settings: Settings) -> None:
    settings.FAILED_CALLS_PER_MINUTE = 1
    now = [0.0]
    bound = failed_calls._Bound(clock=lambda: now[0])

    found = [bound.allows(1), bound.allows(1), bound.allows(2)]
    now[0] = 60.0

    assert [*found, bound.allows(1)] == [True, False, True, True]


def test_a_page_for_people_writes_no_row(client: Client, db: None) -> None:
    client.get("/admin/nothing-here/")

    assert not FailedCall.objects.exists()


# --- Personal data --------------------------------------------------------------------------------


@pytest.fixture
def call_of_ana(protocol: Protocol, store: Store) -> Callable[[], FailedCall]:
    make_customer(store, **ANA)
    protocol.post("giftcards/_search", search("WRONG", CLIENT))
    return kept


def test_a_copy_of_a_person_has_their_calls(call_of_ana: Callable[[], FailedCall]) -> None:
    ana = call_of_ana().customer
    assert ana is not None

    facts = privacy.export(ana, actor=acting(make_staff()))

    [line] = facts["failed_calls"]
    assert line["at"] == call_of_ana().created_at.isoformat()
    assert set(line) == {"at", "called", "result", "order"}


def test_nothing_leads_to_a_person_who_was_erased(call_of_ana: Callable[[], FailedCall]) -> None:
    ana = call_of_ana().customer
    assert ana is not None

    privacy.erase(ana, reason="asked", actor=acting(make_staff()))

    assert call_of_ana().customer is None


def test_old_calls_are_let_go_of(protocol: Protocol, settings: Settings) -> None:
    settings.RETENTION_FAILED_CALL_DAYS = 7
    now = timezone.now()
    for days in (8, 6):
        with time_machine.travel(now - datetime.timedelta(days=days), tick=False):
            protocol.get("giftcards/unknown")

    assert (privacy.purge_elsewhere(), privacy.purge_elsewhere()) == (1, 0)
    assert kept().created_at == now - datetime.timedelta(days=6)
