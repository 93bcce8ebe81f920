import datetime
import json
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from loyalty import imports
from loyalty.imports import work as work_module
from loyalty.imports.problems import WORDS, Problem
from loyalty.models import Batch, Customer, GiftCard, ImportFile, Job, Program
from tests.builders import make_card, make_closed_card, make_customer, make_program, make_store
from tests.loyalty.imports.conftest import (
    job_of,
    make_import,
    problems,
    problems_of,
    upload,
    work,
)

HEADER = "code;balance;currency;owner_email;owner_document;owner_profile_id;owner_name;valid_from;expires_at\n"  # noqa: E501


def row(**cells: str) -> str:
    names = HEADER.strip().split(";")
    return ";".join({"balance": "10,00", **cells}.get(name, "") for name in names) + "\n"


def day(days: int) -> str:
    return (timezone.now() + datetime.timedelta(days=days)).date().isoformat()


def test_a_good_file_has_no_problem_and_says_what_it_would_do(program: Program) -> None:
    make_customer(program.store, email="bia@example.com")
    text = HEADER
    text += row(code="VALE-0001", balance="1.234,50", owner_email="ana@example.com")
    text += row(code="vale-0001", balance="0,01", currency="brl", owner_email="Ana@example.com")
    text += row(balance="5", owner_email="bia@example.com", valid_from=day(-9), expires_at=day(9))
    text += row(code="VALE-0004", balance="5,00")

    batch = make_import(text, program)

    job = job_of(batch)
    assert problems(batch) == []
    assert (batch.status, batch.count, batch.total) == ("draft", 4, 124_451)
    assert (job.status, job.done, job.total, job.failed) == ("done", 4, 4, 0)
    assert job.parameters["sums"] == {"BRL": "1244.51"}
    assert job.parameters["codes"] == 3
    assert (job.parameters["owners"], job.parameters["new_owners"]) == (2, 1)
    assert (job.parameters["encoding"], job.parameters["separator"]) == ("UTF-8", ";")


def test_a_dry_run_changes_nothing(program: Program) -> None:
    text = HEADER + row(code="VALE-0001", owner_email="ana@example.com")

    make_import(text, program)

    assert not GiftCard.objects.exists()
    assert not Customer.objects.exists()


def test_amounts(program: Program) -> None:
    amounts = ["", "ten", "0", "-5,00", "10,005", "1" + "0" * 30, "10.00", "92233720368547758,08"]
    text = HEADER + "".join(row(code=f"C-{n:03}", balance=each) for n, each in enumerate(amounts))
    text += row(balance="10,50")

    assert problems_of(text, program) == [
        (2, "balance", "amount_missing"),
        (3, "balance", "amount_malformed"),
        (4, "balance", "amount_not_positive"),
        (5, "balance", "amount_not_positive"),
        (6, "balance", "amount_too_fine"),
        (7, "balance", "amount_too_large"),
        (8, "balance", "amount_malformed"),
        (9, "balance", "amount_too_large"),
    ]


def test_more_than_can_be_counted_is_a_problem(program: Program) -> None:
    text = HEADER + row(balance="92233720368547758,07") + row(balance="0,01")

    batch = make_import(text, program)

    assert problems(batch) == [(3, "balance", "total_too_large")]


def test_a_currency_without_cents(db: None) -> None:
    program = make_program(make_store(currency="CLP"))

    assert problems_of("balance;currency\n1000;CLP\n10,5;CLP\n10;BRL\n", program) == [
        (3, "balance", "amount_too_fine"),
        (4, "currency", "currency_wrong"),
    ]


def test_the_sums_are_those_of_the_file_by_currency(program: Program) -> None:
    batch = make_import("balance;currency\n10,5;BRL\n7;USD\n-1;BRL\n3;usd\n", program)

    assert job_of(batch).parameters["sums"] == {"BRL": "9.5", "USD": "10"}
    assert batch.total == 1050


def test_the_sum_is_compared_with_the_one_expected(program: Program) -> None:
    text = "balance\n10,50\n10,50\n"

    right = make_import(text, program, expected_total=Decimal(21))
    wrong = make_import(text, program, expected_total=Decimal("31.5"))

    assert problems(right) == []
    assert problems(wrong) == [(0, "balance", "control_total")]
    assert not imports.is_ready(wrong)


def test_dates(program: Program) -> None:
    text = HEADER
    text += row(expires_at="31/02/2030")
    text += row(valid_from="soon")
    text += row(expires_at=day(-2))
    text += row(valid_from=day(20), expires_at=day(10))
    text += row(valid_from="01/01/2025", expires_at="31/12/2099")

    assert problems_of(text, program) == [
        (2, "expires_at", "date_malformed"),
        (3, "valid_from", "date_malformed"),
        (4, "expires_at", "already_expired"),
        (5, "expires_at", "date_order"),
    ]


def test_a_program_whose_validity_has_run_out_since_the_first_day(db: None) -> None:
    program = make_program(validity_days=30)
    text = HEADER + row(valid_from=day(-60)) + row(valid_from=day(-60), expires_at=day(5))

    assert problems_of(text, program) == [(2, "expires_at", "program_expired")]


def test_codes(program: Program) -> None:
    make_card(program, imported_code="OLD-CODE")
    ours = make_card(program).code
    typed = f"{ours[:4]}-{ours[4:]}".lower()
    make_card(imported_code="ANOTHER-STORE")
    codes = ["ABC", "A" * 256, "1,23457E+15", "TWICE-1", "OLD-CODE", typed, "twice-1", "TWICE-1"]
    text = HEADER + "".join(row(code=code) for code in codes)
    text += row(code="old-code") + row(code="ANOTHER-STORE") + row(code="Ünï cöde")

    assert problems_of(text, program) == [
        (2, "code", "code_invalid"),
        (3, "code", "code_invalid"),
        (4, "code", "code_rounded"),
        (6, "code", "code_known"),
        (7, "code", "code_known"),
        (9, "code", "code_repeated"),
    ]


def test_a_repeated_code_names_the_other_line(program: Program) -> None:
    batch = make_import("code;balance\nTWICE-1;1\nTWICE-1;2\n", program)

    [kept] = ImportFile.objects.get(pk=batch.pk).problems
    assert kept == {
        "line": 3,
        "column": "code",
        "code": "code_repeated",
        "value": "************E-1",
        "other": 2,
    }
    assert Problem.of(kept).what == "The same code is in line 2."


def test_rows_with_other_cells_than_the_header(program: Program) -> None:
    assert problems_of("code;balance\nA-001;10;00\nA-002\nA-003;10\n", program) == [
        (2, "", "row_width"),
        (3, "", "row_width"),
    ]


def test_owners_that_name_nobody(program: Program) -> None:
    text = HEADER
    text += row(owner_email="ana")
    text += row(owner_document="***.456.789-**")
    text += row(owner_profile_id="x" * 300)
    text += row(owner_name="Ana")
    text += row(owner_email="ana@example.com", owner_name="Ana")

    assert problems_of(text, program) == [
        (2, "owner_email", "owner_email_malformed"),
        (3, "owner_document", "owner_document_malformed"),
        (4, "owner_profile_id", "owner_profile_malformed"),
        (5, "owner_name", "owner_name_alone"),
    ]


def test_a_card_only_for_its_owner_needs_one(db: None) -> None:
    program = make_program(is_restricted=True)
    text = HEADER + row() + row(owner_document="123.456.789-09")

    assert problems_of(text, program) == [(2, "owner_email", "owner_missing")]


def test_rows_that_contradict_each_other_about_an_owner(program: Program) -> None:
    text = HEADER
    text += row(owner_email="ana@example.com", owner_document="11111111111")
    text += row(owner_email="ana@example.com", owner_document="22222222222")
    text += row(owner_email="ana@example.com")
    text += row(owner_email="ana@work.example", owner_document="11111111111")

    assert problems_of(text, program) == [(3, "owner_email", "owner_contradicts")]


def test_owners_that_the_store_knows_otherwise(program: Program) -> None:
    store = program.store
    make_customer(store, email="ana@example.com", document="11111111111", profile_id="p-ana")
    make_customer(store, email="bia@example.com", document="22222222222", profile_id="p-bia")
    for _ in range(2):
        make_customer(store, email="two@example.com", document="", profile_id="")

    def said_of(**cells: str) -> list[str]:
        return [code for _line, _column, code in problems_of(HEADER + row(**cells), program)]

    assert said_of(owner_profile_id="p-ana", owner_document="33333333333") == ["owner_contradicts"]
    assert said_of(owner_profile_id="p-ana", owner_document="22222222222") == ["owner_is_two"]
    assert said_of(owner_email="bia@example.com", owner_document="4444") == ["owner_email_taken"]
    assert said_of(owner_email="two@example.com") == ["owner_email_shared"]
    assert said_of(owner_email="bia@example.com", owner_document="222.222.222-22") == []


def test_one_wallet_for_each_owner(db: None) -> None:
    program = make_program(relation_name="loyalty-program", is_reloadable=True)
    ana, bia = make_customer(program.store), make_customer(program.store)
    make_card(program, owner=ana)
    make_closed_card(program, owner=bia, balance=1)
    text = HEADER
    text += row(owner_email=ana.email)
    text += row(owner_email=bia.email)
    text += row(owner_document=bia.document, owner_email=bia.email)
    text += row() + row()

    assert problems_of(text, program) == [
        (2, "owner_email", "wallet_known"),
        (4, "owner_email", "wallet_repeated"),
    ]


def test_nothing_that_is_kept_holds_a_person_or_a_code(program: Program) -> None:
    make_card(program, imported_code="SECRET-CODE-1")
    text = HEADER
    text += row(code="SECRET-CODE-1", owner_email="ana-at-example", owner_name="Ana Souza")
    # Columns shifted by one: a person where a balance should be.
    text += row(code="SECRET-CODE-2", balance="123.456.789-09", expires_at="ana@example.com")
    text += row(code="SECRET-CODE-3", balance="SECRET-CODE-3", currency="Ana Souza")

    batch = make_import(text, program)

    kept = json.dumps([ImportFile.objects.get(pk=batch.pk).problems, job_of(batch).parameters])
    assert ImportFile.objects.get(pk=batch.pk).problem_count > 5
    for secret in ("SECRET", "Ana", "ana", "123.456"):
        assert secret not in kept
    assert b"SECRET" not in bytes(ImportFile.objects.get(pk=batch.pk).content)


def test_every_problem_says_what_is_wrong_and_what_to_do() -> None:
    for code in WORDS:
        problem = Problem(7, "balance", code, other=3)
        assert problem.what.endswith(".")
        assert str(problem.advice).endswith(".")
        assert Problem.of(problem.kept()) == problem
    with translation.override("pt-br"):
        assert Problem(7, "", "code_repeated", other=3).what


def test_all_problems_are_counted_and_the_first_are_kept(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.imports.work.MAX_KEPT", 3)

    batch = make_import("balance\n" + "0\n" * 5, program)

    file = ImportFile.objects.get(pk=batch.pk)
    assert (file.problem_count, len(file.problems)) == (5, 3)
    assert job_of(batch).failed == 5


def test_chunks_come_to_the_same_as_one(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_module, "CHECK_CHUNK", 2)
    text = "code;balance\nA-001;1\nA-002;2\nA-001;4\nA-004;8\nA-005;16\n"

    batch = make_import(text, program)

    assert problems(batch) == [(4, "code", "code_repeated")]
    assert batch.total == 2700
    assert job_of(batch).parameters["sums"] == {"BRL": "31"}


def test_a_chunk_done_twice_is_counted_once(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "CHECK_CHUNK", 2)
    batch = upload("balance\n1\n0\n4\n", program)
    pk = job_of(batch).pk
    assert imports.check_chunk(Job.objects.get(pk=pk))
    lost = Job.objects.get(pk=pk)
    Job.objects.filter(pk=pk).update(lease="another")

    assert not imports.check_chunk(lost)  # somebody else has it
    Job.objects.filter(pk=pk).update(lease="")
    work()

    batch = Batch.objects.get(pk=batch.pk)
    assert (batch.total, ImportFile.objects.get(pk=batch.pk).problem_count) == (500, 1)


def test_a_chunk_takes_a_few_statements(program: Program) -> None:
    lines = [row(code=f"C-{n:04}", owner_email=f"a{n}@example.com") for n in range(50)]
    upload(HEADER + "".join(lines), program)

    with CaptureQueriesContext(connection) as queries:
        work()

    assert len(queries) < 25


def test_a_discarded_import_is_not_checked(program: Program) -> None:
    batch = upload("balance\n0\n", program)

    assert imports.discard(batch)
    work()

    assert problems(batch) == []
    assert bytes(ImportFile.objects.get(pk=batch.pk).content) == b""
    assert Batch.objects.get(pk=batch.pk).status == "discarded"
    assert not imports.discard(batch)
