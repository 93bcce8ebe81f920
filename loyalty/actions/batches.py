"""What staff do to many cards or customers at once. The work is a job; performing it starts it."""

import datetime
from dataclasses import dataclass
from functools import cached_property

from loyalty import batches, imports
from loyalty.actions.base import Action, Figures, Subject
from loyalty.audit import user_named
from loyalty.identity import Identity
from loyalty.models import AuditAction, Batch, Program, Store
from loyalty.models.customer import identity_filter


@dataclass(frozen=True, kw_only=True)
class BatchAction(Action):
    """An action on a batch."""

    batch_id: int

    @cached_property
    def batch(self) -> Batch:
        """The batch."""
        return Batch.objects.select_related("program__store").get(pk=self.batch_id)

    @property
    def store(self) -> Store:
        """The program's store."""
        return self.batch.program.store

    @property
    def currency(self) -> str:
        """The store's currency."""
        return self.store.currency

    @property
    def exponent(self) -> int:
        """The digits of the program's cards."""
        return self.batch.program.exponent

    @property
    def unit(self) -> Program:
        """The batch's program."""
        return self.batch.program

    @property
    def amount(self) -> int:
        """What all its cards are issued with."""
        return self.batch.total

    def favors(self, identity: Identity) -> bool:
        """Whoever is among its owners gains, but for who is left out."""
        gaining = self.batch.owners.filter(problem="")
        return gaining.filter(identity_filter(identity, "customer__")).exists()

    def figures(self) -> Figures:
        """Where the batch is, and what its cards hold."""
        batch = Batch.objects.get(pk=self.batch_id)
        return {self.state: batch.status, "total": batch.total}

    @property
    def state(self) -> str:
        """The figure that says where it is: credit is given where cards are issued."""
        return "credit_status" if self.batch.source == Batch.Source.CREDIT else "status"

    def withdraw(self) -> None:
        """The batch may be changed and asked for again."""
        batches.back_to_draft(self.batch)


@dataclass(frozen=True, kw_only=True)
class IssueBatch(BatchAction):
    """Issue every card of a batch."""

    name = AuditAction.ISSUE_BATCH
    permission = "loyalty.add_batch"

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Start the job."""
        batches.start(self.batch, requested_by=user_named(actor))
        return self.batch

    def wait(self) -> None:
        """The batch shows that it waits."""
        batches.wait(self.batch)


@dataclass(frozen=True, kw_only=True)
class CreditBatch(IssueBatch):
    """Give every credit of a batch."""

    name = AuditAction.CREDIT_BATCH

    def figures(self) -> Figures:
        """Where it is, and what it has come to."""
        batch = Batch.objects.get(pk=self.batch_id)
        is_given = batch.status not in {Batch.Status.DRAFT, Batch.Status.WAITING}
        return {
            self.state: batch.status,
            "customers": batch.count if is_given else 0,
            "total": batch.total if is_given else 0,
        }


@dataclass(frozen=True, kw_only=True)
class ApplyImport(BatchAction):
    """Issue every card of a file that has been checked."""

    name = AuditAction.APPLY_IMPORT
    permission = "loyalty.add_batch"

    def favors(self, identity: Identity) -> bool:
        """Whoever a row of the file is for gains."""
        return imports.favors(self.batch, identity)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Start the job."""
        imports.start(self.batch, requested_by=user_named(actor))
        return self.batch

    def wait(self) -> None:
        """The import shows that it waits."""
        batches.wait(self.batch)


@dataclass(frozen=True, kw_only=True)
class UndoBatch(BatchAction):
    """Close every card of a batch of which nothing was used."""

    name = AuditAction.UNDO_BATCH
    permission = "loyalty.undo_batch"

    def favors(self, identity: Identity) -> bool:
        """Nobody gains."""
        return False

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Start the job."""
        batches.start_undo(
            self.batch, requested_by=user_named(actor), reason=self.reason, note=self.note
        )
        return self.batch

    def withdraw(self) -> None:
        """Nothing had changed."""


@dataclass(frozen=True, kw_only=True)
class ExtendBatch(BatchAction):
    """A later last day for every card of a batch that has money left."""

    name = AuditAction.EXTEND_BATCH
    permission = "loyalty.extend_batch"

    last_day: str

    @property
    def amount(self) -> int:
        """What lives longer or comes back: all that is left on its cards."""
        return batches.figures(self.batch).lasting

    def figures(self) -> Figures:
        """What is left on the cards, and their last instant."""
        batch = Batch.objects.get(pk=self.batch_id)
        end = batch.expires_at
        return {
            "available": batches.outstanding(batch),
            "expires_at": end.isoformat() if end else None,
        }

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Start the job."""
        batches.start_extend(
            self.batch,
            last_day=datetime.date.fromisoformat(self.last_day),
            requested_by=user_named(actor),
            reason=self.reason,
            note=self.note,
            request_id=request_id,
        )
        return self.batch

    def withdraw(self) -> None:
        """Nothing had changed."""
