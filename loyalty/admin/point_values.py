"""What programs' points were worth, since when, and how far the cards are adjusted."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty.admin.base import ReadOnlyAdmin, badge, link, linked, moment
from loyalty.admin.formats import NOTHING, shown_money, shown_percent
from loyalty.admin.point_value_texts import value_of
from loyalty.models import GiftCard, Job, PointValueChange, Reason

_WORKING = {Job.Status.WAITING, Job.Status.RUNNING}


@admin.register(PointValueChange)
class PointValueChangeAdmin(ReadOnlyAdmin[PointValueChange]):
    """The history of the point values."""

    change_form_template = "admin/point_values/change.html"
    list_display = (
        *("since", "program_link", "value_before", "value_after", "policy", "state"),
        *("why", "changed_by"),
    )
    list_filter = ("program__store", "program", "policy")
    list_select_related = ("program__store", "changed_by", "job")
    since = moment("changed_at", _("from"))
    finished = moment("finished_at", _("finished at"))
    program_link = link("program", _("program"))
    fields = (
        *("program_link", "since", "value_before", "value_after", "policy", "state"),
        *("cards", "available_then", "moved", "why", "note", "changed_by", "finished"),
    )
    readonly_fields = fields

    @admin.display(description=_("value before"))
    def value_before(self, row: PointValueChange) -> str:
        """What a point was worth."""
        return value_of(row.before, row.program)

    @admin.display(description=_("value after"))
    def value_after(self, row: PointValueChange) -> str:
        """What it has been worth since."""
        return value_of(row.after, row.program)

    @admin.display(description=_("state"))
    def state(self, row: PointValueChange) -> SafeString:
        """Whether cards are still being adjusted."""
        if row.is_under_way and row.job:
            percent = shown_percent(row.job.percent)
            return badge("open", _("cards are being adjusted (%s)") % percent)
        return badge("good", _("done"))

    @admin.display(description=_("available then"))
    def available_then(self, row: PointValueChange) -> str:
        """What was on the program's cards."""
        return shown_money(row.available, row.program.store.currency, row.program.exponent)

    @admin.display(description=_("adjusted by"))
    def moved(self, row: PointValueChange) -> str:
        """What cards gained or lost in all."""
        if row.job is None:
            return NOTHING
        units = row.job.counts.get("units", 0) * (1 if row.after > row.before else -1)
        return shown_money(units, row.program.store.currency, row.program.exponent)

    @admin.display(description=_("reason"))
    def why(self, row: PointValueChange) -> str:
        """Of the list."""
        return str(dict(Reason.choices).get(row.reason, row.reason))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The change, and how far the cards are."""
        job: Job | None = context["original"].job
        refused = job.parameters.get("refused", []) if job else []
        found = GiftCard.objects.in_bulk([card for card, _code in refused])
        context |= {
            "job": job,
            "refused": [linked(found.get(card)) for card, _code in refused],
            "refresh_seconds": 3 if job and job.status in _WORKING else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)
