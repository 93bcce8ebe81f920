"""A customer's cards with their latest movements, in the customer's words."""

from collections.abc import Iterator, Mapping

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty.models import Bucket, Customer, GiftCard, OperationKind
from loyalty.notation import MINUS
from loyalty.notifications import figures
from loyalty.notifications.letters import Account, Line

CARDS, MOVEMENTS = 30, 10

_WORDS: Mapping[str, StrOrPromise] = {
    OperationKind.ISSUE: gettext_lazy("Credit"),
    OperationKind.CREDIT: gettext_lazy("Credit"),
    OperationKind.AUTHORIZE: gettext_lazy("Purchase"),
    OperationKind.CANCEL: gettext_lazy("Canceled or returned"),
    OperationKind.EXPIRE: gettext_lazy("Expired"),
    OperationKind.RENEW: gettext_lazy("Expired"),
    OperationKind.ADJUST: gettext_lazy("Correction"),
    OperationKind.REVERSE: gettext_lazy("Correction taken back"),
    OperationKind.REVALUE: gettext_lazy("New point value"),
    OperationKind.TRANSFER: gettext_lazy("Moved between wallets"),
    OperationKind.EXTEND: gettext_lazy("Validity extended"),
    OperationKind.CLOSE: gettext_lazy("Card closed"),
}


def accounts_of(customer: Customer) -> list[Account]:
    """The open cards, newest first, in the active language; no wallet that another emptied."""
    cards = customer.cards.exclude(status=GiftCard.Status.CLOSED).order_by("-pk")
    cards = cards.exclude(merged_into__isnull=False, balance__available=0, balance__held=0)
    return [_account(card) for card in cards.select_related("store", "program")[:CARDS]]


def _account(card: GiftCard) -> Account:
    return Account(
        title=figures.title(card.program, card.caption),
        card=str(card),
        balance=figures.amount_on(card, figures.usable(card)),
        validity=figures.validity(card.expires_at, card.store),
        lines=list(_lines(card)),
    )


def _lines(card: GiftCard) -> Iterator[Line]:
    """The latest operations that changed what can be spent, newest first."""
    moved = {
        name: Coalesce(
            Sum("entries__amount", filter=Q(**{f"entries__{name}": Bucket.AVAILABLE})), 0
        )
        for name in ("source", "target")
    }
    changed = card.operations.annotate(**moved).filter(Q(source__gt=0) | Q(target__gt=0))
    for operation in changed.order_by("-pk")[:MOVEMENTS]:
        units = operation.target - operation.source  # type: ignore[attr-defined]
        sign = "+" if units > 0 else MINUS
        yield Line(
            day=figures.day(operation.created_at, card.store, "SHORT_DATE_FORMAT"),
            what=str(_WORDS[operation.kind]),
            amount=f"{sign}{figures.amount_on(card, abs(units))}",
        )
