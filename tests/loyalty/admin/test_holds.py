import datetime
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import reports
from loyalty.admin import holds
from loyalty.models import Discrepancy, ReconciliationRun, Transaction
from tests.builders import make_card, make_customer, make_hold, make_program, make_settlement
from tests.loyalty.admin.book_pages import (
    NOW,
    at,
    make_months,
    now,
    rows_of,
    staff,
    text_of,
    tiles_of,
)

DAY = datetime.timedelta(days=1)


@now
def test_open_holds_with_age_order_amount_and_owner(db: None, boss: Client) -> None:
    store, card, hold = make_months()
    with at(1, 30):
        owned = make_card(
            make_program(store), balance=10_000, owner=make_customer(store, name="Bia Lima")
        )
        make_hold(owned, 700, order_id="v2000-01")
    reports.aggregate_due()

    text = text_of(boss, "books_holds")

    assert rows_of(text, "Oldest first") == [
        ["Held since", "Age", "Amount", "Order", "In the store", "Gift card", "Owner", ""],
        [
            *("01/20/2026 noon", "42 days", "R$50.00", "v1000-01", "not known"),
            *(str(card), "-", "Release"),
        ],
        [
            *("01/30/2026 noon", "32 days", "R$7.00", "v2000-01", "not known"),
            *(str(owned), "Bia Lima", "Release"),
        ],
    ]
    assert tiles_of(text) == {"2 purchases hold": "R$57.00"}
    assert reverse("admin:loyalty_transaction_change", args=[hold.pk]) in text


@now
def test_the_age_is_the_stores_unless_another_is_asked_for(db: None, boss: Client) -> None:
    store, _card, _hold = make_months()
    store.open_hold_alert_days = 50
    store.save()

    none = text_of(boss, "books_holds")
    some = text_of(boss, "books_holds", days=40)
    odd = text_of(boss, "books_holds", days="-1")

    assert "No purchase has held money for more than 50 days." in none
    assert len(rows_of(some, "Oldest first")) == 2
    assert "for more than 50 days" in odd


@now
def test_what_was_settled_since_is_gone(db: None, boss: Client) -> None:
    _store, _card, hold = make_months()
    make_settlement(hold, 5_000)

    assert "No purchase has held money" in text_of(boss, "books_holds")


@now
def test_many_holds_come_in_pages(db: None, boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "_A_PAGE", 2)
    _store, card, _hold = make_months()
    with at(1, 21):
        for number in range(4):
            make_hold(card, 100, order_id=f"order-{number}")
    reports.aggregate_due()

    pages = [
        [row[3] for row in rows_of(text_of(boss, "books_holds", p=number), "Oldest first")[1:]]
        for number in (1, 2, 3)
    ]

    assert pages == [["v1000-01", "order-0"], ["order-1", "order-2"], ["order-3"]]
    assert "Page 2 of 3" in text_of(boss, "books_holds", p=2)


def make_difference(hold: Transaction, *, status: str, remedy: str = "none") -> Discrepancy:
    """What a comparison found about the purchase."""
    store = hold.card.store
    run = ReconciliationRun.objects.create(
        store=store,
        source="orders",
        by="authorized",
        since=NOW - DAY,
        until=NOW,
        compared_until=NOW,
        started_at=NOW,
        finished_at=NOW,
        status="done",
    )
    return Discrepancy.objects.create(
        store=store,
        run=run,
        kind="canceled_but_held",
        key=f"{run.pk}",
        severity=2,
        currency="BRL",
        amount=5_000,
        evidence={"orders": ["v1000-01"], "order_status": status},
        remedy=remedy,
        remedy_units=0 if remedy == "none" else 5_000,
        transaction=hold,
        card=hold.card,
        first_seen=NOW,
        last_seen=NOW,
    )


@now
def test_what_the_store_said_last_of_the_order(db: None, boss: Client) -> None:
    _store, card, hold = make_months()
    found = make_difference(hold, status="canceled")

    text = text_of(boss, "books_holds")
    csv = b"".join(boss.get(reverse("admin:books_holds"), {"format": "csv"})).decode()

    [row] = rows_of(text, "Oldest first")[1:]
    assert row[4] == "canceled, seen 03/04/2026 9 a.m."
    assert reverse("admin:loyalty_discrepancy_change", args=[found.pk]) in text
    assert csv.splitlines()[1].endswith(f"{card},canceled")


@now
def test_the_page_leads_to_the_release_of_whoever_may(
    db: None, boss: Client, signed_in: Callable[[User], Client]
) -> None:
    _store, _card, hold = make_months()
    viewer = signed_in(staff("view_openhold"))
    release = reverse("admin:loyalty_transaction_action", args=[hold.pk, "cancel"])

    assert release in text_of(boss, "books_holds")
    assert release not in text_of(viewer, "books_holds")
