"""A list of people with an amount each, typed or uploaded: e-mail, CPF, CNPJ or profile id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from loyalty.exceptions import InvalidAmount
from loyalty.imports.cells import amount_of, points_of
from loyalty.imports.columns import column_named
from loyalty.imports.sheet import Unreadable, decimal_sign_of, decoded, parsed
from loyalty.models import Program
from loyalty.money import checked, to_units

SEPARATORS = ";\t,"
_WHO, _AMOUNT = 0, 1


@dataclass(frozen=True, slots=True)
class Listed:
    """A line: whom it names, and the units that it gives; None as it gives none of its own."""

    line: int
    who: str
    units: int | None = None
    problem: str = ""


def read_people(content: bytes | str, program: Program) -> list[Listed]:
    """The lines of a list, empty ones and a header left out. Raises `Unreadable`.

    In a program that counts in points the amounts are whole points. `problem` is `amount` for one
    that is none, and `width` for a line with more than two cells.
    """
    text = content if isinstance(content, str) else decoded(content)[1]
    separator = next((each for each in SEPARATORS if each in text), SEPARATORS[0])
    rows = [
        (line, cells)
        for line, cells in _numbered(text, separator)
        if any(cells) and not _is_header(cells)
    ]
    sign = _sign(rows, separator) if program.point_units is None else ""
    return [_listed(line, cells, program, sign) for line, cells in rows]


def _sign(rows: Sequence[tuple[int, Sequence[str]]], separator: str) -> str:
    sign = decimal_sign_of(cells[_AMOUNT] for _line, cells in rows if len(cells) > _AMOUNT)
    if sign is None:
        raise Unreadable(_("The amounts can be read in two ways, such as 1.234. Write 1234.00."))
    return sign or ("," if separator == ";" else ".")


def _numbered(text: str, separator: str) -> Iterator[tuple[int, Sequence[str]]]:
    reader = parsed(text, separator)
    for cells in reader:
        filled = [cell.strip() for cell in cells]
        while filled and not filled[-1]:
            filled.pop()
        yield reader.lines, filled


def _is_header(cells: Sequence[str]) -> bool:
    return (column_named(cells[_WHO]) or "").startswith("owner_")


def _listed(line: int, cells: Sequence[str], program: Program, sign: str) -> Listed:
    who = cells[_WHO]
    if len(cells) > _AMOUNT + 1:
        return Listed(line, who, problem="width")
    if len(cells) <= _AMOUNT or not cells[_AMOUNT]:
        return Listed(line, who)
    try:
        return Listed(line, who, _units(cells[_AMOUNT], program, sign))
    except (ValueError, InvalidAmount):
        return Listed(line, who, problem="amount")


def _units(text: str, program: Program, sign: str) -> int:
    if program.point_units is not None:
        return checked(points_of(text) * program.point_units)
    value = amount_of(text, sign)
    return to_units(value, currency=program.store.currency, exponent=program.exponent)
