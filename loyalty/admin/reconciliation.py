"""Comparisons with the stores' records: begun here or by the clock, watched until they end."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import audit
from loyalty.admin.base import ReadOnlyAdmin, badge, moment, shown_moment
from loyalty.admin.columns import address, page_of
from loyalty.admin.formats import NOTHING, shown_count, shown_percent
from loyalty.admin.pages import StoryPage, may_see
from loyalty.admin.parts import Fact, fact_of
from loyalty.admin.run_forms import RunForm, StartForm, UploadForm
from loyalty.models import AuditAction, Discrepancy, Job, ReconciliationRun
from loyalty.order_sources import source_class
from loyalty.sign_in.address import actor_of

Status = ReconciliationRun.Status

_KINDS = {Status.RUNNING: "open", Status.DONE: "good", Status.FAILED: "bad"}
_REFRESH_SECONDS = 3
_COUNTS: dict[str, StrOrPromise] = {
    "purchases": _("purchases"),
    "payments": _("payments"),
    "looked_up": _("looked up one by one"),
    "moving": _("left alone: moved within the hour"),
    "unreadable": _("could not be read"),
    "new": _("new differences"),
    "known": _("differences known already"),
    "reopened": _("differences that came back"),
    "closed": _("differences that are gone"),
    **dict(Discrepancy.Kind.choices),
}


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(StoryPage[ReconciliationRun], ReadOnlyAdmin[ReconciliationRun]):
    """What was compared, how far it is, and how many differences there were."""

    change_list_template = "admin/reconciliation/runs.html"
    story_template = "admin/reconciliation/run.html"
    story_related = ("store", "requested_by", "job")
    list_display = (
        *("started", "store", "source", "by", "window", "state", "done", "payments", "new"),
        *("closed", "calls"),
    )
    list_filter = ("status", "source", "by", "store")
    list_select_related = ("store",)
    started = moment("started_at", _("started at"))

    @admin.display(description=_("window"), ordering="since")
    def window(self, run: ReconciliationRun) -> str:
        """From when to when, by the store's clock."""
        return _window(run)

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: ReconciliationRun) -> SafeString:
        """Where it is."""
        return badge(_KINDS[Status(run.status)], run.get_status_display())

    @admin.display(description=_("progress"))
    def done(self, run: ReconciliationRun) -> str:
        """How much of the window is compared."""
        return shown_percent(run.percent)

    @admin.display(description=_("payments"))
    def payments(self, run: ReconciliationRun) -> int:
        """How many were compared."""
        return int(run.counts.get("payments", 0))

    @admin.display(description=_("new differences"))
    def new(self, run: ReconciliationRun) -> int:
        """Found for the first time."""
        return int(run.counts.get("new", 0))

    @admin.display(description=_("closed"))
    def closed(self, run: ReconciliationRun) -> int:
        """Differences that were gone."""
        return int(run.counts.get("closed", 0))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the ways in."""
        context: dict[str, Any] = {
            "title": _("Comparisons"),
            "may_start": self._may_start(request),
        }
        context |= extra_context or {}
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        """The two beginnings, before the pages."""
        view = self.admin_site.admin_view
        name = "loyalty_reconciliationrun"
        return [
            path("start/", view(self.start), name=f"{name}_start"),
            path("upload/", view(self.upload), name=f"{name}_upload"),
            *super().get_urls(),
        ]

    def start(self, request: HttpRequest) -> HttpResponse:
        """Compare days of a store with VTEX."""
        form = StartForm(data=request.POST or None)
        has_stores = source_class().stores().exists()
        return self._begin(request, form, "start", _("Compare with VTEX"), has_stores=has_stores)

    def upload(self, request: HttpRequest) -> HttpResponse:
        """Compare days of a store with a file of its payments."""
        form = UploadForm(data=request.POST or None, files=request.FILES or None)
        return self._begin(request, form, "upload", _("Compare with a file"))

    def _begin(
        self,
        request: HttpRequest,
        form: StartForm | UploadForm,
        template: str,
        title: StrOrPromise,
        **context: object,
    ) -> HttpResponse:
        if not self._may_start(request):
            raise PermissionDenied
        actor = actor_of(request)
        if form.is_valid() and (run := form.start(actor.user)):
            audit.record(
                AuditAction.ADDED,
                actor,
                subject=run,
                store=run.store,
                after={"source": run.source, "window": _window(run)},
            )
            messages.success(request, _("It begins within a few seconds. You may leave this page."))
            return HttpResponseRedirect(page_of(run))
        return self._page(request, template, title=title, form=form, **context)

    def _page(
        self, request: HttpRequest, template: str, *, form: RunForm, **context: object
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/reconciliation/{template}.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "list_url": address(ReconciliationRun, "changelist"),
                "form": form,
                **context,
            },
        )

    @staticmethod
    def _may_start(request: HttpRequest) -> bool:
        return actor_of(request).user.has_perm("loyalty.add_reconciliationrun")

    def story_title(self, row: ReconciliationRun) -> str:
        """Whose, and which days."""
        return f"{row.store}, {_window(row)}"

    def story(self, request: HttpRequest, row: ReconciliationRun) -> dict[str, Any]:
        """How far it is, and what it counted."""
        is_running = row.status == Status.RUNNING
        return {
            "run": row,
            "kind": _KINDS[Status(row.status)],
            "sentence": _sentence(row),
            "refresh_seconds": _REFRESH_SECONDS if is_running else None,
            "counts": [
                (label, shown_count(row.counts[name]))
                for name, label in _COUNTS.items()
                if row.counts.get(name)
            ],
            "unreadable": row.progress.get("unreadable", []),
            "facts": _facts(row),
            "job": row.job if row.job and may_see(request, Job) else None,
            "differences_url": f"{address(Discrepancy, 'changelist')}"
            f"?store__id__exact={row.store_id}"
            if may_see(request, Discrepancy)
            else "",
        }


def _window(run: ReconciliationRun) -> str:
    first, last = (each.astimezone(run.store.zone) for each in (run.since, run.until))
    return f"{first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M}"  # noqa: RUF001 - a range


def _sentence(run: ReconciliationRun) -> StrOrPromise:
    if run.status == Status.FAILED:
        return _("It has failed. Its job can go on where it was, once the cause is gone.")
    if run.status == Status.DONE:
        return _("Both sides were compared to the end of the window.")
    if run.error:
        return _("It waits: what was asked last got no answer, and is asked again.")
    return _("It is being compared. You may leave this page.")


def _facts(run: ReconciliationRun) -> list[Fact]:
    return [
        fact_of(_("store"), run.store),
        Fact(_("compared with"), run.get_source_display()),
        Fact(_("window of what was"), run.get_by_display()),
        Fact(_("window"), _window(run)),
        Fact(_("calls made"), shown_count(run.calls)),
        Fact(_("asked for by"), run.requested_by or _("the clock")),
        Fact(_("started at"), shown_moment(run.started_at, run.store)),
        Fact(_("finished at"), shown_moment(run.finished_at, run.store) or NOTHING),
    ]
