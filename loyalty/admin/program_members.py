"""A loyalty program's members: how each month's went on, and which tier they have."""

from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_stubs_ext import StrOrPromise

from loyalty import back_office, earning
from loyalty.admin import charts
from loyalty.admin.book_pages import (
    Cell,
    Row,
    Table,
    allowed,
    month_text,
    number_cell,
    percent_text,
)
from loyalty.admin.program_pages import (
    SEE,
    File,
    Unit,
    chosen_program,
    file_links,
    program_page,
    shown_table,
    summed,
    wanted_file,
)
from loyalty.models import Program, TierStanding
from loyalty.reports.programs import Age, Cohort, cohorts, permille

_MOST = 24  # months in the charts and in the table
_SHADES = 10
_PARTS: Mapping[str, StrOrPromise] = {
    "active": _("active in the month"),
    "spent": _("spent by then"),
}


def members_page(request: HttpRequest) -> HttpResponse:
    """Cohorts by the month of joining, and the tiers."""
    programs, program = chosen_program(request)
    if program is None:
        return program_page(request, "program_members", programs, None)
    part = request.GET.get("part", "")
    part = part if part in _PARTS else "active"
    found = cohorts(program)
    tiers = tiers_held(program)
    if file := wanted_file(request, program, _files(program, found, tiers)):
        return file  # type: ignore[return-value]
    latest = [cohort for cohort in found if cohort.size][-_MOST:]
    return program_page(
        request,
        "program_members",
        programs,
        program,
        parts=_PARTS.items(),
        part=part,
        part_label=_PARTS[part],
        triangle=_triangle(latest, part),
        ages_chart=_ages_chart(latest),
        tiers=_tiers(tiers),
        tiers_chart=_tiers_chart(tiers),
        links=file_links(request, ("cohorts", "tiers")),
    )


def tiers_held(program: Program) -> list[tuple[str, int]]:
    """How many customers have each tier, lowest first; without a name those that have none.

    Of the customers whose orders were judged; tiers of former schemes come last.
    """
    counted = TierStanding.objects.filter(program=program).values("tier").order_by()
    held = dict(counted.annotate(number=Count("pk")).values_list("tier", "number"))
    names = earning.tiers_of(program)
    if not held and not names:
        return []
    former = sorted(held.keys() - {"", *names})
    return [(name, held.get(name, 0)) for name in ("", *names, *former)]


def _share(age: Age, size: int, part: str) -> int:
    return permille(age.active, size) if part == "active" else permille(age.spent, age.given)


def _triangle(found: Sequence[Cohort], part: str) -> Table:
    ages = max((len(cohort.ages) for cohort in found), default=0)
    table = shown_table(
        _("Share by age"),
        [
            Cell(_("month")),
            Cell(_("members"), is_figure=True),
            *(
                Cell(ngettext("%(n)s month", "%(n)s months", age) % {"n": age}, is_figure=True)
                for age in range(ages)
            ),
        ],
    )
    for cohort in found:
        cells = [_shaded(_share(age, cohort.size, part)) for age in cohort.ages]
        empty = [Cell("")] * (ages - len(cells))
        heads = [Cell(month_text(cohort.month)), number_cell(cohort.size)]
        table.rows.append(Row([*heads, *cells, *empty]))
    return table


def _shaded(share: int) -> Cell:
    shade = min(max(share * _SHADES // 1000, 0), _SHADES)
    return Cell(percent_text(share), is_figure=True, kind=f"shade-{shade}")


def _ages_chart(found: Sequence[Cohort]) -> SafeString:
    """All months taken together by age: of each age, the months that are that old."""
    ages = range(max((len(cohort.ages) for cohort in found), default=0))
    old = [[cohort for cohort in found if len(cohort.ages) > age] for age in ages]
    shares = {
        "active": [
            permille(
                sum(cohort.ages[age].active for cohort in old[age]),
                sum(cohort.size for cohort in old[age]),
            )
            for age in ages
        ],
        "spent": [
            permille(
                sum(cohort.ages[age].spent for cohort in old[age]),
                sum(cohort.ages[age].given for cohort in old[age]),
            )
            for age in ages
        ],
    }
    series = [
        charts.Series(_PARTS[part], values, [percent_text(value) for value in values])
        for part, values in shares.items()
    ]
    labels = [str(age) for age in ages]
    return charts.lines(_("Active and spent by age in months"), labels, series, name="ages")


def _tiers(held: Sequence[tuple[str, int]]) -> Table:
    total = sum(number for _name, number in held)
    labels = [
        Cell(_("tier")),
        Cell(_("customers"), is_figure=True),
        Cell(_("share"), is_figure=True),
    ]
    table = shown_table(_("Customers by tier"), labels)
    for name, number in held:
        share = Cell(percent_text(permille(number, total)), is_figure=True)
        table.rows.append(Row([Cell(name or _("no tier")), number_cell(number), share]))
    return table


def _tiers_chart(held: Sequence[tuple[str, int]]) -> SafeString:
    rows = [
        (name or str(_("no tier")), number, str(number_cell(number).text)) for name, number in held
    ]
    return charts.bars(_("Customers by tier"), rows, name="tiers")


def _files(
    program: Program, found: Sequence[Cohort], tiers: Sequence[tuple[str, int]]
) -> Mapping[str, File]:
    unit = Unit(program, program.point_units)
    amounts = (_("given by then"), _("spent by then"))
    return {
        "cohorts": File(
            [
                *(_("month"), _("members"), _("age in months"), _("active in the month")),
                *unit.header(amounts),
            ],
            _cohort_rows(found, unit),
        ),
        "tiers": File(
            [_("tier"), _("customers")], [(name or _("no tier"), number) for name, number in tiers]
        ),
    }


def _cohort_rows(found: Sequence[Cohort], unit: Unit) -> Iterator[Sequence[object]]:
    for cohort in found:
        for number, age in enumerate(cohort.ages):
            money = (*unit.worth(), *unit.values((age.given, age.spent)))
            yield cohort.month, cohort.size, number, age.active, *money


back_office.BackOfficeSite.pages.append(
    back_office.Page(
        "programs/members/",
        "program_members",
        allowed(SEE, summed("program_members", members_page)),
    )
)
