"""What the pages of the books share: the store they are about, their tables, amounts and CSV."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import audit
from loyalty.admin.csv import csv_response
from loyalty.admin.formats import shown_count, shown_number, shown_percent, written_money
from loyalty.models import AuditAction, Program, Store
from loyalty.reports.amounts import as_decimal, digits_of
from loyalty.reports.sums import READABLE, progress, waiting
from loyalty.sign_in.address import actor_of

View = Callable[[HttpRequest], HttpResponse]

STORE_KEY = "books_store"
BOOKS, HOLDS, EXPIRING = (
    "loyalty.view_books",
    "loyalty.view_openhold",
    "loyalty.view_expiringmoney",
)
EXPORT, CLOSE = "loyalty.export_lists", "loyalty.add_monthclosing"

# The pages, in the order of the tabs: url name, permission, label.
PAGES: Sequence[tuple[str, str, StrOrPromise]] = (
    ("books_outstanding", BOOKS, _("Outstanding")),
    ("books_roll_forward", BOOKS, _("Roll-forward")),
    ("books_curves", BOOKS, _("Redemption and breakage")),
    ("loyalty_monthclosing_changelist", BOOKS, _("Month-end snapshots")),
    ("books_expiring", EXPIRING, _("Expiring")),
    ("books_holds", HOLDS, _("Open holds")),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: text, or an amount on the right; `href` makes it a link.

    `beside` is the same amount in another unit.
    """

    text: StrOrPromise
    is_figure: bool = False
    href: str = ""
    kind: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row; its first cell is its heading. A total stands out."""

    cells: Sequence[Cell]
    is_total: bool = False


@dataclass(slots=True)
class Table:
    """A table of figures with a caption, ready for `admin/books/table.html`."""

    caption: StrOrPromise
    labels: Sequence[Cell]
    rows: list[Row] = field(default_factory=list)
    note: StrOrPromise = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The stores that there are, and the one that a page is about; None for all of them."""

    stores: Sequence[Store]
    store: Store | None

    @property
    def shown(self) -> Sequence[Store]:
        """The stores whose figures are on the page."""
        return [self.store] if self.store else self.stores


def allowed(permission: str, view: View) -> View:
    """The page for those who have the permission; nobody else."""

    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return view(request)

    return checked


def summed(view: View) -> View:
    """The page, once its sums are made; until then how far they are.

    Millions of entries without sums cannot be read in the time of a page: right after the sums
    were made anew, or a store's time zone was changed.
    """

    @wraps(view)
    def readable(request: HttpRequest) -> HttpResponse:
        left = waiting(Store.objects.all(), progress())
        if left <= READABLE:
            return view(request)
        answer = page(
            request,
            "summing",
            _("The books are being summed"),
            (request.resolver_match and request.resolver_match.url_name) or "",
            left=shown_count(left),
        )
        answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return answer

    return readable


def chosen_store(request: HttpRequest, *, may_be_all: bool = False) -> Choice:
    """The store asked for, else the one looked at last, else the first."""
    stores = list(Store.objects.order_by("name", "pk"))
    wanted = request.GET.get("store", request.session.get(STORE_KEY, ""))
    if wanted == "all" and may_be_all and len(stores) > 1:
        return Choice(stores, None)
    found = next((store for store in stores if str(store.pk) == wanted), None)
    if found and request.session.get(STORE_KEY) != wanted and "store" in request.GET:
        request.session[STORE_KEY] = wanted
    return Choice(stores, found or (stores[0] if stores else None))


def chosen_program(request: HttpRequest, store: Store) -> tuple[list[Program], Program | None]:
    """The store's programs, and the one asked for, if any."""
    programs = list(Program.objects.filter(store=store).order_by("name", "pk"))
    wanted = request.GET.get("program", "")
    return programs, next((each for each in programs if str(each.pk) == wanted), None)


def day_of(text: str | None) -> datetime.date | None:
    """A date as a native input sends it; None for anything else."""
    try:
        return datetime.date.fromisoformat(text or "")
    except ValueError:
        return None


def month_of(text: str | None) -> datetime.date | None:
    """A month as a native input sends it; None for anything else."""
    return day_of(f"{text}-01") if text else None


def amount_text(amount: int, currency: str, digits: int | None = None) -> str:
    """Finest units as people write them, without the currency."""
    value = as_decimal(amount, currency)
    shown = digits if digits is not None else digits_of([amount], currency)
    return shown_number(value, shown)


def money_text(amount: int, currency: str) -> str:
    """The same with the currency: `R$ 1.234,56`."""
    return written_money(as_decimal(amount, currency), currency)


def figures(amounts: Iterable[int], currency: str, digits: int) -> list[Cell]:
    """Cells of amounts with the same number of digits, so that they stand below each other."""
    return [Cell(amount_text(amount, currency, digits), is_figure=True) for amount in amounts]


def number_cell(number: int) -> Cell:
    """A count."""
    return Cell(shown_count(number), is_figure=True)


def percent_text(permille: int) -> str:
    """Thousandths as a percentage with one digit."""
    return shown_percent(Decimal(permille) / 10, 1)


def month_text(month: datetime.date) -> str:
    """A month as people name it: `March 2026`."""
    return date_format(month, "YEAR_MONTH_FORMAT", use_l10n=True)


def day_text(day: datetime.date) -> str:
    """A day, short."""
    return date_format(day, "SHORT_DATE_FORMAT", use_l10n=True)


def query(**values: object) -> str:
    """The query of a link, without what is empty."""
    kept = {name: value for name, value in values.items() if value not in {None, ""}}
    return f"?{urlencode(kept)}" if kept else "?"


def page(
    request: HttpRequest, template: str, title: StrOrPromise, name: str, **context: Any
) -> TemplateResponse:
    """One of the pages, with the tabs that lead to the others."""
    return TemplateResponse(
        request,
        f"admin/books/{template}.html",
        {
            **admin.site.each_context(request),
            "title": title,
            "tabs": tabs(request, name),
            "csv_link": csv_link(request),
            **context,
        },
    )


def tabs(request: HttpRequest, current: str = "") -> list[dict[str, Any]]:
    """The pages that this person may see."""
    return [
        {"label": label, "href": reverse(f"admin:{name}"), "is_current": name == current}
        for name, permission, label in PAGES
        if request.user.has_perm(permission)
    ]


def csv_link(request: HttpRequest) -> str:
    """Where the same figures are as CSV, for those who may take them away."""
    if not request.user.has_perm(EXPORT):
        return ""
    values = request.GET.copy()
    values["format"] = "csv"
    return f"?{values.urlencode()}"


def wants_csv(request: HttpRequest) -> bool:
    """Whether CSV was asked for; `PermissionDenied` for those who may not."""
    if request.GET.get("format") != "csv":
        return False
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    return True


def download(
    request: HttpRequest,
    name: str,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    store: Store | None = None,
) -> StreamingHttpResponse:
    """The figures as a CSV file; taking them away leaves a trace."""
    audit.record(AuditAction.EXPORT, actor_of(request), store=store, note=name)
    return csv_response(f"{name}.csv", header, rows, language=get_language() or "en")
