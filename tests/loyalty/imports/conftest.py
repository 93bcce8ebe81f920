"""Imports from a few lines of text, and the worker that does their jobs."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from loyalty import imports, jobs
from loyalty.models import Batch, GiftCard, ImportFile, Job, JobKind, Program
from tests.builders import make_program

HANDLERS = {
    JobKind.CHECK_IMPORT: imports.check_chunk,
    JobKind.APPLY_IMPORT: imports.apply_chunk,
}


def work() -> None:
    """What the worker does until no job is left."""
    while jobs.run_next(HANDLERS):  # type: ignore[arg-type]
        pass


def make_import(text: str, program: Program | None = None, **options: Any) -> Batch:
    """An uploaded file whose dry run has ended."""
    batch = upload(text, program, **options)
    work()
    return Batch.objects.get(pk=batch.pk)


def upload(text: str, program: Program | None = None, **options: Any) -> Batch:
    user, _ = User.objects.get_or_create(username="importer")
    options = {"file_name": "cards.csv", "user": user} | options
    return imports.upload(text.encode(), program=program or make_program(), **options)  # type: ignore[arg-type]


def applied(batch: Batch) -> Batch:
    """The import after it was applied."""
    imports.start(batch, requested_by=batch.created_by)
    work()
    return Batch.objects.get(pk=batch.pk)


def problems(batch: Batch) -> list[tuple[int, str, str]]:
    """What is wrong: line, column, problem."""
    kept = ImportFile.objects.get(pk=batch.pk).problems
    return [(each["line"], each.get("column", ""), each["code"]) for each in kept]


def problems_of(text: str, program: Program | None = None) -> list[tuple[int, str, str]]:
    return problems(make_import(text, program))


def job_of(batch: Batch) -> Job:
    job = Batch.objects.select_related("job").get(pk=batch.pk).job
    assert job
    return job


def cards_of(batch: Batch) -> Sequence[GiftCard]:
    return list(batch.cards.order_by("batch_number"))


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def program(db: None) -> Program:
    return make_program()
