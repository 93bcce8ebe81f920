"""What a program's point is worth: changing it, and what a change means for the cards there are.

A change is one short transaction: from its instant on the program's point is worth something else.
With the money kept that is all. With the points kept, every card's money is adjusted by the ledger
(`adjust`), each in its own turn and once; `loyalty.earning` goes through them as a job.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger
from loyalty.exceptions import Decline, ImportWaits, PointValueOutdated, PointValueUnderWay
from loyalty.models import (
    Batch,
    EarningMovement,
    GiftCard,
    Grant,
    Job,
    Operation,
    PointValueChange,
    Program,
    Transaction,
)

KEEP_POINTS = PointValueChange.Policy.KEEP_POINTS
_LOCKS = 7_304  # our own space of advisory locks; the second number is the program

_STANDING = """
    SELECT lot.card_id, sum(lot.remaining) AS units
    FROM loyalty_grant lot
    JOIN loyalty_giftcard card ON card.id = lot.card_id
    WHERE card.program_id = %(program)s AND card.status <> 'closed' AND lot.remaining > 0
      AND coalesce(least(lot.expires_at, card.expires_at), 'infinity') > %(now)s
    GROUP BY lot.card_id
"""
_EFFECT = f"""
    SELECT count(*), coalesce(sum(units), 0),
           coalesce(sum(div(units, %(before)s)), 0),
           coalesce(sum(div(units, %(after)s)), 0),
           coalesce(sum(div(units * %(after)s, %(before)s)), 0)
    FROM ({_STANDING}) card
"""  # noqa: S608  put together from constants
_HELD = """
    SELECT coalesce(sum(balance.held), 0)
    FROM loyalty_balance balance JOIN loyalty_giftcard card ON card.id = balance.card_id
    WHERE card.program_id = %s AND balance.held > 0
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is on a program's cards and not over, and what either policy would make of it.

    Units and whole points of each card, added up. `held` is what purchases claim: it stays.
    """

    cards: int
    held: int
    units: int
    points: int
    points_if_money_stays: int
    units_if_points_stay: int

    def after(self, policy: str) -> tuple[int, int]:
        """Points and units of all cards under a policy."""
        if policy == KEEP_POINTS:
            return self.points, self.units_if_points_stay
        return self.points_if_money_stays, self.units


def effect(program_id: int, *, before: int, after: int) -> Effect:
    """What a change would do, in one pass over the program's credit; nothing is changed."""
    values: dict[str, Any] = {
        "program": program_id,
        "now": timezone.now(),
        "before": before,
        "after": after,
    }
    with connection.cursor() as cursor:
        cursor.execute(_EFFECT, values)
        cards, units, points, other_points, other_units = map(int, cursor.fetchone())
        cursor.execute(_HELD, [program_id])
        [held] = cursor.fetchone()
    return Effect(cards, int(held), units, points, other_points, other_units)


def change(
    program: Program,
    *,
    before: int,
    after: int,
    policy: str,
    requested_by: User | None,
    reason: str,
    note: str = "",
    request_id: str,
) -> PointValueChange:
    """Let a point be worth `after` units instead of `before` from now on; once for a request id.

    With the points kept it leaves the job that adjusts the cards. Raises `PointValueOutdated` when
    a point is not worth `before`, or `after` already, and what `refuse_now` raises.
    """
    with atomic():
        # Whoever plans what an order earns has done so, or does it by the new value.
        _lock(program.pk, "pg_advisory_xact_lock")
        row = Program.objects.select_for_update(no_key=True).get(pk=program.pk)
        if known := PointValueChange.objects.filter(request_id=request_id).first():
            return known
        refuse_now(row)
        if row.point_units != before or after == before or after <= 0:
            raise PointValueOutdated
        now = timezone.now()
        found = effect(row.pk, before=before, after=after)
        made = PointValueChange.objects.create(
            program=row,
            before=before,
            after=after,
            policy=policy,
            cards=found.cards,
            available=found.units,
            reason=reason,
            note=note,
            request_id=request_id,
            changed_by=requested_by,
            changed_at=now,
            finished_at=None if policy == KEEP_POINTS else now,
        )
        row.point_units = after
        if made.keeps_points:
            row.point_units_before = before
            made.job = Job.objects.create(
                kind=Job.Kind.CHANGE_POINTS,
                parameters={"change": made.pk},
                total=cards(row).count(),
                requested_by=requested_by,
            )
            made.save(update_fields=["job"])
        row.save(update_fields=["point_units", "point_units_before"])
    return made


def refuse_now(program: Program) -> None:
    """Raise why the program's point value cannot change just now, if so.

    `PointValueUnderWay` while cards are still being adjusted to the change before; `ImportWaits`
    while a file that was checked by the value now has not become cards.
    """
    if program.point_value_changes.filter(finished_at=None).exists():
        raise PointValueUnderWay
    waits = (Batch.Status.DRAFT, Batch.Status.WAITING, Batch.Status.ISSUING)
    if program.batches.filter(source=Batch.Source.IMPORTED, status__in=waits).exists():
        raise ImportWaits


def latest(program: Program) -> PointValueChange | None:
    """The program's last change, as it is now."""
    return PointValueChange.objects.filter(program=program).order_by("pk").last()


def stand_still(program: Program) -> None:
    """Keep the program's point value as it is until the caller's transaction ends."""
    _lock(program.pk, "pg_advisory_xact_lock_shared")


def cards(program: Program) -> QuerySet[GiftCard]:
    """The cards that may have something to adjust."""
    found = GiftCard.objects.filter(program=program, balance__available__gt=0)
    return found.exclude(status=GiftCard.Status.CLOSED)


def planned_before(made: PointValueChange) -> QuerySet[EarningMovement]:
    """What was planned for the program's earnings by the value before, done or not."""
    by_then = Q(point_value=None) | Q(point_value__lt=made)
    return EarningMovement.objects.filter(by_then, earning__rule__program=made.program_id)


def adjust(card_id: int, made: PointValueChange) -> Operation | None:
    """Bring a card's money in line with a change that keeps the points: once, whoever asks.

    What the card was given before the change is adjusted, and what an order earned that was planned
    before it. Everything later is by the new value already. Raises what `ledger.revalue` raises.
    """
    planned = planned_before(made).filter(card=card_id, kind=EarningMovement.Kind.CREDIT)
    credited = Transaction.objects.filter(
        card=card_id,
        kind=Transaction.Kind.CREDIT,
        created_at__gte=made.changed_at,
        request_id__in=planned.values("request_id"),
    )
    later = Grant.objects.filter(card=card_id, transaction__in=credited)
    return ledger.revalue(
        card_id,
        before=made.before,
        after=made.after,
        given_until=made.changed_at,
        given_later=list(later.values_list("pk", flat=True)),
        request_id=made.card_request_id,
        actor=f"staff:{made.changed_by_id}" if made.changed_by_id else f"points:{made.pk}",
        reason=made.reason,
        note=made.note,
    )


def adjust_owned(made: PointValueChange, owner_id: int) -> None:
    """The same for the cards of a customer, before anything else becomes of them."""
    for card_id in cards(made.program).filter(owner=owner_id).values_list("pk", flat=True):
        with suppress(Decline):  # recorded; the job counts it
            adjust(card_id, made)


def finish(made: PointValueChange) -> None:
    """Every card has had its turn: all count at the new value. Safe to repeat."""
    with atomic():
        Program.objects.select_for_update(no_key=True).get(pk=made.program_id)
        open_still = PointValueChange.objects.filter(pk=made.pk, finished_at=None)
        if open_still.update(finished_at=timezone.now()):
            Program.objects.filter(pk=made.program_id).update(point_units_before=None)


def _lock(program_id: int, function: str) -> None:
    """Held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [_LOCKS, program_id])
