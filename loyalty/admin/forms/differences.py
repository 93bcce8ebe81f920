"""The forms of what puts a difference with the store right, one for each remedy."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.actions import Action, CancelDifference, SettleDifference
from loyalty.actions.remedies import remedy_of
from loyalty.admin.forms.base import ActionForm
from loyalty.exceptions import DifferenceOutdated
from loyalty.models import Discrepancy

Remedy = Discrepancy.Remedy


class DifferenceForm(ActionForm):
    """What a difference proposes: nothing is typed but a note, amount and reason are its own."""

    row: Discrepancy
    remedy: ClassVar[Remedy]

    def __init__(self, row: Discrepancy, **options: Any) -> None:
        super().__init__(row, **options)
        del self.fields["reason"]

    @classmethod
    def applies_to(cls, row: Discrepancy) -> bool:
        """Of an open difference that proposes it."""
        return row.remedy == cls.remedy and row.status == Discrepancy.Status.OPEN

    def clean(self) -> dict[str, Any]:
        """Refuse what has moved since it was compared."""
        found = super().clean() or {}
        try:
            found["action"] = remedy_of(self.row, note=found.get("note", "").strip())
        except DifferenceOutdated as outdated:
            raise ValidationError(gettext(outdated.message), code=outdated.code) from None
        return found

    def action(self) -> Action:
        """The remedy."""
        action: Action = self.cleaned_data["action"]
        return action


class ReleaseForm(DifferenceForm):
    """Release what is held."""

    name = "release"
    permission = CancelDifference.permission
    remedy = Remedy.RELEASE
    title = _("Release what is held")
    explanation = _(
        "The store does not claim it: what the purchase still holds goes back to the card. VTEX"
        " sees this cancellation in its list."
    )


class RefundForm(DifferenceForm):
    """Give back."""

    name = "refund"
    permission = CancelDifference.permission
    remedy = Remedy.REFUND
    title = _("Give back what is missing")
    explanation = _(
        "The store gave it back and the card never got it. It goes to the card now, and VTEX sees"
        " this cancellation in its list."
    )


class SettleForm(DifferenceForm):
    """Settle."""

    name = "settle"
    permission = SettleDifference.permission
    remedy = Remedy.SETTLE
    title = _("Settle as the store did")
    explanation = _(
        "The store invoiced it: what the purchase holds becomes spent. VTEX sees this settlement"
        " in its list and will not send it again."
    )


class TakeBackForm(DifferenceForm):
    """Take a credit back."""

    name = "take-back"
    permission = CancelDifference.permission
    remedy = Remedy.TAKE_BACK
    title = _("Take the second credit back")
    explanation = _("The credit was given more than once for the order. The last one is taken off.")
    is_danger = True
