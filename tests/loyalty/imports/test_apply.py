import datetime

import pytest
from django.contrib.auth.models import User

from loyalty import batches, imports, jobs
from loyalty.exceptions import BatchNotReady, BatchUsed
from loyalty.identity import Identity
from loyalty.imports import work as work_module
from loyalty.models import (
    Batch,
    Customer,
    GiftCard,
    ImportFile,
    Job,
    JobKind,
    Operation,
    Program,
)
from tests.builders import buckets, make_card, make_customer, make_hold, make_program
from tests.loyalty.imports.conftest import (
    HANDLERS,
    applied,
    cards_of,
    job_of,
    make_import,
    problems,
    upload,
    work,
)


def test_every_row_becomes_its_card(db: None) -> None:
    program = make_program(funding="promotional", validity_days=365)
    store = program.store
    known = make_customer(store, email="bia@example.com", document="", profile_id="")
    text = (
        "code;balance;e-mail;cpf;nome;valido_desde;validade\n"
        "Vale-aBc1;1.234,50;ana@example.com;123.456.789-09;Ana Souza;01/02/2026;31/12/2099\n"
        "VALE-ABC1;0,01;bia@example.com;111.111.111-11;Beatriz;;\n"
        ";5,00;;12345678909;;;\n"
    )

    batch = applied(make_import(text, program))

    first, second, third = cards_of(batch)
    assert (batch.status, batch.count, batch.total) == ("issued", 3, 123_951)
    assert [buckets(card)["available"] for card in (first, second, third)] == [123_450, 1, 500]
    assert [card.is_imported for card in (first, second, third)] == [True, True, False]
    assert (first.code, second.code) == ("Vale-aBc1", "VALE-ABC1")
    assert first.valid_from == store.first_instant(datetime.date(2026, 2, 1))
    assert first.expires_at == store.last_instant(datetime.date(2099, 12, 31))
    assert second.expires_at == program.expiry_after(second.created_at)
    assert [grant.funding for grant in first.grants.all()] == ["promotional"]
    # Both rows name Ana, by different things; Bia was known, and nothing was added to her.
    ana = Customer.objects.get(email="ana@example.com")
    assert (first.owner, second.owner, third.owner) == (ana, known, ana)
    assert (ana.document, ana.name) == ("12345678909", "Ana Souza")
    known.refresh_from_db()
    assert (known.document, known.name) == ("", "Ana Souza")


def test_the_ledger_knows_who_and_why(program: Program) -> None:
    batch = applied(make_import("balance\n10\n", program, note="From the old provider"))

    operation = Operation.objects.get()
    assert operation.actor == f"staff:{batch.created_by_id}"
    assert (operation.reason, operation.note) == ("migration", "From the old provider")


def test_the_file_is_emptied_and_the_job_proves_the_sums(program: Program) -> None:
    batch = applied(make_import("balance\n10,50\n0,01\n", program))

    job = job_of(batch)
    assert bytes(ImportFile.objects.get(pk=batch.pk).content) == b""
    assert (job.kind, job.status, job.done, job.failed) == ("apply_import", "done", 2, 0)
    assert job.parameters["sums"] == {"BRL": "10.51"}
    assert (job.parameters["issued"], job.parameters["issued_total"]) == (2, 1051)


def test_nothing_starts_before_the_dry_run_has_ended(program: Program) -> None:
    batch = upload("balance\n10\n", program)

    with pytest.raises(BatchNotReady):
        imports.start(batch, requested_by=None)

    assert Job.objects.count() == 1
    assert Batch.objects.get().status == "draft"


def test_nothing_starts_with_a_problem(program: Program) -> None:
    batch = make_import("balance\n10\n0\n", program)

    with pytest.raises(BatchNotReady):
        imports.start(batch, requested_by=None)

    work()
    assert not GiftCard.objects.exists()


def test_nothing_starts_that_was_discarded(program: Program) -> None:
    batch = make_import("balance\n10\n", program)
    imports.discard(batch)

    with pytest.raises(BatchNotReady):
        imports.start(batch, requested_by=None)


def test_started_twice_it_is_one_job_and_one_set_of_cards(program: Program) -> None:
    batch = make_import("code;balance\nA-001;10\n", program)

    first = imports.start(batch, requested_by=None)
    second = imports.start(batch, requested_by=None)
    work()

    assert first == second
    assert GiftCard.objects.count() == 1


def test_what_waits_can_be_started_or_go_back(program: Program) -> None:
    batch = make_import("balance\n10\n", program)

    imports.wait(batch)
    assert Batch.objects.get().status == "waiting"
    assert not imports.discard(batch)
    imports.back_to_draft(batch)
    assert Batch.objects.get().status == "draft"
    imports.wait(batch)

    assert applied(batch).status == "issued"


def test_a_worker_that_dies_leaves_nothing_double(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "APPLY_CHUNK", 2)
    batch = make_import("code;balance\n" + "".join(f"A-{n:03};{n}\n" for n in range(1, 6)), program)
    job = imports.start(batch, requested_by=batch.created_by)
    assert imports.apply_chunk(Job.objects.get(pk=job.pk))
    # The cards of the second chunk are issued, and the worker dies before it says so.
    dying = Job.objects.get(pk=job.pk)
    monkeypatch.setattr(work_module, "_keep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        imports.apply_chunk(dying)
    monkeypatch.undo()
    assert GiftCard.objects.count() == 4

    work()

    cards = cards_of(Batch.objects.get(pk=batch.pk))
    assert [card.code for card in cards] == [f"A-{n:03}" for n in range(1, 6)]
    assert job_of(batch).status == "done"
    assert Batch.objects.get().total == 1500


def test_a_code_that_appeared_meanwhile_is_reported(program: Program) -> None:
    batch = make_import("code;balance\nA-001;1\nA-002;2\nA-003;4\n", program)
    make_card(program, imported_code="A-002", balance=9)

    batch = applied(batch)

    job = job_of(batch)
    assert (job.status, job.done, job.failed) == ("failed", 3, 1)
    assert problems(batch) == [(3, "code", "code_known")]
    assert [card.code for card in cards_of(batch)] == ["A-001", "A-003"]
    assert (batch.status, batch.count, batch.total) == ("issued", 2, 500)


def test_a_code_that_appears_in_the_last_moment_is_reported(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_import("code;balance\nA-001;1\nA-002;2\nA-003;4\n", program)
    make_card(program, imported_code="A-002", balance=9)
    monkeypatch.setattr("loyalty.imports.rows._Store.has_code", lambda *_: False)

    batch = applied(batch)

    assert problems(batch) == [(3, "", "code_known")]
    assert [card.code for card in cards_of(batch)] == ["A-001", "A-003"]
    assert job_of(batch).failed == 1


def test_tried_again_what_is_left_out_stays_out(program: Program) -> None:
    batch = make_import("code;balance\nA-001;1\nA-002;2\n", program)
    make_card(program, imported_code="A-002")
    batch = applied(batch)

    assert jobs.retry(job_of(batch))
    work()

    assert job_of(batch).status == "failed"
    assert batch.cards.count() == 1


def test_an_import_of_which_nothing_could_be_issued_is_none(program: Program) -> None:
    batch = make_import("code;balance\nA-001;1\n", program)
    make_card(program, imported_code="A-001")

    batch = applied(batch)

    assert batch.status == "discarded"
    assert batch.cards.count() == 0


def test_an_import_can_be_undone_as_a_whole(program: Program) -> None:
    batch = applied(make_import("code;balance\nA-001;1\nA-002;2\n", program))

    batches.start_undo(batch, requested_by=None)
    while jobs.run_next({JobKind.UNDO_BATCH: batches.undo_chunk}):
        pass

    batch.refresh_from_db()
    assert batch.status == "undone"
    assert [buckets(card) for card in cards_of(batch)] == [
        {"credited": 100, "removed": 100},
        {"credited": 200, "removed": 200},
    ]


def test_an_import_of_which_a_card_was_used_is_not_undone(program: Program) -> None:
    batch = applied(make_import("code;balance\nA-001;1\nA-002;2\n", program))
    make_hold(cards_of(batch)[0], 50)

    with pytest.raises(BatchUsed):
        batches.start_undo(batch, requested_by=None)

    assert [buckets(card)["credited"] for card in cards_of(batch)] == [100, 200]


def test_the_same_file_is_known_until_it_is_given_up(program: Program) -> None:
    text = "code;balance\nA-001;1\n"
    batch = make_import(text, program)

    assert [file.pk for file in imports.same_file(text.encode(), program.store)] == [batch.pk]
    assert not imports.same_file(text.encode(), make_program().store)
    assert not imports.same_file(b"balance\n1\n", program.store)
    imports.discard(batch)
    assert not imports.same_file(text.encode(), program.store)


def test_the_same_file_again_is_refused_code_by_code(program: Program) -> None:
    text = "code;balance\nA-001;1\n"
    applied(make_import(text, program))

    again = make_import(text, program)

    assert problems(again) == [(2, "code", "code_known")]


def test_knows_whom_a_file_favors(program: Program) -> None:
    batch = make_import("balance;cpf;email\n10;123.456.789-09;ana@example.com\n", program)

    assert imports.favors(batch, Identity.of(document="12345678909"))
    assert imports.favors(batch, Identity.of(email="ANA@example.com"))
    assert not imports.favors(batch, Identity.of(email="bia@example.com"))
    assert not imports.favors(applied(batch), Identity.of(document="12345678909"))


def test_handlers_of_both_jobs(db: None) -> None:
    assert set(HANDLERS) == {"check_import", "apply_import"}
    assert not User.objects.exists()
