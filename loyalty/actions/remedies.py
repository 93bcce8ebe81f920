"""What would put a difference with the store right, as an action that a person may ask for."""

from django.utils.translation import gettext_lazy as _

from loyalty.actions.base import Action
from loyalty.actions.movements import Cancel, Settle
from loyalty.models import Discrepancy, Operation, Reason, Transaction

Remedy = Discrepancy.Remedy


class Outdated(Exception):
    """Something moved since the difference was last seen: its evidence no longer holds."""

    message = _("This purchase has moved since it was compared. Compare again first.")


def remedy_of(discrepancy: Discrepancy, *, note: str = "") -> Action | None:
    """The action for `approvals.carry_out`; None when none is proposed. Raises `Outdated`."""
    if discrepancy.remedy == Remedy.NONE or discrepancy.transaction_id is None:
        return None
    transaction = Transaction.objects.get(pk=discrepancy.transaction_id)
    if discrepancy.status == Discrepancy.Status.CLOSED or _has_moved(discrepancy, transaction):
        raise Outdated
    action = Settle if discrepancy.remedy == Remedy.SETTLE else Cancel
    return action(
        card_id=transaction.card_id,
        transaction_id=transaction.pk,
        value=discrepancy.remedy_units,
        reason=Reason.RECONCILIATION,
        note=note,
    )


def _has_moved(discrepancy: Discrepancy, transaction: Transaction) -> bool:
    later = Operation.objects.filter(
        transaction=transaction, created_at__gt=discrepancy.last_seen, applied__gt=0
    )
    return later.exists()
