import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from loyalty import jobs
from loyalty.models import Job, JobKind

pytestmark = pytest.mark.django_db

KIND = JobKind.ISSUE_BATCH
State = Job.Status


def make_job(total: int = 3) -> Job:
    return Job.objects.create(kind=KIND, total=total)


def one_part(job: Job) -> bool:
    job.done += 1
    job.parameters["place"] = job.done
    return job.done < job.total


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_without_an_open_job_there_is_nothing_to_do() -> None:
    Job.objects.create(kind=KIND, status=State.DONE)
    Job.objects.create(kind=KIND, status=State.FAILED)

    assert jobs.run_next({KIND: one_part}) is False


def test_a_job_is_done_part_by_part_to_its_end() -> None:
    job = make_job(3)

    assert jobs.run_next({KIND: one_part}) is True

    job = fresh(job)
    assert (job.status, job.done, job.percent) == (State.DONE, 3, 100)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.leased_until is None


def test_progress_is_seen_while_it_goes_on() -> None:
    job, seen = make_job(3), []

    def watched(running: Job) -> bool:
        now = fresh(job)
        seen.append((now.status, now.done, now.parameters))
        return one_part(running)

    jobs.run_next({KIND: watched})

    assert seen == [
        (State.RUNNING, 0, {}),
        (State.RUNNING, 1, {"place": 1}),
        (State.RUNNING, 2, {"place": 2}),
    ]


def test_the_oldest_comes_first() -> None:
    first, second = make_job(1), make_job(1)

    jobs.run_next({KIND: one_part})

    assert [fresh(first).status, fresh(second).status] == [State.DONE, State.WAITING]


def test_a_failure_is_kept_with_its_words_and_the_progress_before_it() -> None:
    job = make_job(3)

    def breaks(running: Job) -> bool:
        if running.done == 2:
            raise ValueError("the third part is broken")
        return one_part(running)

    jobs.run_next({KIND: breaks})

    job = fresh(job)
    assert (job.status, job.done) == (State.FAILED, 2)
    assert job.error == "ValueError: the third part is broken"


def test_a_failed_job_goes_on_where_it_was_when_it_is_tried_again() -> None:
    job = make_job(3)
    Job.objects.filter(pk=job.pk).update(status=State.FAILED, done=2, error="x")

    assert jobs.retry(job) is True
    assert jobs.retry(job) is False
    jobs.run_next({KIND: one_part})

    job = fresh(job)
    assert (job.status, job.done, job.error) == (State.DONE, 3, "")


def test_a_job_that_somebody_is_at_is_left_alone() -> None:
    job = make_job()
    Job.objects.filter(pk=job.pk).update(
        status=State.RUNNING, leased_until=timezone.now() + jobs.LEASE
    )

    assert jobs.run_next({KIND: one_part}) is False


def test_a_dead_workers_job_goes_on_where_it_was() -> None:
    job = make_job(3)
    Job.objects.filter(pk=job.pk).update(
        status=State.RUNNING, done=1, leased_until=timezone.now() + jobs.LEASE
    )

    with time_machine.travel(
        timezone.now() + jobs.LEASE + datetime.timedelta(seconds=1), tick=False
    ):
        assert jobs.run_next({KIND: one_part}) is True

    assert (fresh(job).status, fresh(job).done) == (State.DONE, 3)


def test_whoever_lost_the_lease_stops_and_writes_nothing_more() -> None:
    job, parts = make_job(10), []

    def overtaken(running: Job) -> bool:
        parts.append(running.done)
        Job.objects.filter(pk=job.pk).update(lease="another worker", done=7)
        return one_part(running)

    jobs.run_next({KIND: overtaken})

    assert parts == [0]
    assert (fresh(job).status, fresh(job).done) == (State.RUNNING, 7)


def test_a_time_limit_leaves_the_job_open_for_the_next_tick() -> None:
    job = make_job(3)

    def slow(running: Job) -> bool:
        if running.done == 1:
            raise TimeoutError
        return one_part(running)

    with pytest.raises(TimeoutError):
        jobs.run_next({KIND: slow}, interruptions=(TimeoutError,))
    jobs.run_next({KIND: one_part})

    assert (fresh(job).status, fresh(job).done) == (State.DONE, 3)


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_do_each_job_once() -> None:
    made = [make_job(2) for _ in range(8)]
    parts: list[int] = []

    def noted(running: Job) -> bool:
        parts.append(running.pk)
        return one_part(running)

    def work(_: int) -> None:
        try:
            while jobs.run_next({KIND: noted}):
                pass
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert sorted(parts) == sorted([job.pk for job in made] * 2)
    assert {fresh(job).status for job in made} == {State.DONE}
