"""The forms of what staff do to a transaction or an operation."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.actions import Action, Cancel, Reverse, Settle
from loyalty.admin.forms.base import ActionForm
from loyalty.admin.money_field import MoneyField
from loyalty.models import Operation, OperationKind, Outcome, Transaction


class TransactionForm(ActionForm):
    """A step of a transaction."""

    row: Transaction

    def __init__(self, row: Transaction, **options: Any) -> None:
        super().__init__(row, **options)
        card = row.card
        self.fields["amount"] = MoneyField(
            label=_("Amount"),
            currency=card.currency,
            exponent=card.exponent,
            initial=self.most(row),
        )
        self.order_fields(["amount"])

    @classmethod
    def most(cls, row: Transaction) -> int:
        """The largest amount that makes sense."""
        raise NotImplementedError

    @classmethod
    def applies_to(cls, row: Transaction) -> bool:
        """While something is left."""
        return cls.most(row) > 0

    @property
    def step(self) -> dict[str, Any]:
        """What each step names."""
        return {
            "card_id": self.row.card_id,
            "transaction_id": self.row.pk,
            "value": self.cleaned_data["amount"],
            **self.words,
        }


class SettleForm(TransactionForm):
    """Capture what is held."""

    name = "settle"
    permission = Settle.permission
    title = _("Settle by hand")
    explanation = _(
        "What the purchase holds becomes spent. VTEX sees this settlement in its list and will"
        " not send it again."
    )

    @classmethod
    def most(cls, row: Transaction) -> int:
        """What is held."""
        return row.held

    def action(self) -> Action:
        """A settlement."""
        return Settle(**self.step)


class CancelForm(TransactionForm):
    """Give back what was held or spent, or take a credit back."""

    name = "cancel"
    permission = Cancel.permission
    title = _("Release, refund or take back")
    explanation = _(
        "Of a purchase, what is held goes back to the card first, then what was spent. Of a"
        " credit, what is left of it is taken off. VTEX sees this cancellation in its list."
    )

    @classmethod
    def most(cls, row: Transaction) -> int:
        """What was not canceled yet."""
        return row.cancelable

    def action(self) -> Action:
        """A cancellation."""
        return Cancel(**self.step)


class ReverseForm(ActionForm):
    """Undo an adjustment as a whole."""

    row: Operation
    name = "reverse"
    permission = Reverse.permission
    title = _("Reverse")
    explanation = _("Undoes this adjustment as a whole, linked to it. Only once.")
    needs_note = True

    @classmethod
    def applies_to(cls, row: Operation) -> bool:
        """An adjustment that moved something and was not reversed."""
        return (
            row.kind == OperationKind.ADJUST
            and row.outcome == Outcome.OK
            and not row.reversals.filter(outcome=Outcome.OK).exists()
        )

    def action(self) -> Action:
        """The reversal."""
        return Reverse(card_id=self.row.card_id, operation_id=self.row.pk, **self.words)
