"""The work list: totals, filters, both sides, and what people decide about a difference."""

import datetime
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import reconciliation
from loyalty.models import AuditEvent, Discrepancy, GiftCard, Store
from tests.builders import buckets, make_program, make_store, make_wallet, unchanged
from tests.loyalty.admin.conftest import confirm_password
from tests.loyalty.reconciliation.records import (
    LATER,
    NOON,
    OPEN,
    WEEK,
    Records,
    make_debit,
    make_purchase,
    payment_of,
)
from tests.loyalty.staff import make_staff

DESK = ("view_discrepancy", "change_discrepancy", "view_transaction", "view_giftcard")


@pytest.fixture(autouse=True)
def five_days_later() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def store(db: None) -> Store:
    return make_store(name="Casa Aurora")


@pytest.fixture
def card(store: Store) -> GiftCard:
    with time_machine.travel(NOON, tick=False):
        return make_wallet(make_program(store), balance=100_000)


@pytest.fixture
def difference(store: Store, card: GiftCard) -> Discrepancy:
    """A refund that did not arrive; beside it a debit without an order and one not settled."""
    records = Records(store)
    records.add(make_purchase(payment_of(make_debit(card), returned=Decimal("3.00"))))
    make_debit(card, group="v2str", settled=0)
    stuck = make_debit(card, group="v3str", settled=0)
    waiting = payment_of(stuck, status=OPEN, settled=Decimal(0))
    records.add(make_purchase(waiting, group="v3str"))
    reconciliation.run(store, WEEK, records)
    return Discrepancy.objects.get(kind="refund")


def desk(*more: str, per_action: int = 100_000) -> tuple[User, Client]:
    """Somebody who works on the list."""
    user = make_staff(*DESK, *more, per_action=per_action)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    confirm_password(client)
    return user, client


def at(name: str, *arguments: object) -> str:
    return reverse(f"admin:loyalty_discrepancy_{name}", args=arguments)


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def listed(client: Client, **query: str) -> set[str]:
    answer = client.get(at("changelist"), query)
    return {row.kind for row in answer.context["cl"].result_list}


def trail(difference: Discrepancy) -> list[tuple[str, dict[str, Any], dict[str, Any], str]]:
    events = AuditEvent.objects.filter(subject=f"loyalty.discrepancy:{difference.pk}")
    return list(events.order_by("pk").values_list("action", "before", "after", "note"))


def test_the_list_begins_with_the_totals_by_kind_and_age(difference: Discrepancy) -> None:
    with time_machine.travel(LATER + datetime.timedelta(days=10), tick=False):
        _user, client = desk()
        answer = client.get(at("changelist"))

    rows = [[cell.text for cell in row.cells] for row in answer.context["totals"].rows]
    money = "R$"
    assert [[str(cell) for cell in row] for row in rows] == [
        ["purchase here without an order", "1", f"{money}10.00", "0", "0", "1", "0"],
        ["another amount given back", "1", f"{money}3.00", "0", "0", "1", "0"],
        ["another amount settled", "1", f"{money}10.00", "0", "0", "1", "0"],
    ]


def test_the_list_shows_what_is_open_and_filters_the_rest(difference: Discrepancy) -> None:
    user, client = desk()
    reconciliation.ignore(Discrepancy.objects.get(kind="settlement"), because="Known.")
    reconciliation.assign(difference, user)

    assert listed(client) == {"refund", "debit_without_order"}
    assert listed(client, state="ignored") == {"settlement"}
    assert listed(client, state="closed") == set()
    assert listed(client, state="all") == {"refund", "debit_without_order", "settlement"}
    assert listed(client, kind__exact="refund") == {"refund"}
    assert listed(client, assigned="me") == {"refund"}
    assert listed(client, assigned="nobody") == {"debit_without_order"}
    with time_machine.travel(LATER + datetime.timedelta(days=8), tick=False):
        client.force_login(user)
        assert listed(client, older="7") == {"refund", "debit_without_order"}
        assert listed(client, older="30") == set()


def test_the_page_shows_both_sides_and_what_is_proposed(difference: Discrepancy) -> None:
    _user, client = desk("cancel_transaction")

    text = text_of(client, at("change", difference.pk))

    sides = re.findall(
        r'<tr class="changed">\s*<th scope="row">(.*?)</th>\s*<td class="figure">(.*?)</td>\s*'
        r'<td class="figure">(.*?)</td>',
        text,
    )
    assert sides == [("Given back", "R$0.00", "R$3.00")]
    assert "Give back what is missing" in text
    assert "v1str" in text


@pytest.mark.parametrize(
    ("kind", "url"),
    [("giftcard", "card"), ("transaction", "transaction"), ("order", "")],
)
def test_cards_orders_and_purchases_lead_to_it(
    difference: Discrepancy, kind: str, url: str
) -> None:
    _user, client = desk("view_operation")
    page = (
        reverse("admin:loyalty_order", args=["v1str"])
        if kind == "order"
        else reverse(f"admin:loyalty_{kind}_change", args=[getattr(difference, url).pk])
    )

    text = text_of(client, page)

    assert f'href="{at("change", difference.pk)}"' in text
    assert "another amount given back (R$3.00)" in text


def do(client: Client, difference: Discrepancy, name: str, **data: str) -> str:
    """See what changes, then confirm; the page that comes back."""
    url = at("action", difference.pk, name)
    preview = client.post(url, data)
    found = dict(re.findall(r'name="(token|seen)" value="(\w+)"', preview.content.decode()))
    answer = client.post(url, {**data, **found, "confirm": "1"}, follow=True)
    return answer.content.decode()


def test_the_remedy_is_carried_out_once_and_shown_before_and_after(
    difference: Discrepancy, card: GiftCard
) -> None:
    with time_machine.travel(LATER + datetime.timedelta(hours=1), tick=False):
        user, client = desk("cancel_transaction")
        preview = client.post(at("action", difference.pk, "refund")).content.decode()
        do(client, difference, "refund", note="As VTEX has it.")
        again = do(client, difference, "refund", note="Once more.")

    assert "R$970.00" in preview
    assert "R$973.00" in preview
    assert "has moved since it was compared" in again
    assert buckets(card) == {
        "credited": 100_000,
        "available": 97_300,
        "held": 2000,
        "spent": 700,
    }
    [(action, before, after, note)] = trail(difference)
    assert (action, note) == ("cancel_difference", "As VTEX has it.")
    assert (before["available"], after["available"]) == (97_000, 97_300)
    assert AuditEvent.objects.get(action=action).user == user


def test_above_the_limit_it_waits_for_another_person(
    difference: Discrepancy, card: GiftCard
) -> None:
    _user, client = desk("cancel_transaction", "view_approval", per_action=299)

    with unchanged(card):
        text = do(client, difference, "refund")

    assert "It waits for another person" in text
    assert "Waits for another person" in text_of(client, at("change", difference.pk))


@pytest.mark.parametrize(
    ("permission", "kind", "remedy", "status"),
    [
        ("view_store", "refund", "refund", 403),
        ("cancel_transaction", "settlement", "settle", 403),
        ("settle_transaction", "refund", "refund", 403),
        ("settle_transaction", "settlement", "settle", 200),
    ],
)
def test_a_remedy_needs_the_permission_of_what_it_does(
    difference: Discrepancy, permission: str, kind: str, remedy: str, status: int
) -> None:
    _user, client = desk(permission)
    row = Discrepancy.objects.get(kind=kind)

    assert client.get(at("action", row.pk, remedy)).status_code == status


def test_it_is_assigned_and_noted(difference: Discrepancy) -> None:
    user, client = desk()
    data = {"assigned_to": user.pk, "note": "Asked VTEX.", "keep": "1"}

    client.post(at("triage", difference.pk), data)
    client.post(at("triage", difference.pk), data)

    difference.refresh_from_db()
    assert (difference.assigned_to, difference.note) == (user, "Asked VTEX.")
    assert trail(difference) == [
        ("changed", {"assigned_to": ""}, {"assigned_to": user.username}, "Asked VTEX.")
    ]


def test_it_is_ignored_for_a_reason_and_taken_up_again(difference: Discrepancy) -> None:
    _user, client = desk()
    url = at("triage", difference.pk)

    refused = client.post(url, {"because": " ", "ignore": "1"}, follow=True).content.decode()
    difference.refresh_from_db()
    assert difference.status == "open"
    client.post(url, {"because": "Paid back in cash.", "ignore": "1"})
    client.post(url, {"because": "Too late.", "ignore": "1"})
    difference.refresh_from_db()
    ignored = (difference.status, difference.ignored_because)
    client.post(url, {"take_up": "1"})
    difference.refresh_from_db()

    assert "Say why it can be ignored." in refused
    assert ignored == ("ignored", "Paid back in cash.")
    assert (difference.status, difference.ignored_because) == ("open", "")
    assert trail(difference) == [
        ("changed", {"status": "open"}, {"status": "ignored"}, "Paid back in cash."),
        ("changed", {"status": "ignored"}, {"status": "open"}, ""),
    ]


def test_who_only_looks_decides_nothing(difference: Discrepancy) -> None:
    client = Client()
    client.force_login(make_staff("view_discrepancy"))

    answer = client.post(at("triage", difference.pk), {"because": "x", "ignore": "1"})

    assert answer.status_code == 403
    difference.refresh_from_db()
    assert difference.status == "open"
    assert trail(difference) == []


def test_the_list_goes_out_as_csv_and_leaves_a_trace(
    difference: Discrepancy, boss: Client, signed_in: Callable[[User], Client]
) -> None:
    answer = boss.get(at("csv"), {"kind__exact": "refund"})

    header, row = b"".join(answer).decode("utf-8-sig").splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=False))
    assert cells["kind"] == "another amount given back"
    assert (cells["currency"], cells["amount at risk"], cells["amount"]) == ("BRL", "3.00", "3.00")
    assert cells["order"] == "v1str"
    assert AuditEvent.objects.filter(action="export", note="differences").count() == 1
    assert signed_in(make_staff("view_discrepancy")).get(at("csv")).status_code == 403


def test_more_differences_take_no_more_statements(
    difference: Discrepancy, boss: Client, django_assert_max_num_queries: object
) -> None:
    same = {
        field.attname: getattr(difference, field.attname)
        for field in Discrepancy._meta.concrete_fields
        if not field.primary_key
    }
    Discrepancy.objects.bulk_create(
        Discrepancy(**same | {"key": f"key-{number}"}) for number in range(30)
    )

    with django_assert_max_num_queries(15):  # type: ignore[operator]
        text_of(boss, at("changelist"))
