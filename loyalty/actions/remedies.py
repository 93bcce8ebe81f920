"""What would put a difference with the store right, as an action that a person may ask for.

It is tied to the evidence: the same figures of a difference put it right once, whoever asks and
however often, and not at all any more when the purchase has moved since it was compared.
"""

import hashlib
import json
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from loyalty import ledger
from loyalty.actions.base import Subject, is_owner
from loyalty.actions.movements import TransactionAction
from loyalty.exceptions import DifferenceOutdated
from loyalty.identity import Identity
from loyalty.models import AuditAction, Discrepancy, Operation, Reason, Transaction
from loyalty.reconciliation.findings import our_figures

Remedy = Discrepancy.Remedy


@dataclass(frozen=True, kw_only=True)
class DifferenceAction(TransactionAction):
    """The remedy of a difference, as of its `evidence`."""

    difference_id: int
    evidence: str

    @cached_property
    def difference(self) -> Discrepancy:
        """The difference, as it is now."""
        return Discrepancy.objects.get(pk=self.difference_id)

    @property
    def subject(self) -> Discrepancy:
        """The difference."""
        return self.difference

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Do it once for its evidence. Raises `DifferenceOutdated`, and what the verb raises."""
        # Not the form's id: two people may ask for the same, and two approvals may be decided.
        known_as = f"difference:{self.difference_id}:{self.evidence}"
        done = Operation.objects.filter(transaction=self.transaction_id, request_id=known_as)
        if not done.exists() and not is_current(self.difference, evidence=self.evidence):
            raise DifferenceOutdated
        return self.move(request_id=known_as, actor=actor)

    @abstractmethod
    def move(self, *, request_id: str, actor: str) -> Operation:
        """The verb."""

    @property
    def _step(self) -> dict[str, Any]:
        return {"amount": self.value, "reason": self.reason, "note": self.note}


@dataclass(frozen=True, kw_only=True)
class SettleDifference(DifferenceAction):
    """Capture what the store captured."""

    name = AuditAction.SETTLE_DIFFERENCE
    permission = "loyalty.settle_transaction"

    def move(self, *, request_id: str, actor: str) -> Operation:
        """Settle it."""
        return ledger.settle(self.transaction, request_id=request_id, actor=actor, **self._step)


@dataclass(frozen=True, kw_only=True)
class CancelDifference(DifferenceAction):
    """Release or give back what the store gave back; or take back a credit that was doubled."""

    name = AuditAction.CANCEL_DIFFERENCE
    permission = "loyalty.cancel_transaction"

    def favors(self, identity: Identity) -> bool:
        """The owner gains by what comes back."""
        is_debit = self.transaction.kind == Transaction.Kind.DEBIT
        return is_debit and is_owner(identity, self.customer)

    def move(self, *, request_id: str, actor: str) -> Operation:
        """Cancel it."""
        return ledger.cancel(self.transaction, request_id=request_id, actor=actor, **self._step)


def remedy_of(difference: Discrepancy, *, note: str = "") -> DifferenceAction | None:
    """The action for `approvals.carry_out`; None when none is proposed.

    Raises `DifferenceOutdated` once its evidence no longer holds.
    """
    if difference.remedy == Remedy.NONE or difference.transaction_id is None:
        return None
    if not is_current(difference):
        raise DifferenceOutdated
    action = SettleDifference if difference.remedy == Remedy.SETTLE else CancelDifference
    transaction = Transaction.objects.get(pk=difference.transaction_id)
    return action(
        card_id=transaction.card_id,
        transaction_id=transaction.pk,
        value=difference.remedy_units,
        difference_id=difference.pk,
        evidence=_evidence_of(difference),
        reason=Reason.RECONCILIATION,
        note=note,
    )


def is_current(difference: Discrepancy, *, evidence: str = "") -> bool:
    """Whether it is there still and its purchase has not moved since; with that very evidence."""
    if difference.status == Discrepancy.Status.CLOSED or difference.transaction_id is None:
        return False
    if evidence and evidence != _evidence_of(difference):
        return False
    transaction = Transaction.objects.select_related("card").get(pk=difference.transaction_id)
    if "held" in difference.ours and difference.ours != our_figures(transaction):
        return False
    later = Operation.objects.filter(
        transaction=transaction, created_at__gt=difference.last_seen, applied__gt=0
    )
    return not later.exists()


def _evidence_of(difference: Discrepancy) -> str:
    """The figures that it was found with. Ours only grow: what moves makes it another evidence."""
    found = [
        *(difference.remedy, difference.remedy_units, difference.transaction_id),
        *(difference.ours, difference.theirs),
    ]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:24]
