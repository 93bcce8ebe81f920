"""What the home page shows: what is owed, what waits, what is about to expire."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import alerts
from loyalty.admin import charts
from loyalty.admin.alerts import place_of
from loyalty.admin.base import shown_moment
from loyalty.admin.book_pages import (
    BOOKS,
    EXPIRING,
    HOLDS,
    Cell,
    Choice,
    Row,
    Table,
    amount_text,
    chosen_store,
    day_text,
    figures,
    money_text,
    query,
    tabs,
)
from loyalty.admin.formats import shown_count
from loyalty.admin.periodic import VIEW as WORK
from loyalty.models import (
    Approval,
    BookProgress,
    Discrepancy,
    Funding,
    Job,
    Program,
    Store,
)
from loyalty.reports.amounts import digits_of
from loyalty.reports.expiring import by_week, expiring
from loyalty.reports.flows import Flow, Kind, flows
from loyalty.reports.outstanding import Position, positions
from loyalty.reports.sums import one_snapshot, progress, waiting

WEEKS, AHEAD = 26, 13
SOON = 30  # days
STALE = datetime.timedelta(minutes=15)
# Entries not summed yet that the page still reads; beyond, it shows the sums and says so.
READABLE = 100_000
_MOST_COUNTED = 1000
_PROGRAMS = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that leads to its list; `kind` colors what somebody should look at."""

    label: StrOrPromise
    figure: str
    href: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and the same figures as a table."""

    title: StrOrPromise
    svg: SafeString
    table: Table
    legend: Sequence[tuple[int, StrOrPromise]] = ()
    href: str = ""
    is_empty: bool = False


def overview(request: HttpRequest) -> dict[str, Any]:
    """The figures of one store that this person may see, by name; empty without any."""
    choice = chosen_store(request)
    found: dict[str, Any] = {"choice": choice, "tabs": tabs(request), "tiles": [], "charts": []}
    if _may(request, WORK):
        found["alerts"] = [(alerts.words(alert), place_of(alert)) for alert in alerts.open_alerts()]
    if choice.store:
        known = _add_money(request, choice, choice.store, found) or progress()
        if _may(request, EXPIRING):
            _add_expiring(choice.store, known, found)
    found["tiles"] += _waiting(request)
    return found


def _may(request: HttpRequest, permission: str) -> bool:
    return bool(request.user.has_perm(permission))


def _add_money(
    request: HttpRequest, choice: Choice, store: Store, found: dict[str, Any]
) -> BookProgress | None:
    """Add what is owed and held; how far the sums were that it is from, unless nothing is shown."""
    may_see_books, may_see_holds = _may(request, BOOKS), _may(request, HOLDS)
    if not (may_see_books or may_see_holds):
        return None
    today = timezone.localdate(timezone=store.zone)
    monday = today - datetime.timedelta(days=today.weekday())
    first = monday - datetime.timedelta(weeks=WEEKS - 1)
    with one_snapshot():
        known = progress()
        is_behind = waiting([store], known) > READABLE
        movements = flows(store, known, since=first, period="week", only_sums=is_behind)
    found["as_of"] = shown_moment(known.added_at if is_behind else timezone.now(), store)
    found["is_behind"] = is_behind
    owed = positions(movements)
    currencies = sorted({store.currency, *(kind.currency for kind in owed)})
    for currency in currencies:
        own = {kind: each for kind, each in owed.items() if kind.currency == currency}
        if may_see_books:
            found["tiles"] += _owed_tiles(own, currency, store)
        if may_see_holds:
            found["tiles"].append(_held_tile(own, currency, store))
    if may_see_books:
        weeks = [first + datetime.timedelta(weeks=number) for number in range(WEEKS)]
        found["charts"] += [
            _issued_and_used(movements, weeks, store),
            _by_program(owed, store),
        ]
    return known


def _owed_tiles(own: Mapping[Kind, Position], currency: str, store: Store) -> list[Tile]:
    page = reverse("admin:books_outstanding") + query(store=store.pk)
    return [
        Tile(
            label,
            money_text(
                Position.total(
                    each for kind, each in own.items() if kind.funding == funding
                ).outstanding,
                currency,
            ),
            page,
        )
        for funding, label in (
            (Funding.PAID, _("outstanding, paid")),
            (Funding.PROMOTIONAL, _("outstanding, promotional")),
        )
    ]


def _held_tile(own: Mapping[Kind, Position], currency: str, store: Store) -> Tile:
    held = Position.total(own.values()).held
    href = reverse("admin:books_holds") + query(store=store.pk, days=0)
    return Tile(_("held by purchases now"), money_text(held, currency), href)


def _add_expiring(store: Store, known: BookProgress, found: dict[str, Any]) -> None:
    counted = known.expiring_at
    if counted is None:
        return
    if timezone.now() - counted > STALE:
        found["expiring_since"] = shown_moment(counted, store)
    soon: dict[str, int] = {}
    for row in expiring(store, SOON):
        soon[row.currency] = soon.get(row.currency, 0) + row.amount
    href = reverse("admin:books_expiring") + query(store=store.pk, days=SOON)
    for currency in sorted({store.currency, *soon}):
        amount = money_text(soon.get(currency, 0), currency)
        found["tiles"].append(Tile(_("expires within 30 days"), amount, href))
    found["charts"].insert(1, _expiring_by_week(store))


def _waiting(request: HttpRequest) -> list[Tile]:
    """What waits for somebody, of what this person may see."""
    now = timezone.now()
    waiting: Sequence[tuple[StrOrPromise, str, str, QuerySet[Any], str]] = (
        (
            _("approvals waiting"),
            "approval",
            Approval.Status.WAITING,
            Approval.objects.filter(expires_at__gt=now),
            "open",
        ),
        (
            _("differences open"),
            "discrepancy",
            Discrepancy.Status.OPEN,
            Discrepancy.objects.all(),
            "bad",
        ),
        (_("failed jobs"), "job", Job.Status.FAILED, Job.objects.all(), "bad"),
    )
    return [
        _waiting_tile(label, rows.filter(status=status), _list(model, status=status), kind)
        for label, model, status, rows, kind in waiting
        if _may(request, f"loyalty.view_{model}")
    ]


def _waiting_tile(label: StrOrPromise, rows: QuerySet[Any], href: str, kind: str) -> Tile:
    number = rows[: _MOST_COUNTED + 1].count()
    text = shown_count(min(number, _MOST_COUNTED))
    figure = f"{text}+" if number > _MOST_COUNTED else text
    return Tile(label, figure, href, kind if number else "")


def _list(model: str, *, status: str) -> str:
    try:
        href = reverse(f"admin:loyalty_{model}_changelist")
    except NoReverseMatch:
        return ""
    return f"{href}{query(status__exact=status)}"


def _axis(highest: int, currency: str) -> list[tuple[int, str]]:
    return [(value, amount_text(value, currency, 0)) for value in charts.steps_to(highest)]


def _issued_and_used(
    movements: Sequence[Flow], weeks: Sequence[datetime.date], store: Store
) -> Chart:
    issued, used = dict.fromkeys(weeks, 0), dict.fromkeys(weeks, 0)
    for flow in movements:
        if flow.period is None or flow.kind.currency != store.currency:
            continue
        if flow.source == "outside":
            issued[flow.period] += flow.amount
        elif flow.target == "spent":
            used[flow.period] += flow.amount
    named = ((_("issued"), issued), (_("used"), used))
    return _by_week(_("Issued and used by week"), "weeks", named, store, "books_roll_forward")


def _expiring_by_week(store: Store) -> Chart:
    today = timezone.localdate(timezone=store.zone)
    monday = today - datetime.timedelta(days=today.weekday())
    weeks = [monday + datetime.timedelta(weeks=number) for number in range(AHEAD)]
    found = by_week(store, AHEAD)
    amounts = {week: found.get((week, store.currency), 0) for week in weeks}
    named = ((_("expires"), amounts),)
    return _by_week(_("Expiring by week"), "expiring", named, store, "books_expiring", days=90)


def _by_week(
    title: StrOrPromise,
    name: str,
    named: Sequence[tuple[StrOrPromise, Mapping[datetime.date, int]]],
    store: Store,
    page: str,
    **values: object,
) -> Chart:
    """A chart of amounts by week, each with its own color, and their table."""
    currency = store.currency
    weeks = list(named[0][1])
    highest = max((amount for _label, amounts in named for amount in amounts.values()), default=0)
    digits = digits_of([amount for _label, found in named for amount in found.values()], currency)
    series = [
        charts.Series(
            label, list(amounts.values()), [money_text(each, currency) for each in amounts.values()]
        )
        for label, amounts in named
    ]
    labels = [day_text(week) for week in weeks]
    short = [_short(week) for week in weeks]
    table = Table(
        title, [Cell(_("week from")), *(Cell(label, is_figure=True) for label, _ in named)]
    )
    for index, label in enumerate(labels):
        amounts_of_week = (each.values[index] for each in series)
        table.rows.append(Row([Cell(label), *figures(amounts_of_week, currency, digits)]))
    return Chart(
        title,
        charts.columns(
            title, short, series, name=name, axis=_axis(highest, currency), texts=labels
        ),
        table,
        legend=[(number, label) for number, (label, _) in enumerate(named, start=1)]
        if len(named) > 1
        else (),
        href=reverse(f"admin:{page}") + query(store=store.pk, **values),
        is_empty=not highest,
    )


def _short(day: datetime.date) -> str:
    """Day and month in the reader's order: what the axis has room for."""
    parts = day_text(day)
    year = f"{day.year}"
    return parts.replace(year, "").strip("/.- ")


def _by_program(owed: Mapping[Kind, Position], store: Store) -> Chart:
    currency = store.currency
    amounts: dict[int, int] = {}
    for kind, each in owed.items():
        if kind.currency == currency:
            amounts[kind.program_id] = amounts.get(kind.program_id, 0) + each.outstanding
    names = dict(Program.objects.filter(pk__in=amounts).values_list("pk", "name"))
    ordered = sorted(
        ((names.get(program, ""), amount) for program, amount in amounts.items() if amount),
        key=lambda row: (-row[1], row[0]),
    )
    digits = digits_of([amount for _name, amount in ordered], currency)
    title = _("Outstanding by program")
    table = Table(title, [Cell(_("program")), Cell(currency, is_figure=True)])
    table.rows = [
        Row([Cell(name), *figures([amount], currency, digits)]) for name, amount in ordered
    ]
    rows = [(name, amount, money_text(amount, currency)) for name, amount in ordered[:_PROGRAMS]]
    return Chart(
        title,
        charts.bars(title, rows, name="programs"),
        table,
        href=reverse("admin:books_outstanding") + query(store=store.pk),
        is_empty=not ordered,
    )
