"""Columns and cells of lists and tables: amounts, moments, links, states."""

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_stubs_ext import StrOrPromise

from loyalty.admin.formats import NOTHING, shown_amount, shown_day, shown_moment
from loyalty.models import GiftCard, Store

Column = Callable[[Any, Any], str]

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

    return column


def day(path: str, description: StrOrPromise) -> Column:
    """A column with the day of an instant in the store's time zone."""
    instant = attrgetter(path)

    @admin.display(description=description, ordering=path.replace(".", "__"))
    def column(self: Any, row: Any) -> str:
        return shown_day(instant(row), _store_of(row))

    return column


def moment(path: str, description: StrOrPromise) -> Column:
    """A column with an instant, in the store's time zone."""
    instant = attrgetter(path)

    @admin.display(description=description, ordering=path.replace(".", "__"))
    def column(self: Any, row: Any) -> str:
        return shown_moment(instant(row), _store_of(row))

    return column


def link(path: str, description: StrOrPromise) -> Column:
    """A column that leads to the page of a related object."""
    related = attrgetter(path)

    @admin.display(description=description)
    def column(self: Any, row: Any) -> str:
        return linked(related(row))

    return column


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
    return format_html('<a href="{}">{}</a>', url, order_id)


def _card_of(row: Any) -> GiftCard:
    card: GiftCard = row if isinstance(row, GiftCard) else row.card
    return card


def _store_of(row: Any) -> Store:
    if isinstance(row, Store):
        return row
    owner = row if hasattr(row, "store_id") else row.card
    store: Store = owner.store
    return store
