"""The Celery application and every periodic task, in one dict.

Tasks live in `loyalty.tasks`; each is safe to run twice, late, or not at all until the next tick.
"""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("giftcards")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["loyalty"])


def every(seconds: int) -> dict[str, Any]:
    """A tick that a busy worker did not get to is stale: the next one does its work."""
    return {"schedule": seconds, "options": {"expires": seconds}}


BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "run jobs": {"task": "loyalty.tasks.run_jobs", **every(seconds=5)},
    "tend approvals": {"task": "loyalty.tasks.tend_approvals", **every(seconds=60)},
    "keep books": {"task": "loyalty.tasks.keep_books", **every(seconds=60)},
    "remind": {"task": "loyalty.tasks.schedule_reminders", **every(seconds=15 * 60)},
    "send messages": {"task": "loyalty.tasks.send_messages", **every(seconds=60)},
    "purge personal data": {
        "task": "loyalty.tasks.purge_personal_data",
        **every(seconds=24 * 60 * 60),
    },
}
app.conf.beat_schedule = BEAT_SCHEDULE
