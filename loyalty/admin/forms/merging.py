"""The forms that make two customers one, and that undo it."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.actions import Action, Merge, Unmerge
from loyalty.admin.forms.base import ActionForm, OwnerField
from loyalty.admin.merging import compared
from loyalty.models import Customer, CustomerMerge

_SHOWN = 5
_NUMBER = "#"


class OtherField(OwnerField):
    """A customer of the store, also by number: `#12`."""

    def clean(self, value: Any) -> Customer | None:
        """The one that was meant."""
        number = str(value or "").strip().removeprefix(_NUMBER)
        if str(value or "").strip().startswith(_NUMBER) and number.isdecimal():
            found = Customer.objects.filter(store=self.store, pk=int(number[:18])).first()
            if found is None:
                message = _("This store has no customer of that number.")
                raise ValidationError(message, code="unknown")
            return found
        return super().clean(value)


class MergeForm(ActionForm):
    """Who the customer is too, and which of the two stays."""

    row: Customer
    name = "merge"
    permission = Merge.permission
    title = _("Merge with another customer")
    explanation = _(
        "Two customers who are one person become one. All cards, orders and what is known go to the"
        " one who stays; what is on two wallets of one program comes together. Nothing is deleted,"
        " and it can be undone while nothing of it was used."
    )
    why_another = _(
        "That two customers are one person is for two people to say. It will wait until another"
        " person decides; nothing moves before that."
    )
    about_template = "admin/actions/merge.html"
    needs_note = True

    stays = forms.ChoiceField(
        label=_("Who stays"), widget=forms.RadioSelect, choices=[("row", ""), ("other", "")]
    )

    def __init__(self, row: Customer, **options: Any) -> None:
        super().__init__(row, **options)
        similar = ", ".join(f"{_NUMBER}{each.pk} {each}" for each in similar_to(row))
        self.fields["other"] = OtherField(
            label=_("The other customer"),
            store=row.store,
            help_text=_("Perhaps: %(similar)s") % {"similar": similar}
            if similar
            else _("E-mail, CPF, CNPJ, VTEX profile id, or # and the number of the customer."),
        )
        stays: Any = self.fields["stays"]
        stays.choices = [
            ("row", _("%(customer)s, whose page this is") % {"customer": row}),
            ("other", _("the other customer")),
        ]
        stays.initial = "row"
        self.order_fields(["other", "stays"])

    @classmethod
    def applies_to(cls, row: Customer) -> bool:
        """Whoever is somebody, and nobody else already."""
        return not row.is_nobody

    def action(self) -> Merge:
        """The merge, in the direction that was chosen."""
        other: Customer = self.cleaned_data["other"]
        away, into = (other, self.row) if self.cleaned_data["stays"] == "row" else (self.row, other)
        return Merge(customer_id=away.pk, into_id=into.pk, **self.words)

    def about(self, action: Action) -> Mapping[str, object]:
        """Both side by side, and where each card goes."""
        assert isinstance(action, Merge)  # noqa: S101  it is the form's own
        return {"merge": compared(action.away, action.into)}


class UnmergeForm(ActionForm):
    """Make two of the one again."""

    row: Customer
    name = "unmerge"
    permission = Unmerge.permission
    title = _("Undo the merge")
    explanation = _(
        "Makes them two customers again: cards, orders and what was transferred go back. Only while"
        " nothing of it was spent, held or moved on."
    )
    needs_note = True

    @classmethod
    def applies_to(cls, row: Customer) -> bool:
        """Who was merged into another."""
        return row.merged_into_id is not None

    def action(self) -> Action:
        """The undoing of the merge that holds."""
        made = CustomerMerge.objects.get(customer=self.row, undone_at=None)
        return Unmerge(merge_id=made.pk, **self.words)


def similar_to(row: Customer) -> list[Customer]:
    """Who shares an e-mail or a document with the customer, and is another: each by its index."""
    conditions = [
        Q(**{name: value})
        for name in ("email", "document", "corporate_document")
        if (value := getattr(row, name))
    ]
    if not conditions:
        return []
    first, *rest = [
        Customer.objects.filter(each, store=row.store_id, merged_into=None)
        .exclude(pk=row.pk)
        .order_by()
        .values("pk")
        for each in conditions
    ]
    keys = first.union(*rest) if rest else first
    return list(Customer.objects.filter(pk__in=keys).order_by("pk")[:_SHOWN])
