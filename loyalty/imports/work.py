"""The two jobs of an import: the dry run, and the application. Each goes on where a dead one was.

What a chunk found is kept in one transaction with how far it came, so that a chunk done twice is
counted once. Cards are asked for by their number in the batch before they are made.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

from django.db.models import Sum
from django.db.transaction import atomic

from loyalty import batches, ledger
from loyalty.exceptions import (
    BatchNumberTaken,
    DuplicateCode,
    InvalidDates,
    LedgerBusy,
    LedgerError,
    WalletExists,
)
from loyalty.imports.owners import find_or_create
from loyalty.imports.problems import MAX_KEPT, Problem
from loyalty.imports.rows import Survey, Wish, all_problems, totals
from loyalty.imports.workflow import sheet_of
from loyalty.ledger import NewCard
from loyalty.models import Batch, Customer, Grant, ImportFile, Job, Origin
from loyalty.money import MAX_UNITS

CHECK_CHUNK = 2000
APPLY_CHUNK = 500

State = Batch.Status

_PROBLEM_OF: dict[type[LedgerError], str] = {
    DuplicateCode: "code_known",
    WalletExists: "wallet_known",
    InvalidDates: "date_order",
}


class RowsLeftOut(Exception):
    """An application that ended without some rows; their problems are kept with the file."""


def check_chunk(job: Job) -> bool:
    """Look through the next rows of a file; nothing is changed but what is known about it."""
    batch = _batch_of(job)
    if batch.status != State.DRAFT:  # discarded meanwhile
        _survey.cache_clear()
        return False
    survey = _survey(batch.pk)
    file = ImportFile.objects.defer("content").get(pk=batch.pk)
    if job.done == 0:
        batch.total, file.problems, file.problem_count = 0, [], 0
        job.parameters |= {"sums": {}, "points": 0, "codes": 0, "owners": 0, "new_owners": 0}
    wishes = survey.wishes(survey.sheet.rows[job.done : job.done + CHECK_CHUNK])
    _note(file, all_problems(wishes))
    _count(job, wishes)
    batch.total += sum(wish.amount for wish in wishes if not wish.problems)
    if batch.total > MAX_UNITS:
        batch.total = MAX_UNITS
        _note(file, [Problem(wishes[-1].row.line, "balance", "total_too_large")])
    job.done += len(wishes)
    job.failed += sum(bool(wish.problems) for wish in wishes)
    job.total = len(survey.sheet.rows)
    is_over = job.done >= job.total
    if is_over:
        _compare_with_expected(job, file)
        _survey.cache_clear()
    return _keep(job, batch, file) and not is_over


def apply_chunk(job: Job) -> bool:
    """Issue the cards of the next rows that have none yet; what was refused is kept as a problem.

    Raises `RowsLeftOut` at the end when rows were refused.
    """
    batch = _batch_of(job)
    if batch.status != State.ISSUING:
        return _is_left(batch)
    survey = _survey(batch.pk)
    file = ImportFile.objects.defer("content").get(pk=batch.pk)
    rows = survey.sheet.rows[job.done : job.done + APPLY_CHUNK]
    numbers = [row.number for row in rows]
    existing = set(
        batch.cards.filter(batch_number__in=numbers).values_list("batch_number", flat=True)
    )
    wishes = survey.wishes([row for row in rows if row.number not in existing])
    refused = list(all_problems(wishes))
    wanted = [wish for wish in wishes if not wish.problems]
    refused += _issue(batch, wanted, actor=batches.actor_of(job))
    _note(file, refused)
    job.failed += len({problem.line for problem in refused})
    job.done += len(rows)
    if job.done < len(survey.sheet.rows):
        return _keep(job, batch, file)
    _survey.cache_clear()
    _finish(job, batch, file)
    return _is_left(batch)


def _batch_of(job: Job) -> Batch:
    return Batch.objects.select_related("program__store", "job").get(pk=job.parameters["batch"])


@lru_cache(maxsize=1)
def _survey(batch_id: int) -> Survey:
    """The file as a whole, kept from one chunk to the next: what a batch holds never changes."""
    batch = Batch.objects.select_related("program__store", "job").get(pk=batch_id)
    return Survey(sheet_of(batch), batch.program)


def _note(file: ImportFile, problems: Iterable[Problem]) -> None:
    for problem in problems:
        file.problem_count += 1
        if len(file.problems) < MAX_KEPT:
            file.problems.append(problem.kept())


def _count(job: Job, wishes: Sequence[Wish]) -> None:
    sums = job.parameters["sums"]
    for currency, amount in totals(wishes).items():
        sums[currency] = str(Decimal(sums.get(currency, 0)) + amount)
    firsts = [wish for wish in wishes if wish.person and wish.person.number == wish.row.number]
    job.parameters["owners"] += len(firsts)
    job.parameters["new_owners"] += sum(not wish.is_known for wish in firsts)
    job.parameters["points"] += sum(wish.points for wish in wishes)
    job.parameters["codes"] += sum(bool(wish.row.code) for wish in wishes)


def _compare_with_expected(job: Job, file: ImportFile) -> None:
    expected, columns = job.parameters.get("expected_total"), job.parameters["columns"]
    found = sum(map(Decimal, job.parameters["sums"].values()))
    if "balance" not in columns:
        found = Decimal(job.parameters["points"])
    if expected and found != Decimal(expected):
        _note(file, [Problem(0, "balance", "control_total")])


def _keep(job: Job, batch: Batch, file: ImportFile) -> bool:
    """Keep what was found and how far it came, both or neither; False when another has the job."""
    with atomic():
        mine = Job.objects.filter(pk=job.pk, lease=job.lease).update(
            done=job.done, failed=job.failed, total=job.total, parameters=job.parameters
        )
        if mine:
            file.save(update_fields=["problems", "problem_count"])
            Batch.objects.filter(pk=batch.pk).update(total=batch.total)
    return bool(mine)


def _issue(batch: Batch, wishes: Sequence[Wish], *, actor: str) -> list[Problem]:
    """Issue the cards; what the ledger refuses, the store having changed, is returned."""
    store = batch.program.store
    owners = find_or_create(store, [wish.person for wish in wishes if wish.person])
    cards = [_card(batch, wish, owners) for wish in wishes]

    def issue(some: Sequence[NewCard]) -> None:
        ledger.issue_many(batch.program, some, actor=actor, reason=batch.reason, note=batch.note)

    try:
        issue(cards)
    except LedgerBusy:
        raise
    except LedgerError:
        refused = []
        for wish, card in zip(wishes, cards, strict=True):
            try:
                issue([card])
            except (LedgerBusy, BatchNumberTaken):
                raise  # somebody else is at it, too: the chunk is done again
            except LedgerError as error:
                code = _PROBLEM_OF.get(type(error), "refused")
                refused.append(Problem(wish.row.line, "", code))
        return refused
    return []


def _card(batch: Batch, wish: Wish, owners: dict[int, Customer]) -> NewCard:
    return NewCard(
        amount=wish.amount,
        owner=owners[wish.person.number] if wish.person else None,
        imported_code=wish.row.code,
        valid_from=wish.valid_from,
        expires_at=wish.expires_at,
        batch=batch,
        batch_number=wish.row.number,
    )


def _finish(job: Job, batch: Batch, file: ImportFile) -> None:
    """The batch is issued, as what it became: its cards, counted and added up in the ledger."""
    made = batch.cards.count()
    grants = Grant.objects.filter(card__batch=batch, origin=Origin.ISSUE)
    total = grants.aggregate(total=Sum("amount"))["total"] or 0
    if not file.problem_count and (made, total) != (batch.count, batch.total):
        msg = (
            f"The file has {batch.count} cards and {batch.total} units;"
            f" {made} and {total} were issued."
        )
        raise AssertionError(msg)
    batch.count, batch.total = max(made, 1), total
    job.parameters |= {"issued": made, "issued_total": total}
    with atomic():
        if not _keep(job, batch, file):
            return
        batch.status = State.ISSUED if made else State.DISCARDED
        Batch.objects.filter(pk=batch.pk, status=State.ISSUING).update(
            status=batch.status, count=batch.count
        )
        ImportFile.objects.filter(pk=batch.pk).update(content=b"")


def _is_left(batch: Batch) -> bool:
    """False: nothing is left to do. Raises `RowsLeftOut` when rows were refused."""
    count = ImportFile.objects.values_list("problem_count", flat=True).get(pk=batch.pk)
    if count:
        msg = f"{count} rows could not be issued; the page of the import names them."
        raise RowsLeftOut(msg)
    return False
