"""One credential's calls are bounded far above VTEX's traffic, and never those without any."""

import pytest
from pytest_django import Settings

from giftcard_provider.throttling import CredentialRate
from loyalty.models import GiftCard, Operation, Program
from tests.builders import make_card
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import debit


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Clock:
    settings.CREDENTIAL_CALLS_PER_SECOND = 1
    stopped = Clock()
    monkeypatch.setattr(CredentialRate, "clock", stopped)
    monkeypatch.setattr(CredentialRate, "_calls", {})
    return stopped


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=100_00)


def test_over_the_limit_nothing_moves_and_the_same_request_can_be_repeated(
    protocol: Protocol, card: GiftCard, clock: Clock
) -> None:
    path = f"giftcards/{card.public_id}"
    served = [protocol.get(path).status for _ in range(10)]

    refused = protocol.post(f"{path}/transactions", debit(1))
    moved = Operation.objects.filter(kind="authorize").count()
    clock.now += 1
    repeated = protocol.post(f"{path}/transactions", debit(1))

    assert served == [200] * 10
    assert refused.refusal == (429, "throttled")
    assert refused.headers["Retry-After"] == "1"
    assert (moved, repeated.status) == (0, 200)


def test_a_pause_brings_back_no_more_than_ten_seconds_of_calls(
    protocol: Protocol, card: GiftCard, clock: Clock
) -> None:
    protocol.get(f"giftcards/{card.public_id}")
    clock.now += 3600

    statuses = [protocol.get(f"giftcards/{card.public_id}").status for _ in range(11)]

    assert statuses == [*[200] * 10, 429]


def test_another_store_is_not_touched(
    protocol: Protocol, other_protocol: Protocol, card: GiftCard
) -> None:
    for _ in range(11):
        last = protocol.get(f"giftcards/{card.public_id}").status

    assert last == 429
    assert other_protocol.get(f"giftcards/{card.public_id}").status == 404


def test_probes_with_wrong_credentials_get_their_403_for_ever(protocol: Protocol) -> None:
    statuses = {
        protocol.get("giftcards/x", x_provider_api_apptoken="wrong").status for _ in range(30)
    }

    assert statuses == {403}
