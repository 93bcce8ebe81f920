"""A batch before there is any card: what is wanted, and whether it waits."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.transaction import atomic

from loyalty.models import Batch, BatchOwner, Customer, Program
from loyalty.money import checked

MAX_CARDS = 100_000
_OWNERS_A_STATEMENT = 2000

DRAFT, WAITING = Batch.Status.DRAFT, Batch.Status.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a person wants issued; `amount` is each card's, in units, `owners` one for each card."""

    program: Program
    name: str
    amount: int
    count: int
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    reason: str = ""
    note: str = ""
    owners: Sequence[Customer] = ()


def draft(plan: Plan, *, created_by: User) -> Batch:
    """Keep what is wanted; nothing is issued. Sent twice, it is the same draft.

    Raises `InvalidAmount` when one card or all of them are more than the ledger can count.
    """
    checked(plan.amount)
    wanted = {
        "program": plan.program,
        "name": plan.name,
        "amount": plan.amount,
        "count": plan.count,
        "total": checked(plan.amount * plan.count),
        "valid_from": plan.valid_from,
        "expires_at": plan.expires_at,
        "reason": plan.reason,
        "note": plan.note,
        "source": Batch.Source.GENERATED,
    }
    with atomic():
        # Of two clicks the second waits here, and finds the draft of the first.
        User.objects.select_for_update(no_key=True).get(pk=created_by.pk)
        drafts = Batch.objects.filter(created_by=created_by, status=DRAFT)
        known = drafts.filter(**wanted).order_by("-pk").first()
        if known and _owner_ids(known) == [owner.pk for owner in plan.owners]:
            return known
        batch = Batch.objects.create(created_by=created_by, **wanted)
        BatchOwner.objects.bulk_create(
            (
                BatchOwner(batch=batch, number=number, customer=owner)
                for number, owner in enumerate(plan.owners, start=1)
            ),
            batch_size=_OWNERS_A_STATEMENT,
        )
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


def _owner_ids(batch: Batch) -> list[int]:
    return list(batch.owners.order_by("number").values_list("customer_id", flat=True))
