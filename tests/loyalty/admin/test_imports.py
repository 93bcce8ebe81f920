"""Imports in the pages of staff: uploaded, checked, applied, undone."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from loyalty import jobs
from loyalty.models import Approval, AuditEvent, Batch, Customer, GiftCard, ImportFile, Program
from loyalty.tasks import HANDLERS
from tests.builders import buckets, make_card, make_hold, make_points_program, make_program
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "loyalty/static/loyalty/sample-import.csv"
MEMBERS = ROOT / "loyalty/static/loyalty/sample-members.csv"
FILE = b"code;balance;owner_email\naBc-1;10,00;ana@example.com\nABC-1;5,50;\n"


@pytest.fixture
def maker() -> User:
    return make_staff(
        *("add_batch", "view_batch", "view_importfile", "view_approval", "undo_batch"),
        per_action=1_000_000,
    )


def work() -> None:
    while jobs.run_next(HANDLERS):
        pass


def send(client: Client, content: bytes = FILE, program: Program | None = None) -> Any:
    program = program or Program.objects.first() or make_program()
    file = SimpleUploadedFile("cards.csv", content)
    return client.post(
        reverse("admin:loyalty_importfile_upload"), {"program": program.pk, "file": file}
    )


def upload(client: Client, content: bytes = FILE, program: Program | None = None) -> Batch:
    answer = send(client, content, program)
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    return Batch.objects.latest("pk")


def page_of(client: Client, batch: Batch) -> str:
    answer = client.get(reverse("admin:loyalty_importfile_change", args=[batch.pk]))
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def do(client: Client, batch: Batch, action: str) -> None:
    address = reverse("admin:loyalty_batch_action", args=[batch.pk, action])
    typed = {"token": "t", "reason": "migration", "note": "x"}
    shown = client.post(address, typed)
    seen = shown.content.decode().split('name="seen" value="')[1].split('"')[0]
    client.post(address, {**typed, "seen": seen, "confirm": "1"})
    work()
    batch.refresh_from_db()


def test_a_file_is_only_checked_until_somebody_applies_it(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)

    batch = upload(client)
    text = page_of(client, batch)

    assert (batch.status, batch.count, batch.total) == ("draft", 2, 1550)
    assert "The dry run found no problem." in text
    assert text.count("R$15.50") == 2  # in the file, and to be issued
    assert reverse("admin:loyalty_batch_action", args=[batch.pk, "apply_import"]) in text
    assert not GiftCard.objects.exists()
    assert not Customer.objects.exists()


def test_applied_each_row_is_a_card_with_its_code_to_the_letter(
    maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    batch = upload(client)

    do(client, batch, "apply_import")

    cards = list(batch.cards.order_by("batch_number"))
    assert batch.status == "issued"
    assert [(card.code, buckets(card)["available"]) for card in cards] == [
        ("aBc-1", 1000),
        ("ABC-1", 550),
    ]
    assert cards[0].owner == Customer.objects.get(email="ana@example.com")
    assert bytes(ImportFile.objects.get().content) == b""
    assert AuditEvent.objects.filter(action="apply_import", user=maker).count() == 1
    assert "Every row is a card now." in page_of(client, batch)


def test_applied_it_is_undone_as_a_whole_until_a_card_was_used(
    maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    batch = upload(client)
    do(client, batch, "apply_import")

    do(client, batch, "undo_batch")

    assert batch.status == "undone"
    assert [buckets(card) for card in batch.cards.order_by("batch_number")] == [
        {"credited": 1000, "removed": 1000},
        {"credited": 550, "removed": 550},
    ]
    assert "Every card of this import was closed" in page_of(client, batch)


def test_of_a_used_import_nothing_is_undone(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = upload(client)
    do(client, batch, "apply_import")
    make_hold(batch.cards.order_by("batch_number")[0], 100)

    client.post(
        reverse("admin:loyalty_batch_action", args=[batch.pk, "undo_batch"]),
        {"token": "t", "reason": "other", "note": "x", "confirm": "1"},
    )
    work()

    batch.refresh_from_db()
    assert batch.status == "issued"
    assert set(batch.cards.values_list("status", flat=True)) == {"active"}


def test_problems_are_named_row_by_row_and_nothing_can_be_applied(
    maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    program = make_program()
    make_card(program, imported_code="OLD-CODE")

    batch = upload(client, b"code;balance\nOLD-CODE;1,00\nNEW-CODE;nothing\n")
    text = page_of(client, batch)
    answer = client.get(reverse("admin:loyalty_importfile_problems", args=[batch.pk]))
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))

    assert "The dry run found 2 problems." in text
    assert [row[0] for row in rows[1:]] == ["2", "3"]
    assert all(row[3] and row[4] for row in rows[1:])
    assert "OLD-CODE" not in text
    assert reverse("admin:loyalty_batch_action", args=[batch.pk, "apply_import"]) not in text
    assert batch.cards.count() == 0


def test_problems_are_in_the_language_of_the_person(maker: User) -> None:
    client = Client(headers={"accept-language": "pt-br"})
    client.force_login(maker)

    batch = upload(client, b"code;balance\nNEW-CODE;nada\n")

    text = page_of(client, batch)

    assert "1 problema" in text
    assert "The dry run" not in text


def test_above_the_limit_another_person_decides(signed_in: SignedIn) -> None:
    small = make_staff("add_batch", "view_batch", "view_importfile", per_action=100)
    client = signed_in(small)
    batch = upload(client)

    do(client, batch, "apply_import")

    assert batch.status == "waiting"
    assert Approval.objects.get().state == "waiting"
    assert batch.cards.count() == 0
    assert "Another person has to approve it." in page_of(client, batch)


def test_the_sample_is_a_file_that_can_be_imported(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)

    text = client.get(reverse("admin:loyalty_importfile_upload")).content.decode()
    batch = upload(client, SAMPLE.read_bytes())
    do(client, batch, "apply_import")

    assert "loyalty/sample-import.csv" in text
    assert (batch.status, batch.count, batch.total) == ("issued", 4, 142540)
    assert "aBcD-efgh-1234" in {card.code for card in batch.cards.all()}


def test_the_sample_of_members_becomes_wallets(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    program = make_points_program(relation_name="loyalty-program", is_restricted=True)

    text = client.get(reverse("admin:loyalty_importfile_upload")).content.decode()
    batch = upload(client, MEMBERS.read_bytes(), program=program)
    page = page_of(client, batch)
    do(client, batch, "apply_import")

    assert "loyalty/sample-members.csv" in text
    assert "1,550" in page
    batch.refresh_from_db()
    assert (batch.status, batch.count, batch.total) == ("issued", 3, 1550 * 25)
    languages = Customer.objects.order_by("pk").values_list("language", flat=True)
    assert list(languages) == ["pt-br", "es", ""]


def test_every_column_is_documented_on_the_page_and_in_the_manual(
    maker: User, signed_in: SignedIn
) -> None:
    header = [
        name
        for sample in (SAMPLE, MEMBERS)
        for name in sample.read_text().splitlines()[0].split(";")
    ]
    manual = (ROOT / "docs/import.md").read_text()

    text = signed_in(maker).get(reverse("admin:loyalty_importfile_upload")).content.decode()

    assert [name for name in header if f">{name}<" not in text] == []
    assert [name for name in header if f"`{name}`" not in manual] == []


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"a;b\n1;2\n"])
def test_what_cannot_be_read_is_refused_beside_the_file(
    content: bytes, maker: User, signed_in: SignedIn
) -> None:
    answer = send(signed_in(maker), content)

    assert answer.status_code == 200
    assert answer.context["form"].errors["file"]
    assert not Batch.objects.exists()


def test_a_draft_is_given_up_and_its_file_emptied(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = upload(client)

    answer = client.post(reverse("admin:loyalty_importfile_discard", args=[batch.pk]), follow=True)

    batch.refresh_from_db()
    assert batch.status == "discarded"
    assert bytes(ImportFile.objects.get().content) == b""
    assert "The import was discarded" in answer.content.decode()


def test_who_may_only_look_imports_nothing(signed_in: SignedIn) -> None:
    client = signed_in(make_staff("view_importfile", "view_batch"))

    assert client.get(reverse("admin:loyalty_importfile_upload")).status_code == 403
    assert send(client).status_code == 403
    assert not Batch.objects.exists()
