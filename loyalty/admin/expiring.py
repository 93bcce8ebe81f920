"""Money that is about to expire, by program and batch."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty.admin.base import shown_moment
from loyalty.admin.book_pages import (
    EXPIRING,
    Cell,
    Row,
    Table,
    allowed,
    chosen_store,
    day_text,
    download,
    figures,
    number_cell,
    page,
    query,
    wants_csv,
)
from loyalty.models import Batch, Funding, Program
from loyalty.reports.amounts import as_decimal, digits_of
from loyalty.reports.expiring import Expiring, expiring
from loyalty.reports.sums import progress

PERIODS = (7, 30, 60, 90)
EXTEND = "loyalty.extend_batch"


def expiring_page(request: HttpRequest) -> HttpResponse:
    """What expires in the next days, soonest first; a batch can be extended."""
    choice = chosen_store(request)
    store = choice.store
    if store is None:
        return page(request, "expiring", _("Expiring"), "books_expiring", choice=choice)
    text = request.GET.get("days", "")
    days = next((each for each in PERIODS if str(each) == text), 30)
    found = expiring(store, days)
    programs = dict(Program.objects.filter(store=store).values_list("pk", "name"))
    batches = Batch.objects.in_bulk([row.batch_id for row in found if row.batch_id])
    if wants_csv(request):
        rows = _csv_rows(found, programs, batches)
        return download(request, f"expiring-{days}-days", _HEADER, rows, store=store)  # type: ignore[return-value]
    by_currency: dict[str, list[Expiring]] = defaultdict(list)
    for row in found:
        by_currency[row.currency].append(row)
    may_extend = request.user.has_perm(EXTEND)
    counted = progress().expiring_at
    return page(
        request,
        "expiring",
        _("Expiring"),
        "books_expiring",
        choice=choice,
        days=days,
        periods=[
            (
                each,
                ngettext("%(n)s day", "%(n)s days", each) % {"n": each},
                query(store=store.pk, days=each),
            )
            for each in PERIODS
        ],
        as_of=shown_moment(counted, store) if counted else "",
        tables=[
            _table(currency, rows, programs, batches, may_extend=may_extend)
            for currency, rows in sorted(by_currency.items())
        ],
    )


def _table(
    currency: str,
    found: Sequence[Expiring],
    programs: Mapping[int, str],
    batches: Mapping[int, Batch],
    *,
    may_extend: bool,
) -> Table:
    digits = digits_of([row.amount for row in found], currency)
    table = Table(
        currency,
        [
            *(Cell(_("program")), Cell(_("batch")), Cell(_("funding")), Cell(_("first day"))),
            *(Cell(_("amount"), is_figure=True), Cell(_("credits"), is_figure=True)),
            Cell(""),
        ],
    )
    for row in found:
        batch = batches.get(row.batch_id or 0)
        table.rows.append(
            Row(
                [
                    Cell(programs.get(row.program_id, "")),
                    Cell(str(batch), href=_batch_url(batch)) if batch else Cell("-"),
                    Cell(Funding(row.funding).label),
                    Cell(day_text(row.first_day)),
                    *figures([row.amount], currency, digits),
                    number_cell(row.grants),
                    _way_on(row, batch, may_extend=may_extend),
                ]
            )
        )
    total = figures([sum(row.amount for row in found)], currency, digits)
    grants = number_cell(sum(row.grants for row in found))
    blank = [Cell(""), Cell(""), Cell("")]
    table.rows.append(Row([Cell(_("total")), *blank, *total, grants, Cell("")], is_total=True))
    return table


def _way_on(row: Expiring, batch: Batch | None, *, may_extend: bool) -> Cell:
    """Extending the batch; without one, the cards of the program."""
    if batch and may_extend:
        try:
            href = reverse(
                "admin:loyalty_batch_action", kwargs={"pk": batch.pk, "name": "extend_batch"}
            )
        except NoReverseMatch:
            pass
        else:
            return Cell(_("Extend"), href=href)
    cards = reverse("admin:loyalty_giftcard_changelist")
    condition = {"batch__id__exact": batch.pk} if batch else {"program__id__exact": row.program_id}
    return Cell(_("Cards"), href=f"{cards}{query(**condition)}")


def _batch_url(batch: Batch) -> str:
    try:
        return reverse("admin:loyalty_batch_change", args=[batch.pk])
    except NoReverseMatch:
        return ""


_HEADER = (
    *(_("program"), _("batch"), _("funding"), _("first day"), _("currency")),
    *(_("amount"), _("credits")),
)


def _csv_rows(
    found: Sequence[Expiring], programs: Mapping[int, str], batches: Mapping[int, Batch]
) -> Iterator[Sequence[object]]:
    for row in found:
        yield (
            *(programs.get(row.program_id, ""), str(batches.get(row.batch_id or 0, ""))),
            *(Funding(row.funding).label, row.first_day, row.currency),
            *(as_decimal(row.amount, row.currency), row.grants),
        )


def urls(site: admin.AdminSite) -> list[URLPattern]:
    """The page."""
    view = site.admin_view(allowed(EXPIRING, expiring_page))
    return [path("expiring/", view, name="books_expiring")]
