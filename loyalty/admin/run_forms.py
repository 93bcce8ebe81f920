"""The forms that a comparison begins with."""

import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty import reconciliation
from loyalty.admin.forms.base import DayField
from loyalty.models import ReconciliationRun, Store
from loyalty.order_sources import SourceError, Window, WindowKind, source_class
from loyalty.reconciliation.files import MAX_BYTES, FileOrders

LONGEST = 366  # days


class RunForm(forms.Form):
    """A store, and the days to compare."""

    store = forms.ModelChoiceField(Store.objects.order_by("name"), label=_("Store"))
    by = forms.ChoiceField(
        label=_("Days in which it was"),
        choices=ReconciliationRun.By.choices,
        help_text=_(
            "Authorized: the purchases of these days. Changed: what was invoiced, settled or given"
            " back in them, however old the purchase is."
        ),
    )
    first = DayField(label=_("First day"), required=False)
    last = DayField(label=_("Last day"), required=False)

    def clean(self) -> dict[str, Any]:
        """Days in their order, no more than a year."""
        found = super().clean() or {}
        first, last = found.get("first"), found.get("last")
        if first and last and last < first:
            self.add_error("last", _("The last day comes before the first one."))
        elif first and last and (last - first).days >= LONGEST:
            self.add_error("last", _("Compare a year at most, in several parts if need be."))
        return found

    def window(self, since: datetime.datetime, until: datetime.datetime) -> Window:
        """The days that were chosen, in the store's zone; instead of an empty one the given end."""
        store: Store = self.cleaned_data["store"]
        first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        day = datetime.timedelta(days=1)
        return Window(
            WindowKind(self.cleaned_data["by"]),
            store.first_instant(first) if first else since,
            store.first_instant(last + day) if last else until,
        )


class StartForm(RunForm):
    """A comparison with the store's own record, over the network."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fields["store"].queryset = source_class().stores().order_by("name")  # type: ignore[attr-defined]
        today = timezone.localdate()
        self.fields["first"].initial = today - datetime.timedelta(days=7)
        self.fields["last"].initial = today
        for name in ("first", "last"):
            self.fields[name].required = True

    def start(self, user: User) -> ReconciliationRun | None:
        """The comparison, on its way; None with an error when there is nothing to compare."""
        now = timezone.now()
        try:
            return reconciliation.start(
                self.cleaned_data["store"], self.window(now, now), requested_by=user
            )
        except SourceError as refusal:
            self.add_error(None, refusal.in_words)
            return None


class UploadForm(RunForm):
    """A comparison with a file of the store's payments."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("Up to 20 MB and 200,000 rows, with a header in the first line."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fields["first"].help_text = _("Empty: as far back as the file goes.")
        self.fields["last"].help_text = _("Empty: up to the file's end.")
        self.order_fields(["store", "file"])

    def clean_file(self) -> UploadedFile:
        """Of a file that is too large only the size came through."""
        file: UploadedFile = self.cleaned_data["file"]
        if file.size is not None and file.size > MAX_BYTES:
            raise ValidationError(
                _("The file is larger than 20 MB. Cut it by date, each part with the header.")
            )
        return file

    def start(self, user: User) -> ReconciliationRun | None:
        """The comparison, on its way; None with an error that names the line."""
        file: UploadedFile = self.cleaned_data["file"]
        store, content = self.cleaned_data["store"], file.read()
        try:
            whole = FileOrders(store, content).span(WindowKind(self.cleaned_data["by"]))
            return reconciliation.start(
                store,
                self.window(whole.since, whole.until),
                requested_by=user,
                content=content,
                file_name=file.name or "",
            )
        except SourceError as refusal:
            self.add_error("file", refusal.in_words)
            return None
