"""Adjusting a program's cards to another point value: the job behind a change that keeps points."""

from loyalty import point_values
from loyalty.earning.settling import perform
from loyalty.exceptions import LedgerBusy, LedgerError, PointValueUnderWay
from loyalty.models import EarningMovement, Job, PointValueChange

CHUNK = 200
REMEMBERED = 100
"""Refused cards that a job names; it counts all of them."""


def revalue_chunk(job: Job) -> bool:
    """Adjust the next cards, by number; True while there may be more. Safe to repeat, or at once.

    First the ledger does what orders earned by the value before and was written down by then: so
    that no such credit comes to a card that has had its turn. What would have to be brought back
    from another card cannot be, until all are adjusted: it is refused, and planned again then.
    """
    made = PointValueChange.objects.select_related("program").get(pk=job.parameters["change"])
    if _finish_planned(made):
        return True
    after = job.parameters.get("after", 0)
    standing = point_values.cards(made.program).filter(pk__gt=after).order_by("pk")
    found = list(standing.values_list("pk", flat=True)[:CHUNK])
    for card_id in found:
        _adjust(card_id, made, job)
    if not found:
        point_values.finish(made)
        # Cards that were emptied meanwhile had no turn.
        job.total = job.done
        return False
    job.parameters["after"] = found[-1]
    job.done += len(found)
    job.total = max(job.total, job.done)
    return True


def _finish_planned(made: PointValueChange) -> bool:
    """Whether there was any: each is done, or refused, and not planned any more."""
    planned = point_values.planned_before(made).filter(status=EarningMovement.Status.PLANNED)
    movements = list(planned.select_related("earning__order", "credit").order_by("pk")[:CHUNK])
    for movement in movements:
        try:
            perform([movement])
        except LedgerBusy as busy:
            if not isinstance(busy.__cause__, PointValueUnderWay):
                raise
            still = EarningMovement.objects.filter(
                pk=movement.pk, status=EarningMovement.Status.PLANNED
            )
            still.update(status=EarningMovement.Status.REFUSED, refusal=PointValueUnderWay.code)
    return bool(movements)


def _adjust(card_id: int, made: PointValueChange, job: Job) -> None:
    try:
        operation = point_values.adjust(card_id, made)
    except LedgerBusy:
        raise
    except LedgerError as refusal:
        job.failed += 1
        refused = job.parameters.setdefault("refused", [])
        if len(refused) < REMEMBERED:
            refused.append([card_id, refusal.code])
        return
    if operation:
        job.counts["adjusted"] = job.counts.get("adjusted", 0) + 1
        job.counts["units"] = job.counts.get("units", 0) + operation.applied
