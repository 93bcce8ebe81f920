"""Purchases that hold money for longer than they should."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty.admin.base import shown_amount, shown_moment
from loyalty.admin.book_pages import (
    HOLDS,
    Cell,
    Row,
    Table,
    allowed,
    chosen_store,
    download,
    money_text,
    page,
    query,
    summed,
    wants_csv,
)
from loyalty.admin.formats import shown_count
from loyalty.models import OpenHold, Store, Transaction
from loyalty.money import to_decimal
from loyalty.reports.holds import OrderState, held_totals, open_holds, order_states
from loyalty.reports.sums import progress

_A_PAGE, _A_CHUNK = 50, 2000
_MOST_DAYS = 3650


class _Pages(Paginator[OpenHold]):
    """The number of holds is known from their sums: nothing is counted twice."""

    def __init__(self, rows: QuerySet[OpenHold], known: int) -> None:
        super().__init__(rows, _A_PAGE)
        self._known = known

    @cached_property
    def count(self) -> int:
        """As of the last time that entries were added."""
        return self._known


def holds_page(request: HttpRequest) -> HttpResponse:
    """The open holds of a store that are older than some days, oldest first."""
    choice = chosen_store(request)
    store = choice.store
    if store is None:
        return page(request, "holds", _("Open holds"), "books_holds", choice=choice)
    days = _days(request, store)
    found = open_holds(store, days=days)
    if wants_csv(request):
        return download(request, "open-holds", _HEADER, _csv_rows(found, store), store=store)  # type: ignore[return-value]
    totals = held_totals(store, days=days)
    pages = _Pages(found, sum(total.number for total in totals))
    shown = pages.get_page(request.GET.get("p"))
    return page(
        request,
        "holds",
        _("Open holds"),
        "books_holds",
        choice=choice,
        days=days,
        tiles=[
            (
                ngettext("%(n)s purchase holds", "%(n)s purchases hold", total.number)
                % {"n": shown_count(total.number)},
                money_text(total.amount, total.currency),
            )
            for total in totals
        ],
        table=_table(
            shown.object_list,
            store,
            may_release=request.user.has_perm("loyalty.cancel_transaction"),
        ),
        shown=shown,
        previous=query(store=store.pk, days=days, p=shown.number - 1),
        following=query(store=store.pk, days=days, p=shown.number + 1),
        as_of=shown_moment(progress().added_at, store),
    )


def _days(request: HttpRequest, store: Store) -> int:
    text = request.GET.get("days", "")
    return (
        min(int(text), _MOST_DAYS)
        if text.isascii() and text.isdigit()
        else (store.open_hold_alert_days)
    )


def _table(found: Any, store: Store, *, may_release: bool) -> Table:
    released = [Cell("")] if may_release else []
    table = Table(
        _("Oldest first"),
        [
            *(Cell(_("held since")), Cell(_("age"), is_figure=True)),
            *(Cell(_("amount"), is_figure=True), Cell(_("order"))),
            *(Cell(_("in the store")), Cell(_("gift card")), Cell(_("owner")), *released),
        ],
    )
    found = list(found)
    states = order_states(found)
    for hold in found:
        debit: Transaction = hold.transaction
        card = debit.card
        age = _age(debit)
        table.rows.append(
            Row(
                [
                    Cell(shown_moment(debit.created_at, store), href=_url(debit)),
                    Cell(ngettext("%(n)s day", "%(n)s days", age) % {"n": age}, is_figure=True),
                    Cell(shown_amount(debit.held, card), is_figure=True),
                    Cell(debit.order_id or "-", href=_url(debit)),
                    _order_state(states.get(debit.pk), store),
                    Cell(str(card), href=_url(card)),
                    Cell(str(card.owner), href=_url(card.owner)) if card.owner else Cell("-"),
                    *([Cell(_("Release"), href=_release(debit))] if may_release else []),
                ]
            )
        )
    return table


def _order_state(state: OrderState | None, store: Store) -> Cell:
    """What the store said last, and when; it leads to the difference that says so."""
    if state is None:
        return Cell(_("not known"))
    seen = shown_moment(state.seen_at, store)
    text = _("%(status)s, seen %(when)s") % {"status": state.status, "when": seen}
    href = reverse("admin:loyalty_discrepancy_change", args=[state.difference])
    return Cell(text, href=href)


def _release(debit: Transaction) -> str:
    return reverse("admin:loyalty_transaction_action", args=[debit.pk, "cancel"])


def _age(debit: Transaction) -> int:
    return (timezone.now() - debit.created_at).days


def _url(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


_HEADER = (
    *(_("held since"), _("age in days"), _("order"), _("transaction"), _("currency")),
    *(_("amount"), _("gift card"), _("in the store")),
)


def _csv_rows(found: QuerySet[OpenHold], store: Store) -> Iterator[Sequence[object]]:
    """Owners are left out: the card leads to them."""
    rows = found.iterator(chunk_size=_A_CHUNK)
    while chunk := list(islice(rows, _A_CHUNK)):
        states = order_states(chunk)
        for hold in chunk:
            debit: Transaction = hold.transaction
            state = states.get(debit.pk)
            yield (
                *(timezone.localtime(debit.created_at, store.zone), _age(debit), debit.order_id),
                *(debit.public_id, hold.currency),
                *(to_decimal(debit.held, exponent=hold.exponent), str(debit.card)),
                state.status if state else "",
            )


def urls(site: admin.AdminSite) -> list[URLPattern]:
    """The page."""
    view = site.admin_view(allowed(HOLDS, summed(holds_page)))
    return [path("holds/", view, name="books_holds")]
