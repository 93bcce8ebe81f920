"""Keeping the keys of a VTEX account."""

import io

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from giftcard_provider.models import VtexKeys
from loyalty import codes
from tests.builders import make_store

pytestmark = pytest.mark.django_db

NEW_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, token: str = "made up") -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    call_command("set_vtex_keys", *arguments, stdout=out)
    return out.getvalue()


def test_keeps_the_keys_and_shows_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(account="loja")

    said = run(monkeypatch, "--store", "loja", "--app-key", "vtexappkey-loja-A")
    run(monkeypatch, "--store", "loja", "--app-key", "vtexappkey-loja-B", token="other")

    keys = VtexKeys.objects.get(store=store)
    assert said == "The orders of loja are read with vtexappkey-loja-A.\n"
    assert (keys.app_key, keys.app_token) == ("vtexappkey-loja-B", "other")
    assert keys.addresses == (
        "https://loja.vtexcommercestable.com.br",
        "https://loja.vtexpayments.com.br",
    )
    assert (keys.digits, keys.payment_name) == (2, "Vale")


@pytest.mark.parametrize("url", ["http://vtex.example.com", "ftp://127.0.0.1", "https://", "vtex"])
def test_sends_the_keys_nowhere_in_clear(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    make_store(account="loja")

    with pytest.raises(CommandError, match="no https address"):
        run(monkeypatch, "--store", "loja", "--app-key", "A", "--orders-url", url)

    assert not VtexKeys.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "token", "problem"),
    [
        (["--store", "nobody", "--app-key", "A"], "x", "no store 'nobody'"),
        (["--store", "loja"], "x", "--app-key"),
        (["--store", "loja", "--app-key", "A"], "", "AppToken on standard input"),
    ],
)
def test_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], token: str, problem: str
) -> None:
    make_store(account="loja")

    with pytest.raises(CommandError, match=problem):
        run(monkeypatch, *arguments, token=token)

    assert not VtexKeys.objects.exists()


def test_brings_all_tokens_under_the_current_key(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    make_store(account="loja")
    run(monkeypatch, "--store", "loja", "--app-key", "A")
    settings.LOYALTY_CODE_KEYS = [NEW_KEY, *settings.LOYALTY_CODE_KEYS]

    said = run(monkeypatch, "--reseal")

    keys = VtexKeys.objects.get()
    assert said == "1 tokens are sealed with the current key.\n"
    assert codes.is_current(bytes(keys.token_sealed))
    settings.LOYALTY_CODE_KEYS = [NEW_KEY]
    assert keys.app_token == "made up"
    settings.LOYALTY_CODE_KEYS = [NEW_KEY[::-1].replace("=", "") + "="]
    with pytest.raises(CommandError, match="loja"):
        run(monkeypatch, "--reseal")
