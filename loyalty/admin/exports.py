"""Any list as CSV: all rows that pass its filters and its search, however many there are."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import (
    display_for_field,
    display_for_value,
    label_for_field,
    lookup_field,
)
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import strip_tags
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from loyalty import audit
from loyalty.admin.columns import card_of
from loyalty.admin.csv import csv_response, in_chunks
from loyalty.admin.formats import NOTHING
from loyalty.admin.lists import BEFORE, WholeChangeList
from loyalty.models import AuditAction
from loyalty.sign_in.address import actor_of

Row = TypeVar("Row", bound=Model)

PERMISSION = "loyalty.export_lists"
# Where somebody is in a list, which a file has no part of.
_PLACE = (PAGE_VAR, ORDER_VAR, BEFORE, ERROR_FLAG)
_NOTE = 500


class ExportedList(admin.ModelAdmin[Row]):
    """A mixin for a list: the same columns and filters as CSV, oldest rows first.

    Amounts become numbers, with their currency in a column of its own; instants are by the clock of
    the store. `export_also` names attributes of a row that the list has no room for, such as ids.
    """

    export_also: Sequence[str] = ()

    def get_urls(self) -> list[URLPattern]:
        """The address of the file, before those of the pages."""
        meta = self.model._meta
        address = path(
            "export/",
            self.admin_site.admin_view(self.export),
            name=f"{meta.app_label}_{meta.model_name}_export",
        )
        return [address, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the way to its file for whoever may take it away."""
        url = self._export_url(request) if request.user.has_perm(PERMISSION) else ""
        return super().changelist_view(request, {"export_url": url, **(extra_context or {})})

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The file, streamed; that it was taken away is in the audit trail."""
        if not (request.user.has_perm(PERMISSION) and self.has_view_permission(request)):
            raise PermissionDenied
        meta = self.model._meta
        try:
            rows = self._whole_list(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(
                reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
            )
        if isinstance(self.list_select_related, Sequence):
            rows = rows.select_related(*self.list_select_related)
        audit.record(AuditAction.EXPORT, actor_of(request), note=self._export_note(request))
        header, cells = self._columns(request)
        return csv_response(
            f"{meta.verbose_name_plural}.csv",
            header,
            ([cell(row) for cell in cells] for row in in_chunks(rows)),
            language=get_language() or "en",
        )

    def _whole_list(self, request: HttpRequest) -> ChangeList:
        return WholeChangeList(
            request,
            self.model,
            list_display=self.list_display,
            list_display_links=(),
            list_filter=self.get_list_filter(request),
            date_hierarchy=None,
            search_fields=self.get_search_fields(request),
            list_select_related=False,
            list_per_page=1,
            list_max_show_all=0,
            list_editable=(),
            model_admin=self,
            sortable_by=(),
            search_help_text="",
        )

    def _columns(self, request: HttpRequest) -> tuple[list[object], list[Callable[[Row], object]]]:
        names = [str(name) for name in self.get_list_display(request)]
        header: list[object] = [_("number")]
        cells: list[Callable[[Row], object]] = [attrgetter("pk")]
        for name in names:
            header.append(label_for_field(name, self.model, self))
            cells.append(_cell_of(name, self))
        if any(getattr(getattr(self, name, None), "is_money", False) for name in names):
            header.append(_("currency"))
            cells.append(_currency)
        for name in self.export_also:
            header.append(label_for_field(name, self.model, self))
            cells.append(_cell_of(name, self))
        return header, cells

    def _export_url(self, request: HttpRequest) -> str:
        values = request.GET.copy()
        for name in _PLACE:
            values.pop(name, None)
        meta = self.model._meta
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_export")
        return f"{url}?{values.urlencode()}" if values else url

    def _export_note(self, request: HttpRequest) -> str:
        """Which list, by which filters; what was searched for may be a person."""
        filters = [
            f"{name}={value}" for name, value in sorted(request.GET.items()) if name != SEARCH_VAR
        ]
        searched = [SEARCH_VAR] if request.GET.get(SEARCH_VAR) else []
        return " ".join([self.model._meta.model_name or "", *filters, *searched])[:_NOTE]


def _cell_of(name: str, page: admin.ModelAdmin[Any]) -> Callable[[Any], object]:
    exported: Callable[[Any], object] | None = getattr(getattr(page, name, None), "exported", None)
    if exported is not None:
        return exported

    def cell(row: Model) -> object:
        column, _attribute, value = lookup_field(name, row, page)
        if isinstance(column, Field):
            shown = display_for_field(value, column, "")
        else:
            shown = display_for_value(value, "")
        text = strip_tags(str(shown))
        return "" if text == NOTHING else text

    return cell


def _currency(row: Model) -> str:
    card = card_of(row)
    return card.currency if card else ""
