"""Stores with some months of figures, and readers of what a page says of them."""

import datetime
import re
from typing import Any

import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from loyalty import reports
from loyalty.models import (
    Discrepancy,
    DiscrepancyKind,
    GiftCard,
    ReconciliationRun,
    Store,
    Transaction,
)
from tests.builders import (
    make_card,
    make_hold,
    make_points_program,
    make_program,
    make_purchase,
    make_store,
)

# A Wednesday, 9:00 in São Paulo.
NOW = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
now = time_machine.travel(NOW, tick=False)


def at(month: int, day: int) -> time_machine.travel:
    return time_machine.travel(
        datetime.datetime(2026, month, day, 15, tzinfo=datetime.UTC), tick=False
    )


def make_months() -> tuple[Store, GiftCard, Transaction]:
    """A store with paid gift cards and points: 1,500.00 given in January, 300.00 of it spent."""
    store = make_store(name="Casa Aurora")
    with at(1, 10):
        gifts = make_program(store, name="Vale-presente", validity_days=60)
        points = make_points_program(store, name="Aurora Pontos")
        card = make_card(gifts, balance=150_000)
    with at(1, 20):
        make_purchase(card, 30_000)
        hold = make_hold(card, 5_000, order_id="v1000-01")
    with at(2, 5):
        make_card(points, balance=12_3456)
    with now:
        reports.aggregate_due()
        reports.count_expiring()
    return store, card, hold


def make_discrepancies(store_id: int) -> None:
    """One of each status."""
    run = ReconciliationRun.objects.create(
        store_id=store_id,
        source=ReconciliationRun.Source.ORDERS,
        by=ReconciliationRun.By.AUTHORIZED,
        since=NOW - datetime.timedelta(days=1),
        until=NOW,
        compared_until=NOW,
        started_at=NOW,
    )
    ends: tuple[dict[str, Any], ...] = (
        {"status": "open"},
        {"status": "ignored", "ignored_because": "known"},
        {"status": "closed", "closed_at": NOW},
    )
    for end in ends:
        Discrepancy.objects.create(
            run=run,
            store_id=store_id,
            kind=DiscrepancyKind.DOUBLE_DEBIT,
            key=end["status"],
            severity=Discrepancy.Severity.HIGH,
            currency="BRL",
            amount=100,
            first_seen=NOW,
            last_seen=NOW,
            **end,
        )


def grant(user: User, *codenames: str) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def staff(*codenames: str) -> User:
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    grant(user, *codenames)
    return user


def text_of(client: Client, name: str, **query: object) -> str:
    answer = client.get(reverse(f"admin:{name}"), {key: str(value) for key, value in query.items()})
    assert answer.status_code == 200, (name, answer.status_code)
    return answer.content.decode()


def rows_of(text: str, caption: str) -> list[list[str]]:
    """The rows of the table with that caption, each the texts of its cells."""
    table = next(
        part
        for part in re.findall(r"<table.*?</table>", text, re.DOTALL)
        if f">{caption}</caption>" in part
    )
    return [
        [
            " ".join(re.sub(r"<[^>]*>", "", cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    ]


def lines_of(text: str, caption: str) -> list[str]:
    """The same rows, each as one text; a real minus as the one of the keyboard."""
    return [" | ".join(row).replace("\u2212", "-") for row in rows_of(text, caption)]


def tiles_of(text: str) -> dict[str, str]:
    """What each tile says."""
    found = re.findall(
        r'class="tile-label">(.*?)</span>\s*<span class="tile-figure">(.*?)</span>', text
    )
    return {label: figure.replace("\xa0", " ") for label, figure in found}
