"""Imports of existing cards: upload, dry run, report, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import audit, imports
from loyalty.admin.actions import buttons
from loyalty.admin.base import ReadOnlyAdmin
from loyalty.admin.columns import address, badge
from loyalty.admin.csv import csv_response
from loyalty.admin.formats import NOTHING, shown_count, shown_moment, shown_money, written_money
from loyalty.admin.import_forms import UploadForm
from loyalty.imports import LABELS, Problem
from loyalty.models import Approval, AuditAction, Batch, ImportFile, Job, JobKind
from loyalty.money import to_decimal
from loyalty.sign_in.address import actor_of

SHOWN_PROBLEMS = 100

State = Batch.Status

_KINDS = {
    State.DRAFT: "open",
    State.WAITING: "open",
    State.ISSUING: "open",
    State.ISSUED: "good",
    State.UNDOING: "open",
    State.UNDONE: "neutral",
    State.DISCARDED: "neutral",
}


@admin.register(ImportFile)
class ImportFileAdmin(ReadOnlyAdmin[ImportFile]):
    """The imports. Of the file itself nothing is shown but what the dry run found."""

    change_list_template = "admin/imports/list.html"
    list_display = (
        "import_name",
        "state",
        "program",
        "rows",
        "total",
        "problems_found",
        "made_by",
        "made_at",
    )
    list_filter = ("batch__status", "batch__program__store")
    list_select_related = ("batch__program__store", "batch__created_by", "batch__job")
    ordering = ("-batch",)
    search_fields = ("digest",)
    search_help_text = _("SHA-256 of a file.")
    show_facets = admin.ShowFacets.ALLOW

    @admin.display(description=_("import"), ordering="batch")
    def import_name(self, file: ImportFile) -> str:
        """What it is called."""
        return file.batch.name

    @admin.display(description=_("state"))
    def state(self, file: ImportFile) -> SafeString:
        """Where it is."""
        kind, label = _state_in_a_word(file)
        return badge(kind, label)

    @admin.display(description=_("program"))
    def program(self, file: ImportFile) -> str:
        """What its cards are."""
        return str(file.batch.program)

    @admin.display(description=_("rows"))
    def rows(self, file: ImportFile) -> str:
        """How many cards."""
        return shown_count(file.batch.count)

    @admin.display(description=_("total"))
    def total(self, file: ImportFile) -> str:
        """What they hold together."""
        return _money(file.batch, file.batch.total)

    @admin.display(description=_("problems"))
    def problems_found(self, file: ImportFile) -> str:
        """How many the dry run found."""
        return shown_count(file.problem_count)

    @admin.display(description=_("made by"))
    def made_by(self, file: ImportFile) -> str:
        """Who uploaded it."""
        return str(file.batch.created_by)

    @admin.display(description=_("made at"))
    def made_at(self, file: ImportFile) -> str:
        """When."""
        return shown_moment(file.batch.created_at, file.batch.program.store)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Without the content, which is large and which no page shows."""
        return super().get_queryset(request).defer("content", "problems")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the way in."""
        context = {"may_upload": _may_upload(request)} | (extra_context or {})
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        """The upload, and what can be done with an import, before the pages."""
        view = self.admin_site.admin_view
        name = "loyalty_importfile"
        return [
            path("upload/", view(self.upload), name=f"{name}_upload"),
            path("<int:pk>/discard/", view(self.discard), name=f"{name}_discard"),
            path("<int:pk>/problems.csv", view(self.problems), name=f"{name}_problems"),
            *super().get_urls(),
        ]

    def upload(self, request: HttpRequest) -> HttpResponse:
        """The form; a file that can be read goes on to its dry run."""
        if not _may_upload(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        actor = actor_of(request)
        if form.is_valid() and (batch := form.upload(actor.user)):
            audit.record(
                AuditAction.ADDED,
                actor,
                subject=batch,
                store=batch.program.store,
                after={"count": batch.count},
                reason=batch.reason,
                note=batch.note,
            )
            return HttpResponseRedirect(address(ImportFile, "change", batch.pk))
        return self._page(
            request,
            "admin/imports/upload.html",
            title=_("Import cards from a file"),
            form=form,
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """How far it is, what was found, and what can be done."""
        if request.method != "GET":
            raise PermissionDenied
        file = self._file(request, object_id)
        batch, job = file.batch, file.batch.job
        kind, sentence = _state_in_words(file)
        return self._page(
            request,
            "admin/imports/import.html",
            title=batch.name,
            file=file,
            batch=batch,
            job=job if job and _is_open(job) else None,
            state_kind=kind,
            state=sentence,
            figures=_figures(file),
            facts=_facts(file),
            problems=[Problem.of(each) for each in file.problems[:SHOWN_PROBLEMS]],
            has_more=file.problem_count > SHOWN_PROBLEMS,
            buttons=buttons(request, batch),
            may_discard=_may_upload(request) and batch.status == State.DRAFT,
            may_upload=_may_upload(request),
            earlier=_earlier(file),
            approval=_approval(batch),
        )

    @method_decorator(require_POST)
    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give a draft up: its file is emptied."""
        if not _may_upload(request):
            raise PermissionDenied
        batch = self._file(request, pk).batch
        if imports.discard(batch):
            audit.record(
                AuditAction.CHANGED,
                actor_of(request),
                subject=batch,
                store=batch.program.store,
                before={"status": State.DRAFT},
                after={"status": State.DISCARDED},
            )
            messages.success(request, _("The import was discarded, and its file deleted."))
        else:
            messages.error(request, _("This import is no draft any more: see what it is now."))
        return HttpResponseRedirect(address(ImportFile, "change", batch.pk))

    def problems(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What was found, as a file to work through."""
        file = self._file(request, pk)
        found = [Problem.of(each) for each in file.problems]
        return csv_response(  # type: ignore[return-value]
            f"{file.batch.name}-{gettext('problems')}.csv",
            [_("line"), _("column"), _("value"), _("what is wrong"), _("what to do")],
            ([each.line or None, each.label, each.value, each.what, each.advice] for each in found),
            language=get_language() or "en",
        )

    def _file(self, request: HttpRequest, pk: int | str) -> ImportFile:
        if not self.has_view_permission(request):
            raise PermissionDenied
        files = ImportFile.objects.defer("content").select_related(
            "batch__program__store", "batch__job", "batch__created_by"
        )
        file = files.filter(pk=pk).first() if str(pk).isdecimal() else None  # type: ignore[misc]
        if file is None:
            raise Http404
        return file

    def _page(self, request: HttpRequest, template: str, **context: object) -> HttpResponse:
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "list_url": address(ImportFile, "changelist"),
                **context,
            },
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """The same figure in the file and in the ledger."""

    label: StrOrPromise
    before: str
    after: str
    is_equal: bool


def _figures(file: ImportFile) -> Sequence[Figure]:
    """Cards and sums: as the file has them, and as they are or would be issued."""
    batch, job = file.batch, file.batch.job
    if job is None or "sums" not in job.parameters or _is_being_checked(job):
        return []
    rows = job.total if job.kind != JobKind.UNDO_BATCH else batch.count
    cards = batch.count if batch.status in {State.ISSUED, State.UNDOING} else rows - job.failed
    figures = [Figure(_("cards"), shown_count(rows), shown_count(cards), rows == cards)]
    currency, exponent = batch.program.store.currency, batch.program.exponent
    if (points := job.parameters.get("points")) and batch.program.point_units:
        issued_points = batch.total // batch.program.point_units
        figures.append(
            Figure(
                _("points"),
                shown_count(points),
                shown_count(issued_points),
                points == issued_points,
            )
        )
    for name, written in sorted(job.parameters["sums"].items()):
        issued = to_decimal(batch.total, exponent=exponent) if name == currency else Decimal(0)
        figures.append(
            Figure(
                _("total"),
                written_money(Decimal(written), name),
                _money(batch, batch.total) if name == currency else written_money(issued, name),
                Decimal(written) == issued,
            )
        )
    return figures


def _facts(file: ImportFile) -> list[tuple[StrOrPromise, str]]:
    """What is known of the file, without what is not there."""
    batch = file.batch
    found: dict[str, Any] = batch.job.parameters if batch.job else {}
    separators = {"\t": gettext("tab"), ";": ";", ",": ",", "|": "|"}
    facts: list[tuple[StrOrPromise, str]] = [
        (_("store"), str(batch.program.store)),
        (_("program"), str(batch.program)),
        (_("funding"), batch.program.get_funding_display()),
        (_("file"), file.name),
        (_("encoding"), found.get("encoding", "")),
        (_("separator"), separators.get(found.get("separator", ""), "")),
        (_("decimal sign"), found.get("decimal_sign", "")),
        (_("columns"), ", ".join(str(LABELS[each]) for each in found.get("columns", ()))),
        (_("codes kept"), shown_count(found["codes"]) if "codes" in found else ""),
        (_("owners"), shown_count(found["owners"]) if "owners" in found else ""),
        (_("new customers"), shown_count(found["new_owners"]) if "new_owners" in found else ""),
        (_("note"), batch.note),
        (_("made by"), str(batch.created_by)),
        (_("made at"), shown_moment(batch.created_at, batch.program.store)),
    ]
    return [(label, value) for label, value in facts if value not in {"", NOTHING}]


def _state_in_a_word(file: ImportFile) -> tuple[str, StrOrPromise]:
    batch, job = file.batch, file.batch.job
    if batch.status == State.DRAFT and job:
        if job.status == Job.Status.FAILED:
            return "bad", _("check failed")
        if _is_open(job):
            return "open", _("being checked")
        if file.problem_count:
            return "bad", _("has problems")
        return "good", _("ready")
    if file.problem_count:
        return "bad", batch.get_status_display()
    return _KINDS[State(batch.status)], batch.get_status_display()


def _state_in_words(file: ImportFile) -> tuple[str, StrOrPromise]:
    """The one sentence that says how it is and what comes next."""
    batch, job, count = file.batch, file.batch.job, file.problem_count
    if batch.status == State.DRAFT:
        return _draft_in_words(job, count)
    if job and job.status == Job.Status.FAILED and batch.status == State.ISSUING:
        return "bad", _(
            "The work was interrupted. What was issued stays; whoever runs the jobs can let it go"
            " on where it stopped, and no card is issued twice."
        )
    if count and batch.status == State.ISSUED:
        return "bad", ngettext(
            "Issued, but for %(count)s row: the store changed after the dry run. Import what is"
            " listed below in a file of its own, or undo the import as a whole.",
            "Issued, but for %(count)s rows: the store changed after the dry run. Import what is"
            " listed below in a file of its own, or undo the import as a whole.",
            count,
        ) % {"count": shown_count(count)}
    return _KINDS[State(batch.status)], _SENTENCES[State(batch.status)]


_SENTENCES: dict[Batch.Status, StrOrPromise] = {
    State.WAITING: _("Another person has to approve it. Nothing was issued yet."),
    State.ISSUING: _("The cards are being issued. You may leave this page."),
    State.ISSUED: _("Every row is a card now. Until one is used, the import can be undone."),
    State.UNDOING: _("The cards are being closed. You may leave this page."),
    State.UNDONE: _("Every card of this import was closed, and what was on them taken off."),
    State.DISCARDED: _("This import was given up. Nothing of it was issued."),
}


def _draft_in_words(job: Job | None, count: int) -> tuple[str, StrOrPromise]:
    if job is None or job.status == Job.Status.FAILED:
        return "bad", _("The dry run could not end. Nothing was issued: upload the file again.")
    if _is_open(job):
        return "open", _("The file is being checked. Nothing is issued; you may leave this page.")
    if count:
        return "bad", ngettext(
            "The dry run found %(count)s problem. Nothing is issued before the file has none:"
            " correct it and upload it again.",
            "The dry run found %(count)s problems. Nothing is issued before the file has none:"
            " correct it and upload it again.",
            count,
        ) % {"count": shown_count(count)}
    return "good", _("The dry run found no problem. Nothing is issued before you apply the import.")


def _earlier(file: ImportFile) -> ImportFile | None:
    """The first import of the same file, if this is not the first."""
    return (
        ImportFile.objects.filter(
            digest=file.digest, pk__lt=file.pk, batch__program__store=file.batch.program.store
        )
        .exclude(batch__status__in=[State.DISCARDED, State.UNDONE])
        .defer("content", "problems")
        .select_related("batch")
        .order_by("pk")
        .first()
    )


def _approval(batch: Batch) -> Approval | None:
    """What the import waits for."""
    if batch.status != State.WAITING:
        return None
    waiting = Approval.objects.filter(status=Approval.Status.WAITING, parameters__batch_id=batch.pk)
    return waiting.first()


def _may_upload(request: HttpRequest) -> bool:
    return actor_of(request).user.has_perm("loyalty.add_batch")


def _is_open(job: Job) -> bool:
    return job.status in {Job.Status.WAITING, Job.Status.RUNNING}


def _is_being_checked(job: Job) -> bool:
    return job.kind == JobKind.CHECK_IMPORT and _is_open(job)


def _money(batch: Batch, units: int) -> str:
    return shown_money(units, batch.program.store.currency, batch.program.exponent)
