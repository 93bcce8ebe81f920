"""From the upload of a file to the job that applies it."""

import hashlib
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.transaction import atomic

from loyalty import batches, codes
from loyalty.exceptions import BatchNotReady
from loyalty.identity import Identity
from loyalty.imports import sheet as sheets
from loyalty.imports.owners import identity_of
from loyalty.imports.sheet import Sheet
from loyalty.models import Batch, ImportFile, Job, JobKind, Program, Reason, Store

State = Batch.Status

wait, back_to_draft = batches.wait, batches.back_to_draft


def upload(
    content: bytes,
    *,
    file_name: str,
    program: Program,
    user: User,
    name: str = "",
    decimal_sign: str = "",
    expected_total: Decimal | None = None,
    note: str = "",
) -> Batch:
    """Keep the file, sealed, as a draft, and have it checked. Raises `Unreadable`.

    With an `expected_total` the dry run compares the sum of the balances with it.
    """
    sheet = sheets.read(content, decimal_sign=decimal_sign)
    with atomic():
        batch = Batch.objects.create(
            program=program,
            name=(name or file_name)[:100],
            source=Batch.Source.IMPORTED,
            count=len(sheet.rows),
            total=0,
            reason=Reason.MIGRATION,
            note=note,
            created_by=user,
        )
        ImportFile.objects.create(
            batch=batch,
            name=file_name[:200],
            digest=digest_of(content),
            content=codes.seal_file(content, name=_seal_name(batch)),
        )
        parameters: dict[str, Any] = {
            "batch": batch.pk,
            "decimal_sign": sheet.decimal_sign,
            "encoding": sheet.encoding,
            "separator": sheet.separator,
            "columns": list(sheet.columns),
            "expected_total": "" if expected_total is None else str(expected_total),
        }
        batch.job = Job.objects.create(
            kind=JobKind.CHECK_IMPORT,
            parameters=parameters,
            total=len(sheet.rows),
            requested_by=user,
        )
        batch.save(update_fields=["job"])
    return batch


def digest_of(content: bytes) -> str:
    """What the same file is known by."""
    return hashlib.sha256(content).hexdigest()


def same_file(content: bytes, store: Store) -> QuerySet[ImportFile]:
    """The imports of exactly this file into this store that were neither discarded nor undone."""
    return (
        ImportFile.objects.filter(digest=digest_of(content), batch__program__store=store)
        .exclude(batch__status__in=[State.DISCARDED, State.UNDONE])
        .order_by("pk")
    )


def sheet_of(batch: Batch) -> Sheet:
    """The file's rows, as they were read when it was uploaded. `LookupError` when it is gone."""
    file = ImportFile.objects.get(pk=batch.pk)
    sealed = bytes(file.content)
    if not sealed or batch.job is None:
        msg = "The file is gone. Upload it again."
        raise LookupError(msg)
    content = codes.unseal_file(sealed, name=_seal_name(batch))
    return sheets.read(content, decimal_sign=batch.job.parameters["decimal_sign"])


def is_ready(batch: Batch) -> bool:
    """Whether the dry run has ended without a problem."""
    job = batch.job
    return bool(
        job
        and job.kind == JobKind.CHECK_IMPORT
        and job.status == Job.Status.DONE
        and job.done == job.total
        and not batch.import_file.problem_count
    )


def favors(batch: Batch, identity: Identity) -> bool:
    """Whether a card of the file is for this person."""
    try:
        sheet = sheet_of(batch)
    except LookupError:
        return False
    return any(identity.matches(identity_of(row)) for row in sheet.rows)


def start(batch: Batch, *, requested_by: User | None) -> Job:
    """Begin to apply a file that was checked; `BatchNotReady` when it was not, or is no draft."""
    with atomic():
        batch = (
            Batch.objects.select_for_update(no_key=True, of=("self",))
            .select_related("job", "import_file")
            .get(pk=batch.pk)
        )
        checked = batch.job
        if batch.status in {State.DRAFT, State.WAITING} and not is_ready(batch):
            raise BatchNotReady
        job = batches.begin(
            batch,
            JobKind.APPLY_IMPORT,
            {State.DRAFT, State.WAITING},
            State.ISSUING,
            total=batch.count,
            requested_by=requested_by,
        )
        if checked and job.pk != checked.pk:
            # What was found out about the file goes on with it.
            job.parameters = checked.parameters | job.parameters
            job.save(update_fields=["parameters"])
    return job


def discard(batch: Batch) -> bool:
    """Give up a draft and empty its file; False when it is no draft any more."""
    with atomic():
        if not batches.discard(batch):
            return False
        ImportFile.objects.filter(pk=batch.pk).update(content=b"")
    return True


def _seal_name(batch: Batch) -> str:
    return f"import:{batch.pk}"
