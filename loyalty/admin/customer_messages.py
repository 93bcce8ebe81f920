"""A customer's messages: the language, reminders or none, and a statement on request."""

import secrets
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from loyalty import audit, notifications
from loyalty.admin.columns import address, page_of
from loyalty.admin.notifications import REFUSALS, SEND
from loyalty.models import AuditAction, Customer, Language, Notification
from loyalty.notifications.mailer import can_send
from loyalty.sign_in.address import actor_of

CHANGE = "loyalty.change_customer"


class WishesForm(forms.Form):
    """How the person wants to be written to."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    reminders = forms.BooleanField(
        label=_("Reminders before credit expires, and news of loyalty programs"),
        required=False,
        help_text=_("The person stops them with the link in each of them, or asks you to."),
    )

    def __init__(self, customer: Customer, data: Any = None) -> None:
        usual = Language(customer.store.language).label
        super().__init__(
            data,
            initial={
                "language": customer.language,
                "reminders": customer.reminders_stopped_at is None,
            },
        )
        cast("forms.ChoiceField", self.fields["language"]).choices = [
            ("", _("As the store: %(language)s") % {"language": usual}),
            *Language.choices,
        ]


class CustomerMessageURLs(admin.ModelAdmin[Any]):
    """A mixin for the customer's page: `<key>/messages/`."""

    def get_urls(self) -> list[URLPattern]:
        """The page here, before those of the customer."""
        page = self.admin_site.admin_view(self.message_page)
        return [
            path("<int:pk>/messages/", page, name="loyalty_customer_messages"),
            *super().get_urls(),
        ]

    def message_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Wishes and statement; each button does one thing."""
        if not _may(request):
            raise PermissionDenied
        customer = Customer.objects.select_related("store").filter(pk=pk).first()
        if customer is None:
            raise Http404
        if "statement" in request.POST:
            return _send_statement(request, customer)
        form = WishesForm(customer, request.POST or None)
        if request.method == "POST" and form.is_valid():
            return _keep_wishes(request, customer, form)
        log = address(Notification, "changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Messages"),
            "opts": self.opts,
            "customer": customer,
            "row": customer,
            "row_url": page_of(customer),
            "list_url": address(Customer, "changelist"),
            "form": form,
            "may_change": _user(request).has_perm(CHANGE),
            "may_send": _user(request).has_perm(SEND),
            "can_send": can_send(),
            "refusal": REFUSALS["erased"]
            if customer.erased_at
            else ""
            if customer.email
            else REFUSALS["no_address"],
            "log_url": f"{log}?customer__id__exact={customer.pk}",
            "token": secrets.token_hex(16),
        }
        return TemplateResponse(request, "admin/messages/customer.html", context)


def message_buttons(request: HttpRequest, customer: Customer) -> list[dict[str, object]]:
    """The way there from the customer's page, for whoever may go it."""
    if customer.erased_at or not _may(request):
        return []
    url = reverse("admin:loyalty_customer_messages", args=[customer.pk])
    return [{"label": _("Messages"), "url": url}]


def _send_statement(request: HttpRequest, customer: Customer) -> HttpResponse:
    if not _user(request).has_perm(SEND):
        raise PermissionDenied
    token = request.POST.get("token", "")[:32]
    try:
        made = notifications.request_statement(customer, token=token, actor=actor_of(request))
    except notifications.CannotSend as refusal:
        messages.error(request, REFUSALS[refusal.reason])
        return HttpResponseRedirect(request.path)
    messages.success(request, _("The statement is sent within a minute."))
    return HttpResponseRedirect(page_of(made))


def _keep_wishes(request: HttpRequest, customer: Customer, form: WishesForm) -> HttpResponse:
    if not _user(request).has_perm(CHANGE):
        raise PermissionDenied
    if customer.erased_at:
        messages.error(request, REFUSALS["erased"])
        return HttpResponseRedirect(request.path)
    actor, language = actor_of(request), form.cleaned_data["language"]
    if language != customer.language:
        Customer.objects.filter(pk=customer.pk, erased_at=None).update(language=language)
        audit.record(
            AuditAction.CHANGED,
            actor,
            customer=customer,
            subject=customer,
            after={"fields": ["language"]},
        )
    if form.cleaned_data["reminders"]:
        notifications.resume_reminders(customer, actor=actor)
    else:
        notifications.stop_reminders(customer, actor=actor)
    messages.success(request, _("Kept."))
    return HttpResponseRedirect(request.path)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _may(request: HttpRequest) -> bool:
    return _user(request).has_perm(CHANGE) or _user(request).has_perm(SEND)
