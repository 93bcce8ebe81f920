"""Finding anything by whatever somebody has in hand: every look-up goes by an index, and is short.

An order, a transaction, a requestId, a card, its whole code or last four, an e-mail, a document,
a name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from loyalty import codes
from loyalty.identity import normalized_document, normalized_email
from loyalty.models import Customer, GiftCard, Operation, Store, Transaction

# Of each kind; one more is read to know that there are more.
LIMIT = 20
_LAST = 4
_NAME_PART = 3  # shorter, and the index of trigrams is of no use
_MAX_TERM = 512
_ID = re.compile(r"[0-9A-Fa-f]{32}")
_ORDER = re.compile(r"\S{3,64}")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, by kind. `more` names the kinds of which there are more."""

    orders: Sequence[str] = ()
    transactions: Sequence[Transaction] = ()
    operations: Sequence[Operation] = ()
    cards: Sequence[GiftCard] = ()
    customers: Sequence[Customer] = ()
    more: frozenset[str] = field(default_factory=frozenset)

    @property
    def only(self) -> Transaction | Operation | GiftCard | Customer | str | None:
        """The one thing that was found, an order by its number; None when there are others."""
        everything: list[Transaction | Operation | GiftCard | Customer | str] = [
            *self.orders,
            *self.transactions,
            *self.operations,
            *self.cards,
            *self.customers,
        ]
        return everything[0] if len(everything) == 1 and not self.more else None

    def __bool__(self) -> bool:
        return bool(
            self.orders or self.transactions or self.operations or self.cards or self.customers
        )


@dataclass(frozen=True, slots=True)
class Kinds:
    """What may be looked for: what the person may see."""

    transactions: bool = True
    operations: bool = True
    cards: bool = True
    customers: bool = True


def find(typed: str, kinds: Kinds | None = None) -> Found:
    """Everything that the typed text may mean, exact meanings first: a code hides a name."""
    kinds = kinds or Kinds()
    term = typed.replace("\x00", "").strip()[:_MAX_TERM]
    if not term:
        return Found()
    stores = list(Store.objects.values_list("pk", flat=True))
    exact = _exact(term, kinds, stores)
    if exact:
        return exact
    cards, more_cards = _limited(_by_last4(term)) if kinds.cards else ([], False)
    names, more_names = _limited(_by_name(term)) if kinds.customers else ([], False)
    return _found(cards=(cards, more_cards), customers=(names, more_names))


def _exact(term: str, kinds: Kinds, stores: Sequence[int]) -> Found:
    """What is known by exactly this: ids, whole codes, e-mails and documents."""
    transactions = _transactions(term) if kinds.transactions else []
    of_orders = [each for each in transactions if _is_order(each, term)]
    others = [each for each in transactions if each not in of_orders]
    orders = list(dict.fromkeys(each.order_id for each in of_orders))
    return _found(
        orders=(orders[:LIMIT], len(of_orders) > LIMIT),
        transactions=(others[:LIMIT], len(others) > LIMIT),
        operations=_limited(_operations(term)) if kinds.operations else ([], False),
        cards=_limited(_cards(term, stores)) if kinds.cards else ([], False),
        customers=_limited(_customers(term, stores)) if kinds.customers else ([], False),
    )


def _found(**kinds: tuple[Sequence[Any], bool]) -> Found:
    return Found(
        **{kind: rows for kind, (rows, _more) in kinds.items()},
        more=frozenset(kind for kind, (_rows, is_more) in kinds.items() if is_more),
    )


def _limited(rows: QuerySet[Any]) -> tuple[list[Any], bool]:
    found = list(rows[: LIMIT + 1])
    return found[:LIMIT], len(found) > LIMIT


def _spellings(term: str) -> list[str]:
    """As typed, and as VTEX may have sent it: ids are copied from mails and spreadsheets."""
    return sorted({term, term.lower(), term.upper()})


def _is_order(transaction: Transaction, term: str) -> bool:
    order = transaction.order_id.lower()
    return bool(order) and (order == term.lower() or order.startswith(f"{term.lower()}-"))


def _transactions(term: str) -> list[Transaction]:
    """By their own id, their requestId or their order, whole or without the part after the dash."""
    if not _ORDER.fullmatch(term) and not _ID.fullmatch(term):
        # A requestId may be longer, and hold anything.
        conditions = [Q(request_id=term)]
    else:
        conditions = [Q(request_id__in=_spellings(term)), Q(order_id__in=_spellings(term))]
        conditions += [Q(order_id__startswith=f"{each}-") for each in _spellings(term)]
        if _ID.fullmatch(term):
            conditions.append(Q(public_id=term.lower()))
    # One statement of look-ups by one index each: joined by OR the planner may use none.
    first, *rest = [
        Transaction.objects.filter(each).order_by().values("pk")[: LIMIT + 1] for each in conditions
    ]
    keys = first.union(*rest) if rest else first
    found = Transaction.objects.filter(pk__in=keys)
    return list(found.select_related("card__store", "card__program").order_by("-pk")[: 3 * LIMIT])


def _operations(term: str) -> QuerySet[Operation]:
    found = Operation.objects.filter(oid=term.lower()) if _ID.fullmatch(term) else None
    if found is None:
        return Operation.objects.none()
    return found.select_related("card__store", "card__program")


def _cards(term: str, stores: Sequence[int]) -> QuerySet[GiftCard]:
    """By id, or by the whole code as a shopper may type it."""
    of_code = Q(store__in=stores, code_digest__in=codes.typed_digests(term))
    keys = GiftCard.objects.filter(of_code).order_by().values("pk")
    if _ID.fullmatch(term):
        by_id = GiftCard.objects.filter(public_id=term.lower())
        keys = keys.union(by_id.order_by().values("pk"))
    return _with_all(GiftCard.objects.filter(pk__in=keys))


def _by_last4(term: str) -> QuerySet[GiftCard]:
    """By the end of the code, masked or bare; of a short code, which shows less, masked only."""
    last4 = term.lstrip("*")
    is_masked = last4 != term
    if not last4 or len(last4) > _LAST or not (is_masked or len(last4) == _LAST):
        return GiftCard.objects.none()
    return _with_all(GiftCard.objects.filter(code_last4__in={last4, last4.upper()}))


def _with_all(cards: QuerySet[GiftCard]) -> QuerySet[GiftCard]:
    return cards.select_related("store", "program", "owner", "balance").order_by("-pk")


def _customers(term: str, stores: Sequence[int]) -> QuerySet[Customer]:
    """By e-mail, document or VTEX profile id, whole."""
    conditions = [Q(profile_id=term)]
    if email := normalized_email(term):
        conditions.append(Q(email=email))
    if document := normalized_document(term):
        conditions += [Q(document=document), Q(corporate_document=document)]
    # All indexes begin with the store.
    first, *rest = [
        Customer.objects.filter(each, store__in=stores).order_by().values("pk")
        for each in conditions
    ]
    keys = first.union(*rest) if rest else first
    return Customer.objects.filter(pk__in=keys).select_related("store").order_by("-pk")


def _by_name(term: str) -> QuerySet[Customer]:
    """By parts of the name, in any order."""
    parts = [part for part in term.split() if len(part) >= _NAME_PART]
    if not parts or not any(character.isalpha() for character in term):
        return Customer.objects.none()
    found = Customer.objects.select_related("store")
    for part in parts:
        found = found.filter(name__icontains=part)
    return found.order_by("-pk")
