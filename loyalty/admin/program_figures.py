"""A loyalty program in figures: what it gave and what for, what became of it, what it owes."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import back_office
from loyalty.admin import charts
from loyalty.admin.base import NOTHING, shown_moment
from loyalty.admin.book_pages import (
    Cell,
    Row,
    Table,
    allowed,
    day_text,
    month_text,
    number_cell,
    percent_text,
)
from loyalty.admin.parts import Tile
from loyalty.admin.program_pages import (
    SEE,
    File,
    Unit,
    chosen_program,
    file_links,
    instant_of,
    months_back,
    period_of,
    program_page,
    shown_table,
    summed,
    wanted_file,
)
from loyalty.earning.values import PointValues
from loyalty.models import Origin, Program
from loyalty.reports import programs as reports
from loyalty.reports.pending import Pending, pending
from loyalty.reports.programs import Cost, Figures, Turnover, permille

_COLUMNS: Mapping[str, StrOrPromise] = {
    "opening": _("owed before"),
    "earned": _("earned"),
    "rewarded": _("rewards of the store"),
    "given": _("given otherwise"),
    "revalued": _("new point value"),
    "taken_back": _("taken back"),
    "spent": _("spent"),
    "refunded": _("refunded"),
    "expired": _("expired"),
    "removed": _("removed"),
    "restored": _("restored"),
    "closing": _("owed after"),
}
_LESS = {"taken_back", "spent", "expired", "removed"}
# Left out while they say nothing.
_RARE = {"rewarded", "given", "revalued", "removed", "restored"}
_OWED: Mapping[str, StrOrPromise] = {
    "available": _("available"),
    "held": _("held"),
    "outstanding": _("outstanding"),
}
_COSTS: Mapping[str, StrOrPromise] = {
    "given": _("given"),
    "taken_back": _("taken back"),
    "net": _("cost"),
}
_MOST_BARS = 8
_DAY = datetime.timedelta(days=1)


def figures_page(request: HttpRequest) -> HttpResponse:
    """The figures of a period; what is owed as of an instant."""
    programs, program = chosen_program(request)
    if program is None:
        return program_page(request, "program_figures", programs, None)
    first, last = period_of(request, program)
    at = instant_of(request, program)
    shown = _Shown(
        program, reports.figures(program, first, last, at=at), PointValues.of(program), first, last
    )
    if file := wanted_file(request, program, shown.files(at)):
        return file  # type: ignore[return-value]
    return program_page(
        request,
        "program_figures",
        programs,
        program,
        first=first.isoformat(),
        last=last.isoformat(),
        days=(day_text(first), day_text(last)),
        at=f"{at:%Y-%m-%dT%H:%M:%S}" if at else "",
        as_of=shown_moment(at or timezone.now(), program.store),
        zone=program.store.time_zone,
        tiles=shown.tiles(pending(program)),
        owed=shown.owed(at),
        worth=shown.worth(at),
        months=shown.months(),
        costs=shown.costs(),
        joined=shown.joined(),
        charts=shown.charts(),
        links=file_links(request, shown.files(at)),
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """The figures as the page writes them.

    What is owed at an instant counts in points of the value that held then, what moved in a month
    in those of the value at its end.
    """

    program: Program
    found: Figures
    values: PointValues
    first: datetime.date
    last: datetime.date

    def _unit(self, at: datetime.datetime | None) -> Unit:
        """How amounts of an instant are written."""
        return Unit(self.program, self.values.at(at or timezone.now(), self.program))

    def _unit_after(self, day: datetime.date) -> Unit:
        """How amounts of the end of a day are written."""
        return self._unit(self.program.store.last_instant(day))

    @property
    def unit(self) -> Unit:
        """How the amounts of the whole period are written."""
        return self._unit_after(self.last)

    def _months(self) -> Iterator[tuple[datetime.date, Turnover, Unit, Unit]]:
        """Each month, and how its amounts are written: those of its beginning, all others."""
        before = self._unit_after(self.first - _DAY)
        for month, turnover in self.found.months.items():
            after = self._unit_after(min(months_back(month, -1) - _DAY, self.last))
            yield month, turnover, before, after
            before = after

    def worth(self, at: datetime.datetime | None) -> dict[str, Any]:
        """What a point was worth at the instant, if not as now; if it changed in the period."""
        then, now = self._unit(at), self._unit(None)
        start = self._unit_after(self.first - _DAY).point_units
        return {
            "changed": any(after.point_units != start for *_month, after in self._months()),
            "then": then.point_text() if then != now else "",
            "now": now.point_text(),
        }

    def tiles(self, pending: Pending) -> list[Tile]:
        """The figures of the period at a glance."""
        whole, ever = self.found.whole, self.found.ever
        new, open_now = self._new_members(), self._open_members()
        waiting = pending.waits + pending.booked
        return [
            Tile(
                _("members now"),
                str(number_cell(open_now).text),
                str(_("%(number)s new in the period") % {"number": number_cell(new).text}),
            ),
            self._tile(_("earned"), whole.earned + whole.rewarded),
            self._tile(_("spent"), whole.used),
            self._tile(_("expired"), whole.expired),
            self._tile(_("taken back"), whole.taken_back),
            Tile(
                _("redemption rate"),
                _rate(whole),
                str(_("%(rate)s since the beginning") % {"rate": _rate(ever)}),
            ),
            self._tile(_("pending now"), waiting, self._unit(None)),
            self._tile(_("owed after the period"), whole.closing),
        ]

    def _tile(self, label: StrOrPromise, amount: int, unit: Unit | None = None) -> Tile:
        unit = unit or self.unit
        return Tile(label, unit.text(amount), unit.beside(amount))

    def owed(self, at: datetime.datetime | None) -> Table:
        """What the store owes as of the instant."""
        unit = self._unit(at)
        amounts = [getattr(self.found.owed, name) for name in _OWED]
        table = shown_table(
            _("Liability"),
            [Cell(_("program")), *(Cell(label, is_figure=True) for label in _OWED.values())],
            unit,
        )
        cells = unit.cells(amounts, unit.digits(amounts))
        table.rows = [Row([Cell(str(self.program)), *cells])]
        return table

    def months(self) -> Table:
        """The way from what was owed before to what is owed after, month by month."""
        whole = self.found.whole
        names = [name for name in _COLUMNS if name not in _RARE or getattr(whole, name)]
        table = shown_table(
            _("Month by month"),
            [
                Cell(_("month")),
                *(Cell(_COLUMNS[name], is_figure=True) for name in names),
                Cell(_("redemption rate"), is_figure=True),
            ],
            self.unit,
        )
        turnovers = [*self.found.months.values(), whole]
        digits = self.unit.digits([getattr(each, name) for each in turnovers for name in names])

        def cells(turnover: Turnover, before: Unit, after: Unit) -> list[Cell]:
            amounts = [getattr(turnover, name) * (-1 if name in _LESS else 1) for name in names]
            return [
                *before.cells(amounts[:1], digits),
                *after.cells(amounts[1:], digits),
                Cell(_rate(turnover), is_figure=True),
            ]

        table.rows = [
            Row([Cell(month_text(month)), *cells(turnover, before, after)])
            for month, turnover, before, after in self._months()
        ]
        in_all = cells(whole, self._unit_after(self.first - _DAY), self.unit)
        table.rows.append(Row([Cell(_("whole period")), *in_all], is_total=True))
        return table

    def costs(self) -> Table:
        """What each rule and campaign cost, and what came otherwise."""
        costs = self.found.costs
        table = shown_table(
            _("Cost by rule and campaign"),
            [
                *(Cell(_("given by")), Cell(_("campaign"))),
                Cell(_("credits"), is_figure=True),
                *(Cell(label, is_figure=True) for label in _COSTS.values()),
                Cell(_("share"), is_figure=True),
            ],
            self.unit,
        )
        total = sum(cost.net for cost in costs)
        digits = self.unit.digits([getattr(cost, name) for cost in costs for name in _COSTS])
        for cost in costs:
            amounts = (getattr(cost, name) for name in _COSTS)
            share = permille(cost.net, total) if total > 0 and cost.net > 0 else 0
            table.rows.append(
                Row(
                    [
                        *(Cell(_source(cost)), Cell(cost.campaign_name or NOTHING)),
                        number_cell(cost.times),
                        *self.unit.cells(amounts, digits),
                        Cell(percent_text(share), is_figure=True),
                    ]
                )
            )
        if costs:
            sums = (sum(getattr(cost, name) for cost in costs) for name in _COSTS)
            heads = [Cell(_("total")), Cell(""), number_cell(sum(cost.times for cost in costs))]
            table.rows.append(
                Row([*heads, *self.unit.cells(sums, digits), Cell("")], is_total=True)
            )
        return table

    def joined(self) -> Table:
        """New members by month, and how many there were at its end."""
        labels = [
            Cell(_("month")),
            Cell(_("new members"), is_figure=True),
            Cell(_("members so far"), is_figure=True),
        ]
        table = shown_table(_("Members"), labels)
        table.rows = [
            Row([Cell(month_text(month)), number_cell(new), number_cell(so_far)])
            for month, new, so_far in self._members()
        ]
        return table

    def _series(self, label: StrOrPromise, amounts: Sequence[int]) -> charts.Series:
        """An amount of each month as a color of a chart, whose titles say points and money."""
        units = [after for *_month, after in self._months()]
        return charts.Series(
            label,
            [unit.units(each) for unit, each in zip(units, amounts, strict=True)],
            [unit.title(each) for unit, each in zip(units, amounts, strict=True)],
        )

    def charts(self) -> dict[str, SafeString]:
        """The months, the costs and the members as pictures."""
        months = self.found.months
        short = [f"{month:%Y-%m}" for month in months]
        named = [month_text(month) for month in months]
        turnovers = list(months.values())
        moved = [
            self._series(_("earned"), [each.earned + each.rewarded for each in turnovers]),
            self._series(_("spent"), [max(each.used, 0) for each in turnovers]),
            self._series(_("expired"), [each.expired for each in turnovers]),
        ]
        owed = [self._series(_("owed after"), [each.closing for each in turnovers])]
        members = self._members()
        new = [
            charts.Series(
                _("new members"),
                [each[1] for each in members],
                [str(number_cell(each[1]).text) for each in members],
            )
        ]
        steps = charts.steps_to(max((each[1] for each in members), default=0))
        return {
            "moved": charts.columns(
                _("Earned, spent and expired by month"),
                short,
                moved,
                name="moved",
                axis=self.unit.axis(moved),
                texts=named,
            ),
            "owed": charts.columns(
                _("Owed at the end of each month"),
                short,
                owed,
                name="owed",
                axis=self.unit.axis(owed),
                texts=named,
            ),
            "costs": charts.bars(
                _("Cost by rule and campaign"),
                [
                    (
                        " · ".join(filter(None, (_source(cost), cost.campaign_name))),
                        max(cost.net, 0),
                        self.unit.text(cost.net),
                    )
                    for cost in self.found.costs[:_MOST_BARS]
                ],
                name="costs",
            ),
            "joined": charts.columns(
                _("New members by month"),
                short,
                new,
                name="joined",
                axis=[(step, str(number_cell(step).text)) for step in steps],
                texts=named,
            ),
        }

    def files(self, at: datetime.datetime | None) -> Mapping[str, File]:
        """Each table for spreadsheets."""
        unit, then = self.unit, self._unit(at)
        return {
            "months": File([_("month"), *unit.header(_COLUMNS.values())], list(self._month_rows())),
            "costs": File(
                [
                    *(_("given by"), _("campaign"), _("credits")),
                    *unit.header(_COSTS.values()),
                ],
                [
                    (
                        *(_source(cost), cost.campaign_name, cost.times),
                        *unit.worth(),
                        *unit.values(getattr(cost, name) for name in _COSTS),
                    )
                    for cost in self.found.costs
                ],
            ),
            "owed": File(
                [_("program"), _("as of"), *unit.header(_OWED.values())],
                [
                    (
                        self.program.name,
                        at or timezone.localtime(timezone.now(), self.program.store.zone),
                        *then.worth(),
                        *then.values(getattr(self.found.owed, name) for name in _OWED),
                    )
                ],
            ),
            "members": File([_("month"), _("new members"), _("members so far")], self._members()),
        }

    def _month_rows(self) -> Iterator[Sequence[object]]:
        for month, turnover, before, after in self._months():
            amounts = [getattr(turnover, name) for name in _COLUMNS]
            yield (
                *(month, *after.worth()),
                *(*before.values(amounts[:1]), *after.values(amounts[1:])),
            )

    def _members(self) -> list[tuple[datetime.date, int, int]]:
        """Of each month of the period: how many came, and how many had come by its end."""
        joined = self.found.joined
        so_far = sum(each.by_then - each.new for each in joined.values())
        rows = []
        for month in self.found.months:
            new = joined[month].new if month in joined else 0
            so_far += new
            rows.append((month, new, so_far))
        return rows

    def _new_members(self) -> int:
        return sum(each.new for each in self.found.joined.values())

    def _open_members(self) -> int:
        return sum(each.still_open for each in self.found.joined.values())


def _source(cost: Cost) -> str:
    """The rule, or the other way in which credit was given."""
    return cost.name or str(Origin(cost.source).label)


def _rate(turnover: Turnover) -> str:
    return NOTHING if turnover.redeemed is None else percent_text(turnover.redeemed)


back_office.BackOfficeSite.pages.append(
    back_office.Page(
        "programs/figures/",
        "program_figures",
        allowed(SEE, summed("program_figures", figures_page)),
    )
)
