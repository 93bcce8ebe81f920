import pytest
from django.core.exceptions import ValidationError
from django.utils.translation import override

from loyalty.admin.forms.earning import PointsField
from loyalty.models import Program, Store

PROGRAM = Program(store=Store(currency="BRL"), finer_digits=2, point_units=25)


@pytest.mark.parametrize(
    ("language", "text", "points"),
    [
        ("pt-br", "1.500", 1_500),
        ("pt-br", "1500", 1_500),
        ("es", "1.500", 1_500),
        ("en", "1,500", 1_500),
        ("en", "1,500.00", 1_500),
        ("en", "1", 1),
    ],
)
def test_points_are_typed_as_they_are_shown(language: str, text: str, points: int) -> None:
    with override(language):
        assert PointsField(PROGRAM).clean(text) == points * 25


@pytest.mark.parametrize(
    ("language", "text", "example"),
    [
        ("pt-br", "1,5", "Digite pontos inteiros, como 1.500."),
        ("en", "1.5", "Type whole points, like 1,500."),
        ("en", "0", "Type whole points, like 1,500."),
        ("en", "9" * 20, "Type whole points, like 1,500."),
        ("en", "1.500,00", "Type the amount like 1,500."),
        ("en", "-1", "Type the amount like 1,500."),
        ("en", "many", "Type the amount like 1,500."),
    ],
)
def test_what_is_no_whole_number_of_points_is_refused(
    language: str, text: str, example: str
) -> None:
    with override(language), pytest.raises(ValidationError) as refused:
        PointsField(PROGRAM).clean(text)

    assert refused.value.messages == [example]


def test_units_are_shown_as_points() -> None:
    with override("pt-br"):
        assert PointsField(PROGRAM).prepare_value(1_500 * 25) == "1.500"
        assert PointsField(PROGRAM).prepare_value("typed") == "typed"
