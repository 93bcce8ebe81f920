"""A batch before there is any card or credit: what is wanted, and whether it waits."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.transaction import atomic

from loyalty.models import Batch, BatchOwner, Customer, Program
from loyalty.money import checked

MAX_CARDS = 100_000
_OWNERS_A_STATEMENT = 2000

DRAFT, WAITING = Batch.Status.DRAFT, Batch.Status.WAITING


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who of a batch of credits gets how many units; with a `problem`, who is left out."""

    customer_id: int
    amount: int
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a person wants issued; `amount` is each card's, in units, `owners` one for each card.

    Of credits, what each of the `recipients` gets, of whom those with a problem come last.
    """

    program: Program
    name: str
    amount: int = 0
    count: int = 0
    source: Batch.Source = Batch.Source.GENERATED
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    reason: str = ""
    note: str = ""
    owners: Sequence[Customer] = ()
    recipients: Sequence[Recipient] = ()
    selection: Mapping[str, Any] = field(default_factory=dict)

    def rows(self) -> list[BatchOwner]:
        """Whom it is for, by number; of no batch yet."""
        rows = [BatchOwner(customer=owner) for owner in self.owners]
        rows += [
            BatchOwner(customer_id=each.customer_id, amount=each.amount, problem=each.problem)
            for each in sorted(self.recipients, key=lambda recipient: bool(recipient.problem))
        ]
        for number, row in enumerate(rows, start=1):
            row.number = number
        return rows

    @property
    def sums(self) -> tuple[int, int]:
        """How many cards or credits, and their units."""
        if not self.recipients:
            return self.count, self.amount * self.count
        amounts = [each.amount for each in self.recipients if not each.problem]
        return len(amounts), sum(amounts)


def draft(plan: Plan, *, created_by: User) -> Batch:
    """Keep what is wanted; nothing is issued. Sent twice, it is the same draft.

    Raises `InvalidAmount` when one card or all of them are more than the ledger can count.
    """
    count, total = plan.sums
    if plan.source == Batch.Source.GENERATED:
        checked(plan.amount)
    rows = plan.rows()
    wanted = {
        "program": plan.program,
        "name": plan.name,
        "amount": plan.amount,
        "count": count,
        "total": checked(total),
        "valid_from": plan.valid_from,
        "expires_at": plan.expires_at,
        "reason": plan.reason,
        "note": plan.note,
        "source": plan.source,
        "selection": plan.selection,
    }
    with atomic():
        # Of two clicks the second waits here, and finds the draft of the first.
        User.objects.select_for_update(no_key=True).get(pk=created_by.pk)
        drafts = Batch.objects.filter(created_by=created_by, status=DRAFT)
        known = drafts.filter(**wanted).order_by("-pk").first()
        if known and _same(known.owners.order_by("number"), rows):
            return known
        batch = Batch.objects.create(created_by=created_by, **wanted)
        for row in rows:
            row.batch = batch
        BatchOwner.objects.bulk_create(rows, batch_size=_OWNERS_A_STATEMENT)
        return batch


def wait(batch: Batch) -> bool:
    """It waits for another person; False when it is no draft (any more)."""
    return _move(batch, DRAFT, WAITING)


def back_to_draft(batch: Batch) -> bool:
    """Nobody approved it; False when it does not wait (any more)."""
    return _move(batch, WAITING, DRAFT)


def discard(batch: Batch) -> bool:
    """Nobody wants it; False when it is no draft (any more)."""
    return _move(batch, DRAFT, Batch.Status.DISCARDED)


def _move(batch: Batch, source: Batch.Status, target: Batch.Status) -> bool:
    return bool(Batch.objects.filter(pk=batch.pk, status=source).update(status=target))


def _same(known: QuerySet[BatchOwner], rows: Sequence[BatchOwner]) -> bool:
    wanted = [(row.customer_id, row.amount, row.problem) for row in rows]
    return list(known.values_list("customer_id", "amount", "problem")) == wanted
