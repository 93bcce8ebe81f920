"""The periodic work of the workers: what runs, what ran, what is late; and "run now"."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import audit, back_office, periodic
from loyalty.admin.columns import badge
from loyalty.admin.formats import shown_count
from loyalty.models import AuditAction, Job, PeriodicWork
from loyalty.periodic import Standing
from loyalty.schedule import DAY, HOUR, MINUTE, PERIODIC, WEEK
from loyalty.sign_in.address import actor_of

VIEW, RUN = "loyalty.view_periodicwork", "loyalty.run_jobs"

# What the runs count, in the order in which it is shown.
COUNTS: Mapping[str, StrOrPromise] = {
    "alerts": _("things wrong"),
    "announced": _("orders announced"),
    "begun": _("begun"),
    "calls": _("failed calls"),
    "cards": _("cards"),
    "customers": _("customers"),
    "differences": _("differences"),
    "entries": _("entries"),
    "failed": _("failed"),
    "failures": _("failures to sign in"),
    "files": _("files"),
    "finished": _("finished"),
    "heard": _("notices heard"),
    "lapsed": _("lapsed"),
    "links": _("new links of chains"),
    "messages": _("messages"),
    "months": _("months"),
    "read": _("orders read"),
    "refused": _("refused by the database"),
    "rewarded": _("orders with a later reward"),
    "sent": _("e-mails sent"),
    "settled": _("orders settled"),
    "unknown": _("perhaps sent"),
    "waiting": _("put off"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of work as the page shows it."""

    name: str
    title: StrOrPromise
    often: str
    state: SafeString
    succeeded_at: datetime.datetime | None
    counts: str
    error: str
    job: Job | None
    is_running: bool


def work_page(request: HttpRequest) -> HttpResponse:
    """All periodic work, live while something runs."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    lines = [_line(standing) for standing in periodic.standings()]
    context = {
        **admin.site.each_context(request),
        "title": gettext("Periodic work"),
        "lines": lines,
        "may_run": request.user.has_perm(RUN),
        "may_see_jobs": request.user.has_perm("loyalty.view_job"),
        "refresh_seconds": 3 if any(line.is_running for line in lines) else 30,
    }
    return TemplateResponse(request, "admin/periodic.html", context)


@require_POST
def run_now(request: HttpRequest, name: str) -> HttpResponse:
    """Have it run at the next tick, due or not."""
    if not request.user.has_perm(RUN):
        raise PermissionDenied
    if name not in PERIODIC:
        raise Http404
    periodic.ask(name)
    audit.record(AuditAction.JOB_RUN, actor_of(request), subject=PeriodicWork(name=name))
    messages.success(request, _("A worker does it within a minute."))
    return HttpResponseRedirect(reverse("admin:periodic_work"))


def _line(standing: Standing) -> Line:
    work, record = standing.work, standing.record
    return Line(
        name=work.name,
        title=work.title,
        often=_often(work.every),
        state=_state(standing),
        succeeded_at=record.succeeded_at,
        counts=_counts(record.counts),
        error=record.error,
        job=record.job,
        is_running=record.is_running,
    )


def _state(standing: Standing) -> SafeString:
    record = standing.record
    if record.is_running:
        return badge("open", _("running"))
    if standing.is_late:
        return badge("bad", _("late"))
    if standing.has_failed:
        return badge("bad", _("failed"))
    if record.asked_at and (record.started_at is None or record.asked_at > record.started_at):
        return badge("open", _("about to run"))
    if record.succeeded_at is None:
        return badge("neutral", _("not yet run"))
    return badge("good", _("on time"))


def _counts(counts: Mapping[str, int]) -> str:
    known = [(label, counts[name]) for name, label in COUNTS.items() if counts.get(name)]
    return ", ".join(f"{label}: {shown_count(number)}" for label, number in known)


def _often(every: datetime.timedelta) -> str:
    units: Mapping[datetime.timedelta, str] = {
        WEEK: gettext("every week"),
        DAY: gettext("every day"),
        HOUR: gettext("every hour"),
        MINUTE: gettext("every minute"),
    }
    minutes = gettext("every %(n)s minutes") % {"n": every // MINUTE}
    return units.get(every, minutes)


back_office.BackOfficeSite.pages += [
    back_office.Page("work/", "periodic_work", work_page),
    back_office.Page("work/<slug:name>/run/", "run_periodic_work", run_now),
]
