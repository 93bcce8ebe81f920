"""A customer's statement: what moved on all cards, with what could be spent after each movement.

The balances are those of the cards that the customer owns now, with their whole history.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, QuerySet, Sum, When
from django.db.models.functions import Coalesce

from loyalty.models import Bucket, Customer, Entry, GiftCard, Operation

_ENTRIES_A_STATEMENT = 2000


@dataclass(frozen=True, slots=True)
class Scale:
    """In what a statement is counted: the finest units of one currency that its cards have."""

    currency: str
    exponent: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the cards of one currency have together, in units of the scale."""

    scale: Scale
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class Line:
    """An operation that moved money: what it did to what can be spent, and what that was after."""

    operation: Operation
    entries: Sequence[Entry]
    scale: Scale
    change: int
    available_after: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A part of it, newest first. `older` is where it goes on."""

    totals: Sequence[Totals]
    lines: Sequence[Line]
    older: int | None


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry of the whole statement."""

    entry: Entry
    scale: Scale
    change: int
    available_after: int


# What an entry does to what can be spent.
_CHANGE = Case(
    When(target=Bucket.AVAILABLE, then=F("amount")),
    When(source=Bucket.AVAILABLE, then=-F("amount")),
    default=0,
    output_field=BigIntegerField(),
)


def statement(customer: Customer, *, before: int | None = None, most: int = 25) -> Statement:
    """The newest operations, or those before one of them; read it in one snapshot."""
    totals = totals_of(customer)
    scales = {each.scale.currency: each.scale for each in totals}
    moved = Operation.objects.filter(
        Exists(Entry.objects.filter(operation=OuterRef("pk"))), card__owner=customer
    )
    if before is not None:
        moved = moved.filter(pk__lt=before)
    # Not by id alone: with that order the planner may walk the table for one customer's.
    newest = moved.select_related("card__store", "card__program", "transaction").order_by(
        (F("pk") + 0).desc()
    )
    found = list(newest[: most + 1])
    listed = found[:most]
    entries = _entries_of(listed)
    running = {each.scale.currency: each.available for each in totals}
    if before is not None:
        for scale, units in _changed_since(customer, before, scales).items():
            running[scale.currency] -= units
    lines = []
    for operation in listed:
        scale = scales[operation.card.currency]
        moved_units = sum(entry.change for entry in entries[operation.pk])
        change = moved_units * _factor(operation.card, scale)
        after = running[scale.currency]
        lines.append(Line(operation, entries[operation.pk], scale, change, after))
        running[scale.currency] -= change
    return Statement(totals, lines, listed[-1].pk if len(found) > most else None)


def movements(customer: Customer) -> Iterator[Movement]:
    """All of it, entry by entry, oldest first, in constant memory."""
    scales = {each.scale.currency: each.scale for each in totals_of(customer)}
    running: dict[str, int] = defaultdict(int)
    entries = Entry.objects.filter(card__owner=customer).annotate(change=_CHANGE)
    entries = entries.select_related("card__store", "operation", "transaction").order_by("pk")
    last = 0
    while found := list(entries.filter(pk__gt=last)[:_ENTRIES_A_STATEMENT]):
        for entry in found:
            scale = scales[entry.card.currency]
            change = entry.change * _factor(entry.card, scale)
            running[scale.currency] += change
            yield Movement(entry, scale, change, running[scale.currency])
        last = found[-1].pk


def totals_of(customer: Customer) -> list[Totals]:
    """What the customer's cards have together, by currency."""
    sums = (
        GiftCard.objects.filter(owner=customer)
        .order_by("currency", "-exponent")
        .values("currency", "exponent")
        .annotate(available=Sum("balance__available"), held=Sum("balance__held"))
    )
    found: dict[str, Totals] = {}
    for each in sums:  # the finest of a currency comes first
        scale = Scale(each["currency"], each["exponent"])
        known = found.setdefault(scale.currency, Totals(scale, 0, 0))
        factor = 10 ** (known.scale.exponent - scale.exponent)
        found[scale.currency] = Totals(
            known.scale,
            known.available + int(each["available"]) * factor,
            known.held + int(each["held"]) * factor,
        )
    return list(found.values())


def _factor(card: GiftCard, scale: Scale) -> int:
    factor: int = 10 ** (scale.exponent - card.exponent)
    return factor


def _entries_of(operations: Sequence[Operation]) -> Mapping[int, list[Any]]:
    """The entries of each operation, with what they did to what can be spent (`change`)."""
    found: dict[int, list[Any]] = defaultdict(list)
    entries = Entry.objects.filter(operation__in=[each.pk for each in operations])
    for entry in entries.annotate(change=_CHANGE).order_by("pk"):
        found[entry.operation_id].append(entry)
    return found


def _changed_since(
    customer: Customer, operation: int, scales: Mapping[str, Scale]
) -> Mapping[Scale, int]:
    """What this operation and all later ones did to what can be spent."""
    entries: QuerySet[Entry] = Entry.objects.filter(
        card__owner=customer, operation__gte=operation
    ).order_by()
    sums = entries.values("card__currency", "card__exponent").annotate(
        change=Coalesce(Sum(_CHANGE), 0)
    )
    found: dict[Scale, int] = defaultdict(int)
    for each in sums:
        scale = scales[each["card__currency"]]
        found[scale] += int(each["change"]) * 10 ** (scale.exponent - each["card__exponent"])
    return found
