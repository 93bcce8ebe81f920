"""The Celery application and every periodic task, in one dict.

Tasks live in `loyalty.tasks`; each is safe to run twice, late, or not at all until the next tick.
"""

import os
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_process_init

from config import telemetry
from loyalty.schedule import PERIODIC

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("giftcards")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["loyalty"])


def ticks(task: str, every: timedelta) -> dict[str, Any]:
    """A tick that a busy worker did not get to is stale: the next one does its work."""
    return {"task": task, "schedule": every, "options": {"expires": every.total_seconds()}}


@worker_process_init.connect
def _report(**_: object) -> None:
    """In a worker's process: its errors and traces, where somebody wants them."""
    telemetry.start("worker")


# A tick asks whether the work is due, which the database knows: `loyalty.schedule` says how often.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "run_jobs": ticks("loyalty.tasks.run_jobs", timedelta(seconds=5)),
    **{work.name: ticks(work.task, work.tick) for work in PERIODIC.values()},
}
app.conf.beat_schedule = BEAT_SCHEDULE


@beat_init.connect
def _tick_at_once(**_: object) -> None:
    """After a start nothing waits for its first interval, and nobody seems not to be watching."""
    for tick in BEAT_SCHEDULE.values():
        app.send_task(tick["task"], **tick["options"])
