import datetime
import re
from collections.abc import Callable

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty import reports
from loyalty.admin import home
from loyalty.models import Approval, Job
from tests.builders import make_card, make_program, make_store
from tests.loyalty.admin.book_pages import (
    NOW,
    make_discrepancies,
    make_months,
    now,
    rows_of,
    staff,
    text_of,
    tiles_of,
)

SignedIn = Callable[[User], Client]


def make_approval(store_id: int, *, hours: int) -> Approval:
    return Approval.objects.create(
        action="credit",
        parameters={},
        request_id=f"approval {hours}",
        store_id=store_id,
        currency="BRL",
        exponent=2,
        amount=100,
        requested_by=User.objects.create_user(f"asks{hours}"),
        requested_at=NOW,
        expires_at=NOW + datetime.timedelta(hours=hours),
    )


@now
def test_tiles_say_what_is_owed_held_expiring_and_waiting(db: None, boss: Client) -> None:
    store, _card, _hold = make_months()
    make_approval(store.pk, hours=1)
    make_approval(store.pk, hours=-1)  # lapsed
    Job.objects.create(kind="issue_batch", status="failed")
    Job.objects.create(kind="issue_batch", status="done")
    make_discrepancies(store.pk)

    text = text_of(boss, "index")

    assert tiles_of(text) == {
        "outstanding, paid": "R$1,200.00",
        "outstanding, promotional": "R$12.3456",
        "held by purchases now": "R$50.00",
        "expires within 30 days": "R$1,150.00",
        "approvals waiting": "1",
        "differences open": "1",
        "failed jobs": "1",
    }
    assert re.findall(r'class="tile tile-(\w+)"', text) == ["open", "bad", "bad"]
    assert "as of 03/04/2026\u00a09\u00a0a.m." in text


@now
def test_each_chart_has_its_figures_as_a_table(db: None, boss: Client) -> None:
    make_months()

    text = text_of(boss, "index")

    weeks = rows_of(text, "Issued and used by week")
    assert len(weeks) == 1 + 26
    assert [row for row in weeks if row[1:] not in ([], ["0.0000", "0.0000"])] == [
        ["Week from", "Issued", "Used"],
        ["01/05/2026", "1,500.0000", "0.0000"],
        ["01/19/2026", "0.0000", "300.0000"],
        ["02/02/2026", "12.3456", "0.0000"],
    ]
    expiring = rows_of(text, "Expiring by week")
    assert len(expiring) == 1 + 13
    assert ["03/09/2026", "1,150.00"] in expiring
    assert rows_of(text, "Outstanding by program")[1:] == [
        ["Vale-presente", "1,200.0000"],
        ["Aurora Pontos", "12.3456"],
    ]
    assert text.count('role="img"') == 3
    assert "<title>01/05/2026: issued R$1,500.00</title>" in text


@now
def test_every_figure_leads_to_its_list(db: None, boss: Client) -> None:
    store, _card, _hold = make_months()

    links = [tile.href for tile in boss.get(reverse("admin:index")).context["tiles"]]

    assert [link.partition("?")[2] for link in links[:4]] == [
        f"store={store.pk}",
        f"store={store.pk}",
        f"store={store.pk}&days=0",
        f"store={store.pk}&days=30",
    ]
    for link in links:
        if link:
            assert boss.get(link).status_code == 200


@now
def test_one_sees_what_one_may(db: None, signed_in: SignedIn) -> None:
    make_months()

    def labels(*codenames: str) -> list[str]:
        return list(tiles_of(text_of(signed_in(staff(*codenames)), "index")))

    assert labels() == []
    assert labels("view_openhold") == ["held by purchases now"]
    assert labels("view_expiringmoney") == ["expires within 30 days"]
    assert labels("view_approval") == ["approvals waiting"]
    assert labels("view_discrepancy") == ["differences open"]
    assert labels("view_job") == ["failed jobs"]
    assert labels("view_books") == ["outstanding, paid", "outstanding, promotional"]


@now
def test_the_store_is_chosen_and_remembered(db: None, boss: Client) -> None:
    make_months()
    other = make_store(name="Tienda", currency="CLP", time_zone="America/Santiago")
    make_card(make_program(other), balance=9_990)

    first = tiles_of(text_of(boss, "index"))
    chosen = tiles_of(text_of(boss, "index", store=other.pk))
    again = tiles_of(text_of(boss, "index"))
    elsewhere = text_of(boss, "books_roll_forward")

    assert first["outstanding, paid"] == "R$1,200.00"
    assert chosen["outstanding, paid"] == again["outstanding, paid"] == "CLP 9,990"
    assert "Tienda, month by month" in elsewhere


@now
def test_what_is_not_in_the_sums_yet_counts(db: None, boss: Client) -> None:
    store, _card, _hold = make_months()
    make_card(make_program(store), balance=100)

    assert tiles_of(text_of(boss, "index"))["outstanding, paid"] == "R$1,201.00"


@now
def test_sums_that_are_far_behind_are_shown_with_their_age(
    db: None, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _card, _hold = make_months()
    monkeypatch.setattr(home, "READABLE", 0)
    with time_machine.travel(NOW + datetime.timedelta(hours=1), tick=False):
        make_card(make_program(store), balance=100)
        text = text_of(boss, "index")

    assert tiles_of(text)["outstanding, paid"] == "R$1,200.00"
    assert "as of 03/04/2026\u00a09\u00a0a.m." in text
    assert "The sums of the books are behind" in text
    assert "Expiring money was last counted 03/04/2026\u00a09\u00a0a.m." in text


def test_a_system_without_stores_has_a_home(db: None, boss: Client) -> None:
    assert list(tiles_of(text_of(boss, "index"))) == [
        "approvals waiting",
        "differences open",
        "failed jobs",
    ]


@now
def test_the_lists_are_still_there(db: None, boss: Client) -> None:
    make_months()

    text = text_of(boss, "index")

    assert reverse("admin:loyalty_giftcard_changelist") in text
    assert "nav-sidebar" in text


@now
def test_the_home_page_takes_few_statements(db: None, boss: Client) -> None:
    make_months()
    text_of(boss, "index")

    with CaptureQueriesContext(connection) as queries:
        text_of(boss, "index")

    assert len(queries) <= 15


@now
def test_before_anything_is_summed_the_figures_are_right(db: None, boss: Client) -> None:
    store, _card, _hold = make_months()
    reports.rebuild()

    assert tiles_of(text_of(boss, "index", store=store.pk))["outstanding, paid"] == "R$1,200.00"
