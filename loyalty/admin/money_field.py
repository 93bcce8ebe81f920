"""A form field for an amount, typed as people of the page's language write it."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import get_format
from django.utils.translation import gettext as _

from loyalty.exceptions import LedgerError
from loyalty.money import exponent_of, to_decimal, to_units
from loyalty.notation import shown_number, symbol_of


class MoneyField(forms.Field):
    """`1.234,56` in Portuguese, `1,234.56` in English, as units of `exponent` digits.

    Nothing is guessed: what is not written as the page's language writes it is refused with an
    example; the currency may stand beside it. `currency` and `exponent` are those of the card that
    the amount is for; it is written with the currency's own `digits`, if no others are given.
    """

    widget = forms.TextInput
    example = 123_456

    def __init__(
        self,
        *,
        currency: str,
        exponent: int | None = None,
        digits: int | None = None,
        **options: Any,
    ) -> None:
        self.currency = currency
        self.digits = exponent_of(currency) if digits is None else digits
        self.exponent = self.digits if exponent is None else exponent
        super().__init__(**options)  # asks for the widget's attributes, which show an example

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """A numeric keyboard on phones, and the currency's own digits as an example."""
        return {"inputmode": "decimal", "autocomplete": "off", "placeholder": self.written(0)}

    def to_python(self, value: Any) -> int | None:
        """The units, or None when nothing was typed."""
        text = "" if value is None else str(value).strip()
        if not text:
            return None
        for mark in (symbol_of(self.currency), self.currency):
            text = text.removeprefix(mark).removesuffix(mark).strip()
        return self._units(text)

    def prepare_value(self, value: Any) -> Any:
        """Units as the page's language writes them; what was typed stays as typed."""
        return self.written(value) if isinstance(value, int) else value

    def _units(self, text: str) -> int:
        point, group = get_format("DECIMAL_SEPARATOR"), get_format("THOUSAND_SEPARATOR")
        groups = f"[{re.escape(group)}\u00a0 ]" if group.strip() else "[\u00a0 ]"
        whole = rf"(?:\d+|\d{{1,3}}(?:{groups}\d{{3}})+)"
        if not re.fullmatch(rf"{whole}(?:{re.escape(point)}\d+)?", text, re.ASCII):
            raise ValidationError(
                _("Type the amount like %(example)s.") % {"example": self.written(self.example)},
                code="invalid",
            )
        plain = re.sub(groups, "", text).replace(point, ".")
        return self.converted(Decimal(plain))

    def converted(self, amount: Decimal) -> int:
        """The units of an amount; no finer than the currency."""
        try:
            return to_units(amount, currency=self.currency, exponent=self.exponent)
        except LedgerError as error:
            raise ValidationError(_(error.message), code=error.code) from error

    def written(self, units: int) -> str:
        """Units as they are typed."""
        amount = to_decimal(units, exponent=self.exponent)
        return shown_number(amount, self.digits)
