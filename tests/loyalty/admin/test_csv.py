import csv
import datetime
import io
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.functional import lazystr
from django.utils.translation import get_language, gettext_lazy

from loyalty.admin.csv import csv_response, harmless, in_chunks, lines
from loyalty.models import Customer
from tests.builders import make_customer, make_store


def file_of(*rows: list[object], language: str = "en") -> str:
    return b"".join(lines(["a", "b"], rows, language=language)).decode()


def test_each_language_has_its_notation() -> None:
    zone = zoneinfo.ZoneInfo("America/Sao_Paulo")
    instant = datetime.datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=zone)
    row: list[object] = [Decimal("-1234.50"), datetime.date(2026, 3, 1), instant, 7, None]

    assert file_of(row) == ("\ufeffa,b\r\n-1234.50,2026-03-01,2026-03-31 23:59:59,7,\r\n")
    for language in ("pt-br", "es"):
        assert file_of(row, language=language) == (
            "\ufeffa;b\r\n-1234,50;01/03/2026;31/03/2026 23:59:59;7;\r\n"
        )


def test_words_are_in_the_language_of_the_file_and_of_nothing_else() -> None:
    before = get_language()

    text = file_of([gettext_lazy("Monday"), lazystr("x")], language="pt-br")

    assert text.endswith("Segunda-feira;x\r\n")
    assert get_language() == before


def test_numbers_never_become_powers_of_ten() -> None:
    assert file_of([Decimal("1E+3"), Decimal("0E-8")]).endswith("1000,0.00000000\r\n")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "  '=1"),
        ("\ufeff=1", "\ufeff'=1"),
        ("\u00a0=1", "\u00a0'=1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20x", "'\uff20x"),
        ("Ana;=cmd|'x'!A1", "Ana;'=cmd|'x'!A1"),
        ("Ana, =cmd", "Ana, '=cmd"),
        ("Ana\n=cmd", "Ana\n'=cmd"),
        ("Ana = Bia", "Ana = Bia"),
        ("ana-maria@example.com", "ana-maria@example.com"),
        ("", ""),
    ],
)
def test_no_text_is_a_formula(text: str, cell: str) -> None:
    assert harmless(text) == cell
    [_header, row] = csv.reader(io.StringIO(file_of([text])[1:], newline=""))
    assert row == ([cell] if cell else [""])


def test_what_is_inside_a_cell_stays_inside() -> None:
    row: list[object] = ['a "quoted" word', "two\nlines", "a,b;c"]

    for language, separator in (("en", ","), ("es", ";")):
        text = file_of(row, language=language)[1:]
        [_header, read] = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        assert read == row


def test_the_answer_is_a_download_that_nobody_keeps() -> None:
    answer = csv_response("cartões = 1.csv", ["a"], [], language="pt-br")

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"] == (
        "attachment; filename*=utf-8''cart%C3%B5es%20%3D%201.csv"
    )


def test_rows_are_taken_while_the_file_is_being_sent() -> None:
    taken = 0

    def rows() -> Iterator[list[object]]:
        nonlocal taken
        while True:
            taken += 1
            yield [taken]

    endless = lines(["a"], rows(), language="en")
    next(endless)
    first = taken
    next(endless)

    assert (first, taken) == (499, 999)


def test_an_error_midway_breaks_the_file_off() -> None:
    def rows() -> Iterator[list[object]]:
        yield [1]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(lines(["a"], rows(), language="en"))


def test_chunks_are_every_row_once_and_none_that_came_later(db: None) -> None:
    store = make_store()
    known = [make_customer(store).pk for _ in range(7)]
    make_customer()

    with CaptureQueriesContext(connection) as queries:
        chunks = in_chunks(Customer.objects.filter(store=store), size=3)
        read = [next(chunks).pk]
        make_customer(store)
        read += [row.pk for row in chunks]

    assert read == known
    assert len([query for query in queries if query["sql"].startswith("SELECT")]) == 4


def test_chunks_of_an_empty_table_are_none(db: None) -> None:
    assert list(in_chunks(Customer.objects.all())) == []


def test_chunks_that_end_with_a_full_statement_end(db: None) -> None:
    store = make_store()
    known = [make_customer(store).pk for _ in range(4)]

    assert [row.pk for row in in_chunks(Customer.objects.all(), size=2)] == known
