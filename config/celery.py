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

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {}
app.conf.beat_schedule = BEAT_SCHEDULE
