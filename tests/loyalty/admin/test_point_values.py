"""The page that changes what a program's point is worth, and its history."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from loyalty import jobs, point_values
from loyalty.models import (
    Approval,
    AuditEvent,
    GiftCard,
    Job,
    PointValueChange,
    Program,
)
from loyalty.tasks import HANDLERS
from tests.builders import (
    buckets,
    fresh,
    history,
    make_credit,
    make_points_program,
    make_program,
    make_purchase,
    make_wallet,
)
from tests.loyalty.admin.test_actions import (
    SignedIn,
    address,
    confirm,
    errors,
    hidden,
    preview,
    said,
)
from tests.loyalty.earning.builders import make_scheme
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

NAME = "point_value"
SEEN = ("view_program", "view_pointvaluechange", "view_giftcard", "view_job", "view_approval")
TYPED = {
    "before": "25",
    "value": "0.0010",
    "policy": "keep_points",
    "reason": "campaign",
    "note": "From July on",
}


@pytest.fixture
def program() -> Program:
    """Two members with 100 points each, of R$ 0.0025."""
    program = make_points_program(name="Pontos", unit_name="pontos")
    for _member in range(2):
        make_wallet(program, balance=2500)
    return program


@pytest.fixture
def manager(signed_in: SignedIn) -> Client:
    return signed_in(make_staff("add_pointvaluechange", *SEEN, per_action=100_00))


def run() -> None:
    while jobs.run_next(HANDLERS):
        pass


def text(answer: Any) -> str:
    found: str = answer.content.decode().replace("\u00a0", " ")
    return found


def moved(program: Program) -> list[Any]:
    return [history(card) for card in GiftCard.objects.filter(program=program).order_by("pk")]


def test_shows_both_policies_before_anything_changes(manager: Client, program: Program) -> None:
    before = moved(program)

    shown = preview(manager, program, NAME, TYPED)

    rows = [(row.label, row.now, row.money_stays, row.points_stay) for row in shown.context["rows"]]
    assert [tuple(cell.replace("\u00a0", " ") for cell in row) for row in rows] == [
        ("A point is worth", "R$0.0025", "R$0.0010", "R$0.0010"),
        ("Cards with something on them", "2", "2", "2"),
        ("Points on them", "200 pontos", "500 pontos", "200 pontos"),
        ("Money on them", "R$0.5000", "R$0.5000", "R$0.2000"),
        ("Held by purchases: stays", "R$0.0000", "R$0.0000", "R$0.0000"),
        (
            "For example, a customer with 1,000 pontos",
            "R$2.5000",
            "2,500 pontos, still worth R$2.5000",
            "1,000 pontos, worth R$1.0000: adjusted by \u2212R$1.5000",
        ),
    ]
    assert text(shown).count('<svg class="chart"') == 2
    changed = {str(each.label): (each.before, each.after) for each in shown.context["changes"]}
    assert {name: value[1].replace("\u00a0", " ") for name, value in changed.items()} == {
        "value of a point": "R$0.0010",
        "policy": "points stay, the money is adjusted",
        "available": "R$0.2000",
    }
    assert moved(program) == before
    assert (fresh(program).point_units, PointValueChange.objects.count()) == (25, 0)


def test_keeps_the_points_and_shows_how_far_the_cards_are(
    manager: Client, program: Program
) -> None:
    answer = confirm(manager, program, NAME, TYPED, preview(manager, program, NAME, TYPED))

    made = PointValueChange.objects.get()
    assert answer.redirect_chain[-1][0] == reverse(
        "admin:loyalty_pointvaluechange_change", args=[made.pk]
    )
    assert said(answer) == ["Done."]
    assert "0 of 2 (0%)" in text(answer)
    assert 'data-watches="3"' in text(answer)
    run()
    page = text(manager.get(answer.redirect_chain[-1][0]))
    assert "2 of 2 (100%)" in page
    assert "data-watches" not in page
    assert "\u2212R$0.3000" in page
    cards = GiftCard.objects.filter(program=program)
    assert [buckets(card)["available"] for card in cards] == [1000, 1000]


def test_keeps_the_money_at_once(manager: Client, program: Program) -> None:
    typed = TYPED | {"policy": "keep_money"}
    before = moved(program)

    confirm(manager, program, NAME, typed, preview(manager, program, NAME, typed))

    assert moved(program) == before
    assert (fresh(program).point_units, Job.objects.count()) == (10, 0)


def test_is_not_held_up_by_purchases_meanwhile(manager: Client, program: Program) -> None:
    shown = preview(manager, program, NAME, TYPED)
    make_purchase(GiftCard.objects.filter(program=program)[0], 100)

    assert said(confirm(manager, program, NAME, TYPED, shown)) == ["Done."]


def test_asks_again_when_somebody_else_changed_it_meanwhile(
    manager: Client, program: Program
) -> None:
    shown = preview(manager, program, NAME, TYPED)
    change(program, 50)
    run()

    answer = confirm(manager, program, NAME, TYPED, shown)

    assert errors(answer) == {
        "value": ["The point value has been changed meanwhile. Go back and open this page again."]
    }
    assert (fresh(program).point_units, PointValueChange.objects.count()) == (50, 1)


def test_happens_once_when_it_is_confirmed_twice(manager: Client, program: Program) -> None:
    shown = preview(manager, program, NAME, TYPED)

    confirm(manager, program, NAME, TYPED, shown)
    run()
    again = confirm(manager, program, NAME, TYPED, shown)

    assert said(again) == ["This was done already; nothing was done twice."]
    assert PointValueChange.objects.count() == 1


def test_tells_who_did_it_and_why(manager: Client, program: Program) -> None:
    confirm(manager, program, NAME, TYPED, preview(manager, program, NAME, TYPED))

    event = AuditEvent.objects.get(action="point_value")
    assert (event.subject, event.amount, event.reason, event.note) == (
        f"loyalty.program:{program.pk}",
        30,
        "campaign",
        "From July on",
    )
    assert (event.before, event.after) == ({"point_units": 25}, {"point_units": 10})
    assert PointValueChange.objects.get().changed_by == event.user


def test_waits_for_another_person_above_the_limit(signed_in: SignedIn, program: Program) -> None:
    manager = signed_in(make_staff("add_pointvaluechange", *SEEN, per_action=29))
    shown = preview(manager, program, NAME, TYPED)
    assert "R$0.3000 is above your limit" in text(shown)

    answer = confirm(manager, program, NAME, TYPED, shown)

    assert "waits for another person" in said(answer)[0]
    approval = Approval.objects.get()
    assert (fresh(program).point_units, approval.amount) == (25, 3000)
    boss = signed_in(make_staff("decide_approval", *SEEN))
    page = text(boss.get(reverse("admin:loyalty_approval_change", args=[approval.pk])))
    assert "points stay, the money is adjusted" in page
    boss.post(reverse("admin:loyalty_approval_decide", args=[approval.pk]), {"approve": "1"})
    run()
    approval.refresh_from_db()
    assert (approval.status, fresh(program).point_units) == ("done", 10)


def test_fails_as_an_approval_when_the_value_has_changed_by_then(
    signed_in: SignedIn, program: Program
) -> None:
    manager = signed_in(make_staff("add_pointvaluechange", *SEEN, per_action=0))
    confirm(manager, program, NAME, TYPED, preview(manager, program, NAME, TYPED))
    change(program, 50)
    run()
    approval = Approval.objects.get()
    boss = signed_in(make_staff("decide_approval", *SEEN))

    boss.post(reverse("admin:loyalty_approval_decide", args=[approval.pk]), {"approve": "1"})

    approval.refresh_from_db()
    assert (approval.status, approval.failure) == ("failed", "point_value_outdated")
    assert fresh(program).point_units == 50


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"value": ""}, "value", "This field is required."),
        ({"value": "0.0025"}, "value", "A point is worth that much already."),
        ({"value": "0.00105"}, "value", "steps of R$0.0001: type one or more of them."),
        ({"value": "0"}, "value", "steps of R$0.0001: type one or more of them."),
        ({"value": "-1"}, "value", "Type the amount like"),
        ({"value": "0,01"}, "value", "Type the amount like"),
        ({"policy": ""}, "policy", "This field is required."),
        ({"reason": ""}, "reason", "This field is required."),
        ({"note": ""}, "note", "This field is required."),
    ],
)
def test_says_beside_the_field_what_is_wrong(
    typed: dict[str, str], field: str, message: str, manager: Client, program: Program
) -> None:
    answer = preview(manager, program, NAME, TYPED | typed)

    assert list(errors(answer)) == [field]
    assert message in errors(answer)[field][0]
    assert (fresh(program).point_units, PointValueChange.objects.count()) == (25, 0)


def test_says_it_in_portuguese(manager: Client, program: Program) -> None:
    words = {"accept-language": "pt-br"}
    form = manager.get(address(program, NAME), headers=words)
    typed = TYPED | {"value": "0,0025", "token": hidden(form, "token")}

    answer = manager.post(address(program, NAME), typed, headers=words)

    assert errors(answer) == {"value": ["Um ponto já vale isso."]}


def test_refuses_while_cards_are_still_being_adjusted(manager: Client, program: Program) -> None:
    change(program, 50)

    answer = preview(manager, program, NAME, TYPED)

    assert errors(answer) == {
        "value": ["Cards are still being adjusted to another point value. Wait until that is done."]
    }
    page = text(manager.get(reverse("admin:loyalty_program_change", args=[program.pk])))
    assert address(program, NAME) not in page
    assert "cards are being adjusted (0%)" in page


def test_names_the_tiers_that_count_points(manager: Client, program: Program) -> None:
    make_scheme(program, basis="points")

    shown = preview(manager, program, NAME, TYPED)

    assert "Write new tiers for the new value." in text(shown)


def test_is_offered_for_programs_in_points_alone(manager: Client, program: Program) -> None:
    money = make_program(program.store)

    offered = [
        address(each, NAME)
        in text(manager.get(reverse("admin:loyalty_program_change", args=[each.pk])))
        for each in (program, money)
    ]

    assert offered == [True, False]


def test_keeps_the_history_on_the_programs_page(manager: Client, program: Program) -> None:
    for before, value, policy in (("25", "0.0010", "keep_points"), ("10", "0.0040", "keep_money")):
        typed = TYPED | {"before": before, "value": value, "policy": policy}
        confirm(manager, program, NAME, typed, preview(manager, program, NAME, typed))
        run()

    answer = manager.get(reverse("admin:loyalty_program_change", args=[program.pk]))

    [table] = [each for each in answer.context["recent_tables"] if "point value" in str(each.title)]
    assert [[str(cell).replace("\u00a0", " ") for cell in row[1:4]] for row in table.rows] == [
        ["R$0.0010", "R$0.0040", "money stays, the number of points changes"],
        ["R$0.0025", "R$0.0010", "points stay, the money is adjusted"],
    ]


def test_names_a_card_that_could_not_be_adjusted(manager: Client) -> None:
    program = make_points_program(point_units=1)
    card = make_wallet(program, balance=2**62 + 1)
    change(program, 2)
    run()
    made = PointValueChange.objects.get()

    page = text(manager.get(reverse("admin:loyalty_pointvaluechange_change", args=[made.pk])))

    assert "1 card could not be adjusted: it cannot hold that much." in page
    assert reverse("admin:loyalty_giftcard_change", args=[card.pk]) in page


def test_shows_a_card_the_same_points_until_its_turn(manager: Client, program: Program) -> None:
    card = GiftCard.objects.filter(program=program)[0]
    make_credit(card, 25)
    url = reverse("admin:loyalty_giftcard_change", args=[card.pk])
    change(program, 10)
    waiting = text(manager.get(url))

    run()

    assert "101 pontos" in waiting
    assert "101 pontos" in text(manager.get(url))


def change(program: Program, after: int) -> None:
    point_values.change(
        program,
        before=fresh(program).point_units or 0,
        after=after,
        policy="keep_points",
        requested_by=None,
        reason="campaign",
        request_id=f"to {after}",
    )
