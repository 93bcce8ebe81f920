"""What is wrong behind the scenes, told to people: on the home page, by figures, by e-mail once.

`watch` works out every minute what is wrong and keeps an open row for each incident, which is also
what makes its e-mail go out at most once. Whether the watch itself stands still is seen by whoever
looks, without any worker.
"""

import datetime
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.core.mail import EmailMessage, get_connection
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import JSONObject
from django.utils import timezone
from django.utils.translation import gettext, override

from loyalty import periodic, proofs
from loyalty.models import Alert, Job, OrderListening, PeriodicWork, Store
from loyalty.notifications.mailer import can_send
from loyalty.notifications.smtp import OutcomeUnknown
from loyalty.reports.holds import older_than
from loyalty.schedule import PERIODIC, WATCH

# A job waits for others; longer than this, there is nobody to do it.
MAY_WAIT = datetime.timedelta(minutes=30)
# The feed keeps notices for days: a store may be out of reach for a while.
UNHEARD = datetime.timedelta(minutes=30)
# A failure that nobody took up has been seen by then.
SHOWN_FOR = datetime.timedelta(days=7)
_MOST = 20

Kind = Alert.Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something wrong: the incident's own name, of which kind it is, and what it is about."""

    key: str
    kind: Kind
    about: Mapping[str, Any] = field(default_factory=dict)


def watch() -> dict[str, int]:
    """Remember what is wrong and what is over, and send what was not sent; how many of each."""
    now = {condition.key: condition for condition in _conditions()}
    known = Alert.objects.filter(key__in=now).in_bulk(field_name="key")
    for each in now.values():
        about = dict(each.about)
        if each.key not in known:
            log.error("Alert: %s", each.key)
            Alert.objects.get_or_create(key=each.key, defaults={"kind": each.kind, "about": about})
        elif known[each.key].ended_at or known[each.key].about != about:
            Alert.objects.filter(key=each.key).update(ended_at=None, about=about)
    Alert.objects.filter(ended_at=None).exclude(key__in=now).update(ended_at=timezone.now())
    return {"alerts": len(now), "sent": _send()}


def open_alerts() -> list[Alert]:
    """What is wrong now, the latest first; before all else, that nobody is watching. One query."""
    latest = Alert.objects.filter(ended_at=None).order_by("-pk")[:_MOST]
    found = latest.values(json=JSONObject(key="key", kind="kind", about="about"))
    record = (
        PeriodicWork.objects.annotate(alerts=ArraySubquery(found)).filter(pk=WATCH.name).first()
    )
    alerts = [Alert(**known) for known in record.alerts] if record else []
    standing = periodic.standing(WATCH, record)
    if standing.is_late or not standing.is_known:
        alerts.insert(0, Alert(key="watch", kind=Kind.NOBODY_WATCHES))
    return alerts


def words(alert: Alert) -> str:
    """What is wrong, in the language that is active, and what to do."""
    about = dict(alert.about)
    if "work" in about:
        known = PERIODIC.get(about["work"])
        about["work"] = known.title if known else about["work"]
    if "problem" in about:
        about["problem"] = gettext(about["problem"])
    return _texts()[Kind(alert.kind)] % about


def failed_jobs() -> QuerySet[Job]:
    """The jobs that failed of late and that nobody has let go on."""
    return Job.objects.filter(status=Job.Status.FAILED, finished_at__gt=timezone.now() - SHOWN_FOR)


def _texts() -> Mapping[Kind, str]:
    return {
        Kind.NOBODY_WATCHES: gettext(
            "Nothing runs in the background. Tell whoever operates the system: the worker or beat"
            " has stopped."
        ),
        Kind.LATE: gettext("Late: “%(work)s” was not done in time."),
        Kind.FAILED: gettext("Failed: “%(work)s”. %(error)s"),
        Kind.JOB_FAILED: gettext("Job %(number)s failed. %(error)s"),
        Kind.BOOKS_WRONG: gettext(
            "The books are wrong: a proof found %(number)s differences. Nothing was stopped. Tell"
            " whoever operates the system at once, and correct nothing by hand before."
        ),
        Kind.HOLDS_OLD: gettext(
            "%(store)s: %(number)s purchases hold money for more than %(days)s days."
        ),
        Kind.JOB_WAITS: gettext("Job %(number)s waits, and no worker takes it up."),
        Kind.ORDERS_UNHEARD: gettext(
            "%(store)s: its orders are not heard, so nothing is earned by new ones. %(problem)s"
            " Look at the store's keys of VTEX and at the order feed; what was missed is read once"
            " they work."
        ),
    }


def _conditions() -> Iterator[Condition]:
    yield from _periodic()
    yield from _jobs()
    yield from _books()
    yield from _holds()
    yield from _orders()


def _periodic() -> Iterator[Condition]:
    for standing in periodic.standings():
        if standing.work == WATCH:
            continue  # it is running
        record = standing.record
        # The same incident until it succeeds again.
        since = record.succeeded_at.isoformat() if record.succeeded_at else "never"
        if standing.is_late:
            yield Condition(f"late:{record.name}:{since}", Kind.LATE, {"work": record.name})
        elif standing.has_failed and record.job_id is None:
            about = {"work": record.name, "error": record.error}
            yield Condition(f"failed:{record.name}:{since}", Kind.FAILED, about)


def _jobs() -> Iterator[Condition]:
    for job in failed_jobs().order_by("-pk")[:_MOST]:
        about = {"number": job.pk, "error": job.error}
        yield Condition(f"job:{job.pk}:{job.finished_at:%Y%m%dT%H%M%S}", Kind.JOB_FAILED, about)
    before = timezone.now() - MAY_WAIT
    is_open = Q(status__in=[Job.Status.WAITING, Job.Status.RUNNING])
    nobody_came = Q(started_at=None, created_at__lt=before) | Q(leased_until__lt=before)
    waiting = Job.objects.filter(is_open & nobody_came).order_by("pk").first()
    if waiting:
        yield Condition(f"waits:{waiting.pk}", Kind.JOB_WAITS, {"number": waiting.pk})


def _books() -> Iterator[Condition]:
    """By the proof that first found them: a thousand wrong cards are one incident."""
    by_proof = proofs.open_differences().values_list("proof").annotate(number=Count("pk"))
    for proof, number in by_proof.order_by("-proof")[:_MOST]:
        yield Condition(f"books:{proof}", Kind.BOOKS_WRONG, {"number": number})


def _holds() -> Iterator[Condition]:
    """By store and the day of the latest: another one that gets old is another incident."""
    for store in Store.objects.order_by("pk"):
        days = store.open_hold_alert_days
        old = older_than(store, days).aggregate(number=Count("pk"), latest=Max("opened_at"))
        if old["number"]:
            day = timezone.localdate(old["latest"], timezone=store.zone)
            about = {"number": old["number"], "store": store.name, "pk": store.pk, "days": days}
            yield Condition(f"holds:{store.pk}:{day}", Kind.HOLDS_OLD, about)


def _orders() -> Iterator[Condition]:
    """By store and the last time that all was well: it is the same incident until then."""
    before = timezone.now() - UNHEARD
    silent = Q(heard_at=None) | Q(heard_at__lt=before)
    rows = OrderListening.objects.exclude(problem="").filter(silent).select_related("store")
    for row in rows.order_by("pk"):
        since = row.heard_at.isoformat() if row.heard_at else "never"
        about = {"store": row.store.name, "pk": row.store_id, "problem": row.problem}
        yield Condition(f"orders:{row.store_id}:{since}", Kind.ORDERS_UNHEARD, about)


def _send() -> int:
    """Send what was not sent, each to everybody at once; how many went out.

    A row is marked before its e-mail leaves: after a crash in between it is not sent rather than
    sent twice. While the server does not answer at all, nothing is marked.
    """
    unsent = Alert.objects.filter(mailed_at=None, ended_at=None).order_by("pk")[:_MOST]
    if not (settings.ALERT_EMAILS and can_send() and unsent):
        return 0
    sent = 0
    with suppress(OSError, SMTPException, OutcomeUnknown), get_connection() as mail:
        for alert in unsent:
            mine = Alert.objects.filter(pk=alert.pk, mailed_at=None)
            if mine.update(mailed_at=timezone.now()):  # else another worker was faster
                _message(alert, mail).send()
                sent += 1
    return sent


def _message(alert: Alert, mail: Any) -> EmailMessage:
    with override(settings.LANGUAGE_CODE):
        rest = gettext("The overview of the back office leads to it.")
        return EmailMessage(
            subject=gettext("Gift cards and credit: something is wrong"),
            body=f"{words(alert)}\n\n{rest}\n",
            to=settings.ALERT_EMAILS,
            connection=mail,
        )
