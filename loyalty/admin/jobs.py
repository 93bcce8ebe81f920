"""The long work of the workers, as it goes on."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from loyalty import audit, jobs
from loyalty.admin.base import ReadOnlyAdmin, badge
from loyalty.admin.formats import shown_count, shown_percent
from loyalty.models import AuditAction, Batch, Job
from loyalty.sign_in.address import actor_of

_KINDS = {
    Job.Status.WAITING: "neutral",
    Job.Status.RUNNING: "open",
    Job.Status.DONE: "good",
    Job.Status.FAILED: "bad",
}


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin[Job]):
    """The jobs; a failed one can go on where it was."""

    change_form_template = "admin/jobs/job.html"
    list_display = ("kind", "state", "progress", "requested_by", "created_at", "finished_at")
    list_filter = ("status", "kind")
    list_select_related = ("requested_by",)
    fields = (
        "kind",
        "state",
        "progress",
        "failed",
        "error",
        "requested_by",
        "created_at",
        "started_at",
        "finished_at",
    )
    readonly_fields = fields

    @admin.display(description=_("state"), ordering="status")
    def state(self, job: Job) -> SafeString:
        """Where it is."""
        return badge(_KINDS[Job.Status(job.status)], job.get_status_display())

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        """How much is done."""
        return f"{shown_count(job.done)} / {shown_count(job.total)} ({shown_percent(job.percent)})"

    def get_urls(self) -> list[URLPattern]:
        """The address of another try, before those of the pages."""
        again = path(
            "<int:pk>/again/", self.admin_site.admin_view(self.again), name="loyalty_job_again"
        )
        return [again, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The job, its progress, and the button for another try."""
        job: Job = context["original"]
        context |= {
            "job": job,
            "batch": Batch.objects.filter(pk=job.parameters.get("batch")).first(),
            "may_retry": job.status == Job.Status.FAILED
            and request.user.has_perm("loyalty.run_jobs"),
            "refresh_seconds": 3
            if job.status in {Job.Status.WAITING, Job.Status.RUNNING}
            else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let a failed job go on after its last chunk."""
        if not request.user.has_perm("loyalty.run_jobs"):
            raise PermissionDenied
        job = Job.objects.filter(pk=pk).first()
        if job is None:
            raise Http404
        if jobs.retry(job):
            audit.record(AuditAction.JOB_RUN, actor_of(request), subject=job)
            messages.success(request, _("It goes on within a few seconds, where it was."))
        else:
            messages.info(request, _("This job has not failed; nothing was changed."))
        return HttpResponseRedirect(reverse("admin:loyalty_job_change", args=[pk]))
