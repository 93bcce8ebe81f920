"""Stores and programs, made and changed in the back office; what money depends on stays."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import ledger
from loyalty.models import AuditEvent, Program, Store
from loyalty.sign_in.confirmation import CONFIRMED_AT
from tests.builders import ACTOR, buckets, make_program, make_store
from tests.loyalty.admin.conftest import confirm_password
from tests.loyalty.staff import make_staff

STORE = {
    "name": "Casa Aurora",
    "account": "casaaurora",
    "provider_id": "aurora-credit",
    "currency": "BRL",
    "time_zone": "America/Sao_Paulo",
    "language": "pt-br",
    "refund_grace_days": "30",
    "open_hold_alert_days": "30",
}
PROGRAM = {
    "kind": "gift_card",
    "name": "Gift cards",
    "funding": "paid",
    "validity_days": "365",
    "is_reusable": "on",
    "finer_digits": "0",
}
NEW_STORE, NEW_PROGRAM = (f"/admin/loyalty/{name}/add/" for name in ("store", "program"))


@pytest.fixture
def person(db: None) -> User:
    return make_staff(
        *("view_store", "add_store", "change_store"),
        *("view_program", "add_program", "change_program"),
    )


@pytest.fixture
def client(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    confirm_password(client)
    return client


def change_page(row: Store | Program) -> str:
    return reverse(f"admin:loyalty_{row._meta.model_name}_change", args=[row.pk])


def sent(client: Client, path: str, data: dict[str, Any]) -> str:
    """What is wrong with the form; nothing when it was taken."""
    answer = client.post(path, {**data, "_save": "1"})
    if answer.status_code == 302:
        return ""
    return str(answer.context["adminform"].form.errors.as_text())


def events() -> list[tuple[str, str, dict[str, Any]]]:
    rows = AuditEvent.objects.order_by("pk").values_list("action", "store__account", "after")
    return [(action, account or "", after) for action, account, after in rows]


@pytest.mark.parametrize("path", [NEW_STORE, NEW_PROGRAM])
def test_the_page_of_a_new_one_has_its_button(client: Client, path: str) -> None:
    assert 'name="_save"' in client.get(path).content.decode()


def test_a_store_and_its_program_are_made_and_give_a_card(client: Client) -> None:
    assert sent(client, NEW_STORE, STORE) == ""
    store = Store.objects.get()
    assert sent(client, NEW_PROGRAM, PROGRAM | {"store": str(store.pk)}) == ""

    card = ledger.issue(Program.objects.get(), amount=5000, actor=ACTOR)

    assert (store.account, store.provider_id, store.currency) == (
        "casaaurora",
        "aurora-credit",
        "BRL",
    )
    assert buckets(card) == {"credited": 5000, "available": 5000}
    assert [event[:2] for event in events()] == [("added", "casaaurora")] * 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"currency": "XXX"}, "This currency is not known."),
        ({"time_zone": "Sao Paulo"}, "This time zone is not known."),
        ({"account": "casa aurora"}, "Enter a valid"),
        ({"provider_id": "our credit/1"}, "Enter a valid"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, str], error: str, client: Client
) -> None:
    assert error in sent(client, NEW_STORE, STORE | changes)
    assert not Store.objects.exists()
    assert events() == []


def test_the_form_says_what_stays_and_asks_for_nothing_else(client: Client) -> None:
    store, program = (client.get(path).content.decode() for path in (NEW_STORE, NEW_PROGRAM))

    stays = "Cannot be changed later: VTEX account, provider id, currency, time zone."
    assert stays in store
    assert "Cannot be changed later: store, kind" in program
    assert "Created at" not in store + program


def test_an_account_has_one_store(client: Client) -> None:
    make_store(account="casaaurora")

    assert "already exists" in sent(client, NEW_STORE, STORE)
    assert Store.objects.count() == 1


def test_what_orders_and_money_depend_on_stays(client: Client) -> None:
    store = make_store(account="casaaurora", provider_id="aurora-credit")
    wanted = STORE | {
        "name": "Aurora",
        "refund_grace_days": "60",
        "account": "other",
        "provider_id": "other",
        "currency": "CLP",
        "time_zone": "UTC",
    }

    assert sent(client, change_page(store), wanted) == ""

    store.refresh_from_db()
    assert (store.name, store.refund_grace_days) == ("Aurora", 60)
    assert (store.account, store.provider_id) == ("casaaurora", "aurora-credit")
    assert (store.currency, store.time_zone) == ("BRL", "America/Sao_Paulo")
    ((action, _account, after),) = events()
    assert action == "changed"
    assert {"name", "refund_grace_days"} <= set(after["fields"])
    assert not {"currency", "account"} & set(after["fields"])


def test_a_program_s_defaults_change_and_what_cards_count_in_stays(client: Client) -> None:
    program = make_program(kind="loyalty", finer_digits=2, point_units=25, unit_name="point")
    wanted = PROGRAM | {"validity_days": "90", "finer_digits": "0", "point_units": "1"}

    assert sent(client, change_page(program), wanted | {"kind": "promotion"}) == ""

    program.refresh_from_db()
    assert (program.name, program.validity_days) == ("Gift cards", 90)
    assert (program.kind, program.finer_digits, program.point_units) == ("loyalty", 2, 25)


def test_nothing_changed_leaves_no_event(client: Client) -> None:
    store = make_store()
    form = client.get(change_page(store)).context["adminform"].form
    same = {name: form[name].value() for name in form.fields}

    assert sent(client, change_page(store), same) == ""
    assert events() == []


def test_nobody_deletes_a_store_or_a_program(client: Client) -> None:
    program = make_program()

    for row in (program, program.store):
        path = reverse(f"admin:loyalty_{row._meta.model_name}_delete", args=[row.pk])
        assert client.post(path, {"post": "yes"}).status_code == 403


def test_needs_the_permission_and_the_password(client: Client) -> None:
    session = client.session
    session[CONFIRMED_AT] = 0
    session.save()

    assert "/sign-in/password/" in client.post(NEW_STORE, STORE)["Location"]

    client.force_login(make_staff("view_store", "view_program"))
    confirm_password(client)

    assert client.post(NEW_STORE, STORE).status_code == 403
    assert client.post(NEW_PROGRAM, PROGRAM).status_code == 403
    assert not Store.objects.exists()
