"""CSV for spreadsheet programs: streamed, of any length, in the notation of the reader's language.

A file is as good as its reader: UTF-8 with a byte order mark, the separator and the decimal sign
that spreadsheets of that language expect, and no text that one of them would run as a formula.
"""

import csv
import datetime
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.utils.encoding import force_str
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import override

Row = TypeVar("Row", bound=Model)

BOM = "\ufeff"
_ROWS_A_PIECE = 500
_ROWS_A_STATEMENT = 2000

# What spreadsheets take for a formula at the beginning of a cell, full-width forms included. The
# beginning may also follow a separator: of a file that is opened with another one than its own.
_FORMULA = re.compile(
    r"(^[\s\ufeff]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])"
    r"|[;,\t\r\n]\s*(?=[=+\-@\uff1d\uff0b\uff0d\uff20]))"
)


@dataclass(frozen=True, slots=True)
class Notation:
    """How a language writes a table."""

    separator: str
    decimal_sign: str
    day: str
    instant: str


_COMMA = Notation(";", ",", "%d/%m/%Y", "%d/%m/%Y %H:%M:%S")
_POINT = Notation(",", ".", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S")


def notation_of(language: str) -> Notation:
    """Portuguese and Spanish write 1234,56 between semicolons; English 1234.56 between commas."""
    return _COMMA if language.partition("-")[0] in {"pt", "es"} else _POINT


def csv_response(
    filename: str, header: Sequence[object], rows: Iterable[Sequence[object]], *, language: str
) -> StreamingHttpResponse:
    """A download of `rows`, which are taken one by one while it is being sent.

    `Decimal` and `int` become numbers (also negative ones), dates and instants stay dates: an
    instant by the clock of its own time zone, so give it in the store's. Everything else is text,
    translated into `language`. An error midway breaks the connection off: no file looks complete
    that is not.
    """
    response = StreamingHttpResponse(
        lines(header, rows, language=language), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = content_disposition_header(  # type: ignore[assignment]
        as_attachment=True, filename=filename
    )
    response["Cache-Control"] = "no-store"
    return response


def lines(
    header: Sequence[object], rows: Iterable[Sequence[object]], *, language: str
) -> Iterator[bytes]:
    """The same file, in pieces of some hundred rows."""
    notation = notation_of(language)
    remaining = chain([header], rows)
    mark = BOM
    while True:
        # Within the piece only: between two pieces the thread may serve somebody else.
        with override(language):
            piece = _piece(remaining, notation)
        if not piece:
            return
        yield (mark + piece).encode("utf-8", "replace")
        mark = ""


def _piece(rows: Iterator[Sequence[object]], notation: Notation) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=notation.separator, lineterminator="\r\n")
    writer.writerows(
        [_cell(value, notation) for value in row] for row in islice(rows, _ROWS_A_PIECE)
    )
    return text.getvalue()


def _cell(value: object, notation: Notation) -> str:  # noqa: PLR0911  one line a type
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", notation.decimal_sign)
    if isinstance(value, datetime.datetime):
        return value.strftime(notation.instant)
    if isinstance(value, datetime.date):
        return value.strftime(notation.day)
    return harmless(force_str(value))


def harmless(text: str) -> str:
    """The same text, with an apostrophe before whatever a spreadsheet would run."""
    return _FORMULA.sub(r"\1'", text)


def in_chunks(rows: QuerySet[Row], *, size: int = _ROWS_A_STATEMENT) -> Iterator[Row]:
    """The rows by ascending primary key, a statement for each `size` of them, in constant memory.

    Each row is as it is when it is read; rows added after the first statement are left out, so that
    nothing is read twice and the end is in sight. For tables whose rows are never deleted and never
    change their key.
    """
    table: QuerySet[Any] = rows.model._default_manager.order_by("-pk")
    last = table.values_list("pk", flat=True).first()
    if last is None:
        return
    bounded = rows.order_by("pk").filter(pk__lte=last)
    found = list(bounded[:size])
    while found:
        yield from found
        if len(found) < size:
            return
        found = list(bounded.filter(pk__gt=found[-1].pk)[:size])


__all__ = ["Notation", "csv_response", "harmless", "in_chunks", "lines", "notation_of"]
