"""The list of what went wrong: each incident with its words, its end, and where to look."""

import datetime
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty.models import Alert, Job
from tests.loyalty.admin.book_pages import staff

SignedIn = Callable[[User], Client]

pytestmark = pytest.mark.django_db

LIST = "/admin/loyalty/alert/"


@pytest.fixture
def over() -> Alert:
    job = Job.objects.create(kind=Job.Kind.EXPIRE, status=Job.Status.FAILED)
    return Alert.objects.create(
        key=f"job:{job.pk}:1",
        kind=Alert.Kind.JOB_FAILED,
        about={"number": job.pk, "error": "ValueError: broken"},
        ended_at=timezone.now(),
    )


@pytest.fixture
def still_open() -> Alert:
    return Alert.objects.create(
        key="late:expire_credit:never", kind=Alert.Kind.LATE, about={"work": "expire_credit"}
    )


def shown(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_says_what_was_wrong_and_whether_it_is_over(
    over: Alert, still_open: Alert, signed_in: SignedIn
) -> None:
    client = signed_in(staff("view_alert"))

    text = shown(client, LIST)

    assert f"Job {over.about['number']} failed. ValueError: broken" in text
    assert "Late: “Book expired credit” was not done in time." in text
    assert text.count('<span class="badge badge-bad">open</span>') == 1
    assert text.count('<span class="badge badge-neutral">over</span>') == 1


def test_is_narrowed_to_what_is_still_wrong(
    over: Alert, still_open: Alert, signed_in: SignedIn
) -> None:
    client = signed_in(staff("view_alert"))

    answer = client.get(LIST, {"ended_at__isempty": "1"})

    assert list(answer.context["cl"].result_list) == [still_open]


def test_each_leads_to_the_page_that_knows_more(over: Alert, signed_in: SignedIn) -> None:
    client = signed_in(staff("view_alert"))

    text = shown(client, f"{LIST}{over.pk}/change/")

    job = reverse("admin:loyalty_job_change", args=[over.about["number"]])
    assert f'<a href="{job}">Go there</a>' in text


def test_nobody_sees_it_without_the_permission(over: Alert, signed_in: SignedIn) -> None:
    client = signed_in(staff("view_periodicwork"))

    assert client.get(LIST).status_code == 403


def test_nobody_ends_or_removes_one(over: Alert, signed_in: SignedIn) -> None:
    client = signed_in(staff("view_alert", "change_alert", "delete_alert"))
    later = timezone.now() + datetime.timedelta(days=1)

    answers = [
        client.post(f"{LIST}{over.pk}/{page}/", {"ended_at": later, "post": "yes"})
        for page in ("change", "delete")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert Alert.objects.get().ended_at == over.ended_at
