"""Requests made up from the document, right ones and wrong ones, alone and one after another.

Whatever is sent: no error of ours, and no status, body or header that the document does not name.
The short form asks each operation a few times; LONG=1 asks many times, and follows links.
"""

import os
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.wsgi import application
from giftcard_provider.models import Credential
from giftcard_provider.openapi import document
from loyalty.ledger.invariants import violations
from loyalty.models import Customer, GiftCard, Program, Transaction
from tests.builders import make_card, make_customer, make_hold, make_wallet
from tests.giftcard_provider.conftest import Protocol

LONG = bool(os.environ.get("LONG"))
EXAMPLES = 150 if LONG else 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SLOWEST_CARD = 1.5  # seconds, after which VTEX gives up
OPERATIONS = [
    (method.upper(), path) for path, methods in document()["paths"].items() for method in methods
]


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=1_000_000_00)


@pytest.fixture
def hold(card: GiftCard) -> Transaction:
    return make_hold(card, 500_000_00)


@pytest.fixture
def headers(protocol: Protocol) -> dict[str, str]:
    credential: Credential = protocol.credential
    return {
        "X-PROVIDER-API-AppKey": credential.app_key,
        "X-PROVIDER-API-AppToken": protocol.token,
    }


@pytest.fixture(autouse=True)
def one_connection(db: None) -> Iterator[None]:
    """Requests through the real application, all within the transaction of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    with connection.cursor() as cursor:
        # Making up requests takes its time, while the transaction idles.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def schema(settings: Settings) -> Any:
    """The document as it is served."""
    settings.ALLOWED_HOSTS = ["localhost"]
    return schemathesis.openapi.from_wsgi("/docs/openapi.json", application)


class Asked:
    """What was asked: which operations were served, and how long reading a card took."""

    def __init__(self) -> None:
        self.served: set[str] = set()
        self.card_seconds: list[float] = []

    def check(self, case: Any, response: Response) -> None:
        case.validate_response(response, checks=CHECKS)
        operation = case.operation.definition.raw["operationId"]
        if response.status_code == 200:
            self.served.add(operation)
        if operation == "getCard":
            self.card_seconds.append(response.elapsed)

    def assert_cards_were_read_in_time(self) -> None:
        """Half of them: one may meet a machine that is busy with something else."""
        assert not self.card_seconds or median(self.card_seconds) < SLOWEST_CARD


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_sent_is_answered_as_the_document_says(
    method: str,
    path: str,
    mode: GenerationMode,
    card: GiftCard,
    hold: Transaction,
    headers: dict[str, str],
    schema: Any,
) -> None:
    operation, asked = schema[path][method], Asked()
    ours = st.sampled_from([card.public_id, "unknown"]), st.sampled_from([hold.public_id, "x"])

    @given(case=operation.as_strategy(generation_mode=mode), ids=st.tuples(*ours))
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, ids: tuple[str, str]) -> None:
        # Made-up ids find nothing: most calls are about a card and a purchase that there are.
        for name, value in zip(("card_id", "transaction_id"), ids, strict=True):
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = value
        asked.check(case, case.call(headers=headers))

    ask()

    asked.assert_cards_were_read_in_time()
    assert violations() == []


@pytest.mark.skipif(not LONG, reason="the long form follows links: make test-long")
def test_one_call_after_another_is_answered_as_the_document_says(
    program: Program, headers: dict[str, str], schema: Any
) -> None:
    owner = make_customer(program.store)
    make_wallet(program, balance=1_000_000_00, owner=owner)
    asked = Asked()

    class Checkout(schema.as_state_machine()):  # type: ignore[misc]  # made from the document
        def setup(self) -> None:
            self.calls = 0

        def before_call(self, case: Any) -> None:
            # What is made up finds nobody's card, and moves nothing: two of three calls make sense.
            self.calls += 1
            sensible = _sensible_bodies(owner, self.calls)
            operation = case.operation.definition.raw["operationId"]
            if case.meta.generation.mode == GenerationMode.POSITIVE and self.calls % 3:
                case.body = sensible.get(operation, case.body)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers}

        def validate_response(self, response: Response, case: Any, **_: Any) -> None:
            asked.check(case, response)

    Checkout.run(
        settings=hypothesis_settings(
            max_examples=60,
            stateful_step_count=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
    )

    asked.assert_cards_were_read_in_time()
    assert violations() == []
    # Links lead to the end: a card is found, debited, and what was held is spent and given back.
    assert asked.served >= {"searchCards", "getCard", "createTransaction", "settle", "cancel"}


def _sensible_bodies(owner: Customer, number: int) -> dict[str, dict[str, Any]]:
    """What a checkout would send, by operation; the same again for the same number."""
    return {
        "searchCards": {"client": {"email": owner.email}},
        "createTransaction": {
            "operation": "Debit",
            "value": number,
            "requestId": f"payment-{number}",
        },
        "settle": {"value": 0.5, "requestId": f"settle-{number}"},
        "cancel": {"value": 0.25, "requestId": f"cancel-{number}"},
    }
