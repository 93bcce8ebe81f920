import csv
import datetime
import io

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty import jobs, ledger, point_values, reports
from loyalty.admin.program_members import tiers_held
from loyalty.identity import Identity
from loyalty.models import AuditEvent, Customer, GiftCard, Program
from loyalty.tasks import HANDLERS
from tests.builders import make_adjustment, make_purchase, make_store, new_id
from tests.loyalty.admin.book_pages import grant, lines_of, staff, text_of, tiles_of
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    make_scheme,
    returned,
    take,
)

NOW = START + 40 * DAY  # 11 April, 9:00 in São Paulo
now = time_machine.travel(NOW, tick=False)
PERIOD = {"first": "2026-03-01", "last": "2026-04-11"}


def make_figures() -> Program:
    """Ana has 200 points doubled and half taken back; Rui 100, of which 40 are spent."""
    store = make_store(name="Casa Aurora")
    program = make_earning_program(
        store, name="Aurora Pontos", unit_name="pontos", usable_after_days=3
    )
    make_rule(program, name="Um por real")
    make_campaign(program, name="Semana", ends_at=START + 5 * DAY)
    make_scheme(program)
    ana, rui = (Identity.of(email=f"{name}@example.com") for name in ("ana", "rui"))
    first = an_order(200_00, buyer=ana)
    with time_machine.travel(START + 2 * DAY, tick=False):
        take(store, first, invoiced(first))
    with time_machine.travel(START + 12 * DAY, tick=False):
        take(store, returned(first, 100_00))
    with time_machine.travel(START + 32 * DAY, tick=False):
        take(store, invoiced(an_order(100_00, paid=START + 30 * DAY, buyer=rui)))
        # Paid a week ago as Silver, half as much again, and not invoiced.
        take(store, an_order(70_00, paid=START + 31 * DAY, buyer=rui))
    with time_machine.travel(START + 36 * DAY, tick=False):
        make_purchase(GiftCard.objects.get(owner__email="rui@example.com"), 40 * 25)
    return program


def revalue(program: Program, policy: str) -> None:
    """A point is worth R$ 0.0010 from now on, no longer R$ 0.0025."""
    point_values.change(
        program,
        before=25,
        after=10,
        policy=policy,
        requested_by=None,
        reason="campaign",
        request_id=new_id(),
    )
    while jobs.run_next(HANDLERS):
        pass


@now
def test_the_figures_of_a_period(db: None, boss: Client) -> None:
    make_figures()

    text = text_of(boss, "program_figures", **PERIOD)

    assert tiles_of(text) == {
        "Members now": "2",
        "Earned": "500 pontos",
        "Spent": "40 pontos",
        "Expired": "0 pontos",
        "Taken back": "200 pontos",
        "Redemption rate": "13.3%",
        "Pending now": "105 pontos",
        "Owed after the period": "260 pontos",
    }
    assert "R$1.25" in text  # 500 points
    assert [line.split(" | ") for line in lines_of(text, "Month by month")] == [
        [
            *("Month", "Owed before", "Earned", "Taken back", "Spent", "Refunded", "Expired"),
            *("Owed after", "Redemption rate"),
        ],
        [
            *("March 2026", "0 0.00", "400 1.00", "-200 -0.50", "0 0.00", "0 0.00", "0 0.00"),
            *("200 0.50", "0.0%"),
        ],
        [
            *("April 2026", "200 0.50", "100 0.25", "0 0.00", "-40 -0.10", "0 0.00", "0 0.00"),
            *("260 0.65", "40.0%"),
        ],
        [
            *("whole period", "0 0.00", "500 1.25", "-200 -0.50", "-40 -0.10", "0 0.00", "0 0.00"),
            *("260 0.65", "13.3%"),
        ],
    ]


@now
def test_what_each_rule_and_campaign_cost(db: None, boss: Client) -> None:
    make_figures()

    text = text_of(boss, "program_figures", **PERIOD)

    assert lines_of(text, "Cost by rule and campaign") == [
        "Given by | Campaign | Credits | Given | Taken back | Cost | Share",
        "Um por real | - | 2 | 300 0.75 | 100 0.25 | 200 0.50 | 66.7%",
        "Um por real | Semana | 1 | 200 0.50 | 100 0.25 | 100 0.25 | 33.3%",
        "total |  | 3 | 500 1.25 | 200 0.50 | 300 0.75 | ",
    ]


@now
def test_members_by_month(db: None, boss: Client) -> None:
    program = make_figures()
    card = GiftCard.objects.get(owner__email="ana@example.com")
    ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")

    text = text_of(boss, "program_figures", **PERIOD | {"first": "2026-04-01"})

    assert tiles_of(text)["Members now"] == "1"
    assert "1 new in the period" in text
    assert lines_of(text, "Members") == [
        "Month | New members | Members so far",
        "April 2026 | 1 | 2",
    ]
    assert program.cards.count() == 2


@now
@pytest.mark.parametrize(
    ("at", "owed"),
    [
        ("2026-03-04T08:59:59", "0 0.00"),
        ("2026-03-04T09:00:00", "400 1.00"),
        ("2026-03-20T00:00", "200 0.50"),
        ("no time", "260 0.65"),
    ],
)
def test_the_liability_as_of_an_instant_of_the_store(
    at: str, owed: str, db: None, boss: Client
) -> None:
    make_figures()

    text = text_of(boss, "program_figures", at=at, **PERIOD)

    assert lines_of(text, "Liability")[1].split(" | ")[-1] == owed


@now
@pytest.mark.parametrize(
    ("policy", "owed"), [("keep_money", "650 0.65"), ("keep_points", "260 0.26")]
)
def test_the_liability_of_the_past_counts_in_points_of_its_day(
    policy: str, owed: str, db: None, boss: Client
) -> None:
    program = make_figures()
    revalue(program, policy)

    def liability(**asked: str) -> tuple[str, list[str]]:
        text = text_of(boss, "program_figures", **asked, **PERIOD)
        answer = boss.get(
            reverse("admin:program_figures"), {"format": "csv", "table": "owed"} | asked
        )
        file = answer.getvalue().decode().splitlines()[1].split(",")
        return lines_of(text, "Liability")[1].split(" | ")[-1], [file[2], *file[-2:]]

    yesterday, moment_before = liability(at="2026-04-10T09:00"), liability(at="2026-04-11T08:59:59")
    at_once, today = liability(at="2026-04-11T09:00"), liability()

    assert yesterday == moment_before == ("260 0.65", ["0.0025", "260", "0.65"])
    assert at_once == today == (owed, ["0.0010", *owed.split()])


@now
def test_a_page_says_what_a_point_was_worth_then(db: None, boss: Client) -> None:
    program = make_figures()
    day = {"at": "2026-04-10T09:00"}
    texts = [text_of(boss, "program_figures", **day, **PERIOD)]
    revalue(program, "keep_money")

    periods = (PERIOD | day, PERIOD, PERIOD | {"last": "2026-04-10"})
    texts += [text_of(boss, "program_figures", **asked) for asked in periods]

    worth = "A point was worth R$0.0025 then. Now it is worth R$0.0010."
    changed = "In this time a point changed its value"
    assert [worth in text for text in texts] == [False, True, False, False]
    assert [changed in text for text in texts] == [False, True, True, False]


@now
def test_months_count_in_points_of_their_end(db: None, boss: Client) -> None:
    program = make_figures()
    revalue(program, "keep_money")

    text = text_of(boss, "program_figures", **PERIOD)

    lines = [line.split(" | ") for line in lines_of(text, "Month by month")]
    assert [[line[1], line[2], line[4], line[7]] for line in lines[1:]] == [
        ["0 0.00", "400 1.00", "0 0.00", "200 0.50"],
        ["200 0.50", "250 0.25", "-100 -0.10", "650 0.65"],
        ["0 0.00", "1,250 1.25", "-100 -0.10", "650 0.65"],
    ]
    assert tiles_of(text)["Owed after the period"] == "650 pontos"
    earlier = text_of(boss, "program_figures", first="2026-03-01", last="2026-04-10")
    assert tiles_of(earlier)["Owed after the period"] == "260 pontos"
    assert lines_of(earlier, "Cost by rule and campaign")[-1].split(" | ")[5] == "300 0.75"


@now
def test_the_tables_leave_as_csv(db: None, boss: Client) -> None:
    make_figures()

    def file(page: str, table: str) -> list[list[str]]:
        asked = {"format": "csv", "table": table, **PERIOD}
        answer = boss.get(reverse(f"admin:{page}"), asked)
        text = answer.getvalue().decode().removeprefix("\ufeff")
        return list(csv.reader(io.StringIO(text)))

    months, costs = file("program_figures", "months"), file("program_figures", "costs")
    owed, members = file("program_figures", "owed"), file("program_figures", "members")
    cohorts, tiers = file("program_members", "cohorts"), file("program_members", "tiers")

    assert months[0][:5] == [
        *("month", "value of a point (BRL)", "owed before (pontos)", "owed before (BRL)"),
        "earned (pontos)",
    ]
    assert months[1][:6] == ["2026-03-01", "0.0025", "0", "0.00", "400", "1.00"]
    assert costs[1] == [
        *("Um por real", "", "2", "0.0025", "300", "0.75", "100", "0.25", "200", "0.50"),
    ]
    assert owed[1] == [
        *("Aurora Pontos", "2026-04-11 09:00:00", "0.0025"),
        *("260", "0.65", "0", "0.00", "260", "0.65"),
    ]
    assert members[1:] == [["2026-03-01", "1", "1"], ["2026-04-01", "1", "2"]]
    assert cohorts[1:] == [
        ["2026-03-01", "1", "0", "1", "0.0025", "200", "0.50", "0", "0.00"],
        ["2026-03-01", "1", "1", "0", "0.0025", "200", "0.50", "0", "0.00"],
        ["2026-04-01", "1", "0", "1", "0.0025", "100", "0.25", "40", "0.10"],
    ]
    assert tiers[1:] == [["no tier", "0"], ["Silver", "2"], ["Gold", "0"]]
    assert AuditEvent.objects.filter(action="export", note__startswith="program-").count() == 6


@now
def test_cohorts_and_tiers(db: None, boss: Client) -> None:
    make_figures()

    active = text_of(boss, "program_members")
    spent = text_of(boss, "program_members", part="spent")

    assert lines_of(active, "Share by age") == [
        "Month | Members | 0 months | 1 month",
        "March 2026 | 1 | 100.0% | 0.0%",
        "April 2026 | 1 | 100.0% | ",
    ]
    assert lines_of(spent, "Share by age")[2] == "April 2026 | 1 | 40.0% | "
    assert lines_of(active, "Customers by tier") == [
        "Tier | Customers | Share",
        "no tier | 0 | 0.0%",
        "Silver | 2 | 100.0%",
        "Gold | 0 | 0.0%",
    ]


@now
def test_the_tiers_of_former_schemes_are_counted_last(db: None) -> None:
    program = make_figures()
    tiers = [{"name": "Ruby", "threshold": 0, "multiplier": "1", "validity_days": None}]
    make_scheme(program, starts_at=NOW - DAY, tiers=tiers)

    assert tiers_held(program) == [("", 0), ("Ruby", 0), ("Silver", 2)]


@now
def test_a_program_in_money_says_each_amount_once(db: None, boss: Client) -> None:
    program = make_earning_program(unit_name="", point_units=None, finer_digits=0)
    make_rule(program, percent=5)
    take(program.store, invoiced(an_order(200_00)))

    text = text_of(boss, "program_figures", program=program.pk, **PERIOD)

    assert tiles_of(text)["Earned"] == "R$10.00"
    assert lines_of(text, "Liability")[1].split(" | ")[1:] == ["10.00", "0.00", "10.00"]


@now
def test_what_staff_gave_and_removed_has_its_own_columns(db: None, boss: Client) -> None:
    program = make_figures()
    card = GiftCard.objects.get(owner__email="rui@example.com")
    make_adjustment(card, 50 * 25)
    make_adjustment(card, -10 * 25)

    lines = lines_of(text_of(boss, "program_figures", **PERIOD), "Month by month")

    assert "Given otherwise" in lines[0]
    assert "Removed" in lines[0]
    assert lines[-1].split(" | ")[3] == "50 0.125"
    assert lines[-1].endswith("| 300 0.750 | 11.4%")
    assert program.cards.count() == 2


@now
@pytest.mark.parametrize("name", ["program_figures", "program_members"])
def test_a_page_takes_few_statements_however_much_there_is(
    name: str, db: None, boss: Client
) -> None:
    program = make_figures()
    others = Client()
    user = staff()
    grant(user, "view_bookcause", "view_program")
    others.force_login(user)
    text_of(others, name, program=program.pk)  # the session remembers it once
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            text_of(others, name, program=program.pk, at="2026-03-20T10:00", **PERIOD)
        counts.append(len(queries))
        make_rule(program)
        make_scheme(program, starts_at=NOW - DAY)
        take(program.store, invoiced(an_order(50_00, buyer=Identity.of(email=new_id()))))
        reports.aggregate_due()

    assert counts[1] <= counts[0] <= 15


@now
def test_files_are_for_those_who_may_take_figures_away(db: None) -> None:
    make_figures()
    user = staff()
    grant(user, "view_bookcause")
    viewer = Client()
    viewer.force_login(user)

    page = text_of(viewer, "program_figures")
    answer = viewer.get(reverse("admin:program_figures"), {"format": "csv"})

    assert "format=csv" not in page
    assert answer.status_code == 403
    assert not AuditEvent.objects.filter(action="export").exists()


@pytest.mark.parametrize("name", ["program_figures", "program_members"])
def test_without_a_program_the_page_says_what_to_do(name: str, db: None, boss: Client) -> None:
    assert "There is no loyalty program yet." in text_of(boss, name)


def test_a_program_leads_to_its_figures(db: None, boss: Client) -> None:
    program = make_earning_program()

    page = boss.get(reverse("admin:loyalty_program_change", args=[program.pk])).content.decode()

    assert f"{reverse('admin:program_figures')}?program={program.pk}" in page


@now
def test_the_program_looked_at_last_is_shown_again(db: None, boss: Client) -> None:
    make_figures()
    other = make_earning_program(make_store(name="Zum Kranz"), name="Kranzpunkte")

    text_of(boss, "program_figures", program=other.pk)

    assert "<title>Kranzpunkte: Members and tiers" in text_of(boss, "program_members").replace(
        "\n", ""
    ).replace("  ", "")


@now
def test_a_period_is_at_most_three_years_and_never_to_come(db: None, boss: Client) -> None:
    make_figures()

    text = text_of(boss, "program_figures", first="2001-01-01", last="2099-01-01")

    assert 'name="first" value="2023-05-01"' in text
    assert 'name="last" value="2026-04-11"' in text
    assert Customer.objects.count() == 2
    assert datetime.date(2026, 4, 11) == NOW.date()


@now
@pytest.mark.parametrize("name", ["program_figures", "program_members"])
def test_what_is_too_much_to_read_is_summed_first(
    name: str, db: None, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_figures()
    monkeypatch.setattr(reports.programs, "READABLE", 0)

    behind = boss.get(reverse(f"admin:{name}"))
    reports.aggregate_due()

    assert behind.status_code == 503
    assert "entries to the sums that this page is made of" in behind.content.decode()
    assert "Aurora Pontos" in text_of(boss, name)


def test_nobody_else_sees_them(db: None) -> None:
    client = Client()
    client.force_login(User.objects.create_user("one", is_staff=True))

    assert client.get(reverse("admin:program_figures")).status_code == 403
