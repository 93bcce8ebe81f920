"""What the steps of a batch share: how one begins, whose it is, which cards come next."""

from collections.abc import Callable, Collection, Iterable, Sequence

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.transaction import atomic

from loyalty.exceptions import BatchNotReady
from loyalty.models import Batch, GiftCard, Job, JobKind

Do = Callable[[Batch, Sequence[int], str], Sequence[tuple[int, str]]]
"""Does some numbers of a batch, as an actor; those that were refused, with the reasons' codes."""

REMEMBERED = 100
"""Refused cards that a job names; it counts all of them."""


def begin(
    batch: Batch,
    kind: JobKind,
    sources: Collection[Batch.Status],
    target: Batch.Status,
    *,
    total: int,
    requested_by: User | None,
    **parameters: object,
) -> Job:
    """Change the state and leave the job, both or neither; the job there is, when begun before.

    Raises `BatchNotReady` in any other state.
    """
    with atomic():
        current = locked(batch)
        if current.status == target and current.job and current.job.kind == kind:
            return current.job
        if current.status not in sources:
            raise BatchNotReady
        job = new_job(kind, current, total=total, requested_by=requested_by, **parameters)
        Batch.objects.filter(pk=batch.pk).update(status=target)
    return job


def locked(batch: Batch) -> Batch:
    """The batch as it is now, locked until the transaction ends; cards may be added meanwhile."""
    rows = Batch.objects.select_related("program__store", "job")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=batch.pk)


def new_job(
    kind: JobKind, batch: Batch, *, total: int, requested_by: User | None, **parameters: object
) -> Job:
    """A job about this batch, whose page shows it from now on."""
    job = Job.objects.create(
        kind=kind,
        parameters={"batch": batch.pk, **parameters},
        total=total,
        requested_by=requested_by,
    )
    Batch.objects.filter(pk=batch.pk).update(job=job)
    return job


def batch_of(job: Job) -> Batch:
    """The batch that a job is about."""
    return Batch.objects.select_related("program__store").get(pk=job.parameters["batch"])


def actor_of(job: Job) -> str:
    """Who the ledger says did it: the person who asked."""
    return f"staff:{job.requested_by_id}" if job.requested_by_id else f"job:{job.pk}"


def next_cards(job: Job, batch: Batch, most: int) -> QuerySet[GiftCard]:
    """The cards that come after those that the job has dealt with, by number."""
    after = job.parameters.get("after", 0)
    return batch.cards.filter(batch_number__gt=after).order_by("batch_number")[:most]


def next_numbers(job: Job, most: int, do: Do) -> bool:
    """Have the next numbers of a batch done that is being issued; True while more are to come."""
    batch = batch_of(job)
    if batch.status != Batch.Status.ISSUING:
        return False
    last = min(job.done + most, batch.count)
    remember(job, do(batch, range(job.done + 1, last + 1), actor_of(job)))
    job.done = last
    if last < batch.count:
        return True
    issuing = Batch.objects.filter(pk=batch.pk, status=Batch.Status.ISSUING)
    issuing.update(status=Batch.Status.ISSUED)
    return False


def advance(job: Job, numbers: Collection[int]) -> None:
    """Note that these were dealt with; the last one is where the next chunk begins."""
    job.parameters["after"] = max(numbers)
    job.done += len(numbers)


def remember(job: Job, refused: Iterable[tuple[int, str]]) -> None:
    """Count the numbers that were refused, and keep the first ones with the reason's code."""
    found = [list(each) for each in refused]
    job.failed += len(found)
    if found:
        job.parameters["refused"] = (job.parameters.get("refused", []) + found)[:REMEMBERED]
