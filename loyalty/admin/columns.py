"""Columns and cells of lists and tables: amounts, moments, links, states."""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_stubs_ext import StrOrPromise

from loyalty.admin.formats import NOTHING, shown_amount, shown_day, shown_moment
from loyalty.models import GiftCard, Store
from loyalty.money import to_decimal

Column = Callable[[Any, Any], str]

# What tells a row's store, the nearest first.
_STORES = ("store", "card", "program")

_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")


def money(path: str, description: StrOrPromise, *, is_stored: bool = True) -> Column:
    """A column with an amount in units, found at `path` ("balance.available").

    What is worked out in Python, not stored, cannot be sorted by.
    """
    units = attrgetter(path)
    ordering = path.replace(".", "__") if is_stored else None

    @admin.display(description=description, ordering=ordering)
    def column(self: Any, row: Any) -> str:
        return shown_amount(units(row), _card_of(row))

    def exported(row: Any) -> Decimal:
        return to_decimal(units(row), exponent=_card_of(row).exponent)

    column.is_money = True  # type: ignore[attr-defined]
    return _exporting(column, exported)


def day(path: str, description: StrOrPromise) -> Column:
    """A column with the day of an instant in the store's time zone."""
    instant = attrgetter(path)

    @admin.display(description=description, ordering=path.replace(".", "__"))
    def column(self: Any, row: Any) -> str:
        return shown_day(instant(row), _store_of(row))

    def exported(row: Any) -> datetime.date | None:
        local = _local(instant(row), row)
        return local and local.date()

    return _exporting(column, exported)


def moment(path: str, description: StrOrPromise) -> Column:
    """A column with an instant, in the store's time zone."""
    instant = attrgetter(path)

    @admin.display(description=description, ordering=path.replace(".", "__"))
    def column(self: Any, row: Any) -> str:
        return shown_moment(instant(row), _store_of(row))

    return _exporting(column, lambda row: _local(instant(row), row))


def link(path: str, description: StrOrPromise) -> Column:
    """A column that leads to the page of a related object."""
    related = attrgetter(path)

    @admin.display(description=description)
    def column(self: Any, row: Any) -> str:
        return linked(related(row))

    return _exporting(column, lambda row: str(related(row) or ""))


def _exporting(column: Column, exported: Callable[[Any], object]) -> Column:
    """The column, with what a spreadsheet gets instead: a number, a date, a name."""
    column.exported = exported  # type: ignore[attr-defined]  # read by `loyalty.admin.exports`
    return column


def card_of(row: Any) -> GiftCard | None:
    """The card whose money a row tells of; None when it tells of none."""
    card: GiftCard | None = row if isinstance(row, GiftCard) else getattr(row, "card", None)
    return card


def badge(kind: str, label: StrOrPromise) -> SafeString:
    """A word in a colored frame; `kind` is good, bad, open, or anything else for neutral."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, label)


def linked(row: Model | None) -> str:
    """The object's name, leading to its page."""
    if row is None:
        return NOTHING
    # The beginning of an id is enough to tell two apart on a page.
    short = _ID.sub(r"\1…", str(row))
    return format_html('<a href="{}" title="{}">{}</a>', page_of(row), row, short)


def page_of(row: Model) -> str:
    """The address of an object's page."""
    return address(row, "change", row.pk)


def address(model: Model | type[Model], page: str, *arguments: object) -> str:
    """The address of one of a model's pages."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def order_link(order_id: str) -> str:
    """An order's number, leading to everything that touched the order."""
    if not order_id:
        return NOTHING
    url = reverse("admin:loyalty_order", args=[order_id])
    return format_html('<a class="one-word" href="{}">{}</a>', url, order_id)


def _card_of(row: Any) -> GiftCard:
    card: GiftCard = row if isinstance(row, GiftCard) else row.card
    return card


def _local(instant: datetime.datetime | None, row: Any) -> datetime.datetime | None:
    return instant and timezone.localtime(instant, _store_of(row).zone)


def _store_of(row: Any) -> Store:
    if isinstance(row, Store):
        return row
    path = next((each for each in _STORES if hasattr(row, f"{each}_id")), "card")
    store: Store = row.store if path == "store" else getattr(row, path).store
    return store
