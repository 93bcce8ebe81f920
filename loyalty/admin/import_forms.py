"""The form that an import begins with."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from loyalty import imports
from loyalty.imports import MAX_BYTES, Unreadable
from loyalty.models import Batch, Program


class _Programs(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.store} · {obj} ({obj.store.currency})"


class UploadForm(forms.Form):
    """A file, and the program whose cards its rows become."""

    program = _Programs(
        Program.objects.select_related("store").order_by("store__name", "name"),
        label=_("Program"),
        help_text=_(
            "The cards get its funding and rules, and its validity where a row has no last day."
        ),
    )
    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("Up to 20 MB and 100,000 rows, with a header in the first line."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
    )
    decimal_sign = forms.ChoiceField(
        label=_("Decimal sign of the balances"),
        choices=[
            ("", _("Found out from the file")),
            (",", _("Comma: 1.234,50")),
            (".", _("Point: 1,234.50")),
        ],
        required=False,
    )
    expected_total = forms.DecimalField(
        label=_("Total that you expect"),
        required=False,
        localize=True,
        min_value=Decimal("0.0001"),
        max_digits=24,
        help_text=_(
            "From the report of the other system, in points if the file has points. The dry run"
            " compares the sum with it."
        ),
    )
    name = forms.CharField(
        label=_("Name"), max_length=100, required=False, help_text=_("Empty: the file's name.")
    )
    note = forms.CharField(
        label=_("Note"),
        max_length=500,
        required=False,
        help_text=_("Kept with every card. No personal data of customers."),
    )

    def clean_file(self) -> UploadedFile:
        """Of a file that is too large only the size came through."""
        file: UploadedFile = self.cleaned_data["file"]
        if file.size is not None and file.size > MAX_BYTES:
            raise forms.ValidationError(
                _("The file is larger than 20 MB. Cut it in parts, each with the header.")
            )
        return file

    def upload(self, user: User) -> Batch | None:
        """The draft, on its way to be checked; None with an error beside the field."""
        file: UploadedFile = self.cleaned_data["file"]
        options = ("program", "name", "decimal_sign", "expected_total", "note")
        try:
            return imports.upload(
                file.read(),
                file_name=file.name or "",
                user=user,
                **{option: self.cleaned_data[option] for option in options},
            )
        except Unreadable as refusal:
            self.add_error(refusal.field, str(refusal.message))
            return None
