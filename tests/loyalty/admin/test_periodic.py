import datetime
from collections.abc import Callable

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import alerts, jobs, periodic, schedule
from loyalty.models import AuditEvent, Job, JobKind, PeriodicWork
from tests.loyalty.admin.book_pages import NOW, now, rows_of, staff, text_of

SignedIn = Callable[[User], Client]

pytestmark = pytest.mark.django_db


def states(text: str) -> dict[str, list[str]]:
    """State, last run and what it did, by the beginning of the work's title."""
    return {row[0].split()[0]: row[1:4] for row in rows_of(text, "Periodic work")[1:]}


def badly() -> None:
    raise ValueError("broken")


@now
def test_says_of_each_kind_of_work_how_it_is(signed_in: SignedIn) -> None:
    client = signed_in(staff("view_periodicwork"))
    periodic.run(schedule.KEEP_BOOKS, lambda: {"entries": 1200, "months": 0})
    periodic.run(schedule.PURGE_PERSONAL_DATA, badly)
    with time_machine.travel(NOW - datetime.timedelta(hours=5), tick=False):
        periodic.run(schedule.EXPIRE_CREDIT, lambda: None)
    periodic.ask("watch")

    found = states(text_of(client, "periodic_work"))

    assert found == {
        "End": ["not yet run", "-", "-"],
        "Add": ["on time", "0 minutes ago", "entries: 1,200"],
        "Book": ["late", "5 hours ago", "-"],
        "Prove": ["not yet run", "-", "-"],
        "Hear": ["not yet run", "-", "-"],
        "Look": ["not yet run", "-", "-"],
        "Review": ["not yet run", "-", "-"],
        "Remind": ["not yet run", "-", "-"],
        "Tell": ["not yet run", "-", "-"],
        "Send": ["not yet run", "-", "-"],
        "Begin": ["not yet run", "-", "-"],
        "Watch": ["about to run", "-", "-"],
        "Let": ["failed", "-", "ValueError: broken"],
    }


@now
def test_a_running_job_shows_its_progress_and_the_page_follows_it(signed_in: SignedIn) -> None:
    client = signed_in(staff("view_periodicwork", "view_job"))
    periodic.run(schedule.EXPIRE_CREDIT, lambda: jobs.again(JobKind.EXPIRE))
    Job.objects.update(status="running", done=30, total=40)

    text = text_of(client, "periodic_work")

    job = Job.objects.get()
    assert states(text)["Book"] == ["running", "-", f"30 of 40 (75%) Job {job.pk}"]
    assert '<progress max="40" value="30"' in text
    assert 'data-watches="3"' in text
    assert reverse("admin:loyalty_job_change", args=[job.pk]) in text


@now
def test_whoever_may_has_it_run_now(signed_in: SignedIn) -> None:
    client = signed_in(staff("view_periodicwork", "run_jobs"))
    periodic.run(schedule.PURGE_PERSONAL_DATA, lambda: None)

    with time_machine.travel(NOW + datetime.timedelta(minutes=1), tick=False):
        page = client.post(
            reverse("admin:run_periodic_work", args=["purge_personal_data"]), follow=True
        )
        ran = periodic.run(schedule.PURGE_PERSONAL_DATA, lambda: None)

    assert "A worker does it within a minute." in page.content.decode()
    assert ran is True
    event = AuditEvent.objects.get(action="job_run")
    assert event.subject == "loyalty.periodicwork:purge_personal_data"


def test_nobody_else_does(signed_in: SignedIn) -> None:
    client = signed_in(staff("view_periodicwork"))
    address = reverse("admin:run_periodic_work", args=["watch"])

    answers = [client.post(address).status_code, client.get(address).status_code]

    assert answers == [403, 405]
    assert "<button" not in text_of(client, "periodic_work").split('id="content"')[1]
    assert not PeriodicWork.objects.exists()


def test_there_is_nothing_else_to_run(signed_in: SignedIn) -> None:
    client = signed_in(staff("view_periodicwork", "run_jobs"))

    answer = client.post(reverse("admin:run_periodic_work", args=["everything"]))

    assert answer.status_code == 404
    assert not PeriodicWork.objects.exists()


@now
def test_the_overview_says_what_is_wrong_and_leads_to_it(signed_in: SignedIn) -> None:
    job = Job.objects.create(kind="expire", status="failed", error="broken", finished_at=NOW)
    client = signed_in(staff("view_periodicwork"))
    others = signed_in(staff("view_store"))

    stands_still = text_of(client, "index")
    periodic.run(schedule.WATCH, alerts.watch)
    text = text_of(client, "index")

    assert "Nothing runs in the background." in stands_still
    assert "Nothing runs in the background." not in text
    page = reverse("admin:loyalty_job_change", args=[job.pk])
    assert f'<a href="{page}">Job {job.pk} failed. broken</a>' in text
    assert "failed. broken" not in text_of(others, "index")
