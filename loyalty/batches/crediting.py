"""Credit for many customers: who gets it and who is left out, giving it, and taking it back.

Each credit goes into the customer's wallet of the program by the ledger's own verb. The wallet is
noted before the ledger is asked, so that a repeat asks about the same one, and is answered as at
first.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from loyalty import ledger, wallets
from loyalty.batches.drafts import Recipient
from loyalty.batches.steps import actor_of, next_numbers
from loyalty.exceptions import CreditSpent, LedgerBusy, LedgerError, UnknownCustomer
from loyalty.identity import Identity
from loyalty.models import Batch, BatchOwner, Customer, GiftCard, Grant, Job, Program

CHUNK = 200
_CUSTOMERS_A_STATEMENT = 2000

OWN, REPEATED, OTHER_PROGRAM, BLOCKED = "own", "repeated", "other_program", "card_blocked"
FULL = "not_reloadable"


def survey(
    program: Program, wanted: Iterable[tuple[int, int]], *, own: Identity
) -> Iterator[Recipient]:
    """Who of these customers gets their units, and who is left out and why, in the given order.

    `own` is whoever asks: nobody gives credit to themselves. A customer who comes twice gets what
    comes first.
    """
    seen: set[int] = set()
    known = Customer.objects.filter(store=program.store_id).identified_by(own)
    mine = set(known.people() if own else ())
    rest = iter(wanted)
    while chunk := list(islice(rest, _CUSTOMERS_A_STATEMENT)):
        obstacles = _obstacles(program, [customer for customer, _units in chunk])
        for customer, units in chunk:
            problem = REPEATED if customer in seen else OWN if customer in mine else ""
            seen.add(customer)
            yield Recipient(customer, units, problem or obstacles.get(customer, ""))


def _obstacles(program: Program, customers: Sequence[int]) -> dict[int, str]:
    """Why the open wallets of some customers take no credit of the program."""
    open_wallets = GiftCard.objects.filter(
        store=program.store_id,
        owner__in=customers,
        relation_name=program.relation_name,
        merged_into=None,
    ).exclude(status=GiftCard.Status.CLOSED)
    found = {}
    for wallet in open_wallets.select_related("balance"):
        if problem := _obstacle(program, wallet):
            found[wallet.owner_id or 0] = problem
    return found


def _obstacle(program: Program, wallet: GiftCard) -> str:
    if wallet.program_id != program.pk or wallet.exponent != program.exponent:
        return OTHER_PROGRAM
    if wallet.status == GiftCard.Status.BLOCKED:
        return BLOCKED
    return FULL if wallet.balance.credited and not wallet.is_reloadable else ""


def credit_chunk(job: Job) -> bool:
    """Give the next customers their credit; True while more are to come."""
    return next_numbers(job, CHUNK, _give)


def _give(batch: Batch, numbers: Sequence[int], actor: str) -> list[tuple[int, str]]:
    """Give what was not given yet; the numbers that were refused, with the reasons."""
    owners = batch.owners.filter(number__in=numbers).select_related("customer__merged_into")
    rows = list(owners.order_by("number"))
    without = [row.customer.person for row in rows if row.card_id is None and not row.problem]
    wallets.open_missing(batch.program, without, actor=actor)
    refused = []
    for row in rows:
        if row.credit_id is None and not row.problem:
            _give_one(batch, row, actor)
        if row.problem:
            refused.append((row.number, row.problem))
    return refused


def _give_one(batch: Batch, row: BatchOwner, actor: str) -> None:
    try:
        if row.card_id is None:
            _note_wallet(batch, row, actor)
        if not row.problem:
            row.credit = ledger.credit(
                row.card_id or 0,
                amount=row.amount or 0,
                request_id=f"batch:{batch.pk}:{row.number}",
                actor=actor,
                valid_from=batch.valid_from,
                expires_at=batch.expires_at,
                reference=f"batch {batch.pk}",
                reason=batch.reason,
                note=batch.note,
            )
    except LedgerBusy:
        raise
    except LedgerError as refusal:
        row.problem = refusal.code
    row.save(update_fields=["credit", "problem"])


def _note_wallet(batch: Batch, row: BatchOwner, actor: str) -> None:
    """The wallet that this credit goes to, whatever happens next."""
    if row.customer.erased_at:
        raise UnknownCustomer
    wallet = wallets.wallet_of(batch.program, row.customer.person, actor=actor)
    row.problem = _obstacle(batch.program, wallet)
    if not row.problem:
        row.card = wallet
        row.save(update_fields=["card"])


def used_credits(batch: Batch) -> bool:
    """Whether anything of what the batch gave was spent, is held or has expired."""
    return _given(batch).filter(left__lt=F("amount"), credit__released=0).exists()


def take_back_next(job: Job, batch: Batch) -> tuple[list[int], list[tuple[int, str]]]:
    """Take the next credits back; the numbers that were dealt with, and those refused and why.

    Only from what each credit itself gave: one that was used in between stays.
    """
    rows = list(
        batch.owners.filter(number__gt=job.parameters.get("after", 0), credit__isnull=False)
        .select_related("credit")
        .order_by("number")[:CHUNK]
    )
    answers = [(row.number, _take_back(row, job)) for row in rows]
    return [row.number for row in rows], [answer for answer in answers if answer[1]]


def _take_back(row: BatchOwner, job: Job) -> str:
    """The code of the refusal, if any."""
    credit = row.credit
    assert credit is not None  # noqa: S101  it was asked for
    if not credit.cancelable:
        return ""
    try:
        ledger.cancel(
            credit,
            amount=credit.cancelable,
            request_id=f"undo:{job.pk}",
            actor=actor_of(job),
            reason=job.parameters["reason"],
            note=job.parameters["note"],
            own_grant_only=True,
        )
    except CreditSpent as refusal:
        return refusal.code
    return ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Customers and units of a batch of credits now; `skipped` were left out from the beginning."""

    given: int
    refused: int
    skipped: int
    credited: int
    unspent: int


def outcome(batch: Batch) -> Outcome:
    """What became of a batch of credits: sums over its rows."""
    asked = Q(number__lte=batch.count)
    rows = batch.owners.aggregate(
        given=Count("pk", filter=Q(credit__isnull=False)),
        refused=Count("pk", filter=asked & ~Q(problem="")),
        skipped=Count("pk", filter=~asked),
        credited=Coalesce(Sum("amount", filter=Q(credit__isnull=False)), 0),
    )
    unspent = _given(batch).aggregate(units=Coalesce(Sum("left"), 0))["units"]
    return Outcome(**rows, unspent=unspent)


def _given(batch: Batch) -> QuerySet[Any]:
    """The rows that were credited, with what remains of each: its grant, found by the card."""
    grants = Grant.objects.filter(card=OuterRef("card"), transaction=OuterRef("credit"))
    # What went on to another wallet when customers were merged is still there.
    went_on = Grant.objects.filter(
        came_from__card=OuterRef("card"), came_from__transaction=OuterRef("credit")
    ).order_by()
    elsewhere = went_on.values("came_from").values(units=Sum("remaining"))
    return batch.owners.filter(credit__isnull=False).annotate(
        left=Subquery(grants.values("remaining")[:1]) + Coalesce(Subquery(elsewhere), 0)
    )
