"""Credit for many customers of a program: whom a list names, or of whom something is known."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import approvals, batches, earning
from loyalty.admin.forms.base import ActionForm, DayField
from loyalty.admin.forms.earning import units_field
from loyalty.admin.money_field import MoneyField
from loyalty.batches import MAX_CARDS, Plan, Selection
from loyalty.imports import MAX_BYTES, Unreadable
from loyalty.imports.people import Listed, read_people
from loyalty.models import Batch, Customer, Program

_MOST_PROBLEMS = 20
_PROBLEMS: dict[str, StrOrPromise] = {
    "unknown": _("Line %(line)s: nobody in this store. Tick the box below to add new customers."),
    "ambiguous": _("Line %(line)s: several customers. Type a document or a profile id."),
    "malformed": _("Line %(line)s: neither an e-mail, a CPF nor a CNPJ. Correct it."),
    "amount": _(
        "Line %(line)s: this is no amount. Write it like the other lines, or leave it out."
    ),
    "width": _("Line %(line)s: more than a person and an amount. Leave only these two."),
    "nothing": _("Line %(line)s: no amount, and none for all. Add one."),
}


class ManyForm(forms.Form):
    """What each of many customers gets; whom it is for is up to the form."""

    name = forms.CharField(label=_("Name"), max_length=100)
    first_day = DayField(
        label=_("Usable from"), required=False, help_text=_("Empty: as soon as it is given.")
    )
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Empty: as the program says.")
    )
    reason = ActionForm.base_fields["reason"]
    note = ActionForm.base_fields["note"]

    def __init__(self, program: Program, user: User, **options: Any) -> None:
        super().__init__(**options)
        self.program = program
        self.user = user
        self.selection: Selection | None = None
        label = _("Points for each") if program.point_units else _("Amount for each")
        self.fields["amount"] = units_field(program, label=label)
        self.order_fields(["name", "amount"])

    def groups(self) -> list[tuple[StrOrPromise, list[forms.BoundField]]]:
        """The fields in the order of a page: whom it is for, what each of them gets, and why."""
        gets, why = ("amount", "first_day", "last_day"), ("name", "reason", "note")
        whom = [name for name in self.fields if name not in {*gets, *why}]
        return [
            (_("Whom it is for"), [self[name] for name in whom]),
            (_("What each gets"), [self[name] for name in gets]),
            (_("For whoever reads it later"), [self[name] for name in why]),
        ]

    def clean(self) -> dict[str, Any]:
        """The days in order, and the people."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        today = timezone.localdate(timezone=self.program.store.zone)
        first, last = data.get("first_day"), data.get("last_day")
        if last and last < max(first or today, today):
            self.add_error("last_day", ValidationError(_("Choose a later day."), code="past"))
        if not self.errors:
            self.find(data)
        return data

    def find(self, data: dict[str, Any]) -> None:
        """Find the people, or say with the field why not."""
        raise NotImplementedError

    def wanted(self) -> Iterable[tuple[int, int]]:
        """The customers with their units; who is new is saved."""
        raise NotImplementedError

    def save(self) -> Batch:
        """The draft. Raises `LedgerError`, or `ValidationError` when nobody is left."""
        data, store = self.cleaned_data, self.program.store
        first, last = data["first_day"], data["last_day"]
        starts_later = first and first > timezone.localdate(timezone=store.zone)
        with atomic():
            own = approvals.own_identity(self.user)
            recipients = list(batches.survey(self.program, self.wanted(), own=own))
            if all(each.problem for each in recipients):
                raise ValidationError(
                    _(
                        "None of these people can get credit: each is you, or has a wallet that"
                        " takes none."
                    )
                )
            return batches.draft(
                Plan(
                    program=self.program,
                    name=data["name"],
                    source=Batch.Source.CREDIT,
                    valid_from=store.first_instant(first) if starts_later else None,
                    expires_at=store.last_instant(last) if last else None,
                    reason=data["reason"],
                    note=data["note"].strip(),
                    recipients=recipients,
                    selection=self.selection.kept() if self.selection else {},
                ),
                created_by=self.user,
            )


class ListForm(ManyForm):
    """Whom a list names, each with the same or their own amount."""

    people = forms.CharField(
        label=_("People"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_(
            "One in a line: e-mail, CPF, CNPJ or VTEX profile id; and, after a semicolon, an amount"
            " of their own."
        ),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
        help_text=_("The same lines, up to 100,000; a header is passed over."),
    )
    creates = forms.BooleanField(label=_("Add customers who are not known yet"), required=False)

    def __init__(self, program: Program, user: User, **options: Any) -> None:
        super().__init__(program, user, **options)
        self.fields["amount"].required = False
        self.fields["amount"].help_text = _("Of whoever has none of their own in the list.")
        self._people: Sequence[tuple[Customer, int]] = ()
        self.order_fields(["name", "people", "file", "creates", "amount"])

    def clean_file(self) -> UploadedFile | None:
        """Not larger than an import."""
        file: UploadedFile | None = self.cleaned_data["file"]
        if file and (file.size or 0) > MAX_BYTES:
            raise ValidationError(
                _("The file is larger than 20 MB. Cut it in parts, each with the header.")
            )
        return file

    def find(self, data: dict[str, Any]) -> None:
        """Every line names one customer and an amount, or nothing is kept."""
        file: UploadedFile | None = data["file"]
        field = "file" if file else "people"
        if bool(file) == bool(data["people"].strip()):
            self.add_error("people", _("Type the people, or choose a file."))
            return
        try:
            listed = read_people(file.read() if file else data["people"], self.program)
        except Unreadable as refusal:
            self.add_error(field, str(refusal.message))
            return
        if not listed or len(listed) > MAX_CARDS:
            self.add_error(field, _("Between 1 and 100,000 people: cut the list in parts."))
            return
        problems = list(self._read(listed, data))
        for code, line in problems[:_MOST_PROBLEMS]:
            words = str(_PROBLEMS[code]) % {"line": line}
            self.add_error(field, ValidationError(words, code=code))

    def wanted(self) -> Iterator[tuple[int, int]]:
        """As listed."""
        for customer, units in self._people:
            if customer.pk is None:
                customer.save()  # type: ignore[unreachable]
            yield customer.pk, units

    def _read(self, listed: Sequence[Listed], data: dict[str, Any]) -> Iterator[tuple[str, int]]:
        """Keeps the people; what is wrong, with the line."""
        people = []
        found = batches.find_people(
            self.program.store, [each.who for each in listed], creates=data["creates"]
        )
        for each, who in zip(listed, found, strict=True):
            units = each.units or data["amount"]
            problem = each.problem or ("" if units else "nothing")
            if problem:
                yield problem, each.line
            elif isinstance(who, str):
                yield who, each.line
            else:
                people.append((who, units))
        self._people = people


class FilterForm(ManyForm):
    """Of whom something is known."""

    members = forms.BooleanField(
        label=_("Only members: whoever has a wallet of this program"), required=False, initial=True
    )
    tier = forms.ChoiceField(label=_("Tier"), required=False)
    bought_from = DayField(label=_("Bought from"), required=False)
    bought_until = DayField(label=_("Bought until"), required=False)
    not_bought_since = DayField(
        label=_("Has not bought since"), required=False, help_text=_("That day included.")
    )

    def __init__(self, program: Program, user: User, **options: Any) -> None:
        super().__init__(program, user, **options)
        tiers = earning.tiers_of(program)
        self.fields["tier"].choices = [("", _("any"))] + [(each, each) for each in tiers]  # type: ignore[attr-defined]
        if not tiers:
            del self.fields["tier"]
        self.fields["bought_at_least"] = MoneyField(
            label=_("For at least"),
            required=False,
            currency=program.store.currency,
            help_text=_("Goods paid within these days and kept. Empty: any paid order."),
        )
        self._keys: Sequence[int] = ()
        first = ("name", "members", "tier", "bought_from", "bought_until", "bought_at_least")
        self.order_fields([*first, "not_bought_since", "amount"])

    def find(self, data: dict[str, Any]) -> None:
        """At most so many people as a batch may have."""
        first, last = data["bought_from"], data["bought_until"]
        if first and last and last < first:
            self.add_error("bought_until", _("Choose a later day."))
            return
        names = ("members", "bought_from", "bought_until", "bought_at_least", "not_bought_since")
        self.selection = Selection(
            **{name: data[name] for name in names}, tier=data.get("tier", "")
        )
        people = batches.chosen(self.program, self.selection)
        self._keys = list(people.values_list("pk", flat=True)[: MAX_CARDS + 1])
        if len(self._keys) > MAX_CARDS:
            self.add_error(None, _("More than 100,000 people: ask for fewer."))
        elif not self._keys:
            self.add_error(None, _("There is nobody of whom all of this holds."))

    def wanted(self) -> Iterator[tuple[int, int]]:
        """The same for everybody."""
        return ((key, self.cleaned_data["amount"]) for key in self._keys)
