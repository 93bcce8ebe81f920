import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import override

from loyalty.admin.money_field import MoneyField
from loyalty.notation import shown_money


@pytest.mark.parametrize("language", ["pt-br", "es", "en"])
@pytest.mark.parametrize(("currency", "digits"), [("BRL", 2), ("USD", 2), ("CLP", 0), ("KWD", 3)])
def test_what_a_page_shows_can_be_typed(language: str, currency: str, digits: int) -> None:
    field = MoneyField(currency=currency)

    with override(language):
        units = field.clean(shown_money(123_456, currency, digits))

    assert units == 123_456


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt-br", "1.234,56"),
        ("pt-br", "1234,56"),
        ("pt-br", "R$1.234,56"),
        ("pt-br", "BRL 1.234,56"),
        ("es", "1 234,56"),
        ("es", "1.234,56 BRL"),
        ("es", "BRL 1.234,56"),
        ("en", "1,234.56"),
        ("en", "R$ 1,234.56"),
        ("en", "1234.56 BRL"),
    ],
)
def test_the_currency_may_stand_beside_it(language: str, text: str) -> None:
    field = MoneyField(currency="BRL")

    with override(language):
        units = field.clean(text)

    assert units == 123_456


@pytest.mark.parametrize(
    ("language", "text", "example"),
    [
        ("pt-br", "1,234.56", "1.234,56"),
        ("pt-br", "US$ 10,00", "1.234,56"),
        ("pt-br", "R$ R$ 10,00", "1.234,56"),
        ("pt-br", "-R$ 10,00", "1.234,56"),
        ("es", "1,234.56", "1.234,56"),
        ("es", "10.5", "1.234,56"),
        ("en", "1.234,56", "1,234.56"),
        ("en", "$10.00", "1,234.56"),
    ],
)
def test_anything_else_is_refused_with_an_example(language: str, text: str, example: str) -> None:
    field: forms.Field = MoneyField(currency="BRL")

    with override(language), pytest.raises(ValidationError) as refused:
        field.clean(text)

    assert example in refused.value.messages[0]
