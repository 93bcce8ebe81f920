"""Real worker processes on the real broker: killed, doubled, told to stop."""

import pytest
from django.contrib.auth.models import User
from django.db.models import Sum
from django.utils import timezone

from config.celery import BEAT_SCHEDULE, app
from loyalty import batches, jobs, tasks
from loyalty.batches import issuing
from loyalty.ledger.invariants import violations
from loyalty.models import Batch, Job, JobKind
from loyalty.tasks import run_jobs
from tests.builders import make_program
from tests.config.processes import eventually
from tests.loyalty.conftest import Start, kill
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db(transaction=True)

COUNT, AMOUNT = 3000, 2500


@pytest.fixture
def maker() -> User:
    return make_staff("add_batch")


@pytest.fixture
def batch(maker: User) -> Batch:
    plan = batches.Plan(program=make_program(), name="Natal", amount=AMOUNT, count=COUNT)
    return batches.draft(plan, created_by=maker)


def job_of(batch: Batch) -> Job:
    job = Batch.objects.select_related("job").get(pk=batch.pk).job
    assert job is not None
    return job


def is_done(batch: Batch) -> bool:
    return job_of(batch).status == Job.Status.DONE


def check_issued(batch: Batch) -> None:
    """Every number once, every unit, and nothing else in the books."""
    numbers = batch.cards.order_by("batch_number").values_list("batch_number", flat=True)
    sums = batch.cards.aggregate(
        credited=Sum("balance__credited"), available=Sum("balance__available")
    )
    assert list(numbers) == list(range(1, COUNT + 1))
    assert sums == {"credited": COUNT * AMOUNT, "available": COUNT * AMOUNT}
    assert Batch.objects.get(pk=batch.pk).status == Batch.Status.ISSUED
    assert (job_of(batch).done, job_of(batch).failed) == (COUNT, 0)
    assert list(violations()) == []


def test_a_worker_killed_in_the_middle_is_taken_over_and_no_card_is_lost_or_doubled(
    batch: Batch, maker: User, start_worker: Start
) -> None:
    batches.start(batch, requested_by=maker)
    first = start_worker()
    run_jobs.delay()
    assert eventually(lambda: job_of(batch).done >= issuing.CHUNK, within=60)

    kill(first)

    left = job_of(batch)
    assert left.status == Job.Status.RUNNING
    assert left.done < COUNT
    second = start_worker()
    # The lease of the dead worker runs out, two minutes later.
    Job.objects.filter(pk=left.pk).update(leased_until=timezone.now())
    run_jobs.delay()
    assert eventually(lambda: is_done(batch), within=60)
    assert second.poll() is None
    check_issued(batch)


def test_a_message_delivered_three_times_at_once_issues_once(
    batch: Batch, maker: User, start_worker: Start
) -> None:
    batches.start(batch, requested_by=maker)
    for _ in range(3):
        run_jobs.delay()

    start_worker()
    start_worker()

    assert eventually(lambda: is_done(batch), within=60)
    check_issued(batch)


def test_messages_that_redis_lost_are_made_up_for_by_the_next_tick(
    batch: Batch, maker: User, start_worker: Start
) -> None:
    batches.start(batch, requested_by=maker)
    run_jobs.delay()
    assert app.control.purge() == 1

    start_worker()
    app.send_task(BEAT_SCHEDULE["run_jobs"]["task"])

    assert eventually(lambda: is_done(batch), within=60)
    check_issued(batch)


def test_the_worker_knows_how_to_do_every_kind_of_job() -> None:
    assert {*tasks.HANDLERS, *jobs.provided()} == set(JobKind.values)


def test_more_to_do_after_a_slice_is_another_message(
    batch: Batch, maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[None] = []
    monkeypatch.setattr(tasks, "SLICE_SECONDS", 0.01)
    monkeypatch.setattr(run_jobs, "delay", lambda: sent.append(None))
    batches.start(batch, requested_by=maker)

    run_jobs()

    assert len(sent) == 1
    assert job_of(batch).done == issuing.CHUNK
    assert job_of(batch).leased_until is None


def test_nothing_to_do_sends_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[None] = []
    monkeypatch.setattr(run_jobs, "delay", lambda: sent.append(None))

    run_jobs()

    assert sent == []
