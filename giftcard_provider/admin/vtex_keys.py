"""The keys with which a store's VTEX account is read: typed here or by a command, never shown."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from giftcard_provider.models import VtexKeys, is_safe_address
from loyalty import audit
from loyalty.admin.base import ReadOnlyAdmin, moment
from loyalty.models import AuditAction, Store
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

CHANGE = "giftcard_provider.change_vtexkeys"
MOST_DIGITS = 4


class KeysForm(forms.ModelForm):  # type: ignore[type-arg]
    """A store's keys. The token is never shown again; left empty, the one that is there stays."""

    store = forms.ModelChoiceField(Store.objects.order_by("name"), label=_("Store"))
    app_token = forms.CharField(
        label=_("AppToken"),
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Sealed and never shown. Empty: the one that is kept stays."),
    )

    class Meta:
        model = VtexKeys
        fields = (
            *("store", "app_key", "app_token", "payment_name", "amount_digits"),
            *("orders_url", "payments_url"),
        )

    def clean_amount_digits(self) -> int | None:
        """No currency has more."""
        digits: int | None = self.cleaned_data["amount_digits"]
        if digits is not None and digits > MOST_DIGITS:
            raise ValidationError(_("No currency has more than 4 digits."), code="digits")
        return digits

    def clean_orders_url(self) -> str:
        """Keys go nowhere in clear."""
        return _address(self.cleaned_data["orders_url"])

    def clean_payments_url(self) -> str:
        """Keys go nowhere in clear."""
        return _address(self.cleaned_data["payments_url"])

    def clean(self) -> dict[str, Any]:
        """A token for what has none; a new one for another key or address."""
        found = super().clean() or {}
        moved = {"app_key", "orders_url", "payments_url"} & set(self.changed_data)
        if not found.get("app_token") and (self.instance.pk is None or moved):
            self.add_error("app_token", _("Type the AppToken that belongs to this key."))
        return found


def _address(url: str) -> str:
    if url and not is_safe_address(url):
        raise ValidationError(_("Only an https address: the keys go there."), code="address")
    return url.rstrip("/")


@admin.register(VtexKeys)
class VtexKeysAdmin(ReadOnlyAdmin[VtexKeys]):
    """Which stores are read with which AppKey; `set_vtex_keys` does the same."""

    change_form_template = "admin/credentials/keys.html"
    change_list_template = "admin/credentials/keys_list.html"
    list_display = ("app_key", "store", "is_active", "payment_name", "changed")
    list_filter = ("is_active", "store")
    list_select_related = ("store",)
    search_fields = ("app_key", "store__account")
    search_help_text = _("AppKey or VTEX account.")
    changed = moment("changed_at", _("changed at"))
    fields = (
        *("store", "app_key", "is_active", "payment_name", "amount_digits"),
        *("orders_url", "payments_url", "changed"),
    )
    readonly_fields = ("changed",)

    def get_urls(self) -> list[URLPattern]:
        """Setting keys, and ending their use."""
        wrap = self.admin_site.admin_view
        return [
            path("set/", wrap(self.set), name="set_vtex_keys"),
            path("<int:pk>/set/", wrap(self.set), name="change_vtex_keys"),
            path("<int:pk>/end/", wrap(self.end), name="end_vtex_keys"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with what this person can do to the keys."""
        context["may_change"] = _may(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(password_confirmed)
    def set(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Take keys into use; of keys that are there, the token stays unless one is typed."""
        if not _may(request):
            raise PermissionDenied
        known = self._keys(pk) if pk is not None else None
        form = KeysForm(request.POST or None, instance=known)
        if known:
            form.fields["store"].disabled = True
        if form.is_valid():
            keys: VtexKeys = form.save(commit=False)
            if token := form.cleaned_data["app_token"].strip():
                keys.seal(token)
            keys.is_active = True
            keys.save()
            _record(request, AuditAction.VTEX_KEYS_SET, keys)
            messages.success(request, _("The keys are kept. The next comparison reads with them."))
            return HttpResponseRedirect(_page(keys))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Keys for VTEX"),
            "form": form,
            "list_url": reverse("admin:giftcard_provider_vtexkeys_changelist"),
        }
        return render(request, "admin/credentials/set_keys.html", context)

    @method_decorator(password_confirmed)
    @method_decorator(require_POST)
    def end(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read nothing with them any more; they stay sealed until others take their place."""
        if not _may(request):
            raise PermissionDenied
        keys = self._keys(pk)
        if VtexKeys.objects.filter(pk=keys.pk, is_active=True).update(is_active=False):
            _record(request, AuditAction.VTEX_KEYS_ENDED, keys)
            messages.success(request, _("Nothing is read with these keys any more."))
        return HttpResponseRedirect(_page(keys))

    def _keys(self, pk: int) -> VtexKeys:
        keys = VtexKeys.objects.select_related("store").filter(pk=pk).first()
        if keys is None:
            raise Http404
        return keys


def _may(request: HttpRequest) -> bool:
    return actor_of(request).user.has_perm(CHANGE)


def _record(request: HttpRequest, action: AuditAction, keys: VtexKeys) -> None:
    audit.record(
        action,
        actor_of(request),
        subject=keys,
        store=keys.store,
        after={"app_key": keys.app_key},
    )


def _page(keys: VtexKeys) -> str:
    return reverse("admin:giftcard_provider_vtexkeys_change", args=[keys.pk])
