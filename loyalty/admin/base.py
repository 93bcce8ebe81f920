"""What the pages of the back office share: they only show, search by index and count within reason.

Amounts are shown exactly, in the card's currency; moments in the store's own time.
"""

import datetime
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import attrgetter, or_
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.utils import (
    display_for_field,
    display_for_value,
    label_for_field,
    lookup_field,
)
from django.core.paginator import Paginator
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.identity import normalized_document, normalized_email
from loyalty.models import GiftCard, Store
from loyalty.money import to_decimal

Row = TypeVar("Row", bound=Model)
Column = Callable[[Any, Any], str]

_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")

NOTHING = "-"  # as Django shows an empty value


def shown_amount(units: int, card: GiftCard) -> str:
    """Units of a card as exact money of its currency: `BRL 1,234.56`."""
    amount = to_decimal(units, exponent=card.exponent)
    text = number_format(amount, decimal_pos=card.exponent, use_l10n=True, force_grouping=True)
    return f"{card.currency}\u00a0{text}"


def shown_moment(instant: datetime.datetime | None, store: Store) -> str:
    """An instant by the clock of the store: a card's last day is the day that the shopper knows."""
    if instant is None:
        return NOTHING
    local = timezone.localtime(instant, store.zone)
    return date_format(local, "SHORT_DATETIME_FORMAT", use_l10n=True)


def money(path: str, description: StrOrPromise, *, is_stored: bool = True) -> Column:
    """A column with an amount in units, found at `path` ("balance.available").

    What is worked out in Python, not stored, cannot be sorted by.
    """
    units = attrgetter(path)
    ordering = path.replace(".", "__") if is_stored else None

    @admin.display(description=description, ordering=ordering)
    def column(self: Any, row: Any) -> str:
        return shown_amount(units(row), _card_of(row))

    return column


def day(path: str, description: StrOrPromise) -> Column:
    """A column with the day of an instant in the store's time zone."""
    instant = attrgetter(path)

    @admin.display(description=description, ordering=path.replace(".", "__"))
    def column(self: Any, row: Any) -> str:
        value = instant(row)
        if value is None:
            return NOTHING
        local = timezone.localtime(value, _store_of(row).zone)
        return date_format(local, "SHORT_DATE_FORMAT", use_l10n=True)

    return column


def moment(path: str, description: StrOrPromise) -> Column:
    """A column with an instant, in the store's time zone."""
    instant = attrgetter(path)

    @admin.display(description=description, ordering=path.replace(".", "__"))
    def column(self: Any, row: Any) -> str:
        return shown_moment(instant(row), _store_of(row))

    return column


def link(path: str, description: StrOrPromise) -> Column:
    """A column that leads to the page of a related object."""
    related = attrgetter(path)

    @admin.display(description=description)
    def column(self: Any, row: Any) -> str:
        return linked(related(row))

    return column


def badge(kind: str, label: StrOrPromise) -> SafeString:
    """A word in a colored frame; `kind` is good, bad, or anything else for neutral."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, label)


def linked(row: Model | None) -> str:
    """The object's name, leading to its page."""
    if row is None:
        return NOTHING
    # The beginning of an id is enough to tell two apart on a page.
    short = _ID.sub(r"\1…", str(row))
    return format_html('<a href="{}" title="{}">{}</a>', _url(row, "change", row.pk), row, short)


def _url(model: Model | type[Model], page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def _card_of(row: Any) -> GiftCard:
    card: GiftCard = row if isinstance(row, GiftCard) else row.card
    return card


def _store_of(row: Any) -> Store:
    if isinstance(row, Store):
        return row
    owner = row if hasattr(row, "store_id") else row.card
    store: Store = owner.store
    return store


class ProgramKindFilter(admin.ChoicesFieldListFilter):
    """By the program's kind, told apart from a row's own kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("kind of program")


class BoundedPaginator(Paginator[Any]):
    """Counts no further than a person would leaf: a table of millions is never counted."""

    limit = 10_000

    @cached_property
    def count(self) -> int:
        """How many rows there are, or `limit` when there are more."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows[: self.limit].count()


@dataclass(frozen=True, slots=True)
class Recent:
    """A part of an object's page: the latest rows of another table that belong to it."""

    model: type[Model]
    through: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class RecentTable:
    """The same, ready for the template."""

    title: StrOrPromise
    labels: Sequence[str]
    rows: Sequence[Sequence[object]]
    link: str
    has_more: bool


class ReadOnlyAdmin(admin.ModelAdmin[Row]):
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
    recent_rows = 25

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
        if not term:
            return queryset, False
        first, *others = [
            self.model._default_manager.filter(condition).order_by().values("pk")
            for condition in self.search_conditions(term)
        ]
        return queryset.filter(pk__in=first.union(*others) if others else first), False

    def search_conditions(self, term: str) -> Iterator[Q]:
        """One condition for each search field: what was typed, or its form as a document."""
        forms = {term, normalized_email(term), normalized_document(term)} - {""}
        for field in self.get_search_fields(HttpRequest()):
            yield reduce(or_, (Q(**{field: form}) for form in sorted(forms)))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with its recent tables."""
        row = context["original"]
        context["recent_tables"] = [
            table for each in self.recent if (table := self._recent_table(request, each, row))
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def _recent_table(self, request: HttpRequest, recent: Recent, row: Row) -> RecentTable | None:
        page = self.admin_site.get_model_admin(recent.model)
        if not page.has_view_permission(request):
            return None
        related: QuerySet[Any] = page.get_queryset(request).filter(**{recent.through: row})
        if isinstance(page.list_select_related, Sequence):
            related = related.select_related(*page.list_select_related)
        found = list(related.order_by("-pk")[: self.recent_rows + 1])
        return RecentTable(
            title=recent.model._meta.verbose_name_plural or "",
            labels=[str(label_for_field(name, recent.model, page)) for name in recent.columns],
            rows=[
                [_cell(name, each, page) for name in recent.columns]
                for each in found[: self.recent_rows]
            ],
            link=f"{_url(recent.model, 'changelist')}?{recent.through}__id__exact={row.pk}",
            has_more=len(found) > self.recent_rows,
        )


def _cell(name: str, row: Model, page: admin.ModelAdmin[Any]) -> object:
    field, _attribute, value = lookup_field(name, row, page)
    if isinstance(field, Field):
        return display_for_field(value, field, NOTHING)
    return display_for_value(value, NOTHING)
