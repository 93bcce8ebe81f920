"""What people decide about a difference without moving money."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from loyalty.models import Discrepancy

STEPS = ("keep", "ignore", "take_up")


class TriageForm(forms.Form):
    """Who looks after it and a note; or a reason to ignore it; or the end of that."""

    assigned_to = forms.ModelChoiceField(
        User.objects.filter(is_staff=True, is_active=True).order_by("username"),
        label=_("Assigned to"),
        required=False,
        empty_label=_("nobody"),
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What was found out. No documents or e-mails of customers."),
    )
    because = forms.CharField(
        label=_("Why it can be ignored"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, row: Discrepancy, **options: Any) -> None:
        initial = {"assigned_to": row.assigned_to, "note": row.note}
        super().__init__(initial=initial, **options)

    @property
    def step(self) -> str:
        """Which button was used."""
        return next((name for name in STEPS if name in self.data), STEPS[0])

    @property
    def assignee(self) -> User | None:
        """Who was chosen."""
        found: User | None = self.cleaned_data["assigned_to"]
        return found

    @property
    def words(self) -> str:
        """What the chosen step says."""
        name = "because" if self.step == "ignore" else "note"
        return "" if self.step == "take_up" else str(self.cleaned_data[name]).strip()

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, in words."""
        return [str(error) for errors in self.errors.values() for error in errors]

    def clean_because(self) -> str:
        """Nothing is ignored without a reason."""
        because: str = self.cleaned_data["because"]
        if self.step == "ignore" and not because.strip():
            raise ValidationError(_("Say why it can be ignored."), code="required")
        return because
