"""Batches in the pages of staff: typed, looked at, issued, downloaded, given up."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import batches, codes, jobs
from loyalty.models import Approval, AuditEvent, Batch, Customer, GiftCard, Job
from loyalty.tasks import HANDLERS
from tests.builders import make_customer, make_program, make_store
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
TYPED = {
    "name": "Natal",
    "amount": "25.00",
    "count": "3",
    "reason": "campaign",
    "note": "Christmas",
}


@pytest.fixture
def maker() -> User:
    return make_staff("add_batch", "view_batch", "view_approval", per_action=1_000_000)


def page_of(batch: Batch) -> str:
    return reverse("admin:loyalty_batch_change", args=[batch.pk])


def send(client: Client, program: Any, **typed: str) -> Any:
    return client.post(reverse("admin:loyalty_batch_new", args=[program.pk]), TYPED | typed)


def draft(client: Client, program: Any = None, **typed: str) -> Batch:
    answer = send(client, program or make_program(), **typed)
    assert answer.status_code == 302, answer.context["form"].errors
    return Batch.objects.get()


def issue(client: Client, batch: Batch) -> Any:
    address = reverse("admin:loyalty_batch_action", args=[batch.pk, "issue_batch"])
    shown = client.post(address, {"token": "t"})
    seen = shown.content.decode().split('name="seen" value="')[1].split('"')[0]
    answer = client.post(address, {"token": "t", "seen": seen, "confirm": "1"}, follow=True)
    while jobs.run_next(HANDLERS):
        pass
    return answer


def download(client: Client, batch: Batch) -> Any:
    return client.post(reverse("admin:loyalty_batch_codes", args=[batch.pk]))


def test_what_is_typed_becomes_a_draft_that_shows_what_it_comes_to(
    maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)

    batch = draft(client)
    text = client.get(page_of(batch)).content.decode()

    assert (batch.status, batch.count, batch.amount, batch.total) == ("draft", 3, 2500, 7500)
    assert "R$75.00" in text
    assert not GiftCard.objects.exists()


def test_confirmed_the_cards_are_issued(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = draft(client)

    issue(client, batch)

    assert Batch.objects.get().status == "issued"
    assert GiftCard.objects.filter(batch=batch).count() == 3
    assert "3 cards issued" in client.get(page_of(batch)).content.decode()


def test_while_it_is_issued_the_page_shows_how_far_it_is(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = draft(client)
    batches.start(batch, requested_by=maker)
    Job.objects.update(done=1, status="running")

    text = client.get(page_of(batch)).content.decode()

    assert 'http-equiv="refresh"' in text
    assert "1 of 3 (33%)" in text


def test_above_the_limit_another_person_has_to_approve(signed_in: SignedIn) -> None:
    maker = make_staff("add_batch", "view_batch", "view_approval", per_action=7499)
    client = signed_in(maker)
    batch = draft(client)

    issue(client, batch)

    assert Batch.objects.get().status == "waiting"
    assert Approval.objects.get().amount == 7500
    assert not GiftCard.objects.exists()
    page = client.get(page_of(batch)).content.decode()
    assert reverse("admin:loyalty_approval_change", args=[Approval.objects.get().pk]) in page


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"amount": "0.00"}, "amount"),
        ({"count": "0"}, "count"),
        ({"count": "100001"}, "count"),
        ({"count": ""}, "count"),
        ({"last_day": "2020-01-01"}, "last_day"),
        ({"name": ""}, "name"),
        ({"reason": ""}, "reason"),
        ({"owners": "nobody@example.com", "count": ""}, "owners"),
    ],
)
def test_what_is_wrong_is_said_next_to_its_field(
    maker: User, signed_in: SignedIn, typed: dict[str, str], field: str
) -> None:
    answer = send(signed_in(maker), make_program(), **typed)

    assert list(answer.context["form"].errors) == [field]
    assert not Batch.objects.exists()


def test_each_owner_of_a_list_gets_a_card_and_new_ones_are_added(
    maker: User, signed_in: SignedIn
) -> None:
    store = make_store()
    known = make_customer(store, email="ana@example.com")
    client = signed_in(maker)

    batch = draft(
        client,
        make_program(store),
        count="",
        owners="ana@example.com\nnovo@example.com\n",
        creates="on",
    )
    issue(client, batch)

    new = Customer.objects.exclude(pk=known.pk).get()
    assert new.email == "novo@example.com"
    cards = GiftCard.objects.order_by("batch_number")
    assert [card.owner for card in cards] == [known, new]


def test_the_maker_downloads_the_codes_once(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = draft(client)
    issue(client, batch)

    first = download(client, batch)
    rows = list(csv.reader(io.StringIO(first.getvalue().decode("utf-8-sig"))))
    second = download(client, batch)

    cards = GiftCard.objects.order_by("batch_number")
    assert [row[:3] for row in rows[1:]] == [
        [str(card.batch_number), codes.grouped(card.code), "25.00"] for card in cards
    ]
    assert second.status_code == 403
    assert AuditEvent.objects.filter(action="codes_downloaded").count() == 1


def test_codes_leave_again_only_by_permission(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = draft(client)
    issue(client, batch)
    other = signed_in(make_staff("add_batch", "view_batch"))
    printer = signed_in(make_staff("view_batch", "reprint_batch"))

    assert download(other, batch).status_code == 403
    assert [download(printer, batch).status_code for _ in range(2)] == [200, 200]


def test_codes_do_not_leave_before_the_password_is_typed_again(maker: User) -> None:
    client = Client()
    client.force_login(maker)
    batch = Batch.objects.create(
        program=make_program(),
        name="x",
        amount=1,
        count=1,
        total=1,
        created_by=maker,
        status="issued",
    )

    answer = download(client, batch)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("admin:confirm_password"))
    assert Batch.objects.get().codes_downloaded_at is None


def test_a_draft_is_given_up(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    batch = draft(client)

    client.post(reverse("admin:loyalty_batch_discard", args=[batch.pk]))

    assert Batch.objects.get().status == "discarded"


def test_who_may_only_look_makes_no_batch(signed_in: SignedIn) -> None:
    client, program = signed_in(make_staff("view_batch")), make_program()

    answers = [
        client.get(reverse("admin:loyalty_batch_choose")).status_code,
        client.get(reverse("admin:loyalty_batch_new", args=[program.pk])).status_code,
        send(client, program).status_code,
    ]

    assert answers == [403, 403, 403]
    assert not Batch.objects.exists()


def test_a_failed_job_goes_on_where_it_was(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(make_staff("view_job", "view_batch", "run_jobs"))
    batch = draft(signed_in(maker))
    job = batches.start(batch, requested_by=maker)
    Job.objects.filter(pk=job.pk).update(status="failed", error="the database went away")
    page = reverse("admin:loyalty_job_change", args=[job.pk])

    assert "the database went away" in client.get(page).content.decode()
    client.post(reverse("admin:loyalty_job_again", args=[job.pk]))
    while jobs.run_next(HANDLERS):
        pass

    assert GiftCard.objects.filter(batch=batch).count() == 3
    assert AuditEvent.objects.filter(action="job_run").count() == 1


def test_who_may_not_run_jobs_cannot_let_them_go_on(maker: User, signed_in: SignedIn) -> None:
    batch = draft(signed_in(maker))
    job = batches.start(batch, requested_by=maker)
    Job.objects.filter(pk=job.pk).update(status="failed")
    client = signed_in(make_staff("view_job"))

    assert client.post(reverse("admin:loyalty_job_again", args=[job.pk])).status_code == 403
    assert Job.objects.get().status == "failed"
