"""Credit for many customers in the pages of staff: by a list or a filter, to its outcome."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from loyalty import jobs
from loyalty.models import (
    Approval,
    AuditEvent,
    Batch,
    BatchOwner,
    Customer,
    GiftCard,
    Program,
    TierStanding,
    Transaction,
)
from loyalty.tasks import HANDLERS
from tests.builders import make_customer, make_points_program, make_program, make_store, make_wallet
from tests.loyalty.earning.builders import START, make_earning_program, make_scheme
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
TYPED = {"name": "Sorry", "reason": "customer_service", "note": "The shop was down"}
WANTED = ("add_batch", "view_batch", "view_batchowner", "view_approval", "export_lists")


@pytest.fixture
def maker() -> User:
    return make_staff(*WANTED, "undo_batch", per_action=1_000_000, email="me@store.example")


@pytest.fixture
def client(maker: User, signed_in: SignedIn) -> Client:
    return signed_in(maker)


@pytest.fixture
def program() -> Program:
    """Points of R$ 0.0025."""
    return make_points_program(
        make_store(language="en"), relation_name="loyalty-program", unit_name="pontos"
    )


def form_of(program: Program, by: str = "list") -> str:
    return reverse("admin:loyalty_batch_credit", args=[program.pk, by])


def page_of(batch: Batch) -> str:
    return reverse("admin:loyalty_batch_change", args=[batch.pk])


def list_of(batch: Batch, page: str = "changelist") -> str:
    return f"{reverse(f'admin:loyalty_batchowner_{page}')}?batch__id__exact={batch.pk}"


def send(client: Client, program: Program, by: str = "list", **typed: Any) -> Any:
    return client.post(form_of(program, by), TYPED | typed)


def draft(client: Client, program: Program, by: str = "list", **typed: Any) -> Batch:
    answer = send(client, program, by, **typed)
    assert answer.status_code == 302, answer.context["form"].errors
    return Batch.objects.latest("pk")


def do(client: Client, batch: Batch, name: str = "credit_batch", **typed: str) -> Any:
    address = reverse("admin:loyalty_batch_action", args=[batch.pk, name])
    shown = client.post(address, {"token": "t", **typed})
    seen = shown.content.decode().split('name="seen" value="')[1].split('"')[0]
    answer = client.post(
        address, {"token": "t", "seen": seen, "confirm": "1", **typed}, follow=True
    )
    while jobs.run_next(HANDLERS):
        pass
    return answer


def units_of(customer: Customer) -> int:
    return sum(card.balance.available for card in customer.cards.select_related("balance"))


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode().replace("\u00a0", " ")


# --- By a list -----------------------------------------------------------------------------------


def test_a_list_becomes_a_draft_that_shows_whom_it_is_for(client: Client, program: Program) -> None:
    ana, bia = make_customer(program.store), make_customer(program.store)
    me = make_customer(program.store, email="me@store.example")

    batch = draft(
        client,
        program,
        people=f"{ana.email};200\n{bia.document}\n{me.email}\n{ana.profile_id}\n",
        amount="100",
    )

    assert (batch.source, batch.count, batch.total) == ("credit", 2, 300 * 25)
    text = text_of(client, page_of(batch))
    assert '300 pontos</span> <span class="tile-note">R$0.7500</span>' in text
    assert "1 customer gets nothing: has your own e-mail or document." in text
    assert "1 customer gets nothing: comes more than once in the list." in text
    assert "Give the credit" in text
    assert "codes" not in text
    assert not Transaction.objects.exists()
    event = AuditEvent.objects.get(action="added")
    assert event.after == {"count": 2, "total": 7500}


def test_the_first_page_is_the_confirmation_and_speaks_of_giving(
    client: Client, program: Program
) -> None:
    ana, bia = make_customer(program.store), make_customer(program.store)
    batch = draft(client, program, people=f"{ana.email};1,200\n{bia.email}\n", amount="1,500")
    address = reverse("admin:loyalty_batch_action", args=[batch.pk, "credit_batch"])

    shown = client.get(address)

    changes = [(change.label, change.before, change.after) for change in shown.context["changes"]]
    assert [
        (label, before.replace("\xa0", " "), after.replace("\xa0", " "))
        for label, before, after in changes
    ] == [
        ("customers", "0", "2"),
        ("total amount", "0 pontos (R$0.0000)", "2,700 pontos (R$6.7500)"),
        ("status", "draft", "being given"),
    ]
    assert "Change what I typed" not in shown.content.decode()
    assert not Transaction.objects.exists()
    done = client.post(
        address, {"token": "t", "seen": shown.context["seen"], "confirm": "1"}, follow=True
    )
    assert "It has begun. This page shows how far it is." in done.content.decode()
    assert "Being given" in done.content.decode()


def test_confirmed_everybody_gets_theirs_and_the_list_says_so(
    client: Client, program: Program
) -> None:
    ana, bia = make_customer(program.store), make_customer(program.store)
    batch = draft(client, program, people=f"{ana.email};200\n{bia.email}\n", amount="100")

    address = reverse("admin:loyalty_batch_action", args=[batch.pk, "credit_batch"])
    assert "0.7500" in client.post(address, {"token": "t"}).content.decode()
    do(client, batch)

    assert (units_of(ana), units_of(bia)) == (5000, 2500)
    text = text_of(client, page_of(batch))
    assert 'Given to 2</span> <span class="tile-figure">300 pontos</span>' in text
    assert "badge-good" in text
    rows = client.get(list_of(batch)).context["cl"].result_list
    assert [row.customer for row in rows] == [bia, ana]
    event = AuditEvent.objects.get(action="credit_batch")
    assert (event.amount, event.reason) == (75, "customer_service")


def test_the_outcome_is_a_file_too(client: Client, program: Program) -> None:
    ana = make_customer(program.store, name="Ana Souza")
    me = make_customer(program.store, email="me@store.example")
    batch = draft(client, program, people=f"{ana.email}\n{me.email}\n", amount="100")
    do(client, batch)

    answer = client.get(list_of(batch, "export"))
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(content)))

    assert {row[rows[0].index("outcome")] for row in rows[1:]} == {
        "given",
        "has your own e-mail or document",
    }
    assert "Ana Souza" in content


def test_a_file_is_read_and_new_customers_are_added_when_wanted(
    client: Client, program: Program
) -> None:
    file = SimpleUploadedFile(
        "list.csv", b"E-mail;Saldo\nnova@example.com;10\nnova@example.com;5\n"
    )

    batch = draft(client, program, file=file, creates="on")

    assert (batch.count, batch.total) == (1, 250)
    assert Customer.objects.get().email == "nova@example.com"
    assert list(batch.owners.order_by("number").values_list("problem", flat=True)) == [
        "",
        "repeated",
    ]


@pytest.mark.parametrize(
    ("typed", "field", "error"),
    [
        ({"people": ""}, "people", "Type the people, or choose a file."),
        ({"people": "nobody@x.com"}, "people", "Line 1: nobody in this store."),
        ({"people": "nobody@x.com;ten"}, "people", "Line 1: this is no amount."),
        ({"people": "a@x.com;1;2"}, "people", "Line 1: more than a person and an amount."),
        ({"people": "what", "creates": "on"}, "people", "Line 1: neither an e-mail"),
        ({"people": "nobody@x.com", "amount": ""}, "people", "Line 1: no amount"),
        ({"people": "E-mail\n"}, "people", "Between 1 and 100,000 people"),
        ({"amount": "0"}, "amount", "Type whole points, like 1,500."),
        ({"amount": "1.5"}, "amount", "Type whole points, like 1,500."),
        ({"amount": "1.500,00"}, "amount", "Type the amount like 1,500."),
        ({"last_day": "2020-01-01"}, "last_day", "Choose a later day."),
        ({"reason": ""}, "reason", "This field is required."),
        ({"file": SimpleUploadedFile("x.csv", b"PK\x03\x04")}, "file", "This is no CSV file."),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    client: Client, program: Program, typed: dict[str, Any], field: str, error: str
) -> None:
    answer = send(client, program, **{"amount": "100"} | typed)

    assert error in str(answer.context["form"].errors[field])
    assert not Batch.objects.exists()
    assert not Customer.objects.exists()
    assert not AuditEvent.objects.exists()


def test_one_wrong_line_keeps_all_from_being_drafted(client: Client, program: Program) -> None:
    ana = make_customer(program.store)

    answer = send(client, program, people=f"{ana.email}\nnobody@x.com\n", amount="100")

    assert "Line 2: nobody" in str(answer.context["form"].errors["people"])
    assert not Batch.objects.exists()


def test_nobody_gives_credit_to_themselves_alone(client: Client, program: Program) -> None:
    me = make_customer(program.store, email="me@store.example")

    answer = send(client, program, people=me.email, amount="100")

    assert "None of these people can get credit" in str(answer.context["form"].non_field_errors())
    assert not Batch.objects.exists()


# --- By what is known of them --------------------------------------------------------------------


def test_a_filter_becomes_a_draft_that_says_of_whom(client: Client) -> None:
    program = make_earning_program(make_store(language="en"), unit_name="pontos")
    make_scheme(program)
    gold, silver = make_customer(program.store), make_customer(program.store)
    for customer, tier in ((gold, "Gold"), (silver, "Silver")):
        make_wallet(program, owner=customer)
        TierStanding.objects.create(
            customer=customer, program=program, tier=tier, since=START, judged_at=START
        )

    batch = draft(
        client,
        program,
        "filter",
        amount="100",
        members="on",
        tier="Gold",
        not_bought_since="2026-03-01",
    )

    assert [row.customer for row in batch.owners.all()] == [gold]
    assert "members of the program, tier Gold, nothing bought since 03/01/2026" in text_of(
        client, page_of(batch)
    )
    assert AuditEvent.objects.get(action="added").after["tier"] == "Gold"


def test_a_filter_that_finds_nobody_says_so(client: Client, program: Program) -> None:
    make_customer(program.store)

    answer = send(client, program, "filter", amount="100", members="on")

    assert "There is nobody of whom all of this holds." in str(answer.context["form"].errors)
    assert not Batch.objects.exists()


def test_days_in_another_order_are_refused(client: Client, program: Program) -> None:
    days = {"bought_from": "2026-03-02", "bought_until": "2026-03-01"}

    answer = send(client, program, "filter", amount="100", **days)

    assert "bought_until" in answer.context["form"].errors


def test_without_tiers_nobody_is_asked_for_one(client: Client, program: Program) -> None:
    page = client.get(form_of(program, "filter")).content.decode()

    assert 'name="tier"' not in page
    assert 'name="members"' in page


# --- Approval and undoing ------------------------------------------------------------------------


def test_above_the_limit_another_person_approves_the_total(
    signed_in: SignedIn, program: Program
) -> None:
    some = [make_customer(program.store) for _ in range(3)]
    client = signed_in(make_staff(*WANTED, per_action=74))
    batch = draft(client, program, people="\n".join(each.email for each in some), amount="100")

    do(client, batch)

    batch.refresh_from_db()
    assert batch.status == "waiting"
    assert Approval.objects.get().amount == 7500
    assert not Transaction.objects.exists()
    assert reverse("admin:loyalty_approval_change", args=[Approval.objects.get().pk]) in text_of(
        client, page_of(batch)
    )


def test_who_gets_some_of_it_does_not_begin_it(signed_in: SignedIn, program: Program) -> None:
    """Somebody else drafted it; whoever is left out of their own draft is no obstacle."""
    bia = make_customer(program.store, email="bia@store.example")
    ana = make_customer(program.store, email="ana@store.example")
    first = signed_in(make_staff(*WANTED, per_action=10**6, email="ana@store.example"))
    batch = draft(first, program, people=f"{ana.email}\n{bia.email}", amount="100")

    other = signed_in(make_staff(*WANTED, per_action=10**6, email="bia@store.example"))
    address = reverse("admin:loyalty_batch_action", args=[batch.pk, "credit_batch"])
    refused = other.post(address, {"token": "t", "confirm": "1", "seen": "x"}, follow=True)

    assert not Transaction.objects.exists()
    assert refused.status_code == 200
    do(first, batch)
    assert (units_of(ana), units_of(bia)) == (0, 2500)


def test_it_is_taken_back_as_a_whole(client: Client, program: Program) -> None:
    ana = make_customer(program.store)
    batch = draft(client, program, people=ana.email, amount="100")
    do(client, batch)

    do(client, batch, "undo_batch", reason="correction", note="wrong list")

    assert units_of(ana) == 0
    text = text_of(client, page_of(batch))
    assert "Taken back" in text
    assert BatchOwner.objects.get().credit is not None


def test_a_draft_is_given_up(client: Client, program: Program) -> None:
    batch = draft(client, program, people=make_customer(program.store).email, amount="100")

    client.post(reverse("admin:loyalty_batch_discard", args=[batch.pk]))

    batch.refresh_from_db()
    assert batch.status == "discarded"
    assert not GiftCard.objects.exists()


@pytest.mark.parametrize("outcome", ["given", "taken_back", "refused", "open"])
def test_the_list_is_filtered_by_outcome(client: Client, program: Program, outcome: str) -> None:
    ana = make_customer(program.store)
    me = make_customer(program.store, email="me@store.example")
    people = f"{ana.email}\n{me.email}"
    back = draft(client, program, name="1", people=people, amount="100")
    do(client, back)
    do(client, back, "undo_batch", reason="correction", note="wrong list")
    do(client, draft(client, program, name="2", people=people, amount="100"))
    draft(client, program, name="3", people=people, amount="100")

    answer = client.get(reverse("admin:loyalty_batchowner_changelist"), {"outcome": outcome})

    expected = {"given": ["2"], "taken_back": ["1"], "refused": ["3", "2", "1"], "open": ["3"]}
    assert [row.batch.name for row in answer.context["cl"].result_list] == expected[outcome]


def test_only_programs_with_wallets_are_credited(client: Client, program: Program) -> None:
    cards = make_program(program.store)

    choose = client.get(reverse("admin:loyalty_batch_choose")).content.decode()

    assert form_of(program) in choose
    assert form_of(cards) not in choose
    assert client.get(form_of(cards)).status_code == 404
    assert client.get(form_of(program, "mood")).status_code == 404
