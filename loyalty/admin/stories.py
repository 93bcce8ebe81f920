"""What happened, told in steps: operations with what they moved, who did them, and why not."""

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty.admin.columns import page_of
from loyalty.admin.formats import shown_amount, shown_moment
from loyalty.admin.people import Names
from loyalty.ledger.idempotency import DECLINES
from loyalty.models import Bucket, Entry, Operation, OperationKind, Outcome, Transaction

PAGE = 25

# What each verb did, as a person would say it.
TITLES: Mapping[str, StrOrPromise] = {
    OperationKind.ISSUE: gettext_lazy("Card issued"),
    OperationKind.CREDIT: gettext_lazy("Credit given"),
    OperationKind.AUTHORIZE: gettext_lazy("Held for a purchase"),
    OperationKind.SETTLE: gettext_lazy("Settled: spent"),
    OperationKind.CANCEL: gettext_lazy("Given back"),
    OperationKind.EXPIRE: gettext_lazy("Expired"),
    OperationKind.ADJUST: gettext_lazy("Adjusted"),
    OperationKind.BLOCK: gettext_lazy("Blocked"),
    OperationKind.UNBLOCK: gettext_lazy("Unblocked"),
    OperationKind.CLOSE: gettext_lazy("Closed"),
    OperationKind.RENEW: gettext_lazy("Given a new end"),
    OperationKind.EXTEND: gettext_lazy("Validity extended"),
    OperationKind.OWNER: gettext_lazy("Owner changed"),
    OperationKind.REVERSE: gettext_lazy("Reversed"),
    OperationKind.TRANSFER: gettext_lazy("Moved between wallets"),
    OperationKind.REVALUE: gettext_lazy("Adjusted to another point value"),
}
# What was asked for and refused.
REFUSED: Mapping[str, StrOrPromise] = {
    OperationKind.ISSUE: gettext_lazy("Issue refused"),
    OperationKind.CREDIT: gettext_lazy("Credit refused"),
    OperationKind.AUTHORIZE: gettext_lazy("Purchase refused"),
    OperationKind.SETTLE: gettext_lazy("Settlement refused"),
    OperationKind.CANCEL: gettext_lazy("Cancellation refused"),
    OperationKind.EXPIRE: gettext_lazy("Expiry refused"),
    OperationKind.ADJUST: gettext_lazy("Adjustment refused"),
    OperationKind.BLOCK: gettext_lazy("Block refused"),
    OperationKind.UNBLOCK: gettext_lazy("Unblock refused"),
    OperationKind.CLOSE: gettext_lazy("Close refused"),
    OperationKind.RENEW: gettext_lazy("New end refused"),
    OperationKind.EXTEND: gettext_lazy("Extension refused"),
    OperationKind.OWNER: gettext_lazy("Change of owner refused"),
    OperationKind.REVERSE: gettext_lazy("Reversal refused"),
    OperationKind.REVALUE: gettext_lazy("Adjustment to another point value refused"),
    OperationKind.TRANSFER: gettext_lazy("Move between wallets refused"),
}


@dataclass(frozen=True, slots=True)
class Move:
    """One entry in words: from where to where, and what was left."""

    amount: str
    path: str


@dataclass(frozen=True, slots=True)
class Step:
    """One operation, ready for the page."""

    operation: Operation
    kind: str
    title: StrOrPromise
    refusal: str
    when: datetime.datetime
    shown_when: str
    who: str
    amount: str
    moves: Sequence[Move]
    available_after: str
    url: str

    @property
    def transaction(self) -> Transaction | None:
        """The purchase or credit that this was a step of."""
        return self.operation.transaction


def steps_of(operations: QuerySet[Operation] | Sequence[Operation]) -> list[Step]:
    """Each operation with its entries and the names of who did it: three queries for all.

    The operations come with `card`, its store, and `transaction`.
    """
    listed = list(operations)
    entries: dict[int, list[Entry]] = defaultdict(list)
    for entry in Entry.objects.filter(operation__in=[each.pk for each in listed]).order_by("id"):
        entries[entry.operation_id].append(entry)
    return steps_with([(each, entries[each.pk]) for each in listed])


def steps_with(moved: Sequence[tuple[Operation, Sequence[Entry]]]) -> list[Step]:
    """The same of operations whose entries are known: one query, for the names."""
    names = Names({operation.actor for operation, _entries in moved})
    return [_step(operation, entries, names) for operation, entries in moved]


def _step(operation: Operation, entries: Sequence[Entry], names: Names) -> Step:
    card = operation.card
    is_done = operation.outcome == Outcome.OK
    units = operation.applied if is_done else operation.amount
    return Step(
        operation=operation,
        kind=_kind(operation, entries),
        title=(TITLES if is_done else REFUSED)[operation.kind],
        refusal=refusal_of(operation),
        when=operation.created_at,
        shown_when=shown_moment(operation.created_at, card.store),
        who=names[operation.actor],
        amount=shown_amount(units, card) if units else "",
        moves=[Move(shown_amount(entry.amount, card), movement_of(entry)) for entry in entries],
        available_after=(shown_amount(entries[-1].available_after, card) if entries else ""),
        url=page_of(operation),
    )


def _kind(operation: Operation, entries: Sequence[Entry]) -> str:
    if operation.outcome != Outcome.OK:
        return "bad"
    targets = {entry.target for entry in entries}
    if Bucket.AVAILABLE in targets:
        return "good"
    return "open" if Bucket.HELD in targets else "neutral"


def refusal_of(operation: Operation) -> str:
    """Why an operation was declined, in words; empty when it was not."""
    if not operation.decline_code:
        return ""
    decline = DECLINES.get(operation.decline_code)
    return _(decline.message) if decline else operation.decline_code


def movement_of(entry: Entry) -> str:
    """Between which buckets an entry moved money."""
    return f"{entry.get_source_display()} → {entry.get_target_display()}"
