"""Registering with VTEX, against a stand-in for its Gift Card Hub."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import translation
from pytest_django import Settings

from giftcard_provider.models import Credential, HubChange, VtexKeys
from giftcard_provider.vtex import client as clients
from loyalty.models import Store
from tests.giftcard_provider.commands.conftest import Ran
from tests.giftcard_provider.vtex.stand_in_hub import NATIVE, StandInHub, make_connected_store

Run = Callable[..., Ran]

URL = "https://credit.example.com/vtex"
OURS = {
    "id": "ourcredit",
    "serviceUrl": URL,
    "oauthProvider": "vtex",
    "preAuthEnabled": True,
    "cancelEnabled": True,
}


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub() as hub:
        yield hub


@pytest.fixture
def store(db: None, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose keys lead to the stand-in; nobody waits between two attempts."""
    monkeypatch.setattr(clients.Client.__init__, "__kwdefaults__", {"pause": lambda _s: None})
    return make_connected_store(hub)


@pytest.fixture
def register(run: Run, store: Store) -> Run:
    def register(*words: str, service_url: str = URL) -> Ran:
        named = ["--service-url", service_url] if service_url else []
        return run("register_provider", "--store", store.account, *named, *words)

    return register


def told(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "_self"}


def is_untouched(hub: StandInHub) -> bool:
    return hub.calls["PUT"] == hub.calls["DELETE"] == 0 and hub.ids() == ["VtexGiftCard"]


def test_registers_with_a_credential_that_is_accepted(
    register: Run, hub: StandInHub, store: Store
) -> None:
    ran = register("--account", "mystore", "--provider-id", "ourcredit")

    assert (ran.code, ran.err) == (0, ""), ran.out
    assert hub.entries == {"vtexgiftcard": NATIVE, "ourcredit": OURS}
    caller = Credential.objects.caller(*hub.secrets["ourcredit"])
    assert caller is not None
    assert caller.store_id == store.pk
    assert '+ ourcredit {"cancelEnabled": true' in ran.out
    assert f"VTEX calls with {hub.secrets['ourcredit'][0]} from now on." in ran.out
    assert hub.secrets["ourcredit"][1] not in ran.out


def test_keeps_what_the_account_had_before(register: Run, hub: StandInHub) -> None:
    register()

    change = HubChange.objects.get()
    assert [told(each) for each in change.before or []] == [NATIVE]
    assert [told(each) for each in change.after or []] == [NATIVE, OURS]
    assert change.status == HubChange.Status.DONE
    assert change.credential == Credential.objects.get()


def test_a_dry_run_changes_nothing(register: Run, hub: StandInHub) -> None:
    ran = register("--dry-run")

    assert ran.code == 0
    assert "VtexGiftCard" in ran.out
    assert "Would be registered; nothing was sent:\n  ourcredit" in ran.out
    assert is_untouched(hub)
    assert not Credential.objects.exists()


@pytest.mark.parametrize("words", [[], ["--dry-run"]], ids=["register", "dry run"])
def test_refuses_to_overwrite_what_it_did_not_create(
    words: list[str], register: Run, hub: StandInHub
) -> None:
    foreign = OURS | {"serviceUrl": "https://other.example.com/cards"}
    hub.entries["ourcredit"] = dict(foreign)

    ran = register(*words)

    assert ran.code == 1
    assert "was not registered from here" in ran.err
    assert hub.entries["ourcredit"] == foreign
    assert hub.calls["PUT"] == 0
    assert not Credential.objects.exists()


def test_speaks_english_whatever_the_language_of_the_pages(
    register: Run, settings: Settings
) -> None:
    settings.LANGUAGE_CODE = "pt-br"

    with translation.override("pt-br"):
        ran = register(service_url="http://credit.example.com/vtex")

    assert ran.err.startswith("The service URL has to be an https address")


def test_refuses_what_somebody_changed_since(register: Run, hub: StandInHub) -> None:
    register()
    hub.entries["ourcredit"]["serviceUrl"] = "https://other.example.com/cards"

    again, removed = register(), register("--unregister", service_url="")

    assert (again.code, removed.code) == (1, 1)
    assert hub.entries["ourcredit"]["serviceUrl"] == "https://other.example.com/cards"
    assert (hub.calls["PUT"], hub.calls["DELETE"]) == (1, 0)


def test_registers_again_at_another_address_while_the_old_token_stays_good(
    register: Run, hub: StandInHub
) -> None:
    register()
    first = hub.secrets["ourcredit"]

    ran = register(service_url="https://new.example.com/vtex")

    assert ran.code == 0
    assert hub.entries["ourcredit"]["serviceUrl"] == "https://new.example.com/vtex"
    assert hub.secrets["ourcredit"] != first
    assert Credential.objects.caller(*first) is not None
    assert f"create_credential --revoke {first[0]}" in ran.out
    assert "~ ourcredit" in ran.out


@pytest.mark.parametrize(
    "service_url",
    [
        "http://credit.example.com/vtex",
        "https://credit.example.com",
        "https://credit.example.com/",
        "https://credit.example.com/vtex/",
        "https://credit.example.com//vtex",
        "https://credit.example.com/vtex?store=1",
        "https://credit.example.com/vtex#top",
        "https://me:secret@credit.example.com/vtex",
        "https://127.0.0.1/vtex",
        "https://192.168.1.4/vtex",
        "https://localhost/vtex",
        "https:///vtex",
        "credit.example.com/vtex",
        "https://credit.example.com/vt ex",
    ],
)
def test_refuses_an_address_that_vtex_cannot_use(
    service_url: str, register: Run, hub: StandInHub
) -> None:
    ran = register(service_url=service_url)

    assert ran.code == 1
    assert ran.err.startswith("The service URL has to be an https address")
    assert is_untouched(hub)
    assert not Credential.objects.exists()


def test_refuses_a_provider_id_that_does_not_fit_into_a_url(
    register: Run, hub: StandInHub, store: Store
) -> None:
    Store.objects.filter(pk=store.pk).update(provider_id="our credit/1")

    ran = register()

    assert (ran.code, is_untouched(hub)) == (1, True)
    assert "letters, digits, - and _" in ran.err


def test_a_put_that_fails_for_a_while_is_sent_again(register: Run, hub: StandInHub) -> None:
    hub.trouble("PUT", status=503, times=1)
    hub.trouble("PUT", status=500, times=1, is_late=True)

    ran = register()

    assert ran.code == 0
    assert hub.calls["PUT"] == 3
    assert Credential.objects.caller(*hub.secrets["ourcredit"]) is not None
    assert Credential.objects.count() == 1


def test_when_nobody_knows_whether_it_was_done_it_can_be_done_again(
    register: Run, hub: StandInHub
) -> None:
    hub.trouble("PUT", status=500, times=5, is_late=True)

    failed = register()

    assert failed.code == 1
    assert failed.err == "VTEX answered 500, 5 times. Try again later."
    assert Credential.objects.caller(*hub.secrets["ourcredit"]) is not None

    ran = register()

    assert ran.code == 0
    assert Credential.objects.caller(*hub.secrets["ourcredit"]) is not None
    first = HubChange.objects.order_by("pk")[0]
    assert [told(each) for each in first.before or []] == [NATIVE]


def test_says_when_the_account_is_not_as_it_was_asked_to_be(
    register: Run, hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "put", lambda _id, _body: (200, {}))

    ran = register()

    assert ran.code == 1
    assert "not what was sent" in ran.err


def test_a_native_entry_that_was_overwritten_is_put_back(register: Run, hub: StandInHub) -> None:
    hub.has_issue = True

    overwritten = register()

    assert overwritten.code == 1
    assert hub.entries["vtexgiftcard"]["serviceUrl"] == URL
    assert "~ VtexGiftCard" in overwritten.out

    restored = register("--restore", service_url="")
    registered = register()

    assert (restored.code, registered.code) == (0, 0)
    assert hub.entries == {"vtexgiftcard": NATIVE, "ourcredit": OURS}


def test_what_somebody_changed_since_is_not_put_back(register: Run, hub: StandInHub) -> None:
    hub.has_issue = True
    register()
    hub.entries["vtexgiftcard"]["serviceUrl"] = "http://api.vtex.com/other"

    ran = register("--restore", service_url="")

    assert (ran.code, hub.calls["PUT"]) == (0, 1)
    assert hub.entries["vtexgiftcard"]["serviceUrl"] == "http://api.vtex.com/other"


def test_nothing_is_put_back_where_nothing_was_registered(register: Run, hub: StandInHub) -> None:
    ran = register("--restore", service_url="")

    assert ran.code == 1
    assert "Nothing was saved" in ran.err
    assert is_untouched(hub)


def test_takes_itself_out_again(register: Run, hub: StandInHub) -> None:
    register()

    ran = register("--unregister", service_url="")

    assert ran.code == 0
    assert hub.ids() == ["VtexGiftCard"]
    assert "- ourcredit" in ran.out
    assert register("--unregister", service_url="").err.startswith("The account has no provider")
    assert hub.calls["DELETE"] == 1


def test_reads_every_page_of_the_list(register: Run, hub: StandInHub) -> None:
    for number in range(120):
        hub.entries[f"p{number}"] = NATIVE | {"id": f"p{number}"}

    register("--dry-run")

    assert len(HubChange.objects.get().before or []) == 121


@pytest.mark.parametrize(
    ("method", "resource"),
    [("GET", "View Gift Card providers"), ("PUT", "Edit Gift Card providers")],
)
def test_refused_keys_name_what_they_need(
    method: str, resource: str, register: Run, hub: StandInHub
) -> None:
    hub.trouble(method, status=403, times=9)

    ran = register()

    assert ran.code == 1
    assert resource in ran.err
    assert hub.calls["PUT"] <= 1


@pytest.mark.parametrize(
    ("words", "error", "code"),
    [
        (["--store", "nowhere"], "There is no store 'nowhere'.", 1),
        (["--store", "mystore"], "Name the service URL: --service-url.", 2),
        (
            ["--store", "mystore", "--account", "other", "--service-url", URL],
            "The store's account is 'mystore', not 'other'.",
            2,
        ),
        (
            ["--store", "mystore", "--provider-id", "other", "--service-url", URL],
            "The store's provider id is 'ourcredit', not 'other'.",
            2,
        ),
    ],
    ids=["no store", "no address", "another account", "another id"],
)
def test_says_in_one_line_what_is_wrong(
    words: list[str], error: str, code: int, run: Run, store: Store, hub: StandInHub
) -> None:
    ran = run("register_provider", *words)

    assert (ran.out, ran.err, ran.code) == ("", error, code)
    assert not hub.calls


def test_needs_the_keys_of_the_account(register: Run, store: Store, hub: StandInHub) -> None:
    VtexKeys.objects.update(is_active=False)

    ran = register()

    assert ran.code == 1
    assert ran.err.startswith("There are no keys for the store's VTEX account.")
    assert not hub.calls


def test_no_secret_is_logged_kept_or_printed(
    register: Run, hub: StandInHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub.trouble("PUT", status=500, times=2)

    ran = register()

    token = hub.secrets["ourcredit"][1]
    kept = str(list(HubChange.objects.values()))
    for secret in (token, hub.app_token):
        assert secret not in ran.out + ran.err + caplog.text + kept
