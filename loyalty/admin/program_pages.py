"""What the pages of a program's figures share: the program, its period, points and money."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.admin import charts
from loyalty.admin.book_pages import (
    EXPORT,
    Cell,
    Table,
    View,
    amount_text,
    day_of,
    download,
    money_text,
    query,
    wants_csv,
)
from loyalty.admin.formats import shown_count, shown_money
from loyalty.models import Program
from loyalty.money import to_decimal
from loyalty.reports.amounts import as_decimal, digits_of, finest
from loyalty.reports.programs import StillSumming

SEE = "loyalty.view_bookcause"
MOST = 36  # months on a page
_USUAL = 12
PROGRAM_KEY = "figures_program"
PAGES: Sequence[tuple[str, StrOrPromise]] = (
    ("program_figures", _("Figures")),
    ("program_members", _("Members and tiers")),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """How the amounts of a program are written: in points with the money beside, or in money.

    `point_units` is what a point is worth, now or at the time of the amounts.
    """

    program: Program
    point_units: int | None

    @property
    def currency(self) -> str:
        """The store's."""
        return self.program.store.currency

    @property
    def counts_points(self) -> bool:
        """Whether the program speaks of points."""
        return self.point_units is not None

    @property
    def name(self) -> str:
        """What the program counts in."""
        if not self.counts_points:
            return self.currency
        return self.program.unit_name or str(_("points"))

    def units(self, amount: int) -> int:
        """Whole points of an amount, as far from nothing as they are complete; or the amount."""
        if self.point_units is None:
            return amount
        worth = finest(self.point_units, currency=self.currency, exponent=self.program.exponent)
        return abs(amount) // worth * (-1 if amount < 0 else 1)

    def text(self, amount: int) -> str:
        """An amount in the program's unit."""
        return (
            f"{shown_count(self.units(amount))}\u00a0{self.name}"
            if self.counts_points
            else money_text(amount, self.currency)
        )

    def beside(self, amount: int) -> str:
        """The money beside the points; nothing when all is money anyway."""
        return money_text(amount, self.currency) if self.counts_points else ""

    def cells(self, amounts: Iterable[int], digits: int) -> list[Cell]:
        """Amounts of a row: points, and the money below them."""
        return [
            Cell(shown_count(self.units(each)), is_figure=True, beside=money)
            if self.counts_points
            else Cell(money, is_figure=True)
            for each in amounts
            for money in [amount_text(each, self.currency, digits)]
        ]

    def digits(self, amounts: Iterable[int]) -> int:
        """How many digits show the money of all of these."""
        return digits_of(amounts, self.currency)

    def caption(self) -> str:
        """What stands in the cells of a table."""
        if not self.counts_points:
            return str(_("Amounts in %(currency)s") % {"currency": self.currency})
        named = {"unit": self.name, "currency": self.currency}
        return str(_("Whole %(unit)s, with %(currency)s below") % named)

    def header(self, labels: Iterable[StrOrPromise]) -> Iterator[str]:
        """Heads of a file's columns: what a point is worth, each figure in points and in money."""
        if self.counts_points:
            yield f"{_('value of a point')} ({self.currency})"
        for label in labels:
            if self.counts_points:
                yield f"{label} ({self.name})"
            yield f"{label} ({self.currency})"

    def worth(self) -> list[Decimal]:
        """What a point is worth, for the first of these columns; nothing in a program in money."""
        if self.point_units is None:
            return []
        return [to_decimal(self.point_units, exponent=self.program.exponent)]

    def values(self, amounts: Iterable[int]) -> Iterator[object]:
        """The same figures for a file."""
        for amount in amounts:
            if self.counts_points:
                yield self.units(amount)
            yield as_decimal(amount, self.currency)

    def point_text(self) -> str:
        """What a point is worth, as money; nothing in a program in money."""
        if self.point_units is None:
            return ""
        return shown_money(self.point_units, self.currency, self.program.exponent)

    def title(self, amount: int) -> str:
        """An amount in both, for the title of a bar."""
        return f"{self.text(amount)} {self.beside(amount)}".strip()

    def axis(self, series: Iterable[charts.Series]) -> list[tuple[int, str]]:
        """The lines of a chart of these."""
        highest = max((max(each.values, default=0) for each in series), default=0)
        return [
            (step, shown_count(step) if self.counts_points else amount_text(step, self.currency))
            for step in charts.steps_to(highest)
        ]


def chosen_program(request: HttpRequest) -> tuple[list[Program], Program | None]:
    """The loyalty programs, and the one asked for, looked at last, or first."""
    programs = list(
        Program.objects.filter(kind=Program.Kind.LOYALTY)
        .select_related("store")
        .order_by("store__name", "name", "pk")
    )
    wanted = request.GET.get("program", request.session.get(PROGRAM_KEY, ""))
    found = next((each for each in programs if str(each.pk) == wanted), None)
    if found and "program" in request.GET and request.session.get(PROGRAM_KEY) != wanted:
        request.session[PROGRAM_KEY] = wanted
    return programs, found or (programs[0] if programs else None)


def period_of(request: HttpRequest, program: Program) -> tuple[datetime.date, datetime.date]:
    """The days asked for, not more months than a page holds; else a year up to today."""
    today = timezone.localdate(timezone=program.store.zone)
    last = min(day_of(request.GET.get("last")) or today, today)
    first = day_of(request.GET.get("first")) or months_back(last, _USUAL - 1)
    return max(min(first, last), months_back(last, MOST - 1)), last


def months_back(day: datetime.date, months: int) -> datetime.date:
    """The first day of the month so many months before."""
    number = day.year * 12 + day.month - 1 - months
    return datetime.date(number // 12, number % 12 + 1, 1)


def instant_of(request: HttpRequest, program: Program) -> datetime.datetime | None:
    """The instant asked for, by the clock of the store; None for now."""
    try:
        given = datetime.datetime.fromisoformat(request.GET.get("at", ""))
    except ValueError:
        return None
    return given.replace(tzinfo=program.store.zone)


def program_page(
    request: HttpRequest,
    name: str,
    programs: Sequence[Program],
    program: Program | None,
    *,
    template: str = "",
    **context: Any,
) -> TemplateResponse:
    """One of the pages, with the tabs that lead to the other."""
    asked = {"program": program.pk} if program else {}
    return TemplateResponse(
        request,
        f"admin/programs/{template or name.removeprefix('program_')}.html",
        {
            **admin.site.each_context(request),
            "title": f"{program}: {dict(PAGES)[name]}" if program else dict(PAGES)[name],
            "tabs": [
                {
                    "label": label,
                    "href": f"{reverse(f'admin:{page}')}{query(**asked)}",
                    "is_current": page == name,
                }
                for page, label in PAGES
            ],
            "programs": programs,
            "program": program,
            **context,
        },
    )


def summed(name: str, view: View) -> View:
    """The page, once its sums are made; until then how far they are."""

    @wraps(view)
    def readable(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except StillSumming as problem:
            found = chosen_program(request)
            answer = program_page(
                request, name, *found, template="summing", left=shown_count(problem.left)
            )
            answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            return answer

    return readable


def file_links(request: HttpRequest, tables: Iterable[str]) -> Mapping[str, str]:
    """Where each table is as CSV, for those who may take it away."""
    links = {}
    if request.user.has_perm(EXPORT):
        for table in tables:
            values = request.GET.copy()
            values["format"], values["table"] = "csv", table
            links[table] = f"?{values.urlencode()}"
    return links


@dataclass(frozen=True, slots=True)
class File:
    """A table for spreadsheets."""

    header: Sequence[object]
    rows: Iterable[Sequence[object]]


def wanted_file(
    request: HttpRequest, program: Program, files: Mapping[str, File]
) -> StreamingHttpResponse | None:
    """The table that was asked for as CSV, if one was; `PermissionDenied` as `wants_csv`."""
    if not wants_csv(request):
        return None
    name = request.GET.get("table", "")
    name = name if name in files else next(iter(files))
    file = files[name]
    return download(request, f"program-{name}", file.header, file.rows, store=program.store)


def shown_table(caption: StrOrPromise, labels: Sequence[Cell], unit: Unit | None = None) -> Table:
    """A table whose note says what its amounts are."""
    return Table(caption, labels, note=unit.caption() if unit else "")
