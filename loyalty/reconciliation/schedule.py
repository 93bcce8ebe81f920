"""The comparisons of each night, for every store whose record can be read."""

import datetime
import logging

from django.db.transaction import atomic
from django.utils import timezone

from loyalty.models import ReconciliationRun, Store
from loyalty.order_sources import Window, WindowKind, source_class
from loyalty.reconciliation.workflow import recent, start

# In the store's own night, when little is on its way.
BEGINS_AT = datetime.time(2)
# Days that each comparison goes back: what was on its way is seen by the next one.
DAYS = {WindowKind.AUTHORIZED: 3, WindowKind.CHANGED: 7}
# Refunds come weeks later: one night of the week goes back further.
LONG_DAYS, LONG_WEEKDAY = 45, 6  # Sunday
# A clock that stood still for long catches up, no further than this.
MOST_DAYS = 90

log = logging.getLogger(__name__)


def start_due() -> int:
    """Begin the comparisons of this night that were not begun yet; how many that were.

    Safe to call at any time, at once and as late as it may be: a night that was missed is part of
    the next window, and one whose run still goes on is left to it.
    """
    begun = 0
    for store in source_class().stores().order_by("pk"):
        if timezone.localtime(timezone=store.zone).time() < BEGINS_AT:
            continue
        for kind in WindowKind:
            begun += _start_once(store, kind)
    return begun


def _start_once(store: Store, kind: WindowKind) -> bool:
    with atomic():
        # Two clocks at once: the second waits here, and finds what the first has begun.
        Store.objects.select_for_update(no_key=True).get(pk=store.pk)
        runs = ReconciliationRun.objects.filter(
            store=store, by=kind, source=ReconciliationRun.Source.ORDERS, requested_by=None
        )
        window = _window(store, kind, runs.filter(status=ReconciliationRun.Status.DONE).first())
        is_going_on = runs.filter(status=ReconciliationRun.Status.RUNNING).exists()
        if is_going_on or runs.filter(until=window.until).exists():
            return False
        start(store, window)
    log.info("Store %s is compared by what was %s, from %s.", store.pk, kind, window.since)
    return True


def _window(store: Store, kind: WindowKind, last: ReconciliationRun | None) -> Window:
    """Up to the end of yesterday, back to what the last one has seen, and some days more."""
    today = timezone.localdate(timezone=store.zone)
    days = LONG_DAYS if today.weekday() == LONG_WEEKDAY else DAYS[kind]
    window = recent(kind, store, days=days)
    if last is None or last.until >= window.since:
        return window
    earliest = recent(kind, store, days=MOST_DAYS).since
    return Window(kind, max(last.until, earliest), window.until)
