import datetime
from collections.abc import Iterator
from smtplib import SMTPServerDisconnected

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.utils import timezone, translation
from pytest_django import Settings

from loyalty import alerts, periodic, schedule
from loyalty.models import Alert, Job, OrderListening, PeriodicWork
from tests.builders import make_store

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
TO = ["ops@example.com", "boss@example.com"]


@pytest.fixture(autouse=True)
def clock(settings: Settings) -> Iterator[time_machine.Traveller]:
    settings.ALERT_EMAILS = TO
    settings.LANGUAGE_CODE = "en"
    settings.EMAIL_IS_SET_UP = True
    with time_machine.travel(NOON, tick=False) as traveller, translation.override("en"):
        periodic.run(schedule.WATCH, lambda: None)
        yield traveller


def make_failed_job(error: str = "ValueError: broken") -> Job:
    return Job.objects.create(kind="issue_batch", status="failed", error=error, finished_at=NOON)


def shown() -> list[str]:
    return [alerts.words(alert) for alert in alerts.open_alerts()]


def test_nothing_wrong_tells_nobody(mailoutbox: list[EmailMessage]) -> None:
    assert alerts.watch() == {"alerts": 0, "sent": 0}
    assert shown() == []
    assert mailoutbox == []


def test_a_failed_job_is_shown_and_mailed_once(mailoutbox: list[EmailMessage]) -> None:
    job = make_failed_job()

    told = [alerts.watch(), alerts.watch()]

    assert told == [{"alerts": 1, "sent": 1}, {"alerts": 1, "sent": 0}]
    assert shown() == [f"Job {job.pk} failed. ValueError: broken"]
    [message] = mailoutbox
    assert message.to == TO
    assert message.body.startswith(f"Job {job.pk} failed. ValueError: broken\n")


def test_is_over_when_the_job_goes_on_and_a_new_failure_is_a_new_incident(
    mailoutbox: list[EmailMessage],
) -> None:
    job = make_failed_job()
    alerts.watch()
    Job.objects.filter(pk=job.pk).update(status="running", finished_at=None)
    alerts.watch()
    over = shown()
    Job.objects.filter(pk=job.pk).update(
        status="failed", finished_at=NOON + datetime.timedelta(minutes=1)
    )
    alerts.watch()

    assert over == []
    assert len(shown()) == 1
    assert len(mailoutbox) == 2


def test_what_comes_and_goes_is_one_incident(mailoutbox: list[EmailMessage]) -> None:
    job = make_failed_job()
    for status in ("failed", "done", "failed"):
        Job.objects.filter(pk=job.pk).update(status=status)
        alerts.watch()

    assert len(mailoutbox) == 1
    assert Alert.objects.get().ended_at is None


def test_work_that_is_late_and_work_that_failed(clock: time_machine.Traveller) -> None:
    def badly() -> None:
        raise ValueError("broken")

    periodic.run(schedule.EXPIRE_CREDIT, badly)
    alerts.watch()
    failed = shown()
    clock.move_to(NOON + datetime.timedelta(hours=4))
    periodic.run(schedule.WATCH, alerts.watch)

    assert failed == ["Failed: “Book expired credit”. ValueError: broken"]
    assert shown() == ["Late: “Book expired credit” was not done in time."]


def test_a_job_that_no_worker_takes_up(clock: time_machine.Traveller) -> None:
    job = Job.objects.create(kind="issue_batch")
    alerts.watch()
    soon = shown()
    clock.shift(alerts.MAY_WAIT + datetime.timedelta(seconds=1))
    periodic.run(schedule.WATCH, alerts.watch)

    assert soon == []
    assert shown() == [f"Job {job.pk} waits, and no worker takes it up."]


def test_a_store_whose_orders_are_not_heard(clock: time_machine.Traveller) -> None:
    store = make_store(name="Casa Aurora")
    known = OrderListening.objects.create(store=store, heard_at=NOON, problem="VTEX answered 401.")

    at_once = alerts.watch()["alerts"]
    clock.shift(alerts.UNHEARD + datetime.timedelta(seconds=1))
    periodic.run(schedule.WATCH, lambda: None)
    told = alerts.watch()["alerts"]
    late = shown()
    known.problem, known.heard_at = "", timezone.now()
    known.save()
    over = alerts.watch()["alerts"]

    assert (at_once, told, over) == (0, 1, 0)
    [words] = late
    assert words.startswith("Casa Aurora: its orders are not heard")
    assert "VTEX answered 401." in words
    assert shown() == []


def test_that_nobody_watches_is_seen_without_a_worker(clock: time_machine.Traveller) -> None:
    clock.shift(datetime.timedelta(minutes=17))
    stopped = shown()
    PeriodicWork.objects.all().delete()
    never = shown()

    assert len(stopped) == 1
    assert stopped[0].startswith("Nothing runs in the background.")
    assert never == stopped


def test_an_old_failure_is_over() -> None:
    job = make_failed_job()
    Job.objects.filter(pk=job.pk).update(finished_at=NOON - alerts.SHOWN_FOR)

    assert alerts.watch() == {"alerts": 0, "sent": 0}


def test_a_server_that_does_not_answer_is_asked_again(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_failed_job()

    class Down:
        def __enter__(self) -> None:
            raise ConnectionRefusedError

        def __exit__(self, *_: object) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "get_connection", Down)
        down = alerts.watch()

    assert down == {"alerts": 1, "sent": 0}
    assert alerts.watch() == {"alerts": 1, "sent": 1}
    assert len(mailoutbox) == 1


def test_what_may_have_been_sent_is_not_sent_again(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_failed_job()

    def cut(_message: EmailMessage) -> int:
        raise SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", cut)
        alerts.watch()
    alerts.watch()

    assert mailoutbox == []
    assert Alert.objects.get().mailed_at == NOON


def test_without_addresses_it_is_only_shown(settings: Settings) -> None:
    settings.ALERT_EMAILS = []
    make_failed_job()

    assert alerts.watch() == {"alerts": 1, "sent": 0}
    assert len(shown()) == 1


@pytest.mark.parametrize("kind", Alert.Kind)
def test_every_kind_has_its_words(kind: Alert.Kind) -> None:
    about = {
        "work": "watch",
        "error": "x",
        "number": 3,
        "store": "Casa",
        "days": 30,
        "problem": "x",
    }

    assert alerts.words(Alert(kind=kind, about=about)).strip()
