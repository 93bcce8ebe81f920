from collections.abc import Sequence

import pytest

from loyalty.imports.columns import NAMES, column_named
from loyalty.imports.sheet import MAX_BYTES, MAX_ROWS, Sheet, Unreadable, decimal_sign_of, read


def sheet(text: str, encoding: str = "utf-8") -> Sheet:
    return read(text.encode(encoding))


def refusal(content: bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        read(content)
    return str(refused.value.message)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("cp1252", "Windows-1252"),
        ("utf-16", "UTF-16"),
    ],
)
def test_finds_the_encoding_out(codec: str, name: str) -> None:
    read = sheet("código;saldo;nome\nA-1;10,00;João “Zé”\n", codec)

    assert read.encoding == name
    assert read.columns == ["code", "balance", "owner_name"]
    assert read.rows[0].owner_name == "João “Zé”"


def test_reads_latin_1_where_windows_has_a_hole() -> None:
    assert read(b"code;balance\nA\x811;1\n").encoding == "Latin-1"


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_finds_the_separator_out(separator: str) -> None:
    text = separator.join(["code", "balance", "owner_name"]) + "\n"
    text += separator.join(["A-1", "10", '"Ana; Bia, Eva | x"']) + "\n"

    found = sheet(text)

    assert found.separator == separator
    assert found.rows[0].owner_name == "Ana; Bia, Eva | x"


def test_a_line_for_spreadsheets_is_passed_over() -> None:
    assert sheet("sep=;\r\ncode;balance\r\nA-1;1\r\n").rows[0].code == "A-1"


def test_knows_every_name_once_in_three_languages() -> None:
    names = [name for names in NAMES.values() for name in names.split()]

    assert len(names) == len(set(names))
    assert [column_named(name) for name in ("Código", "SALDO ", "E-mail do dono", "CPF/CNPJ")] == [
        "code",
        "balance",
        "owner_email",
        "owner_document",
    ]
    assert column_named("redemptionCode") == "code"
    assert column_named("Correo electrónico") == "owner_email"
    assert column_named("shoe size") is None


def test_rows_know_their_line_and_number() -> None:
    text = '\ncode;balance;owner_name\n\nA-1;1;"two\nlines"\n;;\nA-2;2;x\n'

    rows = sheet(text).rows

    assert [(row.number, row.line, row.code) for row in rows] == [(1, 4, "A-1"), (2, 7, "A-2")]


def test_a_row_of_another_width_is_ragged() -> None:
    rows = sheet("code;balance\nA-1\nA-2;1;x\nA-3;1;\nA-4;1\n").rows

    assert [row.is_ragged for row in rows] == [True, True, False, False]


@pytest.mark.parametrize(
    ("balances", "sign"),
    [
        (["10,50"], ","),
        (["10.50"], "."),
        (["1.234,50"], ","),
        (["1,234.50"], "."),
        (["1.234.567"], ","),
        (["1,234,567"], "."),
        (["1.234", "10,5"], ","),
        (["1.234", "10.5"], "."),
        (["10,50", "10,60", "1.5"], ","),
        (["10", "20"], ""),
        ([], ""),
        (["1.234"], None),
        (["1,234"], None),
        (["10,50", "10.50"], None),
    ],
)
def test_finds_the_decimal_sign_out(balances: Sequence[str], sign: str | None) -> None:
    assert decimal_sign_of(balances) == sign


def test_whole_amounts_take_the_sign_that_goes_with_the_separator() -> None:
    assert sheet("code;balance\nA-1;10\n").decimal_sign == ","
    assert sheet("code,balance\nA-1,10\n").decimal_sign == "."


def test_a_decimal_sign_that_cannot_be_told_is_asked_for() -> None:
    with pytest.raises(Unreadable) as refused:
        read(b"code;balance\nA-1;1.234\n")

    assert refused.value.field == "decimal_sign"
    assert read(b"code;balance\nA-1;1.234\n", decimal_sign=",").decimal_sign == ","


def test_files_that_cannot_be_checked_are_refused_with_what_to_do() -> None:
    assert "is empty" in refusal(b" \r\n ")
    assert "no rows" in refusal(b"code;balance\n")
    assert "no CSV" in refusal(b"PK\x03\x04 a spreadsheet")
    assert "no CSV" in refusal(b"code;balance\n\x00")
    assert "no CSV" in refusal(b"\xff\xfe\x00")
    assert "20 MB" in refusal(b"x" * (MAX_BYTES + 1))
    assert "no known column" in refusal(b"A-1;10\nA-2;20\n")
    assert "not known: “shoe size”." in refusal(b"code;balance;shoe size\nA-1;10;42\n")
    assert "“”" in refusal(b"code;;balance\nA-1;10;42\n")
    assert "More than one column is code" in refusal(b"code;c\xc3\xb3digo;balance\na;b;1\n")
    assert "no column with the balance" in refusal(b"code;email\nA-1;x\n")
    assert "Line 2 cannot be read" in refusal(b'code;balance\n"' + b"x" * 200_000)


def test_a_file_has_an_end() -> None:
    line = b"10\n"

    assert len(read(b"balance\n" + line * MAX_ROWS).rows) == MAX_ROWS
    assert f"{MAX_ROWS} rows" in refusal(b"balance\n" + line * (MAX_ROWS + 1))
