"""A store whose keys lead to the stand-in."""

from collections.abc import Iterator

import pytest

from giftcard_provider.models import VtexKeys
from giftcard_provider.vtex import client as clients
from loyalty.models import Store
from tests.builders import make_store
from tests.vtex import StandIn


def make_keys(store: Store, vtex: StandIn, **fields: object) -> VtexKeys:
    keys = VtexKeys(
        store=store, app_key=vtex.app_key, orders_url=vtex.url, payments_url=vtex.url, **fields
    )
    keys.seal(vtex.app_token)
    keys.save()
    return keys


@pytest.fixture
def vtex() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def store(db: None, vtex: StandIn) -> Store:
    store = make_store()
    make_keys(store, vtex)
    return store


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would have waited; it does not."""
    waited: list[float] = []
    monkeypatch.setattr(clients.Client.__init__, "__kwdefaults__", {"pause": waited.append})
    return waited
