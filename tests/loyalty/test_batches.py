import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Sum

from loyalty import batches, jobs
from loyalty.batches import issuing, undoing
from loyalty.exceptions import BatchNotReady, BatchUsed
from loyalty.models import Batch, BatchOwner, GiftCard, Job, JobKind, Program
from loyalty.tasks import HANDLERS
from tests.builders import (
    buckets,
    make_adjustment,
    make_customer,
    make_hold,
    make_program,
    make_purchase,
    make_store,
)
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

State = Batch.Status


@pytest.fixture
def maker() -> User:
    return make_staff("add_batch")


def make_batch(maker: User, count: int = 3, amount: int = 2500, **fields: Any) -> Batch:
    defaults: dict[str, Any] = {
        "program": make_program(),
        "name": "Natal",
        "count": count,
        "amount": amount,
        "total": count * amount,
        "created_by": maker,
        "reason": "campaign",
        "note": "Christmas",
    }
    return Batch.objects.create(**defaults | fields)


def issued(maker: User, **fields: Any) -> Batch:
    batch = make_batch(maker, **fields)
    batches.start(batch, requested_by=maker)
    run()
    return fresh(batch)


def run() -> None:
    while jobs.run_next(HANDLERS):
        pass


def fresh(batch: Batch) -> Batch:
    return Batch.objects.get(pk=batch.pk)


def numbers(batch: Batch) -> list[int | None]:
    return list(batch.cards.order_by("batch_number").values_list("batch_number", flat=True))


def total(batch: Batch, bucket: str) -> int:
    found: int = batch.cards.aggregate(sum=Sum(f"balance__{bucket}"))["sum"] or 0
    return found


def test_every_card_is_issued_once_with_its_number_and_amount(maker: User) -> None:
    batch = issued(maker, count=5, amount=2500)

    assert batch.status == State.ISSUED
    assert numbers(batch) == [1, 2, 3, 4, 5]
    assert {tuple(buckets(card).items()) for card in batch.cards.all()} == {
        (("credited", 2500), ("available", 2500))
    }
    operation = batch.cards.first().operations.get()  # type: ignore[union-attr]
    assert (operation.actor, operation.reason, operation.note) == (
        f"staff:{maker.pk}",
        "campaign",
        "Christmas",
    )


def test_begun_twice_it_is_one_job(maker: User) -> None:
    batch = make_batch(maker)

    first = batches.start(batch, requested_by=maker)
    second = batches.start(batch, requested_by=maker)
    run()

    assert first == second
    assert numbers(batch) == [1, 2, 3]


def test_a_chunk_done_twice_makes_no_card_twice(
    maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the cards and the progress."""
    monkeypatch.setattr(issuing, "CHUNK", 2)
    batch = make_batch(maker, count=5)
    job = batches.start(batch, requested_by=maker)
    batches.issue_chunk(Job.objects.get(pk=job.pk))

    run()

    assert numbers(batch) == [1, 2, 3, 4, 5]
    assert total(batch, "credited") == batch.total
    assert Job.objects.get(pk=job.pk).done == 5


def test_a_discarded_batch_is_not_issued(maker: User) -> None:
    batch = make_batch(maker)
    assert batches.discard(batch) is True
    assert batches.discard(batch) is False

    with pytest.raises(BatchNotReady):
        batches.start(batch, requested_by=maker)

    assert not Job.objects.exists()
    assert not GiftCard.objects.exists()


def test_what_waits_for_approval_goes_back_to_draft_when_it_is_rejected(maker: User) -> None:
    batch = make_batch(maker)

    batches.wait(batch)
    assert fresh(batch).status == State.WAITING
    batches.back_to_draft(batch)

    assert fresh(batch).status == State.DRAFT


def test_each_owner_of_the_list_gets_a_card(maker: User) -> None:
    store = make_store()
    owners = [make_customer(store), make_customer(store)]
    batch = make_batch(maker, count=2, program=make_program(store, is_restricted=True))
    for number, owner in enumerate(owners, start=1):
        BatchOwner.objects.create(batch=batch, number=number, customer=owner)

    batches.start(batch, requested_by=maker)
    run()

    assert [card.owner for card in batch.cards.order_by("batch_number")] == owners


def test_the_dates_of_the_batch_are_those_of_its_cards(maker: User) -> None:
    program = make_program()
    first = program.store.first_instant(datetime.date(2099, 1, 1))
    last = program.store.last_instant(datetime.date(2099, 12, 31))

    batch = issued(maker, program=program, valid_from=first, expires_at=last)

    assert {(card.valid_from, card.expires_at) for card in batch.cards.all()} == {(first, last)}


def test_an_untouched_batch_is_undone_as_a_whole(maker: User) -> None:
    batch = issued(maker, count=3, amount=2500)

    batches.start_undo(batch, requested_by=maker)
    run()

    assert fresh(batch).status == State.UNDONE
    assert set(batch.cards.values_list("status", flat=True)) == {"closed"}
    assert (total(batch, "available"), total(batch, "removed")) == (0, 7500)


@pytest.mark.parametrize("use", [make_hold, make_purchase, make_adjustment])
def test_a_batch_of_which_a_card_was_used_is_not_undone(maker: User, use: Any) -> None:
    batch = issued(maker)
    card = batch.cards.first()
    assert card is not None
    use(card, 100)

    with pytest.raises(BatchUsed):
        batches.start_undo(batch, requested_by=maker)

    assert fresh(batch).status == State.ISSUED
    assert set(batch.cards.values_list("status", flat=True)) == {"active"}


def test_a_card_used_while_it_is_being_undone_stays_and_is_reported(maker: User) -> None:
    batch = issued(maker, count=3, amount=2500)
    job = batches.start_undo(batch, requested_by=maker)
    card = batch.cards.get(batch_number=2)
    make_purchase(card, 100)

    run()

    job = Job.objects.get(pk=job.pk)
    assert (job.done, job.failed) == (3, 1)
    assert fresh(batch).status == State.ISSUED
    assert buckets(card) == {"credited": 2500, "available": 2400, "spent": 100}
    assert total(batch, "removed") == 5000


def test_undone_once_however_often_it_is_asked_for(
    maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "CHUNK", 2)
    batch = issued(maker, count=5)
    job = batches.start_undo(batch, requested_by=maker)
    assert batches.start_undo(fresh(batch), requested_by=maker) == job
    batches.undo_chunk(Job.objects.get(pk=job.pk))  # a crash before its progress was saved

    run()

    assert (fresh(batch).status, total(batch, "removed")) == (State.UNDONE, batch.total)
    assert Job.objects.get(pk=job.pk).failed == 0


def test_what_is_left_of_a_batch_is_extended(maker: User) -> None:
    program: Program = make_program(validity_days=10)
    batch = issued(maker, count=3, program=program)
    spent = batch.cards.get(batch_number=1)
    make_purchase(spent, 2500)
    new_end = program.store.last_instant(datetime.date(2099, 1, 31))

    batches.start_extend(
        batch,
        last_day=datetime.date(2099, 1, 31),
        requested_by=maker,
        reason="campaign",
        note="longer",
        request_id="r",
    )
    run()

    ends = dict(batch.cards.values_list("batch_number", "expires_at"))
    assert (ends[2], ends[3]) == (new_end, new_end)
    assert ends[1] is not None
    assert ends[1] < new_end
    assert batches.outstanding(batch) == 5000


def test_an_extension_is_begun_once_for_each_request(maker: User) -> None:
    batch = issued(maker, program=make_program(validity_days=10))
    asked: dict[str, Any] = {
        "last_day": datetime.date(2099, 1, 31),
        "requested_by": maker,
        "reason": "campaign",
        "note": "",
        "request_id": "r",
    }

    assert batches.start_extend(batch, **asked) == batches.start_extend(batch, **asked)
    assert Job.objects.filter(kind=JobKind.EXTEND_BATCH).count() == 1


def test_what_is_outstanding_is_available_and_held(maker: User) -> None:
    batch = issued(maker, count=2, amount=2500)
    card = batch.cards.get(batch_number=1)
    make_hold(card, 500)
    make_purchase(card, 300)

    assert batches.outstanding(batch) == 4700
