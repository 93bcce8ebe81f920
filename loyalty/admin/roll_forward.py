"""Month by month: what was owed, what came and went, what is owed at the end."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.admin.book_pages import (
    Cell,
    Row,
    Table,
    amount_text,
    chosen_program,
    chosen_store,
    download,
    figures,
    month_of,
    month_text,
    page,
    wants_csv,
)
from loyalty.models import Funding, MonthClosing, Origin, Program, Store
from loyalty.reports.amounts import as_decimal, digits_of
from loyalty.reports.closings import closed_positions
from loyalty.reports.flows import Kind
from loyalty.reports.outstanding import Position
from loyalty.reports.roll_forward import Month, roll_forward

MOST = 36  # months on a page
_USUAL = 12
_MONTHS = Mapping[datetime.date, Mapping[Kind, Month]]

_LABELS = {
    "opening": _("opening"),
    "issued": _("issued"),
    "spent": _("spent"),
    "refunded": _("refunded"),
    "expired": _("expired"),
    "removed": _("removed"),
    "restored": _("restored"),
    "moved": _("changed origin"),
    "closing": _("closing"),
    "held": _("of which held"),
}
_LESS = {"spent", "expired", "removed"}
_RARE = {"restored", "moved"}  # columns that are left out while they say nothing


def roll_forward_page(request: HttpRequest) -> HttpResponse:
    """The months of a store, all together or of one program, funding or origin."""
    choice = chosen_store(request)
    store = choice.store
    if store is None:
        return page(request, "roll_forward", _("Roll-forward"), "books_roll_forward", choice=choice)
    first, last = _range(request, store)
    programs, program = chosen_program(request, store)
    funding = _known(request.GET.get("funding"), Funding.values)
    origin = _known(request.GET.get("origin"), Origin.values)
    found = {
        month: {
            kind: row
            for kind, row in rows.items()
            if program in {None, _program(programs, kind)}
            and funding in {"", kind.funding}
            and origin in {"", kind.origin}
        }
        for month, rows in roll_forward(store, first, last).items()
    }
    if wants_csv(request):
        rows = _csv_rows(found, {each.pk: each.name for each in programs})
        return download(request, "roll-forward", _header(), rows, store=store)  # type: ignore[return-value]
    closings = {
        closing.month: closing
        for closing in store.month_closings.filter(month__range=(first, last)).prefetch_related(
            "lines"
        )
    }
    currencies = sorted({kind.currency for rows in found.values() for kind in rows})
    return page(
        request,
        "roll_forward",
        _("Roll-forward"),
        "books_roll_forward",
        choice=choice,
        first=f"{first:%Y-%m}",
        last=f"{last:%Y-%m}",
        programs=programs,
        program=program,
        fundings=Funding.choices,
        funding=funding,
        origins=Origin.choices,
        origin=origin,
        tables=[
            _table(currency, found, closings, (program, funding, origin)) for currency in currencies
        ],
    )


def _range(request: HttpRequest, store: Store) -> tuple[datetime.date, datetime.date]:
    """The months asked for, never more than a page holds; else the last twelve."""
    this = timezone.localdate(timezone=store.zone).replace(day=1)
    last = min(month_of(request.GET.get("last")) or this, this)
    first = month_of(request.GET.get("first")) or _back(last, _USUAL - 1)
    return max(min(first, last), _back(last, MOST - 1)), last


def _back(month: datetime.date, count: int) -> datetime.date:
    number = month.year * 12 + month.month - 1 - count
    return datetime.date(number // 12, number % 12 + 1, 1)


def _known(value: str | None, values: Sequence[str]) -> str:
    return value if value in values else ""  # type: ignore[return-value]


def _program(programs: Sequence[Program], kind: Kind) -> Program | None:
    return next((each for each in programs if each.pk == kind.program_id), None)


def _table(
    currency: str,
    found: _MONTHS,
    closings: Mapping[datetime.date, MonthClosing],
    wanted: tuple[Program | None, str, str],
) -> Table:
    months = {
        month: Month.total(row for kind, row in rows.items() if kind.currency == currency)
        for month, rows in found.items()
    }
    columns = [
        name
        for name in _LABELS
        if name not in _RARE or any(getattr(month, name) for month in months.values())
    ]
    digits = digits_of(
        [getattr(month, name) for month in months.values() for name in columns], currency
    )
    table = Table(
        currency,
        [
            Cell(_("month")),
            *(Cell(_LABELS[name], is_figure=True) for name in columns),
            Cell(_("snapshot")),
        ],
    )
    for month, row in months.items():
        kept = closings.get(month)
        table.rows.append(
            Row(
                [
                    Cell(month_text(month)),
                    *_signed(row, columns, currency, digits),
                    _snapshot(kept, row, currency, wanted),
                ]
            )
        )
    table.rows.append(_sum(list(months.values()), columns, currency, digits))
    return table


def _signed(row: Month, columns: Sequence[str], currency: str, digits: int) -> list[Cell]:
    """What leaves stands with a minus, so that a row adds up as it is read."""
    return figures(
        (getattr(row, name) * (-1 if name in _LESS else 1) for name in columns), currency, digits
    )


def _sum(months: Sequence[Month], columns: Sequence[str], currency: str, digits: int) -> Row:
    """The whole period: from the first opening to the last closing."""
    whole = Month.total(months)
    whole.opening, whole.held = months[0].opening, months[-1].held
    return Row(
        [Cell(_("whole period")), *_signed(whole, columns, currency, digits), Cell("")],
        is_total=True,
    )


def _snapshot(
    closing: MonthClosing | None, row: Month, currency: str, wanted: tuple[Program | None, str, str]
) -> Cell:
    """Whether the closing is still what it was when the month was closed."""
    if closing is None:
        return Cell(_("none"), kind="quiet")
    program, funding, origin = wanted
    kept = Position.total(
        position
        for kind, position in closed_positions(closing).items()
        if kind.currency == currency
        and (program is None or kind.program_id == program.pk)
        and funding in {"", kind.funding}
        and origin in {"", kind.origin}
    )
    href = reverse("admin:loyalty_monthclosing_change", args=[closing.pk])
    if (kept.outstanding, kept.held) == (row.closing, row.held):
        return Cell(_("the same"), href=href, kind="good")
    then = amount_text(kept.outstanding, currency)
    return Cell(_("was %(amount)s") % {"amount": then}, href=href, kind="bad")


def _header() -> list[Any]:
    return [
        *(_("month"), _("program"), _("funding"), _("origin"), _("currency")),
        *_LABELS.values(),
    ]


def _csv_rows(found: _MONTHS, names: Mapping[int, str]) -> Iterator[Sequence[object]]:
    for month, rows in found.items():
        for kind, row in rows.items():
            yield (
                *(month, names.get(kind.program_id, ""), Funding(kind.funding).label),
                *(Origin(kind.origin).label, kind.currency),
                *(as_decimal(getattr(row, name), kind.currency) for name in _LABELS),
            )
