"""What staff do to customers' credit: one class for each action, all of one shape.

An action is plain data (numbers and text), so that it can wait as an Approval and be built again.
It shows its figures before and after by a rehearsal of the ledger's own verb, and is performed by
that verb. `loyalty.approvals` decides who may.
"""

from collections.abc import Mapping
from typing import Any

from loyalty.actions.base import AMOUNTS, Action, Figures, Preview
from loyalty.actions.batches import (
    ApplyImport,
    CreditBatch,
    ExtendBatch,
    IssueBatch,
    UndoBatch,
)
from loyalty.actions.cards import (
    Adjust,
    Block,
    ChangeOwner,
    Close,
    Extend,
    GiveCredit,
    IssueCard,
    Unblock,
)
from loyalty.actions.merging import Merge, Unmerge
from loyalty.actions.movements import Cancel, Reverse, Settle
from loyalty.actions.programs import ChangePointValue
from loyalty.actions.remedies import CancelDifference, SettleDifference
from loyalty.actions.returns import PayReturn, still_returnable
from loyalty.models import AuditAction

__all__ = [
    "AMOUNTS",
    "NAMES",
    "Action",
    "Adjust",
    "ApplyImport",
    "Block",
    "Cancel",
    "CancelDifference",
    "ChangeOwner",
    "ChangePointValue",
    "Close",
    "CreditBatch",
    "Extend",
    "ExtendBatch",
    "Figures",
    "GiveCredit",
    "IssueBatch",
    "IssueCard",
    "Merge",
    "PayReturn",
    "Preview",
    "Reverse",
    "Settle",
    "SettleDifference",
    "Unblock",
    "UndoBatch",
    "Unmerge",
    "rebuilt",
    "still_returnable",
]

_BY_NAME: Mapping[str, type[Action]] = {
    action.name: action
    for action in (
        Adjust,
        ApplyImport,
        Block,
        Cancel,
        CancelDifference,
        ChangeOwner,
        ChangePointValue,
        Close,
        CreditBatch,
        Extend,
        ExtendBatch,
        GiveCredit,
        IssueBatch,
        IssueCard,
        Merge,
        PayReturn,
        Reverse,
        Settle,
        SettleDifference,
        Unblock,
        UndoBatch,
        Unmerge,
    )
}
NAMES = tuple(_BY_NAME)
"""The names of the actions, which are also those of their approvals."""


def rebuilt(name: str, parameters: Mapping[str, Any]) -> Action:
    """The action that was kept as its name and `Action.parameters`."""
    return _BY_NAME[AuditAction(name)].of(parameters)
