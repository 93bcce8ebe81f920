"""Builders: `make_*` gives what a test needs, through the ledger's verbs, so that history is real.

No row of money is ever made by hand. Amounts are units of the card (centavos by default). The
readers at the end say in one line what a card holds, and prove that a refusal moved nothing.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import pytest
from django.utils import timezone

from loyalty import ledger
from loyalty.exceptions import Decline, LedgerError
from loyalty.models import (
    Balance,
    Customer,
    CustomerMerge,
    Entry,
    GiftCard,
    Grant,
    Operation,
    Outcome,
    Program,
    Reason,
    Store,
    Transaction,
)

Row = TypeVar("Row", GiftCard, Transaction, Customer, CustomerMerge, Program, Store)

ACTOR = "test"

_numbers = count(1)


def new_id(prefix: str = "request") -> str:
    """An id that no other call has given out."""
    return f"{prefix}-{next(_numbers)}"


def make_store(**fields: Any) -> Store:
    """A Brazilian store: reais, São Paulo, 30 days of refund grace."""
    account = new_id("store")
    defaults = {
        "name": account,
        "account": account,
        "provider_id": "ourcredit",
        "currency": "BRL",
        "time_zone": "America/Sao_Paulo",
    }
    return Store.objects.create(**defaults | fields)


def make_program(store: Store | None = None, **fields: Any) -> Program:
    """Plain paid gift cards: no expiry, one credit, any number of purchases."""
    defaults = {"kind": Program.Kind.GIFT_CARD, "name": new_id("program")}
    return Program.objects.create(store=store or make_store(), **defaults | fields)


def make_points_program(store: Store | None = None, **fields: Any) -> Program:
    """Promotional, reloadable points of R$ 0.0025 each: 25 units of R$ 0.0001."""
    defaults = {
        "kind": Program.Kind.LOYALTY,
        "funding": "promotional",
        "is_reloadable": True,
        "unit_name": "ponto",
        "finer_digits": 2,
        "point_units": 25,
    }
    return make_program(store, **defaults | fields)


def make_customer(store: Store | None = None, **fields: Any) -> Customer:
    """A customer with an e-mail, a personal document and a profile that nobody else has."""
    number = next(_numbers)
    defaults = {
        "profile_id": f"profile-{number}",
        "email": f"ana{number}@example.com",
        "document": f"{number:011}",
        "name": "Ana Souza",
    }
    return Customer.objects.create(store=store or make_store(), **defaults | fields)


def make_card(program: Program | None = None, *, balance: int = 0, **options: Any) -> GiftCard:
    """An active card that holds `balance`; `options` are those of `ledger.issue`."""
    defaults: dict[str, Any] = {"actor": ACTOR, "amount": balance}
    return ledger.issue(program or make_program(), **defaults | options)


def make_wallet(program: Program | None = None, *, balance: int = 0, **options: Any) -> GiftCard:
    """A card that takes any number of credits, each with its own dates and funding."""
    return make_card(program, balance=balance, **{"is_reloadable": True} | options)


def make_expired_card(
    program: Program | None = None, *, balance: int = 0, **options: Any
) -> GiftCard:
    """A card whose last instant was a day ago; nothing of it is booked as expired yet."""
    now = timezone.now()
    dates = {
        "valid_from": now - datetime.timedelta(days=30),
        "expires_at": now - datetime.timedelta(days=1),
    }
    return make_card(program, balance=balance, **dates | options)


def make_blocked_card(
    program: Program | None = None, *, balance: int = 0, **options: Any
) -> GiftCard:
    """A card that staff blocked."""
    card = make_card(program, balance=balance, **options)
    ledger.block(card.pk, request_id=new_id("block"), actor=ACTOR)
    return fresh(card)


def make_closed_card(
    program: Program | None = None, *, balance: int = 0, **options: Any
) -> GiftCard:
    """A card closed for good; what it held was removed."""
    card = make_card(program, balance=balance, **options)
    ledger.close(card.pk, request_id=new_id("close"), actor=ACTOR, reason=Reason.LOST)
    return fresh(card)


def make_credit(card: GiftCard, amount: int = 1000, **options: Any) -> Transaction:
    """Credit put on a card; `options` are those of `ledger.credit`."""
    defaults = {"request_id": new_id("credit"), "actor": ACTOR}
    return ledger.credit(card.pk, amount=amount, **defaults | options)


def make_hold(card: GiftCard, amount: int = 1000, **options: Any) -> Transaction:
    """A purchase that holds `amount`; `options` are those of `ledger.authorize`."""
    defaults = {"request_id": new_id("payment"), "actor": ACTOR}
    return ledger.authorize(card.pk, amount=amount, **defaults | options)


def make_purchase(card: GiftCard, amount: int = 1000, **options: Any) -> Transaction:
    """A purchase that is settled in full."""
    hold = make_hold(card, amount, **options)
    make_settlement(hold, amount)
    return fresh(hold)


def make_settlement(debit: Transaction, amount: int, **options: Any) -> Operation:
    """A settlement of a debit."""
    defaults = {"request_id": new_id("settle"), "actor": ACTOR}
    return ledger.settle(debit, amount=amount, **defaults | options)


def make_cancellation(transaction: Transaction, amount: int, **options: Any) -> Operation:
    """A cancellation of a debit or credit."""
    defaults = {"request_id": new_id("cancel"), "actor": ACTOR}
    return ledger.cancel(transaction, amount=amount, **defaults | options)


def make_adjustment(card: GiftCard, change: int, **options: Any) -> Operation:
    """A correction by hand, up or down."""
    defaults = {"request_id": new_id("adjust"), "actor": ACTOR, "reason": Reason.CORRECTION}
    return ledger.adjust(card.pk, change=change, **defaults | options)


def make_renewal(card: GiftCard, **options: Any) -> Operation:
    """Another last instant of a card, or none; `options` are those of `ledger.renew`."""
    defaults = {"expires_at": None, "request_id": new_id("renew"), "actor": ACTOR}
    return ledger.renew(card.pk, **defaults | options)


def make_extension(card: GiftCard, *grants: Grant, **options: Any) -> Operation:
    """A last instant in a year, or as in `options`, for these grants of a card or for all."""
    defaults: dict[str, Any] = {
        "expires_at": timezone.now() + datetime.timedelta(days=365),
        "grant_ids": [grant.pk for grant in grants or card.grants.all()],
        "request_id": new_id("extend"),
        "actor": ACTOR,
        "reason": Reason.CUSTOMER_SERVICE,
    }
    return ledger.extend(card.pk, **defaults | options)


def make_change_of_owner(card: GiftCard, owner: Customer | None, **options: Any) -> Operation:
    """A card in other hands, or in nobody's."""
    defaults = {"request_id": new_id("owner"), "actor": ACTOR, "reason": Reason.CORRECTION}
    return ledger.change_owner(card.pk, owner=owner, **defaults | options)


def make_reversal(operation: Operation, **options: Any) -> Operation:
    """An adjustment undone."""
    defaults = {"request_id": new_id("reverse"), "actor": ACTOR, "reason": Reason.CORRECTION}
    return ledger.reverse(operation, **defaults | options)


def make_merge(customer: Customer, into: Customer, **options: Any) -> CustomerMerge:
    """A customer made one with another."""
    defaults = {"request_id": new_id("merge"), "actor": ACTOR, "reason": Reason.CORRECTION}
    return ledger.merge(customer, into, **defaults | options)


def make_unmerge(merge: CustomerMerge, **options: Any) -> CustomerMerge:
    """A merge undone."""
    defaults = {"request_id": new_id("unmerge"), "actor": ACTOR, "reason": Reason.CORRECTION}
    return ledger.unmerge(merge, **defaults | options)


def make_cards(
    program: Program | None = None, *cards: ledger.NewCard, **options: Any
) -> list[GiftCard]:
    """Many cards at once."""
    return ledger.issue_many(program or make_program(), cards, **{"actor": ACTOR} | options)


def fresh(row: Row) -> Row:
    """The same row as the database has it now."""
    return type(row)._default_manager.get(pk=row.pk)


def buckets(card: GiftCard) -> dict[str, int]:
    """What a card holds, without the empty buckets."""
    names = ("credited", "available", "held", "spent", "expired", "removed")
    balance = Balance.objects.filter(card=card).values_list(*names).get()
    return {bucket: amount for bucket, amount in zip(names, balance, strict=True) if amount}


def remaining(card: GiftCard) -> list[int]:
    """What remains of each grant of a card, oldest first."""
    return list(card.grants.order_by("id").values_list("remaining", flat=True))


def moves(operation: Operation) -> list[tuple[str, str, int]]:
    """The entries of an operation, in order: from, to, amount."""
    entries = operation.entries.order_by("seq")
    return list(entries.values_list("source", "target", "amount"))


def history(card: GiftCard) -> dict[str, list[dict[str, Any]]]:
    """Every row that the database has about a card, except the operations."""
    tables = {
        "card": GiftCard.objects.filter(pk=card.pk),
        "balance": Balance.objects.filter(card=card),
        "grants": Grant.objects.filter(card=card),
        "transactions": Transaction.objects.filter(card=card),
        "entries": Entry.objects.filter(card=card),
    }
    return {name: list(rows.order_by("pk").values()) for name, rows in tables.items()}


@contextmanager
def unchanged(card: GiftCard, *, declined: str = "") -> Iterator[None]:
    """Nothing about the card changes inside, but for one operation declined with that code."""
    before = history(card)
    known = list(card.operations.values_list("pk", flat=True))

    yield

    assert history(card) == before
    new = card.operations.exclude(pk__in=known)
    expected = [(Outcome.DECLINED, declined, 0)] if declined else []
    assert list(new.values_list("outcome", "decline_code", "applied")) == expected


@contextmanager
def refuses(card: GiftCard, error: type[LedgerError]) -> Iterator[None]:
    """What is done inside raises exactly this error and moves nothing; a `Decline` is recorded."""
    declined = error.code if issubclass(error, Decline) else ""
    with unchanged(card, declined=declined), pytest.raises(LedgerError) as raised:
        yield
    assert raised.type is error
