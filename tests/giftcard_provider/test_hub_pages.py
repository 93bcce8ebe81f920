"""Connecting a store to VTEX from the back office: asked for there, done by a worker, kept."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from giftcard_provider.models import Credential, HubChange, VtexKeys
from giftcard_provider.vtex import client as clients
from loyalty import jobs
from loyalty.models import AuditEvent, Job, OpenHold, Store
from loyalty.sign_in.confirmation import CONFIRMED_AT
from tests.builders import make_card, make_hold, make_program
from tests.giftcard_provider.vtex.stand_in_hub import NATIVE, StandInHub, make_connected_store
from tests.loyalty.admin.conftest import confirm_password
from tests.loyalty.staff import make_staff

URL = "https://credit.example.com/vtex"


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub() as hub:
        yield hub


@pytest.fixture
def store(db: None, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(clients.Client.__init__, "__kwdefaults__", {"pause": lambda _s: None})
    return make_connected_store(hub)


@pytest.fixture
def person(db: None) -> User:
    return make_staff("view_store", "view_hubchange", "add_hubchange")


@pytest.fixture
def client(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    confirm_password(client)
    return client


@pytest.fixture
def ask(client: Client, store: Store) -> Callable[..., HubChange]:
    """Press a button, and let the worker do it."""

    def ask(kind: str, service_url: str = URL) -> HubChange:
        answer = client.post(page(store), {"kind": kind, "service_url": service_url})
        assert answer.status_code == 302, answer.context["form"].errors
        while jobs.run_next(jobs.provided()):
            pass
        return HubChange.objects.order_by("-pk")[0]

    return ask


def page(store: Store) -> str:
    return reverse("admin:hub_of_store", args=[store.pk])


def text_of(client: Client, change: HubChange) -> str:
    path = reverse("admin:giftcard_provider_hubchange_change", args=[change.pk])
    return client.get(path).content.decode()


def test_registers_and_shows_what_is_different(
    ask: Callable[..., HubChange], client: Client, hub: StandInHub, person: User
) -> None:
    change = ask("register")

    assert (change.status, change.requested_by) == (HubChange.Status.DONE, person)
    assert hub.entries["ourcredit"]["serviceUrl"] == URL
    assert Credential.objects.caller(*hub.secrets["ourcredit"]) is not None
    text = text_of(client, change)
    for shown in ("ourcredit", URL, "What the account had before", "VtexGiftCard", ">new<"):
        assert shown in text
    assert hub.secrets["ourcredit"][1] not in text
    assert "data-watches" not in text


def test_nothing_is_sent_before_the_worker_comes(
    client: Client, store: Store, hub: StandInHub
) -> None:
    client.post(page(store), {"kind": "register", "service_url": URL})

    change = HubChange.objects.get()
    assert not hub.calls
    assert change.status == HubChange.Status.WAITING
    assert "data-watches" in text_of(client, change)


def test_is_in_the_audit_trail(ask: Callable[..., HubChange], store: Store, person: User) -> None:
    change = ask("register")

    event = AuditEvent.objects.get()
    assert (event.action, event.user, event.store) == ("hub_changed", person, store)
    assert event.subject == f"giftcard_provider.hubchange:{change.pk}"
    assert event.after == {"kind": "register", "service_url": URL}


def test_looking_changes_nothing(ask: Callable[..., HubChange], hub: StandInHub) -> None:
    change = ask("look")

    assert change.status == HubChange.Status.DONE
    assert hub.ids() == ["VtexGiftCard"]
    assert not Credential.objects.exists()


def test_a_refusal_is_shown_with_its_reason(
    ask: Callable[..., HubChange], client: Client, hub: StandInHub
) -> None:
    hub.entries["ourcredit"] = NATIVE | {"id": "ourcredit"}

    change = ask("register")

    assert change.status == HubChange.Status.FAILED
    assert "was not registered from here" in text_of(client, change)
    assert hub.calls["PUT"] == 0


def test_an_address_that_vtex_cannot_use_is_refused_on_the_form(
    client: Client, store: Store, hub: StandInHub
) -> None:
    answer = client.post(page(store), {"kind": "register", "service_url": "http://x.example/vtex"})

    assert answer.status_code == 200
    assert "The service URL has to be an https address" in answer.content.decode()
    assert not HubChange.objects.exists()


def test_leaves_and_puts_back(ask: Callable[..., HubChange], hub: StandInHub) -> None:
    hub.has_issue = True
    ask("register")

    restored = ask("restore")

    assert restored.status == HubChange.Status.DONE
    assert hub.entries == {"vtexgiftcard": NATIVE}

    ask("register")
    left = ask("unregister")

    assert (left.status, hub.ids()) == (HubChange.Status.DONE, ["VtexGiftCard"])


def test_says_how_many_purchases_are_open(client: Client, store: Store) -> None:
    hold = make_hold(make_card(make_program(store), balance=1000), 100)
    OpenHold.objects.create(
        transaction=hold,
        store=store,
        currency="BRL",
        exponent=2,
        opened_at=hold.created_at,
        amount=100,
    )

    text = client.get(page(store)).content.decode()

    assert "1 purchase is open: until you register again" in text


def test_says_when_keys_are_missing(client: Client, store: Store) -> None:
    VtexKeys.objects.update(is_active=False)

    assert "There are no keys" in client.get(page(store)).content.decode()


def test_a_worker_that_died_in_between_does_not_lose_what_was_there(
    client: Client, store: Store, hub: StandInHub
) -> None:
    client.post(page(store), {"kind": "register", "service_url": URL})
    change = HubChange.objects.get()
    change.before, change.status = [NATIVE], HubChange.Status.SENT
    change.credential, _token = Credential.objects.issue(store)
    change.save()
    hub.entries["ourcredit"] = NATIVE | {"id": "ourcredit", "serviceUrl": URL}

    jobs.run_next(jobs.provided())

    change.refresh_from_db()
    assert (change.status, change.before) == (HubChange.Status.DONE, [NATIVE])
    assert Credential.objects.caller(*hub.secrets["ourcredit"]) is not None


def test_done_is_done(ask: Callable[..., HubChange], hub: StandInHub) -> None:
    change = ask("register")
    Job.objects.update(status=Job.Status.WAITING, leased_until=None)

    jobs.run_next(jobs.provided())

    change.refresh_from_db()
    assert (hub.calls["PUT"], change.status) == (1, HubChange.Status.DONE)


def test_the_store_leads_there_whoever_may(client: Client, store: Store) -> None:
    path = reverse("admin:loyalty_store_change", args=[store.pk])

    assert page(store) in client.get(path).content.decode()

    client.force_login(make_staff("view_store"))

    assert page(store) not in client.get(path).content.decode()


def test_needs_the_permission_and_the_password(
    client: Client, store: Store, hub: StandInHub
) -> None:
    session = client.session
    session[CONFIRMED_AT] = 0
    session.save()

    answer = client.post(page(store), {"kind": "register", "service_url": URL})

    assert answer.status_code == 302
    assert "/sign-in/password/" in answer["Location"]

    client.force_login(make_staff("view_store", "view_hubchange"))
    confirm_password(client)

    assert client.post(page(store), {"kind": "unregister"}).status_code == 403
    assert not HubChange.objects.exists()
    assert not hub.calls
