"""What is owed, at the end of any day or at any instant, by program, funding and origin."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.admin.base import shown_moment
from loyalty.admin.book_pages import (
    Cell,
    Row,
    Table,
    chosen_store,
    day_of,
    day_text,
    download,
    figures,
    money_text,
    page,
    wants_csv,
)
from loyalty.models import Funding, Origin, Program, Store
from loyalty.reports.amounts import as_decimal, digits_of
from loyalty.reports.flows import Kind, Until, currencies_of
from loyalty.reports.outstanding import Position, outstanding

Positions = Mapping[Kind, Position]

_AMOUNTS = (
    Cell(_("available"), is_figure=True),
    Cell(_("held"), is_figure=True),
    Cell(_("outstanding"), is_figure=True),
)


def outstanding_page(request: HttpRequest) -> HttpResponse:
    """What the store owes, at the end of a day or at an instant."""
    choice = chosen_store(request, may_be_all=True)
    day, time = day_of(request.GET.get("day")), _time_of(request.GET.get("time"))
    found = [(store, _until(store, day, time)) for store in choice.shown]
    reports = [(store, until, outstanding(store, until)) for store, until in found]
    names = program_names(choice.shown)
    if wants_csv(request):
        return download(  # type: ignore[return-value]
            request, "outstanding", _HEADER, _csv_rows(reports, names), store=choice.store
        )
    today = timezone.localdate(timezone=choice.shown[0].zone) if choice.shown else None
    return page(
        request,
        "outstanding",
        _("Outstanding"),
        "books_outstanding",
        choice=choice,
        may_be_all=len(choice.stores) > 1,
        day=day.isoformat() if day else "",
        time=request.GET.get("time", "") if time else "",
        shortcuts=_shortcuts(today) if today else [],
        sections=[_section(store, until, positions, names) for store, until, positions in reports],
    )


def _time_of(text: str | None) -> datetime.time | None:
    try:
        return datetime.time.fromisoformat(text or "")
    except ValueError:
        return None


def _until(store: Store, day: datetime.date | None, time: datetime.time | None) -> Until | None:
    """The end of the day, or the instant of that day in the store; None for now."""
    if day is None:
        return None
    if time is None:
        return day
    return datetime.datetime.combine(day, time.replace(tzinfo=None), tzinfo=store.zone)


def _shortcuts(today: datetime.date) -> list[tuple[Any, str]]:
    first = today.replace(day=1)
    last_month = first - datetime.timedelta(days=1)
    last_year = datetime.date(today.year, 1, 1) - datetime.timedelta(days=1)
    return [
        (_("now"), ""),
        (_("end of yesterday"), (today - datetime.timedelta(days=1)).isoformat()),
        (_("end of last month"), last_month.isoformat()),
        (_("end of last year"), last_year.isoformat()),
    ]


def _section(
    store: Store, until: Until | None, positions: Positions, names: Mapping[int, str]
) -> dict[str, Any]:
    return {
        "store": store,
        "as_of": _as_of(store, until),
        "currencies": [
            currency_part(currency, positions, names) for currency in currencies_of(positions)
        ],
    }


def _as_of(store: Store, until: Until | None) -> str:
    if until is None:
        return shown_moment(timezone.now(), store)
    if isinstance(until, datetime.datetime):
        return shown_moment(until, store)
    return str(_("the end of %(day)s") % {"day": day_text(until)})


def currency_part(currency: str, positions: Positions, names: Mapping[int, str]) -> dict[str, Any]:
    """The tiles and tables of one currency."""
    own = {kind: position for kind, position in positions.items() if kind.currency == currency}
    total = Position.total(own.values())
    digits = digits_of(
        [amount for each in own.values() for amount in (each.available, each.held)], currency
    )
    by_program = _grouped(own, lambda kind: names.get(kind.program_id, ""))
    by_funding = _grouped(own, lambda kind: str(Funding(kind.funding).label))
    by_origin = _grouped(own, lambda kind: str(Origin(kind.origin).label))
    paid = [each for kind, each in own.items() if kind.funding == Funding.PAID]
    return {
        "code": currency,
        "tiles": [
            (_("outstanding"), money_text(total.outstanding, currency)),
            (_("available"), money_text(total.available, currency)),
            (_("held"), money_text(total.held, currency)),
            (_("paid"), money_text(Position.total(paid).outstanding, currency)),
            (
                _("promotional"),
                money_text(total.outstanding - Position.total(paid).outstanding, currency),
            ),
        ],
        "tables": [
            _table(_("By program"), _("program"), by_program, currency, digits),
            _table(_("By funding"), _("funding"), by_funding, currency, digits),
            _table(_("By origin"), _("origin"), by_origin, currency, digits),
        ],
        "detail": _detail(own, names, currency, digits),
    }


def _grouped(positions: Positions, name: Any) -> dict[str, Position]:
    groups: dict[str, list[Position]] = {}
    for kind, position in positions.items():
        groups.setdefault(name(kind), []).append(position)
    return {label: Position.total(found) for label, found in sorted(groups.items())}


def _table(
    caption: Any, label: Any, groups: Mapping[str, Position], currency: str, digits: int
) -> Table:
    table = Table(caption, [Cell(label), *_AMOUNTS])
    table.rows = [
        Row([Cell(name), *_three(each, currency, digits)]) for name, each in groups.items()
    ]
    total = Position.total(groups.values())
    table.rows.append(Row([Cell(_("total")), *_three(total, currency, digits)], is_total=True))
    return table


def _detail(positions: Positions, names: Mapping[int, str], currency: str, digits: int) -> Table:
    labels = [Cell(_("program")), Cell(_("funding")), Cell(_("origin")), *_AMOUNTS]
    table = Table(_("In detail"), labels)
    for kind, each in sorted(positions.items(), key=lambda item: _order(item[0], names)):
        if each.outstanding or each.held:
            table.rows.append(
                Row(
                    [
                        Cell(names.get(kind.program_id, "")),
                        Cell(Funding(kind.funding).label),
                        Cell(Origin(kind.origin).label),
                        *_three(each, currency, digits),
                    ]
                )
            )
    total = _three(Position.total(positions.values()), currency, digits)
    table.rows.append(Row([Cell(_("total")), Cell(""), Cell(""), *total], is_total=True))
    return table


def _three(position: Position, currency: str, digits: int) -> list[Cell]:
    return figures((position.available, position.held, position.outstanding), currency, digits)


def _order(kind: Kind, names: Mapping[int, str]) -> tuple[str, str, str]:
    return names.get(kind.program_id, ""), kind.funding, kind.origin


_HEADER = (
    *(_("store"), _("as of"), _("program"), _("funding"), _("origin"), _("currency")),
    *(_("available"), _("held"), _("outstanding")),
    *(_("credited"), _("spent"), _("expired"), _("removed")),
)


def _csv_rows(
    reports: Sequence[tuple[Store, Until | None, Positions]], names: Mapping[int, str]
) -> Iterator[Sequence[object]]:
    for store, until, positions in reports:
        at = until or timezone.localtime(timezone.now(), store.zone)
        for kind, each in sorted(positions.items(), key=lambda item: _order(item[0], names)):
            amounts = (
                *(each.available, each.held, each.outstanding),
                *(each.credited, each.spent, each.expired, each.removed),
            )
            yield (
                *(store.name, at, names.get(kind.program_id, "")),
                *(Funding(kind.funding).label, Origin(kind.origin).label, kind.currency),
                *(as_decimal(amount, kind.currency) for amount in amounts),
            )


def program_names(stores: Sequence[Store]) -> dict[int, str]:
    return dict(Program.objects.filter(store__in=stores).values_list("pk", "name"))
