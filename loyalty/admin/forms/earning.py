"""What is typed about earning: rules, campaigns, a program's policy, the window of a trial."""

import datetime
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.admin.money_field import MoneyField
from loyalty.earning.simulation import LONGEST_DAYS
from loyalty.models import Campaign, EarningPolicy, EarningRule, Program
from loyalty.models.earning_rule import smallest_unit
from loyalty.money import MAX_UNITS, exponent_of
from loyalty.notation import shown_count

LISTS = ("channels", "categories", "brands", "skus", "payment_systems")
_LONGEST_LIST, _LONGEST_WORD = 500, 64


class DayField(forms.DateField):
    """A day, picked from the browser's calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class WordsField(forms.CharField):
    """Ids, separated by commas or spaces; empty for all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=20_000, **options)

    def prepare_value(self, value: Any) -> Any:
        """As they are typed."""
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Each once, in the order typed."""
        words = list(dict.fromkeys((super().to_python(value) or "").replace(",", " ").split()))
        if len(words) > _LONGEST_LIST or any(len(word) > _LONGEST_WORD for word in words):
            raise ValidationError(
                _("At most %(count)s ids of %(length)s characters.")
                % {"count": _LONGEST_LIST, "length": _LONGEST_WORD}
            )
        return words


def units_field(program: Program, **options: Any) -> forms.Field:
    """An amount of the program: whole points, or money. It cleans to units."""
    if program.point_units is not None:
        return PointsField(program, **options)
    return MoneyField(currency=program.store.currency, exponent=program.exponent, **options)


class PointsField(MoneyField):
    """Whole points as the language writes numbers, `1.500` in Portuguese, as units."""

    def __init__(self, program: Program, **options: Any) -> None:
        self.point_units = program.point_units or 1
        super().__init__(currency=program.store.currency, exponent=program.exponent, **options)
        self.example = 1_500 * self.point_units

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """The digits of a phone's keyboard."""
        return {"inputmode": "numeric", "autocomplete": "off"}

    def converted(self, amount: Decimal) -> int:
        """The units of whole points."""
        points = int(amount)
        if points != amount or not 1 <= points <= MAX_UNITS // self.point_units:
            raise ValidationError(
                _("Type whole points, like %(example)s.") % {"example": self.written(self.example)},
                code="invalid",
            )
        return points * self.point_units

    def written(self, units: int) -> str:
        """The points."""
        return shown_count(units // self.point_units)


class _ProgramForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form about something of a program, with days instead of instants."""

    def __init__(self, program: Program, *args: Any, **kwargs: Any) -> None:
        self.program = program
        super().__init__(*args, **kwargs)
        self.instance.program = program

    def _days(self, *, first: datetime.datetime | None, end: datetime.datetime | None) -> None:
        zone = self.program.store.zone
        today = timezone.localdate(timezone=zone)
        self.fields["first_day"].initial = first.astimezone(zone).date() if first else today
        if end:
            self.fields["last_day"].initial = (
                end.astimezone(zone) - datetime.timedelta(microseconds=1)
            ).date()

    def _keep_days(self, data: Mapping[str, Any]) -> None:
        """The first instant of the first day, and that after the last."""
        first, last = data.get("first_day"), data.get("last_day")
        store = self.program.store
        if first and last and last < first:
            self.add_error("last_day", _("Not before the first day."))
            return
        if first:
            self.instance.starts_at = store.first_instant(first)
        self.instance.ends_at = (
            store.first_instant(last + datetime.timedelta(days=1)) if last else None
        )


class RuleForm(_ProgramForm):
    """A draft of a rule."""

    first_day = DayField(label=_("first day"), help_text=_("Of payment, in the store's time zone."))
    last_day = DayField(label=_("last day"), required=False, help_text=_("Empty: for ever."))

    class Meta:
        model = EarningRule
        fields = (
            *("name", "percent", "points", "includes_shipping", "channels", "categories"),
            *("brands", "skus", "payment_systems", "first_order_only", "tiers"),
            *("period", "priority", "is_exclusive"),
        )

    field_order = (
        *("name", "percent", "points", "per_amount", "includes_shipping"),
        *("first_day", "last_day", "minimum", "first_order_only", "tiers"),
        *LISTS,
        *("cap_per_order", "cap_per_period", "period", "priority", "is_exclusive"),
    )

    def __init__(self, program: Program, *args: Any, **kwargs: Any) -> None:
        super().__init__(program, *args, **kwargs)
        row = self.instance
        currency = program.store.currency
        for name, label, text in (
            ("per_amount", _("for each amount of"), _("With points: 1 point for each 1.00.")),
            ("minimum", _("smallest eligible value"), _("Empty: any.")),
        ):
            self.fields[name] = MoneyField(
                currency=currency,
                label=label,
                help_text=text,
                required=False,
                initial=getattr(row, name),
            )
        for name, label in (
            ("cap_per_order", _("at most for an order")),
            ("cap_per_period", _("at most for a customer in the period")),
        ):
            self.fields[name] = units_field(
                program,
                label=label,
                required=False,
                initial=getattr(row, name),
                help_text=_("Empty: no limit."),
            )
        for name in LISTS:
            self.fields[name] = WordsField(
                label=self.fields[name].label,
                initial=getattr(row, name),
                help_text=_("Ids at the store, with commas between them. Empty: all."),
            )
        self.fields["tiers"] = _tiers_field(program, row)
        self._days(first=row.starts_at, end=row.ends_at)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        """One way to earn; a cap with its period."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        is_percent = data.get("percent") is not None
        has_points = data.get("points") is not None or data.get("per_amount") is not None
        if is_percent == has_points:
            self.add_error("percent", _("Either a percentage, or points for an amount."))
        elif has_points:
            self._check_points(data)
        if bool(data.get("period")) != (data.get("cap_per_period") is not None):
            self.add_error("period", _("A cap of a period needs both: how much, and which."))
        self._keep_days(data)
        return data

    def _check_points(self, data: Mapping[str, Any]) -> None:
        if self.program.point_units is None:
            self.add_error("points", _("This program counts in money: give a percentage."))
        elif not data.get("points"):
            self.add_error("points", _("How many points?"))
        elif data.get("per_amount") is None:
            self.add_error("per_amount", _("For each amount of what?"))

    def save(self, commit: bool = True) -> EarningRule:  # noqa: FBT001, FBT002 - Django's
        """The rule; what the form's own fields say goes with it."""
        rule: EarningRule = super().save(commit=False)
        for name in ("per_amount", "minimum", "cap_per_order", "cap_per_period", *LISTS):
            setattr(rule, name, self.cleaned_data[name])
        if commit:
            rule.save()
        return rule


class CampaignForm(_ProgramForm):
    """A draft of a campaign; of one that is on, only its end and a higher budget."""

    first_day = DayField(label=_("first day"), help_text=_("Of payment, in the store's time zone."))
    last_day = DayField(label=_("last day"))

    class Meta:
        model = Campaign
        fields = ("name", "multiplier")

    field_order = ("name", "multiplier", "first_day", "last_day", "budget")

    def __init__(self, program: Program, *args: Any, **kwargs: Any) -> None:
        super().__init__(program, *args, **kwargs)
        self.fields["budget"] = units_field(
            program,
            label=_("budget"),
            required=False,
            initial=self.instance.budget,
            help_text=_("The most that it adds for all customers together. Empty: no limit."),
        )
        self._days(first=self.instance.starts_at, end=self.instance.ends_at)
        if self.instance.switched_on_at:
            for name in ("multiplier", "first_day"):
                self.fields[name].disabled = True
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        """An end after the beginning; a budget that is not below what is used."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        budget = data.get("budget")
        if budget is not None and budget < self.instance.used:
            self.add_error("budget", _("More than that is used already."))
        self._keep_days(data)
        return data

    def save(self, commit: bool = True) -> Campaign:  # noqa: FBT001, FBT002 - Django's
        """The campaign, with its budget."""
        campaign: Campaign = super().save(commit=False)
        campaign.budget = self.cleaned_data["budget"]
        if commit:
            campaign.save()
        return campaign


class PolicyFields:
    """A form's visible fields, as templates go through them."""

    def __init__(self, non_field_errors: Any, fields: list[forms.BoundField]) -> None:
        self.non_field_errors, self._fields = non_field_errors, fields

    def __iter__(self) -> Iterator[forms.BoundField]:
        """One after the other."""
        return iter(self._fields)


class PolicyForm(forms.ModelForm[EarningPolicy]):
    """A program's policy: kept only after its example was seen."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = EarningPolicy
        fields = ("usable_from", "usable_after_days", "undelivered_days", "take_back")

    def __init__(self, program: Program, *args: Any, **kwargs: Any) -> None:
        self.program = program
        super().__init__(*args, **kwargs)
        self.instance.program = program

    @property
    def shown(self) -> "PolicyFields":
        """What people fill in, without the mark."""
        return PolicyFields(self.non_field_errors(), self.visible_fields())

    @property
    def is_seen(self) -> bool:
        """Whether the example that was shown is the one of what is posted."""
        return self.is_valid() and self.cleaned_data["seen"] == self.mark

    @property
    def mark(self) -> str:
        """Names what was typed. Only of a valid form."""
        values = [str(self.cleaned_data[name]) for name in self.Meta.fields]
        return sha256(json.dumps(values).encode()).hexdigest()[:16]

    def clean(self) -> dict[str, Any]:
        """A program whose wallet checkout lists, one for each relation, that takes many credits."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        program = self.program
        if program.kind != Program.Kind.LOYALTY or not program.relation_name:
            self.add_error(
                None,
                _(
                    "Customers earn in loyalty programs with a relation name, such as"
                    " loyalty-program: only so does checkout list their wallet."
                ),
            )
        if not program.is_reloadable:
            self.add_error(None, _("The program's cards must take more than one credit."))
        same = Program.objects.filter(
            store=program.store, kind=Program.Kind.LOYALTY, relation_name=program.relation_name
        )
        if same.exclude(pk=program.pk).exists():
            self.add_error(
                None,
                _("Another program has the same relation name: a customer has one wallet of each."),
            )
        return data


class WindowForm(forms.Form):
    """The days of the past orders on which a rule is tried, or that are read again."""

    first_day = DayField(label=_("first day"))
    last_day = DayField(label=_("last day"))

    def __init__(
        self, zone: datetime.tzinfo, longest: int = LONGEST_DAYS, data: Any = None
    ) -> None:
        today = timezone.localdate(timezone=zone)
        self._longest = longest
        month = {"first_day": today - datetime.timedelta(days=30), "last_day": today}
        super().__init__(data, initial=month)

    def clean(self) -> dict[str, Any]:
        """Not turned round, and not too long."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if {"first_day", "last_day"} <= data.keys():
            days = (data["last_day"] - data["first_day"]).days
            if days < 0:
                self.add_error("last_day", _("Not before the first day."))
            elif days >= self._longest:
                self.add_error("last_day", _("At most %(days)s days.") % {"days": self._longest})
        return data


def _tiers_field(program: Program, rule: EarningRule) -> forms.Field:
    """The tiers of all of the program's schemes, by name: names go on from one to the next."""
    lists = program.tier_schemes.order_by("pk").values_list("tiers", flat=True)
    names = list(dict.fromkeys(tier["name"] for tiers in lists for tier in tiers))
    return forms.MultipleChoiceField(
        label=_("tiers that may earn"),
        required=False,
        choices=[(name, name) for name in names],
        initial=rule.tiers,
        widget=forms.CheckboxSelectMultiple if names else forms.MultipleHiddenInput,
        help_text=_("At the payment of the order. None chosen: all, also customers without a tier.")
        if names
        else "",
    )


def example_value(program: Program) -> int:
    """A round value for examples: 200.00 in the currency's smallest digits."""
    return int(200 * 10 ** exponent_of(program.store.currency))


def whole_units(program: Program, units: int) -> int:
    """Rounded down as earnings are."""
    unit = smallest_unit(program)
    return units // unit * unit
