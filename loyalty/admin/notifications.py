"""The delivery log: every message, what became of it and what it says; and sending one again."""

import secrets
from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import notifications
from loyalty.admin.base import ReadOnlyAdmin, badge, link, moment
from loyalty.admin.columns import address
from loyalty.admin.filters import ChoicesFilter, DayFilter, PartOfFilter, RelationFilter
from loyalty.admin.lists import LargeList
from loyalty.admin.previews import preview_response, with_frame
from loyalty.models import Notification, NotificationStatus
from loyalty.notifications.contents import SAMPLE_CODE, content_of
from loyalty.notifications.delivery import loaded
from loyalty.notifications.letters import NotToBeSent, previewed
from loyalty.notifications.mailer import can_send
from loyalty.notifications.texts import words_of
from loyalty.sign_in.address import actor_of

SEND = "loyalty.send_message"
REFUSALS: Mapping[str, StrOrPromise] = {
    "erased": _("This person was erased: nothing is sent to them any more."),
    "no_address": _("No e-mail of this person is known. Add it to the customer first."),
    "own_address": _("Your account has no e-mail address. Ask an administrator to add one."),
    "not_over": _("This message still waits, or is being sent just now. Look again in a while."),
    "test": _("This was a test. Send another one from the page of the program's messages."),
}
_KINDS = {
    NotificationStatus.WAITING: "neutral",
    NotificationStatus.SENDING: "open",
    NotificationStatus.SENT: "good",
    NotificationStatus.FAILED: "bad",
    NotificationStatus.SKIPPED: "neutral",
    NotificationStatus.UNKNOWN: "open",
}


@admin.register(Notification)
class NotificationAdmin(LargeList[Notification], ReadOnlyAdmin[Notification]):
    """Every message to a customer."""

    change_form_template = "admin/messages/message.html"
    list_display = (
        "number",
        "kind",
        "state",
        "customer_link",
        "card_link",
        "program",
        "store",
        "created",
        "sent",
        "attempts",
    )
    list_filter = (
        ("status", ChoicesFilter),
        ("kind", ChoicesFilter),
        ("skipped", ChoicesFilter),
        ("store", RelationFilter),
        ("program", RelationFilter),
        DayFilter,
        ("customer", PartOfFilter),
        ("card", PartOfFilter),
    )
    list_select_related = ("customer", "card", "program", "store")
    customer_link = link("customer", _("customer"))
    card_link = link("card", _("gift card"))
    program_link = link("program", _("program"))
    order_link = link("order", _("order"))
    resent = link("resend_of", _("sent again from"))
    created = moment("created_at", _("created at"))
    following = moment("next_attempt_at", _("next attempt"))
    last = moment("claimed_at", _("last attempt"))
    sent = moment("sent_at", _("sent at"))
    fields = (
        "kind",
        "state",
        "skipped",
        "error",
        "customer_link",
        "card_link",
        "program_link",
        "order_link",
        "store",
        "language",
        "created",
        "attempts",
        "last",
        "following",
        "sent",
        "resent",
        "requested_by",
    )
    readonly_fields = fields

    @admin.display(description=_("number"), ordering="pk")
    def number(self, row: Notification) -> str:
        """Its number."""
        return str(row.pk)

    @admin.display(description=_("number"))
    def number_link(self, row: Notification) -> str:
        """Its number, leading to it from another row's page."""
        return format_html('<a href="{}">{}</a>', address(Notification, "change", row.pk), row.pk)

    @admin.display(description=_("state"), ordering="status")
    def state(self, row: Notification) -> SafeString:
        """Where it is."""
        return badge(_KINDS[NotificationStatus(row.status)], row.get_status_display())

    def get_fields(self, request: HttpRequest, obj: Notification | None = None) -> tuple[str, ...]:
        """Without what has nothing to say about this one."""
        if obj is None:
            return self.fields
        empty = {
            "skipped": not obj.skipped,
            "error": not obj.error,
            "following": obj.status != NotificationStatus.WAITING,
            "last": obj.claimed_at is None,
            "sent": obj.sent_at is None,
            "resent": obj.resend_of_id is None,
            "requested_by": obj.requested_by_id is None,
            "order_link": obj.order_id is None,
            "card_link": obj.card_id is None,
            "language": not obj.language,
        }
        return tuple(name for name in self.fields if not empty.get(name))

    def get_urls(self) -> list[URLPattern]:
        """What it says and sending it again, before the addresses of the pages."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/preview/", wrap(self.preview), name="loyalty_notification_preview"),
            path("<int:pk>/again/", wrap(self.again), name="loyalty_notification_again"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; it says when there is no mail server."""
        if not can_send():
            messages.warning(
                request, _("There is no mail server yet (EMAIL_URL): every message waits.")
            )
        return super().changelist_view(request, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The message, what it says now, and the button for sending it again."""
        row: Notification = context["original"]
        context |= {
            "may_resend": request.user.has_perm(SEND)
            and row.status in notifications.RESENDABLE
            and row.customer is not None,
            "is_unknown": row.status == NotificationStatus.UNKNOWN,
            "token": secrets.token_hex(16),
        }
        return with_frame(super().render_change_form(request, context, *args, **kwargs))

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What it would say now, without the code and without links that work."""
        row = self._row(request, pk)
        try:
            content = content_of(row)
        except NotToBeSent as refusal:
            problems = {"problems": [refusal.reason.label]}
            return preview_response(render_to_string("emails/preview.html", problems))
        words = words_of(row.program, row.kind, content.language)
        return preview_response(previewed(content.for_staff(SAMPLE_CODE), words))

    @method_decorator(require_POST)
    def again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send it once more, as a message of its own."""
        row = self._row(request, pk)
        if not cast("User", request.user).has_perm(SEND):
            raise PermissionDenied
        token = request.POST.get("token", "")[:32]
        try:
            row = notifications.resend(row, token=token, actor=actor_of(request))
        except notifications.CannotSend as refusal:
            messages.error(request, REFUSALS[refusal.reason])
        else:
            messages.success(request, _("This is the new message; it is sent within a minute."))
        return HttpResponseRedirect(address(Notification, "change", row.pk))

    def _row(self, request: HttpRequest, pk: int) -> Notification:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return loaded(pk)
        except Notification.DoesNotExist:
            raise Http404 from None
