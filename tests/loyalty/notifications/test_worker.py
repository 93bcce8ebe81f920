"""A real worker on the real broker, killed while the mail server has its message in hand."""

import datetime

import pytest
from django.utils import timezone

from config.celery import BEAT_SCHEDULE, app
from loyalty import notifications
from loyalty.models import Notification
from loyalty.notifications.delivery import INTERRUPTED
from tests.config.processes import eventually
from tests.loyalty.conftest import Start, kill
from tests.loyalty.notifications.builders import make_announced_card, make_writing_program
from tests.loyalty.notifications.mail_server import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server_of_workers(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> MailServer:
    """The same for workers, which read the environment that they are started in."""
    monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{server.port}")
    return server


def test_a_worker_killed_between_send_and_mark_sends_nothing_twice(
    server_of_workers: MailServer, start_worker: Start
) -> None:
    server = server_of_workers
    program = make_writing_program()
    first, second = make_announced_card(program), make_announced_card(program)
    [task] = [each["task"] for each in BEAT_SCHEDULE.values() if "send_messages" in each["task"]]
    server.pause.clear()  # it has the text, and does not say so

    worker = start_worker()
    app.send_task(task)
    assert eventually(lambda: len(server.accepted) == 1, within=60)
    kill(worker)
    server.pause.set()

    row = Notification.objects.get(card=first)
    assert row.status == "sending"
    Notification.objects.filter(pk=row.pk).update(
        claimed_at=timezone.now() - INTERRUPTED - datetime.timedelta(minutes=1)
    )
    assert notifications.send_due() == {"sent": 1}
    assert Notification.objects.get(card=first).status == "unknown"
    assert Notification.objects.get(card=second).status == "sent"
    assert len({each["Message-ID"] for each in server.messages}) == len(server.accepted) == 2
