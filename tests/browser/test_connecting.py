"""Connecting a store to VTEX and testing it, in a real browser."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from giftcard_provider.models import SelfTest
from giftcard_provider.vtex import client as clients
from loyalty import jobs
from loyalty.models import Store
from tests.browser.conftest import DeskOf
from tests.builders import make_card, make_program
from tests.giftcard_provider.self_check.provider import Provider
from tests.giftcard_provider.vtex.stand_in_hub import StandInHub, make_connected_store


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub() as hub:
        yield hub


@pytest.fixture
def store(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(clients.Client.__init__, "__kwdefaults__", {"pause": lambda _s: None})
    return make_connected_store(hub)


def work() -> None:
    while jobs.run_next(jobs.provided()):
        pass


@pytest.mark.parametrize(
    ("language", "is_dark", "width"), [("pt-BR", False, 1400), ("en", True, 390)]
)
def test_a_store_is_registered_from_its_page(
    desk: DeskOf,
    boss: User,
    store: Store,
    hub: StandInHub,
    language: str,
    is_dark: bool,
    width: int,
) -> None:
    at = desk(boss, language=language, is_dark=is_dark, width=width)

    at.open(f"/admin/loyalty/store/{store.pk}/change/")
    at.page.click(f"a[href$='/hubchange/store/{store.pk}/']")
    at.page.wait_for_url("**/hubchange/store/**")
    at.check()
    at.page.fill("input[name=service_url]", "https://credit.example.com/vtex")
    at.page.click("button[value=register]")
    at.page.wait_for_selector("[data-watches]")
    at.check()
    work()
    at.page.wait_for_selector("table.data >> text=ourcredit")
    at.check()

    assert hub.ids() == ["VtexGiftCard", "ourcredit"]


@pytest.mark.parametrize(
    ("language", "is_dark", "width"), [("pt-BR", False, 1400), ("en", True, 390)]
)
def test_a_self_test_is_started_from_the_page_of_the_store(
    desk: DeskOf, boss: User, store: Store, language: str, is_dark: bool, width: int
) -> None:
    card = make_card(make_program(store), balance=1000)
    at = desk(boss, language=language, is_dark=is_dark, width=width)

    at.open(f"/admin/loyalty/store/{store.pk}/change/")
    at.page.click(f"a[href$='/selftest/store/{store.pk}/']")
    at.page.wait_for_url("**/selftest/store/**")
    at.check()
    with Provider() as provider:
        at.page.fill("input[name=service_url]", provider.url)
        at.page.fill("input[name=card]", card.public_id)
        at.page.click("form.panel button.button-primary")
        at.page.wait_for_selector("[data-watches]")
        work()
    # It knows other credentials than ours: the card is not found, and nothing is bought.
    at.page.wait_for_selector("text=begin.card")
    at.check()
    at.open(f"/admin/giftcard_provider/selftest/store/{store.pk}/")
    at.check()

    assert SelfTest.objects.get().status == SelfTest.Status.FAILED
