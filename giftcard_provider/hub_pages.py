"""Connecting a store to VTEX in the back office: what register_provider does, done by a worker."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from giftcard_provider import registration
from giftcard_provider.models import HubChange, VtexKeys
from giftcard_provider.registration import Kind, Refused, Status
from giftcard_provider.vtex import hub
from loyalty import audit
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, badge, moment
from loyalty.admin.stores import StoreAdmin, StoreLink
from loyalty.models import AuditAction, Store
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

REFRESH_SECONDS = 3
_BADGES = {
    Status.WAITING: "open",
    Status.SENT: "open",
    Status.DONE: "good",
    Status.FAILED: "bad",
}
_FATES = {
    hub.Fate.ADDED: ("good", _("new")),
    hub.Fate.CHANGED: ("open", _("changed")),
    hub.Fate.GONE: ("bad", _("gone")),
}


class AddressForm(forms.Form):
    """Where VTEX shall call."""

    service_url = forms.CharField(
        label=_("Service URL"),
        max_length=500,
        widget=forms.URLInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=format_lazy(
            _("Your https address with the mount: https://credit.example.com/{mount}"),
            mount=settings.GIFTCARD_PROVIDER_MOUNT,
        ),
    )

    def clean_service_url(self) -> str:
        """One that VTEX can use."""
        given: str = self.cleaned_data["service_url"].strip()
        try:
            registration.check_address(given)
        except Refused as refused:
            raise ValidationError(refused.refusal.label) from None
        return given


@admin.register(HubChange)
class HubChangeAdmin(ReadOnlyAdmin[HubChange]):
    """What was asked of the stores' Hubs, what they had before, and what came of it."""

    change_form_template = "admin/hub/change.html"
    list_display = ("made", "store", "kind", "provider_id", "service_url", "state", "requested_by")
    list_display_links = ("made",)
    list_filter = ("store", "kind", "status")
    list_select_related = ("store", "requested_by")
    fields = (
        *("store", "kind", "provider_id", "service_url", "state", "problem", "credential"),
        *("requested_by", "made", "finished"),
    )
    readonly_fields = fields
    made = moment("created_at", _("asked for at"))
    finished = moment("finished_at", _("finished at"))

    @admin.display(description=_("status"), ordering="status")
    def state(self, change: HubChange) -> SafeString:
        """How far it is."""
        return badge(_BADGES[Status(change.status)], change.get_status_display())

    @admin.display(description=_("problem"))
    def problem(self, change: HubChange) -> str:
        """What went wrong, and what VTEX said."""
        texts = (change.get_refusal_display() if change.refusal else "", change.error)
        return " ".join(text for text in texts if text) or NOTHING

    def get_urls(self) -> list[URLPattern]:
        """The page of a store's Hub."""
        page = self.admin_site.admin_view(self.store_page)
        return [path("store/<int:pk>/", page, name="hub_of_store"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """A change, with what is different and what was before."""
        change: HubChange = context["original"]
        context |= {
            "refresh_seconds": REFRESH_SECONDS if change.is_open else None,
            "rows": _rows(change),
            "providers": change.before,
            "lost": registration.lost(change),
            "superseded": registration.superseded(change) if change.credential_id else (),
            "hub_page": reverse("admin:hub_of_store", args=[change.store_id]),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(password_confirmed)
    def store_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Look, register, leave, put back: each asked of a worker, each kept."""
        if not _may(request):
            raise PermissionDenied
        store = get_object_or_404(Store, pk=pk)
        latest = _latest(store)
        initial = {"service_url": latest.service_url if latest else ""}
        form = AddressForm(initial=initial)
        wanted = request.POST.get("kind")
        if wanted in {Kind.LOOK, Kind.REGISTER}:
            form = AddressForm(request.POST)
            if form.is_valid():
                return self._ask(request, store, Kind(wanted), form.cleaned_data["service_url"])
        elif wanted in {Kind.UNREGISTER, Kind.RESTORE}:
            return self._ask(request, store, Kind(wanted), "")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Connect to VTEX"),
            "store": store,
            "form": form,
            "latest": latest,
            "has_keys": VtexKeys.objects.filter(store=store, is_active=True).exists(),
            "open_purchases": registration.open_purchases(store),
        }
        return render(request, "admin/hub/store.html", context)

    def _ask(
        self, request: HttpRequest, store: Store, kind: HubChange.Kind, service_url: str
    ) -> HttpResponse:
        actor = actor_of(request)
        change = registration.ask(
            store, kind, service_url=service_url, requested_by=actor.user, in_worker=True
        )
        audit.record(
            AuditAction.HUB_CHANGED,
            actor,
            subject=change,
            store=store,
            after={"kind": kind.value, "service_url": service_url},
        )
        page = reverse("admin:giftcard_provider_hubchange_change", args=[change.pk])
        return HttpResponseRedirect(page)


def _may(request: HttpRequest) -> bool:
    return cast("User", request.user).has_perm("giftcard_provider.add_hubchange")


def _latest(store: Store) -> HubChange | None:
    return HubChange.objects.filter(
        store=store, kind__in=[Kind.REGISTER, Kind.UNREGISTER], status=Status.DONE
    ).first()


def _rows(change: HubChange) -> Sequence[dict[str, Any]]:
    """What is different after the change, line by line."""
    if change.before is None or change.after is None:
        return []
    rows = []
    for each in hub.changes(change.before, change.after):
        color, label = _FATES[each.fate]
        rows.append(
            {
                "provider_id": each.provider_id,
                "fate": badge(color, label),
                "before": (each.before or {}).get("serviceUrl", NOTHING),
                "after": (each.after or {}).get("serviceUrl", NOTHING),
            }
        )
    return rows


def _link(request: HttpRequest, store: Store) -> StoreLink | None:
    if not _may(request):
        return None
    return StoreLink(_("Connect to VTEX"), reverse("admin:hub_of_store", args=[store.pk]))


StoreAdmin.links.append(_link)
