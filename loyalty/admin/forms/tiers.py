"""What is typed about tiers: a scheme with its tiers, and a tier that is granted."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.admin.forms.base import DayField
from loyalty.admin.forms.earning import PointsField
from loyalty.admin.money_field import MoneyField
from loyalty.earning import tiers_of
from loyalty.models import Customer, Program, TierScheme
from loyalty.models.tier import LONGEST_DAYS, TierBasis, TierPeriod

MOST_TIERS = 8
_FREE_ROWS = 3
_NAME, _REASON = 50, 300


class SchemeForm(forms.ModelForm[TierScheme]):
    """A draft of a scheme, without its tiers."""

    first_day = DayField(
        label=_("first day"), help_text=_("At the earliest tomorrow, in the store's time zone.")
    )

    class Meta:
        model = TierScheme
        fields = ("basis", "period", "days", "grace_days")

    field_order = ("first_day", "basis", "period", "days", "grace_days")

    def __init__(self, program: Program, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.program = program
        self.instance.program = program
        self.initial["first_day"] = self._today() + datetime.timedelta(days=1)
        if self.instance.pk:
            begins = self.instance.starts_at.astimezone(program.store.zone)
            self.initial["first_day"] = begins.date()
        self.fields["days"].help_text = _("Only of the last days, such as 365.")

    def clean_first_day(self) -> datetime.date:
        """A day to come: nobody's past orders are judged again."""
        day: datetime.date = self.cleaned_data["first_day"]
        if day <= self._today():
            raise forms.ValidationError(
                _("Choose a later day: orders of today were judged already."), code="past"
            )
        return day

    def clean(self) -> dict[str, Any]:
        """Rolling days have a number, and calendar periods have none."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        is_rolling = data.get("period") == TierPeriod.ROLLING
        if "days" in data and "period" in data and is_rolling != (data["days"] is not None):
            self.add_error(
                "days",
                _("How many days count?")
                if is_rolling
                else _("A calendar period has no number of days: leave this empty."),
            )
        if "first_day" in data:
            self.instance.starts_at = self.program.store.first_instant(data["first_day"])
        return data

    def _today(self) -> datetime.date:
        return timezone.localdate(timezone=self.program.store.zone)


class TierForm(forms.Form):
    """One tier of a scheme; a row of which nothing is typed is none."""

    name = forms.CharField(label=_("name"), required=False, max_length=_NAME)
    multiplier = forms.DecimalField(
        label=_("times as much"),
        required=False,
        min_value=1,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        help_text=_("Such as 1.5, which is half as much again. Empty: the same."),
    )
    validity_days = forms.IntegerField(
        label=_("validity in days"),
        required=False,
        min_value=1,
        max_value=2 * LONGEST_DAYS,
        help_text=_("Of what is earned. Empty: as the program says."),
    )
    field_order = ("name", "threshold", "multiplier", "validity_days")

    def __init__(self, *args: Any, program: Program, basis: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["threshold"] = _threshold_field(
            program,
            basis,
            label=_("from"),
            required=False,
            help_text=_("Empty: everyone has it."),
        )
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        """Whatever is typed of a tier, it has a name."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.is_typed and not data.get("name") and "name" not in self.errors:
            self.add_error("name", _("Name the tier."))
        return data

    @property
    def is_typed(self) -> bool:
        """Whether there is a tier in this row."""
        return bool(self.errors) or any(
            self.cleaned_data.get(name) is not None and self.cleaned_data[name] != ""
            for name in self.fields
        )

    @property
    def values(self) -> dict[str, Any]:
        """The tier as a scheme keeps it. Only of a valid form."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "threshold": data["threshold"] or 0,
            "multiplier": f"{data['multiplier'] or 1:.2f}",
            "validity_days": data["validity_days"],
        }


class _TierForms(forms.BaseFormSet[TierForm]):
    """The tiers of a scheme: at least one, each name and threshold once."""

    def clean(self) -> None:
        typed = [form for form in self.forms if form.is_typed]
        if not typed:
            self.forms[0].add_error("name", _("Name at least one tier."))
        _refuse_twice(typed, "name", _("Another tier has this name."))
        _refuse_twice(typed, "threshold", _("Another tier begins here too."))

    @property
    def values(self) -> list[dict[str, Any]]:
        """The tiers, lowest first. Only of valid forms."""
        found = [form.values for form in self.forms if form.is_typed]
        return sorted(found, key=lambda tier: int(tier["threshold"]))


def tier_forms(program: Program, basis: str, scheme: TierScheme, data: Any = None) -> _TierForms:
    """A form for each tier of a scheme, and some more."""
    known = [{**tier, "threshold": tier["threshold"] or None} for tier in scheme.tiers]
    made = forms.formset_factory(
        TierForm, formset=_TierForms, extra=_FREE_ROWS, max_num=MOST_TIERS, absolute_max=MOST_TIERS
    )
    formset = made(
        data,
        prefix="tiers",
        initial=known,
        form_kwargs={"program": program, "basis": basis if basis in TierBasis else ""},
    )
    return cast("_TierForms", formset)


class GrantForm(forms.Form):
    """A tier for a customer until a day, or the end of one that was granted."""

    tier = forms.ChoiceField(label=_("tier"))
    last_day = DayField(
        label=_("last day"),
        required=False,
        help_text=_("Of the tier, in the store's time zone. To end what was granted: empty."),
    )
    reason = forms.CharField(
        label=_("reason"),
        max_length=_REASON,
        help_text=_("What happened, for whoever reads this later. No documents or e-mails."),
    )

    def __init__(
        self, customer: Customer, programs: Sequence[Program], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._customer = customer
        self._programs = {program.pk: program for program in programs}
        field = self.fields["tier"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  as it is above
        field.choices = [(str(program), list(_choices(program))) for program in programs]

    def clean_tier(self) -> tuple[Program, str]:
        """The program, and the name of the tier; empty for the end."""
        number, _colon, name = self.cleaned_data["tier"].partition(":")
        return self._programs[int(number)], name

    def clean(self) -> dict[str, Any]:
        """A tier has a day to come; an end has none."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "tier" not in data or "last_day" not in data:
            return data
        _program, name = data["tier"]
        today = timezone.localdate(timezone=self._customer.store.zone)
        if name and not data["last_day"]:
            self.add_error("last_day", _("Until when?"))
        elif name and data["last_day"] < today:
            self.add_error("last_day", _("Choose a later day."))
        elif not name and data["last_day"]:
            self.add_error("last_day", _("What was granted ends at once: leave this empty."))
        return data


def _choices(program: Program) -> Iterable[tuple[str, Any]]:
    for name in tiers_of(program):
        yield f"{program.pk}:{name}", name
    yield f"{program.pk}:", _("End what was granted")


def _threshold_field(program: Program, basis: str, **options: Any) -> forms.Field:
    """Money of the store for spend; points or money of the program for what rules gave."""
    if basis != TierBasis.POINTS:
        return MoneyField(currency=program.store.currency, **options)
    if program.point_units is not None:
        return PointsField(program, **options)
    return MoneyField(currency=program.store.currency, exponent=program.exponent, **options)


def _refuse_twice(typed: Sequence[TierForm], field: str, problem: Any) -> None:
    seen: set[object] = set()
    for form in typed:
        if field not in form.cleaned_data:
            continue
        value = form.cleaned_data[field] or 0
        if value in seen:
            form.add_error(field, problem)
        seen.add(value)
