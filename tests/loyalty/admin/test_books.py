from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty import reports
from loyalty.admin import book_pages
from loyalty.models import AuditEvent, Entry, MonthClosing
from tests.builders import make_card, make_program, make_store
from tests.loyalty.admin.book_pages import (
    at,
    lines_of,
    make_months,
    now,
    rows_of,
    staff,
    text_of,
    tiles_of,
)

SignedIn = Callable[[User], Client]
PAGES = {
    "books_outstanding": "view_books",
    "books_roll_forward": "view_books",
    "books_curves": "view_books",
    "books_holds": "view_openhold",
    "books_expiring": "view_expiringmoney",
}


@now
def test_outstanding_now(db: None, boss: Client) -> None:
    make_months()

    text = text_of(boss, "books_outstanding")

    assert tiles_of(text) == {
        "outstanding": "R$1,212.3456",
        "available": "R$1,162.3456",
        "held": "R$50.00",
        "paid": "R$1,200.00",
        "promotional": "R$12.3456",
    }
    assert lines_of(text, "In detail") == [
        "Program | Funding | Origin | Available | Held | Outstanding",
        "Aurora Pontos | promotional | issued with the card | 12.3456 | 0.0000 | 12.3456",
        "Vale-presente | paid | issued with the card | 1,150.0000 | 50.0000 | 1,200.0000",
        "total |  |  | 1,162.3456 | 50.0000 | 1,212.3456",
    ]
    assert rows_of(text, "By funding")[1] == ["paid", "1,150.0000", "50.0000", "1,200.0000"]


@now
def test_outstanding_at_the_end_of_a_day_and_at_an_instant(db: None, boss: Client) -> None:
    make_months()  # the purchases were at 12:00 in the store

    day = tiles_of(text_of(boss, "books_outstanding", day="2026-01-20"))
    before = tiles_of(text_of(boss, "books_outstanding", day="2026-01-20", time="11:59:59"))
    after = tiles_of(text_of(boss, "books_outstanding", day="2026-01-20", time="12:00"))
    never = text_of(boss, "books_outstanding", day="2025-12-31")

    assert day["outstanding"] == after["outstanding"] == "R$1,200.00"
    assert day["held"] == "R$50.00"
    assert before["outstanding"] == "R$1,500.00"
    assert "Nothing had been issued by then." in never


@now
def test_all_stores_stand_apart(db: None, boss: Client) -> None:
    make_months()
    other = make_store(name="Tienda", currency="CLP", time_zone="America/Santiago")
    make_card(make_program(other), balance=9_990)

    text = text_of(boss, "books_outstanding", store="all")

    assert "Casa Aurora, as of 03/04/2026\u00a09\u00a0a.m." in text
    assert "Tienda, as of 03/04/2026\u00a09\u00a0a.m." in text
    assert "R$1,212.3456" in text
    assert "CLP\xa09,990" in text


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", ""])
def test_what_is_no_day_is_now(day: str, db: None, boss: Client) -> None:
    with now:
        make_months()

        assert tiles_of(text_of(boss, "books_outstanding", day=day, time="x"))["outstanding"] == (
            "R$1,212.3456"
        )


@now
def test_the_roll_forward_adds_up_as_it_is_read(db: None, boss: Client) -> None:
    make_months()

    text = text_of(boss, "books_roll_forward", first="2026-01", last="2026-03")

    nothing = "0.0000 | 0.0000 | 0.0000"
    assert lines_of(text, "BRL") == [
        (
            "Month | Opening | Issued | Spent | Refunded | Expired | Removed | Closing"
            " | Of which held | Snapshot"
        ),
        f"January 2026 | 0.0000 | 1,500.0000 | -300.0000 | {nothing} | 1,200.0000 | 50.0000 | none",
        f"February 2026 | 1,200.0000 | 12.3456 | 0.0000 | {nothing} | 1,212.3456 | 50.0000 | none",
        f"March 2026 | 1,212.3456 | 0.0000 | 0.0000 | {nothing} | 1,212.3456 | 50.0000 | none",
        f"whole period | 0.0000 | 1,512.3456 | -300.0000 | {nothing} | 1,212.3456 | 50.0000 | ",
    ]


@now
def test_the_roll_forward_of_a_part(db: None, boss: Client) -> None:
    store, card, _hold = make_months()

    program = text_of(boss, "books_roll_forward", program=card.program_id, first="2026-01")
    funding = text_of(boss, "books_roll_forward", funding="promotional", first="2026-01")
    nothing = text_of(boss, "books_roll_forward", origin="reward", store=store.pk)

    assert rows_of(program, "BRL")[-1][7] == "1,200.00"
    assert rows_of(funding, "BRL")[-1][7] == "12.3456"
    assert "Nothing moved in these months." in nothing


@now
def test_the_roll_forward_says_what_changed_since_a_month_was_closed(
    db: None, boss: Client
) -> None:
    store, card, _hold = make_months()
    reports.close_months()

    same = rows_of(text_of(boss, "books_roll_forward", first="2026-01"), "BRL")
    with at(1, 31):
        make_card(card.program, balance=1_00)
    changed = rows_of(text_of(boss, "books_roll_forward", first="2026-01"), "BRL")
    closing = store.month_closings.get(month="2026-01-01")
    page = boss.get(reverse("admin:loyalty_monthclosing_change", args=[closing.pk]))

    assert [row[-1] for row in same[1:]] == ["the same", "the same", "none", ""]
    assert [row[-1] for row in changed[1:]] == ["was 1,200.00", "was 1,212.3456", "none", ""]
    assert rows_of(page.content.decode(), "What the entries say now")[1:] == [
        ["Vale-presente", "paid", "issued with the card", name, *amounts]
        for name, amounts in {
            "credited": ["R$1,500.00", "R$1,501.00", "R$1.00"],
            "available": ["R$1,150.00", "R$1,151.00", "R$1.00"],
        }.items()
    ]


@now
def test_curves_show_what_became_of_a_month(db: None, boss: Client) -> None:
    make_months()

    text = text_of(boss, "books_curves")

    assert rows_of(text, "Share by age") == [
        ["Month", "0 months", "1 month", "2 months"],
        ["January 2026", "20.0%", "20.0%", "20.0%"],
        ["February 2026", "0.0%", "0.0%", ""],
    ]
    assert rows_of(text, "Amounts in BRL")[1][:3] == ["January 2026", "1,500.0000", "300.0000"]
    open_share = text_of(boss, "books_curves", part="open", funding="paid")
    assert rows_of(open_share, "Share by age")[1:] == [["January 2026", *["80.0%"] * 3]]
    assert "No credit of this kind was given yet." in text_of(boss, "books_curves", refunds="1")


@now
@pytest.mark.parametrize("name", PAGES)
def test_each_page_needs_its_permission(name: str, db: None, signed_in: SignedIn) -> None:
    make_months()
    path = reverse(f"admin:{name}")
    others = set(PAGES.values()) - {PAGES[name]}

    assert signed_in(staff(*others)).get(path).status_code == 403
    assert signed_in(staff(PAGES[name])).get(path).status_code == 200


@now
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("books_outstanding", 3),
        ("books_roll_forward", 6),
        ("books_curves", 6),
        ("books_holds", 2),
        ("books_expiring", 2),
    ],
)
def test_csv_of_each_page_leaves_a_trace(
    name: str, lines: int, db: None, signed_in: SignedIn
) -> None:
    make_months()
    path = reverse(f"admin:{name}")
    reader = staff(PAGES[name])
    exporter = staff(PAGES[name], "export_lists")
    query = {"format": "csv", "first": "2026-01"}

    refused = signed_in(reader).get(path, query).status_code
    answer = signed_in(exporter).get(path, query)
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]

    assert refused == 403
    assert len(content.splitlines()) == lines
    assert AuditEvent.objects.filter(action="export").count() == 1
    assert "format=csv" not in text_of(signed_in(reader), name)
    assert "format=csv" in text_of(signed_in(exporter), name)


@now
def test_csv_has_the_exact_amounts(db: None, boss: Client) -> None:
    make_months()

    answer = boss.get(reverse("admin:books_outstanding"), {"format": "csv", "day": "2026-02-28"})
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]

    header, points, gifts = content.splitlines()
    assert header == (
        "store,as of,program,funding,origin,currency,available,held,outstanding,credited,spent,"
        "expired,removed"
    )
    assert points == (
        "Casa Aurora,2026-02-28,Aurora Pontos,promotional,issued with the card,BRL,12.3456,0.00,"
        "12.3456,12.3456,0.00,0.00,0.00"
    )
    assert gifts == (
        "Casa Aurora,2026-02-28,Vale-presente,paid,issued with the card,BRL,1150.00,50.00,1200.00,"
        "1500.00,300.00,0.00,0.00"
    )


@now
def test_a_person_closes_a_month(db: None, signed_in: SignedIn) -> None:
    store, _card, _hold = make_months()
    client = signed_in(staff("view_books", "add_monthclosing"))
    listed = text_of(client, "loyalty_monthclosing_changelist")
    values = {"store": store.pk, "month": "2026-01"}

    answers = [client.post(reverse("admin:books_close"), values, follow=True) for _ in range(2)]

    assert '<option value="2026-01">January 2026</option>' in listed
    assert '<option value="2026-03">' not in listed
    assert "The month is closed." in answers[0].content.decode()
    assert "This month was closed before." in answers[1].content.decode()
    assert "The entries still say the same." in answers[0].content.decode()
    assert MonthClosing.objects.get().taken_by == answers[0].wsgi_request.user


@now
@pytest.mark.parametrize(
    ("month", "says"),
    [("2026-03", "This month is not over yet."), ("soon", "Choose a month from the list.")],
)
def test_a_month_that_cannot_be_closed_is_not(
    month: str, says: str, db: None, boss: Client
) -> None:
    store, _card, _hold = make_months()

    answer = boss.post(
        reverse("admin:books_close"), {"store": store.pk, "month": month}, follow=True
    )

    assert says in answer.content.decode()
    assert not MonthClosing.objects.exists()


@now
def test_who_only_sees_the_books_closes_nothing(db: None, signed_in: SignedIn) -> None:
    store, _card, _hold = make_months()
    client = signed_in(staff("view_books"))

    answer = client.post(reverse("admin:books_close"), {"store": store.pk, "month": "2026-01"})

    assert answer.status_code == 403
    assert "<option" not in text_of(client, "loyalty_monthclosing_changelist")
    assert not MonthClosing.objects.exists()


@now
@pytest.mark.parametrize("name", PAGES)
def test_pages_take_few_statements_whatever_there_is(name: str, db: None, boss: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(boss, name)
        return len(queries)

    make_months()
    text_of(boss, name)
    few = statements()
    store = make_months()[0]
    for month in (1, 2, 3):
        with at(month, 2):
            make_card(make_program(store), balance=100)
    reports.aggregate_due()

    assert statements() <= few + 1
    assert few <= 15


@pytest.mark.parametrize("name", PAGES)
def test_pages_without_a_store_say_so(name: str, db: None, boss: Client) -> None:
    assert "There is no store yet." in text_of(boss, name)


@now
def test_a_long_period_is_cut_to_what_a_page_holds(db: None, boss: Client) -> None:
    make_months()

    months = rows_of(text_of(boss, "books_roll_forward", first="2000-01", last="2030-01"), "BRL")

    assert len(months) == 1 + 36 + 1
    assert months[-2][0] == "March 2026"


@now
@pytest.mark.parametrize(
    "name", ["books_outstanding", "books_roll_forward", "books_curves", "books_holds"]
)
def test_without_its_sums_a_page_says_how_many_entries_are_left(
    db: None, boss: Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_months()
    reports.rebuild()
    monkeypatch.setattr(book_pages, "READABLE", Entry.objects.count() - 1)

    answer = boss.get(reverse(f"admin:{name}"))
    reports.aggregate_due()
    later = boss.get(reverse(f"admin:{name}"))

    left = Entry.objects.order_by("pk").last()
    assert left
    assert answer.status_code == 503
    assert f"still adding {left.pk:,} entries" in answer.content.decode()
    assert later.status_code == 200
