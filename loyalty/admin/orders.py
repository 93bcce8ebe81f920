"""Everything that touched an order: over all cards, steps, refusals, sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from loyalty import back_office
from loyalty.admin.columns import linked
from loyalty.admin.difference_parts import open_differences
from loyalty.admin.formats import shown_amount, shown_moment, shown_money
from loyalty.admin.pages import may_see
from loyalty.admin.parts import purchases_of
from loyalty.admin.related import added_tables
from loyalty.admin.stories import Step, steps_of
from loyalty.models import (
    Approval,
    Discrepancy,
    Operation,
    OperationKind,
    Outcome,
    Store,
    Transaction,
)
from loyalty.money import exponent_of

_TRANSACTIONS, _STEPS = 50, 200
_DIFFERENCES, _APPROVALS = 20, 20
# Refused purchases carry no order: those of the same cards around that time may be its.
_AROUND = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sums:
    """What an order took and got back, in one currency."""

    currency: str
    asked: str
    settled: str
    given_back: str
    held: str


def order_page(request: HttpRequest, order_id: str) -> HttpResponse:
    """The page of an order that a card was used for, or that a comparison knows a difference of.

    Without the part after the dash it is all orders of that checkout.
    """
    if not may_see(request, Transaction):
        raise PermissionDenied
    found = _transactions_of(order_id)
    transactions = found[:_TRANSACTIONS]
    differences = _differences(request, order_id, transactions)
    if not (transactions or differences):
        raise Http404
    steps = _steps_of(request, transactions)
    sums = _sums(transactions)
    store = transactions[0].card.store if transactions else differences[0].store
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Order %(order)s") % {"order": order_id},
        "order_id": order_id,
        "purchases": purchases_of(transactions),
        "has_more": len(found) > _TRANSACTIONS,
        "sums": sums,
        "steps": steps,
        "around": _around(request, transactions),
        "compared": [_difference_line(each) for each in differences],
        "approvals": _approvals(request, transactions),
        "tables": added_tables(request, order_id),
        "differences": open_differences(request, Q(pk__in=[each.pk for each in differences])),
        "store": store,
        "summary": _summary(order_id, transactions, sums, steps) if transactions else "",
    }
    return TemplateResponse(request, "admin/order_page.html", context)


def _transactions_of(order_id: str) -> list[Transaction]:
    """Those of the order and, of a whole checkout, of its parts; one more than are shown."""
    found = Transaction.objects.filter(order_id=order_id).order_by().values("pk")
    parts = Transaction.objects.filter(order_id__startswith=f"{order_id}-").order_by().values("pk")
    some = slice(_TRANSACTIONS + 1)
    rows = Transaction.objects.filter(pk__in=found[some].union(parts[some]))
    related = rows.select_related("card__store", "card__program", "card__owner")
    return list(related.order_by("id")[some])


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """A difference with the store's own record, as a line."""

    link: str
    state: str
    amount: str
    seen: str


def _differences(
    request: HttpRequest, order_id: str, transactions: Sequence[Transaction]
) -> list[Discrepancy]:
    """What comparisons with the store found about the order, open or not."""
    if not may_see(request, Discrepancy):
        return []
    groups = {order_id, order_id.rpartition("-")[0] or order_id}
    stores = list(Store.objects.values_list("pk", flat=True))  # the index begins with the store
    of_order = Discrepancy.objects.filter(store__in=stores, order_group__in=groups)
    of_rows = Discrepancy.objects.filter(transaction__in=[each.pk for each in transactions])
    keys = of_order.order_by().values("pk").union(of_rows.order_by().values("pk"))
    found = Discrepancy.objects.filter(pk__in=keys).select_related("store", "card")
    return list(found.order_by("-id")[:_DIFFERENCES])


def _difference_line(difference: Discrepancy) -> DifferenceLine:
    exponent = difference.card.exponent if difference.card else exponent_of(difference.currency)
    return DifferenceLine(
        link=linked(difference),
        state=difference.get_status_display(),
        amount=shown_money(difference.amount, difference.currency, exponent),
        seen=shown_moment(difference.last_seen, difference.store),
    )


def _approvals(request: HttpRequest, transactions: Sequence[Transaction]) -> list[Approval]:
    """What was asked for about these purchases, decided or not."""
    if not may_see(request, Approval):
        return []
    found = Approval.objects.filter(
        card__in={each.card_id for each in transactions},
        parameters__transaction_id__in=[each.pk for each in transactions],
    )
    return list(found.select_related("requested_by", "decided_by").order_by("-id")[:_APPROVALS])


def _operations() -> QuerySet[Operation]:
    return Operation.objects.select_related("card__store", "card__program", "transaction")


def _steps_of(request: HttpRequest, transactions: Sequence[Transaction]) -> list[Step]:
    if not may_see(request, Operation):
        return []
    steps = _operations().filter(transaction__in=[each.pk for each in transactions])
    return steps_of(steps.order_by("id")[:_STEPS])


def _around(request: HttpRequest, transactions: Sequence[Transaction]) -> list[Step]:
    """Purchases that the same cards refused within the hour before and after."""
    if not (transactions and may_see(request, Operation)):
        return []
    begin = min(each.created_at for each in transactions) - _AROUND
    end = max(each.created_at for each in transactions) + _AROUND
    refused = _operations().filter(
        card__in={each.card_id for each in transactions},
        kind=OperationKind.AUTHORIZE,
        outcome=Outcome.DECLINED,
        created_at__range=(begin, end),
    )
    return steps_of(refused.order_by("id")[:_STEPS])


def _sums(transactions: Sequence[Transaction]) -> list[Sums]:
    """By currency; cards of finer units are counted in the finest."""
    debits = [each for each in transactions if each.kind == Transaction.Kind.DEBIT]
    sums = []
    for currency in sorted({each.card.currency for each in debits}):
        same = [each for each in debits if each.card.currency == currency]
        finest = max(each.card.exponent for each in same)
        totals = [0, 0, 0, 0]
        for each in same:
            scale = 10 ** (finest - each.card.exponent)
            parts = (each.amount, each.settled, each.canceled, each.held)
            totals = [total + part * scale for total, part in zip(totals, parts, strict=True)]
        sums.append(Sums(currency, *(shown_money(units, currency, finest) for units in totals)))
    return sums


def _summary(
    order_id: str, transactions: Sequence[Transaction], sums: Sequence[Sums], steps: Sequence[Step]
) -> str:
    """The order for an answer to a customer: plain text, codes masked, times of the store."""
    store = transactions[0].card.store
    lines = [
        _("Order %(order)s, %(store)s (times of %(zone)s)")
        % {"order": order_id, "store": store, "zone": store.time_zone}
    ]
    lines += [
        _("Asked for %(asked)s: %(settled)s spent, %(back)s given back, %(held)s held.")
        % {
            "asked": each.asked,
            "settled": each.settled,
            "back": each.given_back,
            "held": each.held,
        }
        for each in sums
    ]
    for each in transactions:
        lines.append("")
        lines.append(
            _("Card %(code)s: %(amount)s, %(state)s, on %(when)s")
            % {
                "code": each.card,
                "amount": shown_amount(each.amount, each.card),
                "state": each.state.label,
                "when": shown_moment(each.created_at, store),
            }
        )
        lines += [
            f"- {step.shown_when}  {step.title}  {step.amount}  {step.refusal}".rstrip()
            for step in steps
            if step.operation.transaction_id == each.pk
        ]
    return "\n".join(lines).replace("\u00a0", " ")


back_office.BackOfficeSite.pages.append(
    back_office.Page("loyalty/order/<path:order_id>/", "loyalty_order", order_page)
)
