"""The form that changes what a program's point is worth."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.actions import Action, ChangePointValue
from loyalty.admin.formats import shown_money
from loyalty.admin.forms.base import ActionForm
from loyalty.admin.money_field import MoneyField
from loyalty.admin.point_value_texts import comparison
from loyalty.models import PointValueChange, Program
from loyalty.money import MAX_UNITS


class PointValueField(MoneyField):
    """What a point is worth: as fine as the program's cards count."""

    def __init__(self, program: Program, **options: Any) -> None:
        super().__init__(
            currency=program.store.currency,
            exponent=program.exponent,
            digits=program.exponent,
            **options,
        )

    def converted(self, amount: Decimal) -> int:
        """Whole units, at least one."""
        units = amount.scaleb(self.exponent)
        if units != int(units) or not 0 < units <= MAX_UNITS:
            step = shown_money(1, self.currency, self.exponent)
            raise ValidationError(
                gettext(
                    "This program's cards count in steps of %(step)s: type one or more of them."
                )
                % {"step": step},
                code="too_fine",
            )
        return int(units)


class PointValueForm(ActionForm):
    """Another point value, and what stays: the money or the points."""

    row: Program
    name = "point_value"
    permission = ChangePointValue.permission
    title = _("Change the point value")
    explanation = _(
        "Either the money that customers have stays, or the number of their points. You see what"
        " both would mean before anything changes."
    )
    is_danger = True
    needs_note = True
    about_template = "admin/point_values/comparison.html"

    # What the person saw: a second confirmation is about the same change, and not another one.
    before = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    policy = forms.ChoiceField(
        label=_("What stays"), choices=PointValueChange.Policy.choices, widget=forms.RadioSelect
    )

    def __init__(self, row: Program, **options: Any) -> None:
        super().__init__(row, **options)
        self.fields["before"].initial = row.point_units
        self.fields["value"] = PointValueField(
            row,
            label=_("New value of a point"),
            help_text=gettext("Now: %(value)s.")
            % {"value": shown_money(row.point_units or 0, row.store.currency, row.exponent)},
        )
        self.order_fields(["before", "value", "policy"])

    @classmethod
    def applies_to(cls, row: Program) -> bool:
        """A program in points whose cards all count by its value."""
        return row.point_units is not None and row.point_units_before is None

    def clean_value(self) -> int:
        """Another one."""
        value: int = self.cleaned_data["value"]
        if value == self._before:
            raise ValidationError(_("A point is worth that much already."), code="same")
        return value

    @property
    def _before(self) -> int:
        return self.cleaned_data.get("before") or self.row.point_units or 0

    def action(self) -> ChangePointValue:
        """The change."""
        return ChangePointValue(
            program_id=self.row.pk,
            before=self._before,
            after=self.cleaned_data["value"],
            policy=self.cleaned_data["policy"],
            **self.words,
        )

    def about(self, action: Action) -> Mapping[str, object]:
        """Both policies side by side."""
        assert isinstance(action, ChangePointValue)  # noqa: S101  it is this form's own
        return comparison(action)
