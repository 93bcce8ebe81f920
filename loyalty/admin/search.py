"""The search box of every page. What is typed goes into no address: forms are posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from loyalty import back_office
from loyalty.admin.columns import linked, order_link, page_of
from loyalty.admin.formats import shown_amount, shown_document, shown_moment
from loyalty.admin.states import card_badge, transaction_badge
from loyalty.models import Customer, GiftCard, Operation, Transaction
from loyalty.search import Found, Kinds, find

FIELD = "typed"


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found of one kind, as a table."""

    title: str
    labels: Sequence[str]
    rows: Sequence[Sequence[object]]
    has_more: bool


@sensitive_post_parameters(FIELD)
def search(request: HttpRequest) -> HttpResponse:
    """The one thing that was found, else everything by kind, else what can be looked for."""
    typed = request.POST.get(FIELD, "") if request.method == "POST" else ""
    found = find(typed, _kinds(request)) if typed.strip() else Found()
    if found.only:
        return HttpResponseRedirect(_address(found.only))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Search"),
        "searched": bool(typed.strip()),
        "hits": _hits(found),
    }
    return TemplateResponse(request, "admin/search.html", context)


def _kinds(request: HttpRequest) -> Kinds:
    user = cast("User", request.user)
    return Kinds(
        transactions=user.has_perm("loyalty.view_transaction"),
        operations=user.has_perm("loyalty.view_operation"),
        cards=user.has_perm("loyalty.view_giftcard"),
        customers=user.has_perm("loyalty.view_customer"),
    )


def _address(found: Model | str) -> str:
    if isinstance(found, str):
        return reverse("admin:loyalty_order", args=[found])
    return page_of(found)


def _hits(found: Found) -> list[Hits]:
    tables = [
        Hits(
            _("Orders"),
            [_("order")],
            [[order_link(order)] for order in found.orders],
            "orders" in found.more,
        ),
        Hits(
            _("Customers"),
            [_("customer"), _("e-mail"), _("documents"), _("store")],
            [_customer_row(row) for row in found.customers],
            "customers" in found.more,
        ),
        Hits(
            _("Gift cards"),
            [_("code"), _("state"), _("available"), _("program"), _("owner"), _("store")],
            [_card_row(row) for row in found.cards],
            "cards" in found.more,
        ),
        Hits(
            _("Transactions"),
            [
                _("transaction"),
                _("state"),
                _("amount"),
                _("order"),
                _("gift card"),
                _("created at"),
            ],
            [_transaction_row(row) for row in found.transactions],
            "transactions" in found.more,
        ),
        Hits(
            _("Operations"),
            [_("operation"), _("gift card"), _("created at")],
            [_operation_row(row) for row in found.operations],
            "operations" in found.more,
        ),
    ]
    return [table for table in tables if table.rows]


def _customer_row(row: Customer) -> list[object]:
    documents = [each for each in (row.document, row.corporate_document) if each]
    shown = ", ".join(shown_document(each) for each in documents)
    return [linked(row), row.email, shown, row.store]


def _card_row(row: GiftCard) -> list[object]:
    available = shown_amount(row.balance.available, row)
    return [linked(row), card_badge(row), available, row.program, linked(row.owner), row.store]


def _transaction_row(row: Transaction) -> list[object]:
    return [
        linked(row),
        transaction_badge(row),
        shown_amount(row.amount, row.card),
        order_link(row.order_id),
        linked(row.card),
        shown_moment(row.created_at, row.card.store),
    ]


def _operation_row(row: Operation) -> list[object]:
    return [linked(row), linked(row.card), shown_moment(row.created_at, row.card.store)]


back_office.BackOfficeSite.pages.append(back_office.Page("search/", "search", search))
