"""Lists of tables with millions of rows: no filter, however rare what it finds, scans one.

Rows are made in the order of their ids, newest last. What an index gives is filtered by the index;
for anything else the list looks through the newest rows in growing steps, until its page is full or
it has looked long enough. Then it says how far it got, and a link looks further back.
"""

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)

BEFORE = "before"  # the parameter with the id before which a list begins


class BoundedPaginator(Paginator[Any]):
    """Counts no further than a person would leaf: a table of millions is never counted."""

    limit = 10_000

    @cached_property
    def count(self) -> int:
        """How many rows there are, or `limit` when there are more."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[: self.limit].count()


@dataclass(frozen=True, slots=True)
class Look:
    """A list that has not looked at everything: how many ids it has, and the way on."""

    rows: int
    further: str


class LargeChangeList(ChangeList):
    """The newest rows first, and never more of the table than `steps` and `seconds` allow."""

    # The first is small, as most filters fill a page at once.
    steps: ClassVar[Sequence[int]] = (25_000, 50_000, 100_000, 200_000)
    seconds: ClassVar[float] = 0.1
    look: Look | None = None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Newest first, whatever the address asks for: any other order would sort the table."""
        return ["-pk"]

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Without the parameter that is ours."""
        wanted: dict[str, Any] = super().get_filters_params(params)
        wanted.pop(BEFORE, None)
        return wanted

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Another page goes on where this one began; another filter begins anew."""
        given = new_params or {}
        if given.keys() == {PAGE_VAR} or BEFORE in given:
            return super().get_query_string(new_params, remove)
        return super().get_query_string(new_params, [*(remove or ()), BEFORE])

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """The rows that pass the filters, as far back as is looked."""
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if self._before is not None:
            rows = rows.filter(pk__lt=self._before)
        active: list[Any] = [
            spec for spec in self.filter_specs if getattr(spec, "is_active", False)
        ]
        if not active:
            return rows
        if any(self._is_small(spec, request) for spec in active if spec.is_narrow):
            # Not by id: with that order the planner may walk the table for what is rare.
            return rows.order_by((F("pk") + 0).desc())
        return self._looked_through(rows)

    def _is_small(self, spec: Any, request: HttpRequest) -> bool:
        """Whether an index gives so few rows that all of them can be looked at."""
        some = spec.queryset(request, self.model._default_manager.order_by())
        size = self.steps[0]
        found: int = some.values("pk")[: size + 1].count()
        return found <= size

    def _looked_through(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        began = time.monotonic()
        wanted = self.page_num * self.list_per_page + 1
        lowest, top = self._range()
        bound = top + 1
        for step in self.steps:
            bound = max(bound - step, lowest)
            part = rows.filter(pk__gte=bound)
            if bound == lowest or part.order_by()[:wanted].count() >= wanted:
                break
            if time.monotonic() - began > self.seconds:
                break
        if bound > lowest:
            self.look = Look(top + 1 - bound, self.get_query_string({BEFORE: bound}))
        return rows.filter(pk__gte=bound, pk__lte=top)

    def _range(self) -> tuple[int, int]:
        """The oldest and the newest id that may be in the list."""
        lowest, after = 0, self._before
        for spec in self.filter_specs:
            low, high = getattr(spec, "ids", (0, None))
            lowest = max(lowest, low)
            after = high if after is None else min(after, high or after)
        if after is None:
            newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True)
            after = (newest.first() or 0) + 1
        return lowest, max(after - 1, lowest)

    @property
    def _before(self) -> int | None:
        """The id before which the list begins, when it is not the newest."""
        given = self.params.get(BEFORE, "")
        return int(given[:18]) if isinstance(given, str) and given.isdecimal() else None


class LargeList(admin.ModelAdmin[Row]):
    """A mixin for the list of a table with millions of rows."""

    change_list_template = "admin/large_list.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that looks no further than it has time for."""
        return LargeChangeList


def first_id_since(model: type[Model], column: str, instant: datetime.datetime) -> int:
    """The smallest id of a row whose `column` is not before `instant`; rows come in its order.

    A binary search in one statement: the column needs no index.
    """
    table, name = model._meta.db_table, connection.ops.quote_name(column)
    statement = f"""
        WITH RECURSIVE search (low, high) AS (
            SELECT coalesce(min(id), 1), coalesce(max(id), 0) + 1 FROM {table}
            UNION ALL
            SELECT CASE WHEN probe.is_before THEN probe.id + 1 ELSE search.low END,
                   CASE WHEN probe.is_before THEN search.high
                        ELSE (search.low + search.high) / 2 END
            FROM search CROSS JOIN LATERAL (
                SELECT id, {name} < %s AS is_before FROM {table}
                WHERE id >= (search.low + search.high) / 2 ORDER BY id LIMIT 1
            ) probe
            WHERE search.low < search.high
        )
        SELECT max(low) FROM search
    """  # noqa: S608 - the names are a model's own
    with connection.cursor() as cursor:
        cursor.execute(statement, [instant])
        (found,) = cursor.fetchone()
    return int(found)
