"""The form that pays a return as credit, from the order that the goods were bought with."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from loyalty.actions import Action, PayReturn, still_returnable
from loyalty.admin.formats import shown_money
from loyalty.admin.forms.base import ActionForm, DayField
from loyalty.admin.money_field import MoneyField
from loyalty.models import Program, ShopOrder
from loyalty.money import exponent_of


class PayReturnForm(ActionForm):
    """Which goods came back, what they were worth, and a bonus for who takes credit."""

    row: ShopOrder
    name = "pay-return"
    permission = PayReturn.permission
    title = _("Pay a return as credit")
    explanation = _(
        "Gives the buyer credit for goods that came back, instead of the money. A bonus is"
        " promotional credit of its own. Do not refund the same goods in VTEX too."
    )

    goods = forms.MultipleChoiceField(
        label=_("Goods that came back"), required=False, widget=forms.CheckboxSelectMultiple
    )
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Empty: as the program says.")
    )

    def __init__(self, row: ShopOrder, **options: Any) -> None:
        super().__init__(row, **options)
        self.currency = row.store.currency
        self.digits = exponent_of(self.currency)
        self.most = still_returnable(row)
        self.programs = list(
            Program.objects.filter(store=row.store, kind=Program.Kind.RETURN_CREDIT).select_related(
                "store"
            )
        )
        goods: Any = self.fields["goods"]
        goods.choices = [
            (str(number), self._described(line))
            for number, line in enumerate(row.facts.get("lines", []))
        ]
        self.fields["amount"] = MoneyField(
            label=_("Amount"),
            currency=self.currency,
            required=False,
            help_text=_("Empty: what the goods cost. At most %(most)s.")
            % {"most": self._money(self.most)},
        )
        self.fields["bonus"] = MoneyField(
            label=_("Bonus"),
            currency=self.currency,
            required=False,
            help_text=_("On top, for taking credit instead of money."),
        )
        self.fields["program"] = forms.ChoiceField(
            label=_("Program"), choices=[(each.pk, str(each)) for each in self.programs]
        )
        self.order_fields(["goods", "amount", "bonus", "program", "last_day"])

    def _described(self, line: dict[str, Any]) -> str:
        named = " · ".join(each for each in (line["sku"], line["brand"]) if each)
        if not line["returned"]:
            return f"{named} · {self._money(line['value'])}"
        return _("%(goods)s · %(value)s, of which %(returned)s was returned in the store") % {
            "goods": named,
            "value": self._money(line["value"]),
            "returned": self._money(line["returned"]),
        }

    def _money(self, units: int) -> str:
        return shown_money(units, self.currency, self.digits)

    @classmethod
    def applies_to(cls, row: ShopOrder) -> bool:
        """An order of a known buyer that was paid."""
        is_known = row.customer is not None and row.customer.erased_at is None
        return is_known and row.paid_at is not None

    def clean(self) -> dict[str, Any]:
        """An amount, given or of the goods, within what is left of the order."""
        data = super().clean() or {}
        amount = data.get("amount")
        if amount is None and "amount" not in self.errors:
            lines = self.row.facts.get("lines", [])
            amount = data["amount"] = sum(
                lines[int(number)]["value"] for number in data.get("goods", [])
            )
        if amount is not None and not amount:
            message = _("Choose goods, or type an amount.")
            self.add_error("amount", ValidationError(message, code="missing"))
        elif amount is not None and amount > self.most:
            message = _("Of this order no more than %(most)s can still be paid as credit.")
            named = {"most": self._money(self.most)}
            self.add_error("amount", ValidationError(message, code="too_much", params=named))
        return data

    def action(self) -> Action:
        """The credit, as the next return of this order."""
        data = self.cleaned_data
        program = next(each for each in self.programs if each.pk == int(data["program"]))
        finer = 10**program.finer_digits
        return PayReturn(
            order_key=self.row.pk,
            program_id=program.pk,
            value=data["amount"] * finer,
            bonus=(data["bonus"] or 0) * finer,
            paid_before=self.row.return_payments.count(),
            last_day=DayField.text(data["last_day"]),
            **self.words,
        )
