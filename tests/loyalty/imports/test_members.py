"""Members of a loyalty program brought in: a wallet each, with points, money or nothing yet."""

from decimal import Decimal

import pytest

from loyalty.exceptions import BatchNotReady
from loyalty.imports import Unreadable, start
from loyalty.models import Batch, Customer, GiftCard, Grant, Notification, Program
from tests.builders import make_customer, make_points_program, make_program, make_store, make_wallet
from tests.loyalty.imports.conftest import applied, job_of, make_import, problems, problems_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def members() -> Program:
    """Points of R$ 0.0025, in wallets."""
    return make_points_program(relation_name="loyalty-program", is_restricted=True)


def wallets() -> list[tuple[str, int, str]]:
    """E-mail, balance and language of each member."""
    cards = GiftCard.objects.select_related("owner", "balance").order_by("pk")
    return [
        (card.owner.email, card.balance.available, card.owner.language)
        for card in cards
        if card.owner
    ]


def test_each_row_becomes_a_wallet_with_its_points(members: Program) -> None:
    text = "pontos;email;nome;idioma\n1.200;ana@x.com;Ana;pt-BR\n35;bia@x.com;Bia;Español\n"

    batch = make_import(text, members)
    assert not Customer.objects.exists()
    job = job_of(batch)
    assert (batch.total, job.parameters["points"]) == (1235 * 25, 1235)
    assert job.parameters["sums"] == {"BRL": "3.0875"}
    batch = applied(batch)

    assert batch.status == "issued"
    assert wallets() == [("ana@x.com", 30_000, "pt-br"), ("bia@x.com", 875, "es")]
    assert {card.program for card in GiftCard.objects.all()} == {members}
    assert Customer.objects.get(email="ana@x.com").name == "Ana"


def test_members_may_have_nothing_yet(members: Program) -> None:
    batch = applied(make_import("points;email\n0;ana@x.com\n;bia@x.com\n10;caio@x.com\n", members))

    assert (batch.status, batch.count, batch.total) == ("issued", 3, 250)
    assert wallets() == [("ana@x.com", 0, ""), ("bia@x.com", 0, ""), ("caio@x.com", 250, "")]
    assert Grant.objects.count() == 1
    assert job_of(batch).parameters["issued"] == 3


def test_members_of_a_program_in_money() -> None:
    program = make_program(relation_name="loyalty-program", is_reloadable=True)

    batch = applied(make_import("balance;email\n10,50;ana@x.com\n0,00;bia@x.com\n", program))

    assert (batch.status, batch.total) == ("issued", 1050)
    assert wallets() == [("ana@x.com", 1050, ""), ("bia@x.com", 0, "")]


def test_who_is_known_is_found_by_all_that_names_them_and_stays_as_they_are(
    members: Program,
) -> None:
    ana = make_customer(members.store, email="ana@x.com", language="en", name="Ana")

    applied(
        make_import(f"points;email;cpf;language;nome\n10;;{ana.document};es;Another\n", members)
    )

    ana.refresh_from_db()
    assert (ana.language, ana.name) == ("en", "Ana")
    assert GiftCard.objects.get().owner == ana


def test_nobody_is_written_to_about_it(members: Program) -> None:
    members.announces_issue = members.announces_credit = True
    members.save()

    applied(make_import("points;email\n10;ana@x.com\n", members))

    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("10,5;;ana@x.com;", (2, "points", "points_malformed")),
        ("ten;;ana@x.com;", (2, "points", "points_malformed")),
        ("-5;;ana@x.com;", (2, "points", "amount_not_positive")),
        (f"{2**62};;ana@x.com;", (2, "points", "amount_too_large")),
        ("10;1,00;ana@x.com;", (2, "points", "balance_twice")),
        ("10;;ana@x.com;de", (2, "owner_language", "language_unknown")),
        ("10;;ana@x.com;\n20;;Ana@X.com;", (3, "owner_email", "wallet_repeated")),
        ("10;;;", (2, "owner_email", "owner_missing")),
    ],
)
def test_what_is_wrong_is_named(rows: str, found: tuple[int, str, str], members: Program) -> None:
    assert problems_of(f"points;balance;email;language\n{rows}\n", members) == [found]
    assert not Customer.objects.exists()


def test_only_an_owners_wallet_may_be_empty() -> None:
    bearer = make_points_program()

    assert problems_of("points;email\n0;\n;\n5;\n", bearer) == [
        (2, "points", "amount_not_positive")
    ]
    assert problems_of("points;email\n0;ana@x.com\n", make_points_program()) == [
        (2, "points", "amount_not_positive")
    ]


def test_points_need_a_program_that_counts_in_them() -> None:
    program = make_program(relation_name="loyalty-program")

    assert problems_of("points;email\n10;ana@x.com\n", program) == [(2, "points", "points_unknown")]


def test_a_member_is_not_imported_again(members: Program) -> None:
    ana = make_customer(members.store, email="ana@x.com")
    make_wallet(members, owner=ana)

    batch = make_import("points;email\n10;ana@x.com\n", members)

    assert problems(batch) == [(2, "owner_email", "wallet_known")]
    with pytest.raises(BatchNotReady):
        start(batch, requested_by=None)


@pytest.mark.parametrize(
    ("expected", "found"), [("30", []), ("31", [(0, "balance", "control_total")])]
)
def test_the_total_that_is_expected_of_points_is_in_points(
    expected: str, found: list[tuple[int, str, str]], members: Program
) -> None:
    batch = make_import(
        "points;email\n10;ana@x.com\n20;bia@x.com\n", members, expected_total=Decimal(expected)
    )

    assert problems(batch) == found


def test_a_file_without_balance_and_points_is_refused() -> None:
    with pytest.raises(Unreadable, match="no column with the balance"):
        make_import("email\nana@x.com\n", make_points_program(make_store()))
    assert not Batch.objects.exists()
