"""A difference in words: its state, both sides' figures, its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.actions.remedies import is_current
from loyalty.admin.columns import badge, order_link, page_of
from loyalty.admin.formats import NOTHING, shown_money, written_money
from loyalty.admin.pages import may_see
from loyalty.models import Discrepancy
from loyalty.money import exponent_of

STATES = {
    Discrepancy.Status.OPEN: "open",
    Discrepancy.Status.IGNORED: "neutral",
    Discrepancy.Status.CLOSED: "good",
}
SEVERITIES = {
    Discrepancy.Severity.LOW: "neutral",
    Discrepancy.Severity.MEDIUM: "open",
    Discrepancy.Severity.HIGH: "bad",
}
_LABELS: Mapping[str, StrOrPromise] = {
    "amount": _("amount"),
    "held": _("held"),
    "settled": _("settled"),
    "released": _("released"),
    "refunded": _("refunded"),
    "returned": _("given back"),
    "status": _("status"),
    "currency": _("currency"),
    "card": _("gift card"),
    "transaction": _("transaction"),
    "payment": _("payment"),
    "reward": _("reward"),
    "credits": _("credits"),
    "orders": _("orders"),
    "order_status": _("status of the order"),
    "tid": _("our id there"),
    "reason": _("reason"),
    "debit_at": _("purchase here"),
}
_ORDER = list(_LABELS)
_MONEY = {"amount", "held", "settled", "released", "refunded", "returned", "reward", "credits"}
_REASONS: Mapping[str, StrOrPromise] = {
    "no_debit": _("There is no purchase of this payment here."),
    "no_id": _("The store kept no id of the purchase here: it can neither settle nor cancel it."),
    "no_order": _("The store knows no such order."),
    "no_order_named": _("The purchase names no order, and the store knows none of it."),
    "no_payment": _("The order has no payment of this purchase."),
    "twice": _("Credit was given more than once for this order."),
    "missing": _("The order is invoiced, and its credit was not given."),
}
_SENTENCES: Mapping[str, StrOrPromise] = {
    Discrepancy.Kind.PAYMENT_WITHOUT_DEBIT: _(
        "The store took a payment with one of our cards that nothing here belongs to."
    ),
    Discrepancy.Kind.DEBIT_WITHOUT_ORDER: _(
        "A purchase took credit here, and the store has no order of it."
    ),
    Discrepancy.Kind.CANCELED_BUT_HELD: _(
        "The store canceled the payment; the card has not got it back."
    ),
    Discrepancy.Kind.REFUND: _("The store gave back another amount than the card got."),
    Discrepancy.Kind.SETTLEMENT: _("The store settled another amount than was settled here."),
    Discrepancy.Kind.FIGURES: _("Both sides have the payment, and not the same figures of it."),
    Discrepancy.Kind.DOUBLE_DEBIT: _(
        "The card paid more than once for an order that has one payment of it."
    ),
    Discrepancy.Kind.REWARD: _("The credit that is due for an order is missing, or was doubled."),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One figure as both sides have it."""

    label: StrOrPromise
    ours: str
    theirs: str
    is_different: bool


def status_badge(difference: Discrepancy) -> SafeString:
    """Open, ignored or gone."""
    kind = STATES[Discrepancy.Status(difference.status)]
    return badge(kind, difference.get_status_display())


def severity_badge(difference: Discrepancy) -> SafeString:
    """How bad it is."""
    kind = SEVERITIES[Discrepancy.Severity(difference.severity)]
    return badge(kind, difference.get_severity_display())


def money_at_risk(difference: Discrepancy) -> str:
    """How much of whose money."""
    return shown_money(difference.amount, difference.currency, exponent_of(difference.currency))


def remedy_amount(difference: Discrepancy) -> str:
    """What the remedy would move; empty without one."""
    if not difference.remedy_units or difference.card is None:
        return ""
    return shown_money(difference.remedy_units, difference.card.currency, difference.card.exponent)


def order_of(difference: Discrepancy) -> str:
    """The order; it leads to its page where a purchase here names it."""
    transaction = difference.transaction
    if transaction and transaction.order_id:
        return order_link(transaction.order_id)
    return difference.order_group or NOTHING


def sentence_of(difference: Discrepancy) -> StrOrPromise:
    """What is different, in a sentence."""
    return _SENTENCES[difference.kind]


def advice_of(difference: Discrepancy) -> StrOrPromise:
    """What comes next."""
    if difference.status == Discrepancy.Status.CLOSED:
        return _("A later comparison found it gone. Should it come back, it opens again.")
    if difference.status == Discrepancy.Status.IGNORED:
        return _("It stays ignored while its figures are the same, and opens again when not.")
    if difference.remedy == Discrepancy.Remedy.NONE:
        return _("Nothing is proposed: a person has to find out which side is right.")
    if not is_current(difference):
        return _(
            "Something has moved since it was compared: the next comparison closes it, or finds"
            " what is left of it."
        )
    return _("What is proposed below puts it right. The next comparison then closes it.")


def sides_of(difference: Discrepancy) -> list[Side]:
    """Every figure that one of both sides has, beside the other's."""
    ours, theirs = dict(difference.ours), dict(difference.theirs)
    if "returned" in theirs and "released" in ours:
        ours["returned"] = str(Decimal(ours["released"]) + Decimal(ours["refunded"]))
    sides = []
    for name in sorted({*ours, *theirs}, key=_ORDER.index):
        here, there = (_cell(difference, name, side.get(name)) for side in (ours, theirs))
        if here == there == NOTHING:
            continue
        is_different = NOTHING not in {here, there} and here != there
        sides.append(Side(_LABELS.get(name, name), here, there, is_different))
    return sides


def evidence_of(difference: Discrepancy) -> list[tuple[StrOrPromise, str]]:
    """Where the figures come from."""
    shown = [
        (_LABELS.get(name, name), _cell(difference, name, value))
        for name, value in difference.evidence.items()
    ]
    return [(label, text) for label, text in shown if text != NOTHING]


def _cell(difference: Discrepancy, name: str, value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, list):
        return ", ".join(_cell(difference, name, each) for each in value)
    if name == "reason":
        return str(_REASONS.get(value, value))
    return _amount(difference.currency, str(value)) if name in _MONEY else str(value)


def _amount(currency: str, text: str) -> str:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return text
    return written_money(amount, currency)


@dataclass(frozen=True, slots=True)
class Notice:
    """An open difference as a line of another page."""

    text: str
    url: str


def open_differences(request: HttpRequest, condition: Q) -> list[Notice]:
    """What differs from the store about a card, order or purchase, for whoever may see it."""
    if not may_see(request, Discrepancy):
        return []
    rows = Discrepancy.objects.filter(condition, status=Discrepancy.Status.OPEN)
    return [
        Notice(
            gettext("Differs from the store: %(what)s (%(amount)s).")
            % {"what": each.get_kind_display(), "amount": money_at_risk(each)},
            page_of(each),
        )
        for each in rows.order_by("-severity", "-pk")[:5]
    ]
