"""The forms of staff's actions by the kind of row, in the order of the buttons."""

from collections.abc import Mapping, Sequence

from django.db.models import Model

from loyalty.admin.forms import (
    batches,
    cards,
    credit,
    differences,
    merging,
    movements,
    programs,
    returns,
)
from loyalty.admin.forms.base import FIELD_OF, ActionForm
from loyalty.models import (
    Batch,
    Customer,
    Discrepancy,
    GiftCard,
    Operation,
    Program,
    ShopOrder,
    Transaction,
)

__all__ = ["FIELD_OF", "FORMS", "ActionForm"]

FORMS: Mapping[type[Model], Sequence[type[ActionForm]]] = {
    Customer: [credit.GiveForm, merging.MergeForm, merging.UnmergeForm],
    Program: [credit.IssueForm, programs.PointValueForm],
    GiftCard: [
        credit.CreditForm,
        cards.AdjustForm,
        cards.ExtendForm,
        cards.OwnerForm,
        cards.BlockForm,
        cards.UnblockForm,
        cards.CloseForm,
    ],
    Transaction: [movements.SettleForm, movements.CancelForm],
    Operation: [movements.ReverseForm],
    Discrepancy: [
        differences.ReleaseForm,
        differences.RefundForm,
        differences.SettleForm,
        differences.TakeBackForm,
    ],
    ShopOrder: [returns.PayReturnForm],
    Batch: [
        batches.IssueBatchForm,
        batches.CreditBatchForm,
        batches.ApplyImportForm,
        batches.ExtendBatchForm,
        batches.UndoBatchForm,
    ],
}
