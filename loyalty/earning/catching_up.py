"""A job that announces every order of a window of days again, day by day."""

import datetime

from loyalty.earning.reading import announce_window
from loyalty.models import Job, Store


def chunk(job: Job) -> bool:
    """The next day of the window; True while more is left. Safe to repeat."""
    store = Store.objects.get(pk=job.parameters["store"])
    first = datetime.date.fromisoformat(job.parameters["first"])
    day = first + datetime.timedelta(days=job.done)
    announced = announce_window(
        store, store.first_instant(day), store.first_instant(day + datetime.timedelta(days=1))
    )
    job.parameters["announced"] = job.parameters.get("announced", 0) + announced
    job.done += 1
    return job.done < job.total
