"""Playing VTEX for the demo's stores: whose keys it takes, and where it refuses."""

import json
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command
from pytest_django import Settings

from giftcard_provider.management.commands import play_vtex
from giftcard_provider.models import VtexKeys
from loyalty.demo.shop import BRAZIL, CHILE
from loyalty.models import ReconciliationRun
from tests.builders import make_store

pytestmark = pytest.mark.django_db


class Stopped(Exception):
    """Instead of Ctrl-C."""


def play(output: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Start, ask each address for its orders, and stop; the statuses of the answers."""
    asked: list[int] = []

    def ask(_seconds: float) -> None:
        for account, url in json.loads(output.read_text()).items():
            keys = VtexKeys.objects.get(store__account=account)
            answer = requests.get(
                f"{url}/api/oms/pvt/orders",
                headers={
                    "X-VTEX-API-AppKey": keys.app_key,
                    "X-VTEX-API-AppToken": keys.app_token,
                },
                timeout=5,
            )
            asked.append(answer.status_code)
        raise Stopped

    monkeypatch.setattr(play_vtex, "sleep", ask)
    with pytest.raises(Stopped):
        call_command("play_vtex", output=output)
    return asked


@pytest.fixture(autouse=True)
def development(settings: Settings) -> None:
    settings.DEVELOPMENT = True


def test_each_store_is_played_with_keys_of_its_own_and_compared_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plan in (BRAZIL, CHILE):
        make_store(account=plan.account)

    answers = play(tmp_path / "vtex.json", monkeypatch)
    again = play(tmp_path / "vtex.json", monkeypatch)

    assert (answers, again) == ([200, 200], [200, 200])
    assert len({keys.app_token for keys in VtexKeys.objects.all()}) == 2
    assert ReconciliationRun.objects.count() == 2


def test_keys_that_lead_elsewhere_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = VtexKeys(store=make_store(account=BRAZIL.account), app_key="vtexappkey-real-A")
    keys.seal("real")
    keys.save()

    assert play(tmp_path / "vtex.json", monkeypatch) == []

    keys.refresh_from_db()
    assert (keys.app_key, keys.app_token, keys.orders_url) == ("vtexappkey-real-A", "real", "")
    assert not ReconciliationRun.objects.exists()


def test_only_where_something_is_developed(tmp_path: Path, settings: Settings) -> None:
    settings.DEVELOPMENT = False
    make_store(account=BRAZIL.account)

    with pytest.raises(CommandError, match="DEVELOPMENT"):
        call_command("play_vtex", output=tmp_path / "vtex.json")

    assert not VtexKeys.objects.exists()
    assert not (tmp_path / "vtex.json").exists()
