"""Tables at the bottom of a page: the latest rows of another list that belong to what it shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.contrib import admin
from django.contrib.admin.utils import (
    display_for_field,
    display_for_value,
    label_for_field,
    lookup_field,
)
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode
from django_stubs_ext import StrOrPromise

from loyalty.admin.columns import address
from loyalty.admin.formats import NOTHING
from loyalty.models import Customer, GiftCard

ROWS = 25


@dataclass(frozen=True, slots=True)
class Table:
    """Ready for the template; `link` leads to the whole list."""

    title: StrOrPromise
    labels: Sequence[str]
    rows: Sequence[Sequence[object]]
    link: str
    has_more: bool


Subject: TypeAlias = GiftCard | Customer | str
"""What a page is about: a card, a customer, or an order by its number."""

# Filled by the applications that have something to show of a subject (their module of pages).
additions: list[Callable[[HttpRequest, Subject], Table | None]] = []


def added_tables(request: HttpRequest, subject: Subject) -> list[Table]:
    """What other applications show of it; nothing of what is empty."""
    found = (addition(request, subject) for addition in additions)
    return [table for table in found if table and table.rows]


def latest(
    request: HttpRequest,
    page: admin.ModelAdmin[Any],
    condition: Q,
    *,
    columns: Sequence[str],
    query: Mapping[str, str | int],
    rows: int = ROWS,
) -> Table | None:
    """The latest rows of a list that meet a condition, for whoever may see it.

    `query` are the parameters with which the list shows all of them.
    """
    if not page.has_view_permission(request):
        return None
    model: type[Model] = page.model
    related: QuerySet[Any] = page.get_queryset(request).filter(condition)
    if isinstance(page.list_select_related, Sequence):
        related = related.select_related(*page.list_select_related)
    found = list(related.order_by("-pk")[: rows + 1])
    return Table(
        title=model._meta.verbose_name_plural or "",
        labels=[str(label_for_field(name, model, page)) for name in columns],
        rows=[[_cell(name, each, page) for name in columns] for each in found[:rows]],
        link=f"{address(model, 'changelist')}?{urlencode(query)}",
        has_more=len(found) > rows,
    )


def _cell(name: str, row: Model, page: admin.ModelAdmin[Any]) -> object:
    column, _attribute, value = lookup_field(name, row, page)
    if isinstance(column, Field):
        return display_for_field(value, column, NOTHING)
    return display_for_value(value, NOTHING)
