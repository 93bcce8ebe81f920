"""A store five days after its purchases, and its record of them."""

from collections.abc import Iterator

import pytest
import time_machine

from loyalty.models import GiftCard, Store
from tests.builders import make_program, make_store, make_wallet
from tests.loyalty.reconciliation.records import LATER, NOON, Records


@pytest.fixture(autouse=True)
def five_days_later() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def store(db: None) -> Store:
    return make_store()


@pytest.fixture
def card(store: Store) -> GiftCard:
    with time_machine.travel(NOON, tick=False):
        return make_wallet(make_program(store), balance=100_000)


@pytest.fixture
def records(store: Store) -> Records:
    return Records(store)
