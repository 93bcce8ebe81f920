"""What is refused, what is busy, what nobody foresaw: each with its status, and nothing moves."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from giftcard_provider.exceptions import STATUS_OF
from loyalty import lookup
from loyalty.exceptions import Decline, LedgerError
from loyalty.ledger.idempotency import DECLINES
from loyalty.models import GiftCard, Program
from tests.builders import make_card, make_hold, unchanged
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import CREATE_CARD, debit, search
from tests.giftcard_provider.routes import Route, each_money_post, each_route


def subclasses(error: type[LedgerError]) -> Iterator[type[LedgerError]]:
    for each in error.__subclasses__():
        yield each
        yield from subclasses(each)


# `Decline` itself is never raised.
DOMAIN_ERRORS = set(subclasses(LedgerError)) - {Decline}


def test_every_refusal_of_the_ledger_has_a_status() -> None:
    assert set(STATUS_OF) == DOMAIN_ERRORS


def test_every_final_refusal_is_a_422_and_no_other_is() -> None:
    refused = {error for error, status in STATUS_OF.items() if status == 422}

    assert refused == set(DECLINES.values()) - {Decline}


def test_every_code_is_the_code_of_one_refusal() -> None:
    codes = [error.code for error in DOMAIN_ERRORS]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", sorted(DOMAIN_ERRORS, key=str), ids=lambda error: error.code)
def test_a_refusal_is_answered_with_its_code_and_a_sentence(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, error: type[LedgerError]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(lookup, "card_by_id", refuse)

    answer = protocol.get("giftcards/x", accept_language="pt-BR")

    assert answer.status == STATUS_OF[error]
    assert answer.data == {"error": {"code": error.code, "message": error.message}}


def test_what_nobody_foresaw_is_logged_and_tells_nothing(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        msg = "password=secret"
        raise RuntimeError(msg)

    monkeypatch.setattr(lookup, "card_by_id", fail)

    with caplog.at_level(logging.ERROR):
        answer = protocol.get("giftcards/x")

    assert answer.refusal == (500, "error")
    assert b"secret" not in answer.body
    assert "Unforeseen error" in caplog.messages


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=10_000)


@pytest.fixture
def other_connection() -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the same database; both are closed at the end."""
    other = connection.copy()
    try:
        yield other
    finally:
        other.close()
        connection.close()


@contextmanager
def locked(card: GiftCard, by: BaseDatabaseWrapper) -> Iterator[None]:
    """Somebody else has the card, for longer than the patience of a request."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    by.set_autocommit(False)
    with by.cursor() as cursor:
        cursor.execute("SELECT 1 FROM loyalty_balance WHERE card_id = %s FOR UPDATE", [card.pk])
    yield
    by.rollback()


@pytest.mark.django_db(transaction=True)
@each_money_post
def test_a_card_locked_for_too_long_is_busy(
    protocol: Protocol, card: GiftCard, other_connection: BaseDatabaseWrapper, route: Route
) -> None:
    path = route.path(card, make_hold(card))

    with unchanged(card), locked(card, other_connection):
        busy = protocol.post(path, route.body)
    later = protocol.post(path, route.body)

    assert busy.refusal == (503, "busy")
    assert busy.headers["Retry-After"] == "1"
    assert later.status == 200


@pytest.mark.django_db(transaction=True)
def test_a_locked_card_can_still_be_read(
    protocol: Protocol, card: GiftCard, other_connection: BaseDatabaseWrapper
) -> None:
    with locked(card, other_connection):
        answers = [
            protocol.get(f"giftcards/{card.public_id}"),
            protocol.post("giftcards/_search", search(card.code)),
        ]

    assert [answer.status for answer in answers] == [200, 200]


@pytest.mark.django_db(transaction=True)
def test_a_repeated_request_does_not_wait_for_the_lock(
    protocol: Protocol, card: GiftCard, other_connection: BaseDatabaseWrapper
) -> None:
    path = f"giftcards/{card.public_id}/transactions"
    first = protocol.post(path, debit(10))

    with locked(card, other_connection):
        second = protocol.post(path, debit(10))

    assert (second.status, second.body) == (200, first.body)


def cut(by: BaseDatabaseWrapper) -> None:
    """End the connection from the server's side."""
    assert connection.connection is not None
    with by.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])


@contextmanager
def cut_before(statement: str, by: BaseDatabaseWrapper) -> Iterator[None]:
    """The connection ends just as this statement is sent."""

    def execute(
        proceed: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if statement in sql:
            cut(by)
        return proceed(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield


@pytest.mark.django_db(transaction=True)
@each_route
def test_without_the_database_every_operation_is_busy(
    protocol: Protocol, card: GiftCard, other_connection: BaseDatabaseWrapper, route: Route
) -> None:
    hold = make_hold(card)
    cut(other_connection)

    busy = protocol.call(route.method, route.path(card, hold), route.body)
    connection.close()
    later = protocol.call(route.method, route.path(card, hold), route.body)

    assert busy.refusal == (503, "busy")
    assert later.status == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sent_in_full")
@pytest.mark.parametrize("statement", ["FOR NO KEY UPDATE", "INSERT INTO loyalty_operation"])
@each_money_post
def test_a_connection_lost_halfway_leaves_nothing_behind(
    protocol: Protocol,
    card: GiftCard,
    other_connection: BaseDatabaseWrapper,
    route: Route,
    statement: str,
) -> None:
    path = route.path(card, make_hold(card))

    with unchanged(card):
        with cut_before(statement, other_connection):
            busy = protocol.post(path, route.body)
        connection.close()
    later = protocol.post(path, route.body)

    assert busy.refusal == (503, "busy")
    assert later.status == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sent_in_full")
def test_a_connection_lost_while_a_wallet_is_opened_leaves_no_card(
    protocol: Protocol, other_connection: BaseDatabaseWrapper
) -> None:
    with cut_before("INSERT INTO loyalty_operation", other_connection):
        busy = protocol.post("giftcards", CREATE_CARD)
    connection.close()

    assert busy.refusal == (503, "busy")
    assert GiftCard.objects.count() == 0
    assert protocol.post("giftcards", CREATE_CARD).status == 200


def test_a_refusal_tells_no_secret(protocol: Protocol, card: GiftCard) -> None:
    answer = protocol.post(
        f"giftcards/{card.public_id}/transactions", debit(1, redemptionToken="guess")
    )

    assert answer.refusal == (422, "wrong_token")
    assert card.token.encode() not in answer.body
    assert card.code.encode() not in answer.body
