"""Redemption and breakage: what became of the credit of each month."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_stubs_ext import StrOrPromise

from loyalty.admin import charts
from loyalty.admin.book_pages import (
    Cell,
    Row,
    Table,
    chosen_program,
    chosen_store,
    download,
    figures,
    month_text,
    page,
    percent_text,
    wants_csv,
)
from loyalty.models import Funding, Store
from loyalty.reports.amounts import as_decimal, digits_of
from loyalty.reports.cohorts import Cohort, Share, average, cohorts

MOST = 24  # months in the charts and in the table
_PARTS: dict[str, StrOrPromise] = {
    "spent": _("spent"),
    "expired": _("expired"),
    "removed": _("removed"),
    "moved": _("back as refund credit"),
    "open": _("open"),
}
_SHADES = 10


def curves_page(request: HttpRequest) -> HttpResponse:
    """The months in which a store gave credit, and how each went on."""
    choice = chosen_store(request)
    store = choice.store
    if store is None:
        return page(request, "curves", _("Redemption and breakage"), "books_curves", choice=choice)
    programs, program = chosen_program(request, store)
    funding = request.GET.get("funding", "")
    funding = funding if funding in Funding.values else ""
    part = request.GET.get("part", "")
    part = part if part in _PARTS else "spent"
    is_refunds = request.GET.get("refunds") == "1"
    found = cohorts(
        store,
        currency=store.currency,
        program_id=program.pk if program else None,
        funding=funding,
        refunds=is_refunds,
    )
    if wants_csv(request):
        return download(request, "curves", _header(), _csv_rows(found, store), store=store)  # type: ignore[return-value]
    latest = [cohort for cohort in found if cohort.now.issued][-MOST:]
    return page(
        request,
        "curves",
        _("Redemption and breakage"),
        "books_curves",
        choice=choice,
        programs=programs,
        program=program,
        fundings=Funding.choices,
        funding=funding,
        parts=_PARTS.items(),
        part=part,
        part_label=_PARTS[part],
        is_refunds=is_refunds,
        legend=_legend(latest),
        shares_chart=_shares_chart(latest),
        lines_chart=_lines_chart(latest),
        months=_months(latest, store.currency),
        triangle=_triangle(latest, part),
    )


def _legend(found: Sequence[Cohort]) -> list[tuple[int, StrOrPromise]]:
    """The parts that there are, by the number of their color."""
    return [
        (number, label)
        for number, (name, label) in enumerate(_PARTS.items(), start=1)
        if any(getattr(cohort.now, name) for cohort in found)
    ]


def _shares_chart(found: Sequence[Cohort]) -> Any:
    rows = [
        (
            f"{cohort.month:%Y-%m}",
            [
                (cohort.now.permille(name), f"{label} {percent_text(cohort.now.permille(name))}")
                for name, label in _PARTS.items()
            ],
        )
        for cohort in found
    ]
    return charts.shares(_("What became of the credit of each month"), rows, name="shares")


def _lines_chart(found: Sequence[Cohort]) -> Any:
    ages = average(found)
    series = [
        charts.Series(
            _PARTS[name],
            [share.permille(name) for share in ages],
            [percent_text(share.permille(name)) for share in ages],
        )
        for name in ("spent", "expired")
    ]
    labels = [str(age) for age in range(len(ages))]
    return charts.lines(_("Spent and expired by age in months"), labels, series, name="ages")


def _months(found: Sequence[Cohort], currency: str) -> Table:
    digits = digits_of(
        [getattr(cohort.now, name) for cohort in found for name in ("issued", *_PARTS)], currency
    )
    labels = [Cell(_("month")), Cell(_("issued"), is_figure=True)]
    table = Table(
        _("Amounts in %(currency)s") % {"currency": currency},
        [*labels, *(Cell(label, is_figure=True) for label in _PARTS.values())],
    )

    def row(label: StrOrPromise, share: Share, *, is_total: bool = False) -> Row:
        amounts = (getattr(share, name) for name in ("issued", *_PARTS))
        return Row([Cell(label), *figures(amounts, currency, digits)], is_total=is_total)

    table.rows = [row(month_text(cohort.month), cohort.now) for cohort in found]
    total = Share(
        *(
            sum(getattr(cohort.now, name) for cohort in found)
            for name in ("issued", "spent", "expired", "removed", "moved")
        )
    )
    table.rows.append(row(_("total"), total, is_total=True))
    return table


def _triangle(found: Sequence[Cohort], part: str) -> Table:
    ages = max((len(cohort.ages) for cohort in found), default=0)
    table = Table(
        _("Share by age"),
        [
            Cell(_("month")),
            *(
                Cell(ngettext("%(n)s month", "%(n)s months", age) % {"n": age}, is_figure=True)
                for age in range(ages)
            ),
        ],
    )
    for cohort in found:
        cells = [_shaded(share.permille(part)) for share in cohort.ages]
        empty = [Cell("")] * (ages - len(cells))
        table.rows.append(Row([Cell(month_text(cohort.month)), *cells, *empty]))
    return table


def _shaded(permille: int) -> Cell:
    shade = min(max(permille * _SHADES // 1000, 0), _SHADES)
    return Cell(percent_text(permille), is_figure=True, kind=f"shade-{shade}")


def _header() -> list[Any]:
    return [
        *(_("month"), _("age in months"), _("currency"), _("issued")),
        *_PARTS.values(),
    ]


def _csv_rows(found: Sequence[Cohort], store: Store) -> Iterator[Sequence[object]]:
    for cohort in found:
        for age, share in enumerate(cohort.ages):
            yield (
                *(cohort.month, age, store.currency),
                *(as_decimal(getattr(share, name), store.currency) for name in ("issued", *_PARTS)),
            )
