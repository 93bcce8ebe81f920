"""An import file as text: its encoding, separator, decimal sign and columns are found out here."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty.imports.columns import Row, column_named

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 100_000
SEPARATORS = ";,\t|"

_ENCODINGS = (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252"), ("latin-1", "Latin-1"))
_SEPARATOR_LINE = re.compile(r"sep=.\r?\n", re.IGNORECASE)
_THREE_DIGITS = 3  # between two signs that group thousands
_TAIL = re.compile(r"([.,])(\d+)\s*$")


class Unreadable(Exception):
    """Why a file cannot even be checked, in words for whoever chose it; `field` of the form."""

    def __init__(self, message: StrOrPromise, *, field: str = "file") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was found out, and the rows."""

    encoding: str
    separator: str
    decimal_sign: str
    columns: Sequence[str]
    rows: Sequence[Row]


def read(content: bytes, *, decimal_sign: str = "") -> Sheet:
    """The file's rows; a decimal sign that is not given is found out. Raises `Unreadable`."""
    encoding, text = decoded(content)
    if skipped := _SEPARATOR_LINE.match(text):
        text = text[skipped.end() :]
    separator, columns = _header(text)
    rows = list(_rows(text, separator, columns))
    if not rows:
        raise Unreadable(_("The file has a header and no rows. Export it again, with the cards."))
    if len(rows) > MAX_ROWS:
        raise Unreadable(
            _("The file has more than %(limit)s rows. Cut it in parts, each with the header.")
            % {"limit": MAX_ROWS}
        )
    sign = decimal_sign or decimal_sign_of(row.balance for row in rows)
    if sign is None:
        raise Unreadable(
            _(
                "The balances can be read in two ways, such as 1.234. Choose the decimal sign"
                " that the file uses."
            ),
            field="decimal_sign",
        )
    return Sheet(encoding, separator, sign or _usual_sign(separator), columns, rows)


def decimal_sign_of(balances: Iterable[str]) -> str | None:
    """The sign that most balances show; "" when all are whole, None when it cannot be told.

    A sign before exactly three digits may group thousands: 1.234 proves nothing, 1.234,5 and 1.23
    do, and in 1.234.567 the point groups.
    """
    proofs = {",": 0, ".": 0}
    doubtful = False
    for balance in balances:
        tail = _TAIL.search(balance)
        if not tail:
            continue
        sign, digits = tail.groups()
        other = "," if sign == "." else "."
        before = balance[: tail.start()]
        if other in before or len(digits) != _THREE_DIGITS:
            proofs[sign] += 1
        elif sign in before:
            proofs[other] += 1
        else:
            doubtful = True
    if proofs[","] == proofs["."]:
        return None if doubtful or proofs[","] else ""
    return max(proofs, key=lambda sign: proofs[sign])


def _usual_sign(separator: str) -> str:
    return "," if separator == ";" else "."


def decoded(content: bytes) -> tuple[str, str]:
    """The name of the encoding, and the text. Raises `Unreadable`."""
    if not content.strip():
        raise Unreadable(_("The file is empty. Export it again, with a header and the cards."))
    if len(content) > MAX_BYTES:
        raise Unreadable(_("The file is larger than 20 MB. Cut it in parts, each with the header."))
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        try:
            return "UTF-16", content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise Unreadable(_NOT_CSV) from error
    if b"\x00" in content or content[:4] == b"PK\x03\x04":
        raise Unreadable(_NOT_CSV)
    for codec, name in _ENCODINGS:
        try:
            return name, content.decode(codec)
        except UnicodeDecodeError:
            continue
    raise Unreadable(_NOT_CSV)  # pragma: no cover - Latin-1 reads anything


_NOT_CSV = _("This is no CSV file. In the spreadsheet, choose Save as and CSV UTF-8.")


def _header(text: str) -> tuple[str, Sequence[str]]:
    """The separator that makes most columns known, and the columns in the file's order."""

    def known(separator: str) -> int:
        return sum(bool(column_named(name)) for name in _first_row(text, separator))

    separator = max(SEPARATORS, key=known)
    names = _first_row(text, separator)
    columns = [column_named(name) for name in names]
    if not any(columns):
        raise Unreadable(
            _(
                "The first line names no known column. Begin the file with a header, such as"
                " “code;balance;expires_at”."
            )
        )
    if unknown := [name for name, column in zip(names, columns, strict=True) if not column]:
        raise Unreadable(
            ngettext_lazy(
                "This column is not known: %(names)s. Rename it or delete it.",
                "These columns are not known: %(names)s. Rename or delete them.",
                len(unknown),
            )
            % {"names": ", ".join(f"“{name[:40]}”" for name in unknown[:20])}
        )
    found = [column for column in columns if column]
    if twice := sorted({column for column in found if found.count(column) > 1}):
        raise Unreadable(
            _("More than one column is %(names)s. Keep one of each.") % {"names": ", ".join(twice)}
        )
    if not {"balance", "points"} & set(found):
        raise Unreadable(
            _("There is no column with the balance. Add one, named “balance”, or “points”.")
        )
    return separator, found


def _first_row(text: str, separator: str) -> Sequence[str]:
    for cells in parsed(text, separator):
        filled = [position for position, cell in enumerate(cells, start=1) if cell.strip()]
        if filled:
            # Without what comes after the last name: some programs end each line with a comma.
            return cells[: filled[-1]]
    return []


def _rows(text: str, separator: str, columns: Sequence[str]) -> Iterator[Row]:
    reader = parsed(text, separator)
    lines = reader.lines
    is_header, number, width = True, 0, len(columns)
    for cells in reader:
        line, lines = lines + 1, reader.lines
        if not any(cell and not cell.isspace() for cell in cells):
            continue
        if is_header:
            is_header = False
            continue
        number += 1
        is_ragged = len(cells) < width or any(cell.strip() for cell in cells[width:])
        named: dict[str, Any] = dict(zip(columns, map(str.strip, cells), strict=False))
        yield Row(number, line, is_ragged, **named)


class parsed(Iterator[Sequence[str]]):  # noqa: N801  used as a function
    """The cells of each line of a text; `lines` is how many lines were read."""

    def __init__(self, text: str, separator: str) -> None:
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)

    @property
    def lines(self) -> int:
        return self._reader.line_num

    def __next__(self) -> Sequence[str]:
        try:
            return next(self._reader)
        except csv.Error as error:
            raise Unreadable(
                _("Line %(line)s cannot be read as CSV. Look for a quotation mark left open.")
                % {"line": self.lines}
            ) from error


__all__ = [
    "MAX_BYTES",
    "MAX_ROWS",
    "Sheet",
    "Unreadable",
    "decimal_sign_of",
    "decoded",
    "parsed",
    "read",
]
