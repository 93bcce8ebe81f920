"""The rights of a customer: a copy of all that is known, and being forgotten."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import privacy
from loyalty.admin.formats import NOTHING, shown_moment, written_money
from loyalty.models import (
    AuditAction,
    Customer,
    Funding,
    GiftCard,
    MessageKind,
    NotificationStatus,
    OperationKind,
    Origin,
    Outcome,
    Reason,
    Transaction,
)
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

TABLES: Mapping[str, StrOrPromise] = {
    "grants": _("Credits"),
    "transactions": _("Purchases"),
    "operations": _("What was done"),
}
LABELS: Mapping[str, StrOrPromise] = {
    "id": _("number"),
    "at": _("at"),
    "status": _("status"),
    "issued_at": _("issued at"),
    "valid_from": _("valid from"),
    "expires_at": _("expires at"),
    "kind": _("kind"),
    "order": _("order"),
    "origin": _("origin"),
    "funding": _("funding"),
    "outcome": _("outcome"),
    "reason": _("reason"),
    "note": _("note"),
    "amount": _("amount"),
    "remaining": _("remaining"),
    "settled": _("settled"),
    "released": _("released"),
    "refunded": _("refunded"),
    "credited": _("credited"),
    "available": _("available"),
    "held": _("held"),
    "spent": _("spent"),
    "expired": _("expired"),
    "removed": _("removed"),
}
DATES = {"at", "exported_at", "issued_at", "valid_from", "expires_at", "until"}
NUMBERS = {"amount", "remaining", "settled", "released", "refunded"}
# What is kept as a word of ours, in the page's language.
WORDS: Mapping[tuple[str, str], StrOrPromise] = {
    (name, value): label
    for name, choices in (
        ("status", GiftCard.Status),
        ("kind", Transaction.Kind),
        ("kind", OperationKind),
        ("origin", Origin),
        ("funding", Funding),
        ("outcome", Outcome),
        ("reason", Reason),
    )
    for value, label in choices.choices
}


class PersonalDataURLs(admin.ModelAdmin[Any]):
    """A mixin for the customer's page: `<key>/personal-data/` leads to the person's rights."""

    def get_urls(self) -> list[URLPattern]:
        """The pages here, before those of the customer."""
        pages = (
            ("<int:pk>/personal-data/", personal_data, "personal_data"),
            ("<int:pk>/personal-data/copy/", export_person, "export_person"),
            ("<int:pk>/personal-data/erase/", erase_person, "erase_person"),
        )
        return [
            *(
                path(route, self.admin_site.admin_view(view), name=name)
                for route, view, name in pages
            ),
            *super().get_urls(),
        ]


class EraseForm(forms.Form):
    """Why, and the person's number typed, so that it is no slip."""

    reason = forms.ChoiceField(
        label=_("reason"), choices=[("", "---------"), *privacy.REASONS.items()]
    )
    typed = forms.CharField(
        label=_("number of the customer"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, customer: Customer, *args: Any) -> None:
        super().__init__(*args)
        self._customer = customer

    def clean_typed(self) -> str:
        """The number, as the page shows it."""
        typed: str = self.cleaned_data["typed"].strip()
        if typed != str(self._customer.pk):
            raise ValidationError(_("This is not the number of this customer. Type it as shown."))
        return typed


def personal_data(request: HttpRequest, pk: int) -> HttpResponse:
    """What can be done for the person, and what they have."""
    customer = _customer(request, pk, "export_person", "erase_person")
    context = _context(request, customer, title=_("Personal data"))
    return render(request, "admin/privacy/person.html", context)


@require_POST
@password_confirmed
def export_person(request: HttpRequest, pk: int) -> HttpResponse:
    """A copy as a page to read and print, or as a file."""
    customer = _customer(request, pk, "export_person")
    facts = privacy.export(customer, actor=actor_of(request))
    if request.POST.get("format") == "json":
        # Not named after the person: file names end up in histories and logs.
        return HttpResponse(
            json.dumps(facts, ensure_ascii=False, indent=2),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="customer-{customer.pk}.json"'},
        )
    context = _context(
        request,
        customer,
        title=_("All that is kept about a person"),
        facts=facts,
        exported=_in_words("exported_at", facts["exported_at"], customer),
        known_since=_in_words("at", facts["person"]["known_since"], customer),
        cards=[_readable(card, customer) for card in facts["cards"]],
        letters=[
            (
                _in_words("at", each["at"], customer),
                MessageKind(each["kind"]).label,
                NotificationStatus(each["status"]).label,
            )
            for each in facts["messages"]
        ],
        traces=[
            (
                traces.title,
                traces.labels.values(),
                [
                    [
                        _in_words(name, row[name], customer, row.get("currency", ""))
                        for name in traces.labels
                    ]
                    for row in facts[traces.name]
                ],
            )
            for traces in privacy.elsewhere
            if facts[traces.name]
        ],
        actions=[
            (_in_words("at", each["at"], customer), AuditAction(each["action"]).label)
            for each in facts["actions_of_staff"]
        ],
    )
    return render(request, "admin/privacy/copy.html", context)


@password_confirmed
def erase_person(request: HttpRequest, pk: int) -> HttpResponse:
    """What erasing means for this person; then, typed and with a reason, doing it."""
    customer = _customer(request, pk, "erase_person")
    form = EraseForm(customer, request.POST or None)
    if form.is_valid():
        try:
            privacy.erase(customer, reason=form.cleaned_data["reason"], actor=actor_of(request))
        except privacy.CannotErase as refusal:
            form.add_error(None, privacy.REFUSALS[refusal.reason])
        else:
            messages.success(request, _("The person is erased. The amounts are as they were."))
            return HttpResponseRedirect(_page(customer))
    context = _context(request, customer, title=_("Erase a person"), form=form)
    return render(request, "admin/privacy/erase.html", context)


def _customer(request: HttpRequest, pk: int, *permissions: str) -> Customer:
    user = cast("User", request.user)
    if not any(user.has_perm(f"loyalty.{permission}") for permission in permissions):
        raise PermissionDenied
    customer = Customer.objects.select_related("store").filter(pk=pk).first()
    if customer is None:
        raise Http404
    return customer


def _context(request: HttpRequest, customer: Customer, **context: Any) -> dict[str, Any]:
    standing = privacy.standing(customer)
    refusal = standing.obstacle
    if customer.is_nobody:
        refusal = "erased" if customer.erased_at else "merged"
    return {
        **admin.site.each_context(request),
        "customer": customer,
        "back": _page(customer),
        "standing": standing,
        "available": _money(standing.available),
        "held": _money(standing.held),
        "refusal": privacy.REFUSALS[refusal] if refusal else "",
        **context,
    }


def _readable(card: dict[str, Any], customer: Customer) -> dict[str, Any]:
    """A card of the copy, in words of the page's language and by the store's clock."""
    currency = card["currency"]
    facts = {
        LABELS[name]: _in_words(name, card[name], customer, currency)
        for name in ("id", "status", "issued_at", "valid_from", "expires_at")
    }
    amounts = {
        LABELS[name]: written_money(Decimal(value), currency)
        for name, value in card["amounts"].items()
    }
    tables = [
        (
            title,
            [LABELS[column] for column in card[name][0]],
            [
                [_in_words(each, row[each], customer, currency) for each in row]
                for row in card[name]
            ],
        )
        for name, title in TABLES.items()
        if card[name]
    ]
    return {
        "title": f"{card['program']} {card['code']}",
        "facts": facts | amounts,
        "tables": tables,
    }


def _in_words(name: str, value: Any, customer: Customer, currency: str = "") -> str:
    if value in (None, ""):
        return NOTHING
    if name in DATES:
        return shown_moment(parse_datetime(str(value)), customer.store)
    if name in NUMBERS:
        return written_money(Decimal(value), currency or customer.store.currency)
    return str(WORDS.get((name, value), value))


def _money(amounts: dict[str, Any]) -> list[str]:
    return [written_money(amount, currency) for currency, amount in sorted(amounts.items())]


def _page(customer: Customer) -> str:
    return reverse("admin:loyalty_customer_change", args=[customer.pk])
