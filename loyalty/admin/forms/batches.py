"""The forms of what staff do to a batch or an import."""

import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty.actions import Action, ApplyImport, CreditBatch, ExtendBatch, IssueBatch, UndoBatch
from loyalty.admin.forms.base import ActionForm, DayField
from loyalty.models import Batch

DRAFT, ISSUED = Batch.Status.DRAFT, Batch.Status.ISSUED


class BatchForm(ActionForm):
    """An action on a batch, whose reason and note were typed when it was made."""

    row: Batch
    done = _("It has begun. This page shows how far it is.")

    def __init__(self, row: Batch, **options: Any) -> None:
        super().__init__(row, **options)
        if row.status == DRAFT:
            del self.fields["reason"], self.fields["note"]

    @property
    def words(self) -> dict[str, str]:
        """The batch's own, or what was typed now."""
        if "reason" in self.fields:
            return super().words
        return {"reason": self.row.reason, "note": self.row.note}


class IssueBatchForm(BatchForm):
    """Issue every card."""

    name = "issue_batch"
    permission = IssueBatch.permission
    title = _("Issue the cards")
    explanation = _("A worker issues the cards in the background; this page shows how far it is.")
    source: ClassVar[Batch.Source] = Batch.Source.GENERATED
    begins: ClassVar[type[IssueBatch]] = IssueBatch

    @classmethod
    def applies_to(cls, row: Batch) -> bool:
        """A draft of ours."""
        return row.status == DRAFT and row.source == cls.source

    def action(self) -> Action:
        """The start of the work."""
        return self.begins(batch_id=self.row.pk, **self.words)


class CreditBatchForm(IssueBatchForm):
    """Give every credit."""

    name = "credit_batch"
    permission = CreditBatch.permission
    title = _("Give the credit")
    explanation = _("A worker gives it in the background; this page shows how far it is.")
    source = Batch.Source.CREDIT
    begins = CreditBatch


class ApplyImportForm(BatchForm):
    """Apply a file that was checked."""

    name = "apply_import"
    permission = ApplyImport.permission
    title = _("Apply the import")
    explanation = _("Every row of the file becomes a card. Until one is used, all can be undone.")

    @classmethod
    def applies_to(cls, row: Batch) -> bool:
        """A file whose dry run has ended without a problem."""
        return (
            row.status == DRAFT
            and row.source == Batch.Source.IMPORTED
            and row.job is not None
            and row.job.status == row.job.Status.DONE
            and not row.import_file.problem_count
        )

    def action(self) -> Action:
        """The start of the work."""
        return ApplyImport(batch_id=self.row.pk, **self.words)


class UndoBatchForm(BatchForm):
    """Close every card, or take every credit back, while nothing was used."""

    name = "undo_batch"
    permission = UndoBatch.permission
    title = _("Undo as a whole")
    explanation = _(
        "Every card is closed and what is on it taken off, or every credit taken back, while"
        " nothing of it was used."
    )
    is_danger = True
    needs_note = True

    @classmethod
    def applies_to(cls, row: Batch) -> bool:
        """A batch that was issued."""
        return row.status == ISSUED

    def action(self) -> Action:
        """The start of the work."""
        return UndoBatch(batch_id=self.row.pk, **self.words)


class ExtendBatchForm(BatchForm):
    """A later last day for all of its cards."""

    name = "extend_batch"
    permission = ExtendBatch.permission
    title = _("Extend the validity")
    explanation = _("Whatever is left on the cards gets a later last day.")
    needs_note = True

    last_day = DayField(label=_("New last day"))

    def __init__(self, row: Batch, **options: Any) -> None:
        super().__init__(row, **options)
        self.order_fields(["last_day"])

    @classmethod
    def applies_to(cls, row: Batch) -> bool:
        """Cards that were issued."""
        return row.status == ISSUED and row.source != Batch.Source.CREDIT

    def clean_last_day(self) -> datetime.date:
        """A day that is not over in the store."""
        day: datetime.date = self.cleaned_data["last_day"]
        if day < timezone.localdate(timezone=self.row.program.store.zone):
            raise ValidationError(_("Choose today or a later day."), code="past")
        return day

    def action(self) -> Action:
        """The start of the work."""
        return ExtendBatch(
            batch_id=self.row.pk,
            last_day=DayField.text(self.cleaned_data["last_day"]),
            **self.words,
        )
