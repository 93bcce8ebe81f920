"""What went wrong behind the scenes: each incident once, when it began and when it was over."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty import alerts
from loyalty.admin.base import ReadOnlyAdmin, badge
from loyalty.admin.book_pages import query
from loyalty.models import Alert

Kind = Alert.Kind


def place_of(alert: Alert) -> str:
    """The page that knows more of it."""
    if alert.kind in {Kind.JOB_FAILED, Kind.JOB_WAITS}:
        return reverse("admin:loyalty_job_change", args=[alert.about["number"]])
    if alert.kind == Kind.HOLDS_OLD:
        return reverse("admin:books_holds") + query(store=alert.about["pk"])
    if alert.kind == Kind.BOOKS_WRONG:
        return reverse("admin:loyalty_proofdifference_changelist") + query(gone_at__isempty=1)
    if alert.kind == Kind.ORDERS_UNHEARD:
        return reverse("admin:loyalty_store_change", args=[alert.about["pk"]])
    return reverse("admin:periodic_work")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Alert]):
    """Every incident, the latest first; what is still wrong is on the overview too."""

    list_display = ("what", "state", "raised_at", "ended_at", "mailed_at")
    list_filter = ("kind", ("ended_at", admin.EmptyFieldListFilter))
    fields = ("kind", "state", "what", "place", "raised_at", "ended_at", "mailed_at")
    readonly_fields = fields

    @admin.display(description=_("state"), ordering="ended_at")
    def state(self, alert: Alert) -> SafeString:
        """Whether it is still so."""
        return badge("neutral", _("over")) if alert.ended_at else badge("bad", _("open"))

    @admin.display(description=_("what is wrong"))
    def what(self, alert: Alert) -> str:
        """In words, with its figures, and what to do."""
        return alerts.words(alert)

    @admin.display(description=_("more about it"))
    def place(self, alert: Alert) -> SafeString:
        """Leads to the page that knows more."""
        return format_html('<a href="{}">{}</a>', place_of(alert), _("Go there"))
