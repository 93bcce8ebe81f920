"""What the forms of staff's actions share: reason and note, and fields for days and customers."""

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.actions import Action
from loyalty.identity import Identity
from loyalty.models import Customer, Reason, Store

# Where an error of the ledger belongs.
FIELD_OF: Mapping[str, str] = {
    "invalid_amount": "amount",
    "below_zero": "amount",
    "balance_limit_exceeded": "amount",
    "exceeds_hold": "amount",
    "exceeds_transaction": "amount",
    "credit_spent": "amount",
    "invalid_dates": "last_day",
    "reason_required": "reason",
    "point_value_outdated": "value",
    "point_value_under_way": "value",
    "import_waits": "value",
    "wallet_exists": "owner",
    "unknown_customer": "owner",
    "same_customer": "other",
    "identities_differ": "other",
    "already_merged": "other",
}


class ActionForm(forms.Form):
    """What a person types to ask for an action on `row`.

    `title` heads the page and names the button; `explanation` says what will happen, `done` that it
    has. The template of `about_template` says more of it before it is confirmed. Where nothing is
    to be typed the first page is the confirmation.
    """

    name: ClassVar[str]
    permission: ClassVar[str]
    title: ClassVar[StrOrPromise]
    explanation: ClassVar[StrOrPromise] = ""
    done: ClassVar[StrOrPromise] = _("Done.")
    is_danger: ClassVar[bool] = False
    needs_note: ClassVar[bool] = False
    about_template: ClassVar[str] = ""
    # Why another person has to decide, however little is at stake (`Action.is_unproven`).
    why_another: ClassVar[StrOrPromise] = _(
        "The store has not said that this order is canceled, so that its goods may be on the way."
        " It will wait until another person decides; nothing moves before that."
    )

    reason = forms.ChoiceField(label=_("Reason"), choices=[("", "---------"), *Reason.choices])
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What happened, for whoever reads this later. No documents or e-mails."),
    )

    def __init__(self, row: Model, **options: Any) -> None:
        super().__init__(**options)
        self.row = row
        self.fields["note"].required = self.needs_note
        self.order_fields([name for name in self.fields if name not in {"reason", "note"}])

    @classmethod
    def applies_to(cls, row: Any) -> bool:
        """Whether the action makes sense on this row as it is."""
        return True

    def action(self) -> Action:
        """The action that was typed. Only of a valid form."""
        raise NotImplementedError

    def about(self, action: Action) -> Mapping[str, object]:
        """What `about_template` is filled with."""
        return {}

    @property
    def words(self) -> dict[str, str]:
        """Reason and note, which every action takes."""
        return {"reason": self.cleaned_data["reason"], "note": self.cleaned_data["note"].strip()}


class DayField(forms.DateField):
    """A day of the store, picked in the browser's own calendar."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], **options)

    @staticmethod
    def text(day: datetime.date | None) -> str:
        """The day in ISO form; empty for none."""
        return day.isoformat() if day else ""


class OwnerField(forms.CharField):
    """A customer of a store, named by e-mail, CPF, CNPJ or VTEX profile id."""

    def __init__(self, *, store: Store, **options: Any) -> None:
        super().__init__(max_length=254, **options)
        self.store = store

    def clean(self, value: Any) -> Customer | None:
        """The one customer that was meant, or None for an empty field."""
        text = super().clean(value)
        if not text:
            return None
        # A profile id has no form of its own: whatever was typed may be one.
        meant = Identity.of(profile_id=text, email=text, document="" if "@" in text else text)
        customers = Customer.objects.filter(store=self.store).identified_by(meant)
        found = list(Customer.objects.filter(pk__in=customers.people())[:2])
        if not found:
            raise ValidationError(
                _("This store has no such customer. Add the customer first, then come back."),
                code="unknown",
            )
        if len(found) > 1:
            raise ValidationError(
                _("Several customers match. Type the document or the profile id instead."),
                code="ambiguous",
            )
        return found[0]
