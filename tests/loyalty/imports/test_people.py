"""Lists of people with an amount each, as they are typed or exported."""

import pytest

from loyalty.imports import Unreadable
from loyalty.imports.people import Listed, read_people
from loyalty.models import Program
from tests.builders import make_points_program, make_program

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return make_program()


def amounts(content: bytes | str, program: Program) -> list[tuple[int, str, int | None, str]]:
    found = read_people(content, program)
    return [(each.line, each.who, each.units, each.problem) for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ana@x.com\n\n529.982.247-25\n", [("ana@x.com", None), ("529.982.247-25", None)]
        ),
        pytest.param("ana@x.com;10,50\nbia@x.com\n", [("ana@x.com", 1050), ("bia@x.com", None)]),
        pytest.param("ana@x.com,10.50\nbia@x.com,7\n", [("ana@x.com", 1050), ("bia@x.com", 700)]),
        pytest.param("ana@x.com\t1.234,50\n", [("ana@x.com", 123450)]),
        pytest.param("E-mail;Saldo\nana@x.com;10,00\n", [("ana@x.com", 1000)]),
        pytest.param("CPF\n52998224725\n", [("52998224725", None)]),
        pytest.param('"ana@x.com";"10,00";;\n', [("ana@x.com", 1000)]),
        pytest.param("ana@x.com;R$ 10,00\n", [("ana@x.com", 1000)]),
    ],
)
def test_reads(text: str, expected: list[tuple[str, int | None]], program: Program) -> None:
    assert [(who, units) for _line, who, units, _problem in amounts(text, program)] == expected


def test_reads_a_file_of_another_encoding(program: Program) -> None:
    content = "E-mail;Importe à dar\nana@x.com;10,00\n".encode("latin-1")

    assert amounts(content, program) == [(2, "ana@x.com", 1000, "")]


def test_amounts_of_a_points_program_are_whole_points() -> None:
    program = make_points_program()
    text = "a@x.com;120\nb@x.com;1.234\nc@x.com;1,5\nd@x.com;0\n"

    assert amounts(text, program) == [
        (1, "a@x.com", 120 * 25, ""),
        (2, "b@x.com", 1234 * 25, ""),
        (3, "c@x.com", None, "amount"),
        (4, "d@x.com", None, "amount"),
    ]


def test_names_the_lines_that_cannot_be_read(program: Program) -> None:
    text = "ana@x.com;ten\nbia@x.com;-1,00\ncaio@x.com;10,00;twice\ndora@x.com;0,001\n"

    assert [(line, problem) for line, _who, _units, problem in amounts(text, program)] == [
        (1, "amount"),
        (2, "amount"),
        (3, "width"),
        (4, "amount"),
    ]


def test_an_amount_that_can_be_read_in_two_ways_is_refused(program: Program) -> None:
    with pytest.raises(Unreadable, match=r"two ways, such as 1\.234"):
        read_people("ana@x.com;1.234\n", program)


def test_nothing_is_nobody(program: Program) -> None:
    assert read_people("E-mail\n\n", program) == []
    assert Listed(1, "ana@x.com") == read_people("ana@x.com", program)[0]
