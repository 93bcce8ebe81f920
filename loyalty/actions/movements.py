"""What staff do to a transaction or an operation of a card."""

import datetime
from dataclasses import dataclass
from functools import cached_property

from django.utils import timezone

from loyalty import ledger
from loyalty.actions.base import CardAction, Subject, is_owner
from loyalty.identity import Identity
from loyalty.models import AuditAction, Bucket, Discrepancy, Operation, Transaction


@dataclass(frozen=True, kw_only=True)
class TransactionAction(CardAction):
    """A step of a transaction, which VTEX then sees in its lists. Amount in units."""

    transaction_id: int
    value: int

    @cached_property
    def transaction(self) -> Transaction:
        """The transaction; its card is the action's card."""
        return Transaction.objects.get(pk=self.transaction_id, card_id=self.card_id)

    @property
    def amount(self) -> int:
        """What is moved."""
        return self.value


@dataclass(frozen=True, kw_only=True)
class Settle(TransactionAction):
    """Capture what a purchase holds."""

    name = AuditAction.SETTLE
    permission = "loyalty.settle_transaction"

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Settle it."""
        return ledger.settle(
            self.transaction,
            amount=self.value,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )


@dataclass(frozen=True, kw_only=True)
class Cancel(TransactionAction):
    """Release or refund a purchase, or take a credit back."""

    name = AuditAction.CANCEL
    permission = "loyalty.cancel_transaction"

    @property
    def is_unproven(self) -> bool:
        """An old hold whose order the store has not called canceled: goods may be on the way."""
        days = datetime.timedelta(days=self.store.open_hold_alert_days)
        purchase = self.transaction
        if not purchase.held or purchase.created_at > timezone.now() - days:
            return False
        evidence = Discrepancy.objects.filter(
            transaction=purchase,
            status=Discrepancy.Status.OPEN,
            remedy__in=[Discrepancy.Remedy.RELEASE, Discrepancy.Remedy.REFUND],
        )
        return not evidence.exists()

    def favors(self, identity: Identity) -> bool:
        """The owner gains by a refund."""
        is_debit = self.transaction.kind == Transaction.Kind.DEBIT
        return is_debit and is_owner(identity, self.customer)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Cancel it."""
        return ledger.cancel(
            self.transaction,
            amount=self.value,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )


@dataclass(frozen=True, kw_only=True)
class Reverse(CardAction):
    """Undo an adjustment as a whole, linked to it."""

    name = AuditAction.REVERSE
    permission = "loyalty.reverse_operation"

    operation_id: int

    @cached_property
    def operation(self) -> Operation:
        """The adjustment; its card is the action's card."""
        return Operation.objects.get(pk=self.operation_id, card_id=self.card_id)

    @property
    def amount(self) -> int:
        """What the adjustment had moved."""
        return self.operation.applied

    def favors(self, identity: Identity) -> bool:
        """The owner gains when something had been taken."""
        was_down = self.operation.entries.filter(target=Bucket.REMOVED).exists()
        return was_down and is_owner(identity, self.customer)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Reverse it."""
        return ledger.reverse(
            self.operation,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )
