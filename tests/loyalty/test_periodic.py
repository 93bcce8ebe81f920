import datetime
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from celery.signals import beat_init
from django.db import connection

from config.celery import BEAT_SCHEDULE, app
from loyalty import jobs, periodic, tasks
from loyalty.models import Job, JobKind, PeriodicWork
from loyalty.schedule import DAY, HOUR, MINUTE, PERIODIC, WATCH, WEEK, Work
from tests.config.processes import ROOT

pytestmark = pytest.mark.django_db

# A Wednesday.
NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
HOURLY = Work("hourly", "Every hour", HOUR, 2 * HOUR, limit=5 * MINUTE)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def record(work: Work = HOURLY) -> PeriodicWork:
    return PeriodicWork.objects.get(pk=work.name)


def standing() -> periodic.Standing:
    return periodic.standing(HOURLY, PeriodicWork.objects.filter(pk=HOURLY.name).first())


def well() -> dict[str, int]:
    return {"cards": 3}


def badly() -> None:
    raise ValueError("it broke\nDETAIL: with a row")


@pytest.mark.parametrize(
    ("every", "offset", "due"),
    [
        (MINUTE, 0 * HOUR, "2026-03-04T12:00:00"),
        (HOUR, MINUTE, "2026-03-04T11:01:00"),
        (DAY, 5 * HOUR, "2026-03-04T05:00:00"),
        (DAY, 13 * HOUR, "2026-03-03T13:00:00"),
        (WEEK, 6 * DAY + 6 * HOUR, "2026-03-01T06:00:00"),
    ],
)
def test_is_due_at_the_same_times_whoever_asks(
    every: datetime.timedelta, offset: datetime.timedelta, due: str
) -> None:
    work = Work("x", "x", every, HOUR, offset=offset)

    assert work.due_at(NOON).isoformat() == f"{due}+00:00"
    assert work.due_at(work.due_at(NOON)) == work.due_at(NOON)


def test_runs_once_each_time_that_it_is_due(clock: time_machine.Traveller) -> None:
    ran = [periodic.run(HOURLY, well), periodic.run(HOURLY, well)]
    clock.move_to(NOON + HOUR - SECOND)
    ran.append(periodic.run(HOURLY, well))
    clock.move_to(NOON + HOUR)
    ran += [periodic.run(HOURLY, well), periodic.run(HOURLY, well)]

    assert ran == [True, False, False, True, False]


def test_keeps_when_it_ran_and_what_it_did() -> None:
    periodic.run(HOURLY, well)

    kept = record()
    assert (kept.started_at, kept.finished_at, kept.succeeded_at) == (NOON, NOON, NOON)
    assert (kept.counts, kept.error, kept.leased_until) == ({"cards": 3}, "", None)


def test_what_was_due_while_nothing_ran_is_done_once(clock: time_machine.Traveller) -> None:
    periodic.run(HOURLY, well)
    clock.move_to(NOON + 5 * HOUR + MINUTE)

    assert [periodic.run(HOURLY, well), periodic.run(HOURLY, well)] == [True, False]


def test_a_failure_is_kept_and_tried_again_three_times_in_all(
    clock: time_machine.Traveller,
) -> None:
    ran = [periodic.run(HOURLY, badly) for _ in range(5)]

    kept = record()
    assert ran == [True, True, True, False, False]
    assert (kept.error, kept.finished_at) == ("ValueError: it broke", NOON)
    assert kept.succeeded_at is None
    clock.move_to(NOON + HOUR)
    assert periodic.run(HOURLY, well) is True
    assert (record().error, record().attempts) == ("", 1)


def test_a_worker_that_died_is_followed_when_its_time_is_over(
    clock: time_machine.Traveller,
) -> None:
    periodic.run(HOURLY, well)
    PeriodicWork.objects.update(finished_at=None, leased_until=NOON + 6 * MINUTE)

    ran = [periodic.run(HOURLY, well)]
    clock.move_to(NOON + 6 * MINUTE + SECOND)
    ran += [periodic.run(HOURLY, well), periodic.run(HOURLY, well)]

    assert ran == [False, True, False]
    assert record().attempts == 2


def test_who_took_too_long_does_not_write_over_the_one_that_followed(
    clock: time_machine.Traveller,
) -> None:
    def slow() -> dict[str, int]:
        clock.move_to(NOON + HOUR)
        assert periodic.run(HOURLY, well) is True
        return {"cards": 1}

    periodic.run(HOURLY, slow)

    assert record().started_at == NOON + HOUR
    assert record().counts == {"cards": 3}


def test_somebody_may_ask_for_it_before_it_is_due(clock: time_machine.Traveller) -> None:
    periodic.run(HOURLY, well)
    clock.shift(MINUTE)
    periodic.ask(HOURLY.name)
    periodic.ask(HOURLY.name)

    assert [periodic.run(HOURLY, well), periodic.run(HOURLY, well)] == [True, False]


def test_long_work_ends_when_its_job_ends() -> None:
    periodic.run(HOURLY, lambda: jobs.again(JobKind.EXPIRE))
    begun = record()

    def whole(job: Job) -> bool:
        job.done = job.total = 7
        job.counts = {"cards": 7}
        return False

    jobs.run_next({JobKind.EXPIRE: whole})

    assert begun.is_running
    assert begun.job is not None
    assert (record().finished_at, record().succeeded_at) == (NOON, NOON)
    assert record().counts == {"cards": 7}


def test_a_job_that_fails_goes_on_at_the_next_tick_where_it_was() -> None:
    def breaks(job: Job) -> bool:
        raise ValueError

    periodic.run(HOURLY, lambda: jobs.again(JobKind.EXPIRE))
    jobs.run_next({JobKind.EXPIRE: breaks})
    failed = record()
    periodic.run(HOURLY, lambda: jobs.again(JobKind.EXPIRE))

    job = Job.objects.get()
    assert failed.error == "ValueError: "
    assert (job.status, record().job_id, record().error) == ("waiting", job.pk, "")


def test_a_run_takes_up_the_job_that_is_still_going_on(clock: time_machine.Traveller) -> None:
    periodic.run(HOURLY, lambda: jobs.again(JobKind.EXPIRE))
    clock.move_to(NOON + HOUR)
    periodic.run(HOURLY, lambda: jobs.again(JobKind.EXPIRE))

    assert Job.objects.count() == 1


def test_is_late_when_no_run_succeeded_in_time(clock: time_machine.Traveller) -> None:
    periodic.run(HOURLY, well)
    seen = [standing().is_late]
    for after in (3 * HOUR - SECOND, 3 * HOUR):
        clock.move_to(NOON + after)
        seen.append(standing().is_late)
    periodic.run(HOURLY, badly)
    seen.append(standing().is_late)
    periodic.run(HOURLY, well)
    seen.append(standing().is_late)

    assert seen == [False, False, True, True, False]


def test_what_never_succeeded_is_late_too(clock: time_machine.Traveller) -> None:
    periodic.run(HOURLY, badly)
    clock.move_to(NOON + 3 * HOUR)

    assert standing().is_late


def test_what_no_worker_has_come_to_is_not_known() -> None:
    found = standing()

    assert (found.is_known, found.is_late, found.has_failed) == (False, False, False)
    assert PeriodicWork.objects.count() == 0


def test_beat_tells_workers_of_everything_as_soon_as_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {}
    monkeypatch.setattr(app, "send_task", lambda name, **options: told.update({name: options}))

    beat_init.send(sender=None)

    assert told == {tick["task"]: tick["options"] for tick in BEAT_SCHEDULE.values()}


def test_beat_tells_workers_of_everything_in_the_table() -> None:
    assert set(BEAT_SCHEDULE) == {"run_jobs", *PERIODIC}
    assert {tick["task"] for tick in BEAT_SCHEDULE.values()} <= set(app.tasks)
    for name, tick in BEAT_SCHEDULE.items():
        assert tick["schedule"] <= MINUTE, name
        assert tick["options"]["expires"] == tick["schedule"].total_seconds()


def test_the_operations_page_names_all_of_it() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.split("## Periodic work")[1].split("\n## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == ["run_jobs", *PERIODIC]


@pytest.mark.parametrize("work", PERIODIC.values(), ids=PERIODIC)
def test_every_task_does_its_work_and_says_so(work: Work) -> None:
    task = getattr(tasks, work.name)

    task()
    while jobs.run_next(tasks.HANDLERS):
        pass

    assert record(work).error == ""
    assert record(work).succeeded_at == NOON
    assert task.soft_time_limit == work.limit.total_seconds()
    assert task.time_limit == work.limit.total_seconds() + tasks.GRACE_SECONDS


@pytest.mark.django_db(transaction=True)
def test_of_four_workers_one_runs_it() -> None:
    done: list[int] = []

    def work(number: int) -> bool:
        try:
            return periodic.run(WATCH, lambda: done.append(number))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        ran = list(pool.map(work, range(4)))

    assert sorted(ran) == [False, False, False, True]
    assert len(done) == 1
