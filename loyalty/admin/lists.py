"""Lists of tables with millions of rows: no filter, however rare what it finds, scans one.

Rows are made in the order of their ids, newest last. What an index gives is filtered by the index;
for anything else the list looks through the newest rows in growing steps, until its page is full or
it has looked long enough. Then it says how far it got, and a link looks further back.
"""

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import InvalidPage, Paginator
from django.db import connection
from django.db.models import F, Model, QuerySet
from django.db.transaction import atomic
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)

IS_WHOLE = "is_whole"  # of a filter: it gives every row that it means, however many
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
    is_whole: ClassVar[bool] = False
    look: Look | None = None
    keys: list[int] | None = None

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
        """The rows that pass the filters, without a bound: `keys` are those that are shown."""
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if self.is_whole:
            return rows
        if self._before is not None:
            rows = rows.filter(pk__lt=self._before)
        active: list[Any] = [
            spec for spec in self.filter_specs if getattr(spec, "is_active", False)
        ]
        if self.query:
            self.keys = self._limited(rows)
        elif active:
            with _by_index():
                self.keys = self._keys(rows, active, request)
        return rows

    def get_results(self, request: HttpRequest) -> None:
        """The page; of a list that was looked through, by the keys that were found."""
        if self.keys is None:
            super().get_results(request)
            if self.page_num > 1:
                # Keys first, or every row before the page is joined too.
                shown = self.result_list.values_list("pk", flat=True)
                self.result_list = self.queryset.filter(pk__in=list(shown))
            return
        self.paginator = Paginator(self.keys, self.list_per_page)
        self.result_count, self.full_result_count = len(self.keys), None
        self.show_full_result_count, self.show_admin_actions = False, bool(self.keys)
        self.can_show_all, self.multi_page = False, len(self.keys) > self.list_per_page
        try:
            shown = self.paginator.page(self.page_num).object_list
        except InvalidPage:
            raise IncorrectLookupParameters from None
        self.result_list = self.queryset.filter(pk__in=list(shown))

    def _keys(self, rows: QuerySet[Any], active: list[Any], request: HttpRequest) -> list[int]:
        if any(self._is_small(spec, request) for spec in active if spec.is_narrow):
            return self._limited(rows)
        return self._looked_through(rows)

    def _limited(self, rows: QuerySet[Any]) -> list[int]:
        """The newest keys of few rows."""
        # Not by id alone: with that order the planner may walk the table for what is rare.
        newest = rows.order_by((F("pk") + 0).desc()).values_list("pk", flat=True)
        return list(newest[: BoundedPaginator.limit])

    def _is_small(self, spec: Any, request: HttpRequest) -> bool:
        """Whether an index gives so few rows that all of them can be looked at."""
        if getattr(spec, "is_small", False):
            return True
        some = spec.queryset(request, self.model._default_manager.order_by())
        size = self.steps[0]
        found: int = some.values("pk")[: size + 1].count()
        return found <= size

    def _looked_through(self, rows: QuerySet[Any]) -> list[int]:
        """The keys in the newest part of the table, in steps: enough of them, or out of time."""
        began = time.monotonic()
        wanted = self.page_num * self.list_per_page + 1
        lowest, top = self._range()
        newest = rows.order_by("-pk").values_list("pk", flat=True)
        keys: list[int] = []
        bound = top + 1
        for step, following in zip(self.steps, (*self.steps[1:], 0), strict=True):
            end, bound = bound, max(bound - step, lowest)
            keys += newest.filter(pk__gte=bound, pk__lt=end)[: BoundedPaginator.limit - len(keys)]
            if bound == lowest or len(keys) >= wanted:
                break
            taken = time.monotonic() - began
            if taken + taken * following / (top + 1 - bound) > self.seconds:
                break
        if bound > lowest:
            self.look = Look(top + 1 - bound, self.get_query_string({BEFORE: bound}))
        return keys

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


@contextmanager
def _by_index() -> Iterator[None]:
    """Let the planner go by indexes only: it reads no table to its end, not even to join it."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;"
            " SET LOCAL enable_mergejoin = off; SET LOCAL jit = off"
        )
        yield


class WholeChangeList(LargeChangeList):
    """The same list without an end, for who takes all of it away."""

    is_whole = True

    def get_filters(self, request: HttpRequest) -> Any:
        """The filters, of which none stops early."""
        found = super().get_filters(request)
        for spec in found[0]:
            setattr(spec, IS_WHOLE, True)
        return found


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
