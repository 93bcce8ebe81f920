"""What the pages of the back office share. Those of money only show; nothing is ever deleted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import attrgetter, or_
from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from loyalty.admin.columns import badge, day, link, linked, moment, money
from loyalty.admin.exports import ExportedList
from loyalty.admin.formats import NOTHING, shown_amount, shown_moment
from loyalty.admin.lists import BoundedPaginator
from loyalty.admin.related import ROWS, Table, added_tables, latest
from loyalty.identity import normalized_document, normalized_email
from loyalty.models import Customer

__all__ = [
    "NOTHING",
    "BoundedPaginator",
    "ProgramKindFilter",
    "ReadOnlyAdmin",
    "Recent",
    "badge",
    "day",
    "link",
    "linked",
    "moment",
    "money",
    "shown_amount",
    "shown_moment",
]

Row = TypeVar("Row", bound=Model)


class ProgramKindFilter(admin.ChoicesFieldListFilter):
    """By the program's kind, told apart from a row's own kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("kind of program")


@dataclass(frozen=True, slots=True)
class Recent:
    """A part of an object's page: the latest rows of another table that belong to it.

    `narrowed_by` names what else they have in common with the object, where that has the index.
    """

    model: type[Model]
    through: str
    columns: Sequence[str]
    narrowed_by: Mapping[str, str] = field(default_factory=dict)


class ReadOnlyAdmin(ExportedList[Row]):
    """Shows, and does nothing else: not even a superuser may add, change or delete here.

    `search_fields` are plain paths that are compared as a whole; `recent` names the tables at the
    bottom of an object's page.
    """

    change_form_template = "admin/read_only.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    recent: Sequence[Recent] = ()
    recent_rows = ROWS

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may: rows are made by the ledger and by commands."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may, ever."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        """The rows that any search field finds, one query a field: together they use no index."""
        term = search_term.strip()
        if not term or not self.get_search_fields(request):
            return queryset, False
        first, *others = [
            self.model._default_manager.filter(condition).order_by().values("pk")
            for condition in self.search_conditions(term)
        ]
        return queryset.filter(pk__in=first.union(*others) if others else first), False

    def search_conditions(self, term: str) -> Iterator[Q]:
        """One condition for each search field: what was typed, or its form as a document."""
        forms = {term, normalized_email(term), normalized_document(term)} - {""}
        for name in self.get_search_fields(HttpRequest()):
            yield reduce(or_, (Q(**{name: form}) for form in sorted(forms)))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with its recent tables."""
        context["recent_tables"] = self.recent_tables(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def recent_tables(self, request: HttpRequest, row: Row | None) -> list[Table]:
        """The tables at the bottom, of what the person may see."""
        if row is None:
            return []
        tables = [table for each in self.recent if (table := self._recent(request, each, row))]
        return [*tables, *(added_tables(request, row) if isinstance(row, Customer) else [])]

    def _recent(self, request: HttpRequest, recent: Recent, row: Row) -> Table | None:
        page = self.admin_site.get_model_admin(recent.model)
        related = {
            recent.through: row,
            **{name: attrgetter(path)(row) for name, path in recent.narrowed_by.items()},
        }
        return latest(
            request,
            page,
            Q(**related),
            columns=recent.columns,
            query={f"{name}__id__exact": value.pk for name, value in related.items()},
            rows=self.recent_rows,
        )
