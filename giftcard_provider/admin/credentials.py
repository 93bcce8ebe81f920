"""Who may call, in the back office. A token is on one page, once: in the answer that made it."""

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from giftcard_provider import call_pages, hub_pages, self_test_pages
from giftcard_provider.models import Credential
from loyalty import audit
from loyalty.admin.base import ReadOnlyAdmin, moment
from loyalty.models import AuditAction, Store
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

__all__ = ["CredentialAdmin", "call_pages", "hub_pages", "self_test_pages"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something done to a credential: its words, and whether a new token comes of it."""

    title: StrOrPromise
    warning: StrOrPromise
    audited: AuditAction
    done: StrOrPromise = ""
    is_danger: bool = False


ROTATE = Step(
    title=_("New token"),
    warning=_(
        "A new token is made and shown once. The one that VTEX uses now stays valid until you end"
        " it: register the new one in the Hub first."
    ),
    audited=AuditAction.CREDENTIAL_ROTATED,
)
REPLACE = Step(
    title=_("New token in the place of the newest"),
    warning=_(
        "Two tokens are valid now. The newest one ends at once, for when it was lost before VTEX"
        " had it; a new one is made and shown once. The previous one stays valid."
    ),
    audited=AuditAction.CREDENTIAL_ROTATED,
)
RETIRE = Step(
    title=_("End the previous token"),
    warning=_("From now on only the newest token is accepted. Does VTEX use that one already?"),
    audited=AuditAction.CREDENTIAL_RETIRED,
    done=_("Only the newest token of %(app_key)s is accepted now."),
    is_danger=True,
)
REVOKE = Step(
    title=_("Revoke"),
    warning=_(
        "Every call with this credential is refused at once and for ever: the store's checkout"
        " takes no card until VTEX has another credential."
    ),
    audited=AuditAction.CREDENTIAL_REVOKED,
    done=_("%(app_key)s is revoked."),
    is_danger=True,
)
STEPS = {"rotate": ROTATE, "replace": REPLACE, "retire": RETIRE, "revoke": REVOKE}


def steps_of(credential: Credential) -> list[str]:
    """What can be done to it now."""
    if not credential.is_active:
        return []
    if credential.previous_token_hash:
        return ["retire", "replace", "revoke"]
    return ["rotate", "revoke"]


class NewCredentialForm(forms.Form):
    """Whose credential it will be."""

    store = forms.ModelChoiceField(Store.objects.order_by("name"), label=_("store"))


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin[Credential]):
    """The AppKeys of each store; made, renewed and ended here or by `create_credential`."""

    change_form_template = "admin/credentials/credential.html"
    change_list_template = "admin/credentials/credentials.html"
    list_display = ("app_key", "store", "is_active", "is_rotating", "last_used_on", "created")
    list_filter = ("is_active", "store")
    list_select_related = ("store",)
    search_fields = ("app_key", "store__account")
    search_help_text = _("AppKey or VTEX account.")
    created = moment("created_at", _("created at"))
    fields = ("store", "app_key", "is_active", "is_rotating", "last_used_on", "created")
    readonly_fields = ("is_rotating", "created")

    @admin.display(description=_("previous token still valid"), boolean=True)
    def is_rotating(self, credential: Credential) -> bool:
        """Whether the AppToken before the current one is still accepted."""
        return bool(credential.previous_token_hash)

    def get_urls(self) -> list[URLPattern]:
        """A new credential, and each step of one."""
        wrap = self.admin_site.admin_view
        return [
            path("issue/", wrap(self.issue), name="issue_credential"),
            path("<int:pk>/token/<slug:name>/", wrap(self.step), name="credential_step"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with what this person can do to the credential."""
        credential = context["original"]
        may_change = _may(request, "change")
        context["steps"] = [
            (name, STEPS[name]) for name in (steps_of(credential) if may_change else ())
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(password_confirmed)
    def issue(self, request: HttpRequest) -> HttpResponse:
        """A new credential of a store; the answer shows its token."""
        if not _may(request, "add"):
            raise PermissionDenied
        form = NewCredentialForm(request.POST or None)
        if form.is_valid():
            credential, token = Credential.objects.issue(form.cleaned_data["store"])
            _record(request, AuditAction.CREDENTIAL_CREATED, credential)
            return self._token_page(request, credential, token)
        context = self._context(request, title=_("New credential"), form=form)
        return render(request, "admin/credentials/issue.html", context)

    @method_decorator(password_confirmed)
    def step(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """What a step does, and then doing it."""
        if name not in STEPS:
            raise Http404
        if not _may(request, "change"):
            raise PermissionDenied
        step = STEPS[name]
        if request.method == "POST":
            return self._take(request, pk, name)
        credential = Credential.objects.select_related("store").filter(pk=pk).first()
        if credential is None:
            raise Http404
        if name not in steps_of(credential):
            return self._too_late(request, credential)
        context = self._context(
            request, title=step.title, step=step, credential=credential, back=_page(credential)
        )
        return render(request, "admin/credentials/step.html", context)

    def _take(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        with atomic():
            # Two clicks, one after the other: the second sees what the first did.
            rows = Credential.objects.select_for_update(of=("self",)).select_related("store")
            credential = rows.filter(pk=pk).first()
            if credential is None:
                raise Http404
            if name not in steps_of(credential):
                return self._too_late(request, credential)
            acts = {
                "rotate": credential.rotate,
                "replace": credential.replace_token,
                "retire": credential.retire_previous,
                "revoke": credential.revoke,
            }
            token = acts[name]()
            _record(request, STEPS[name].audited, credential)
        if token:
            return self._token_page(request, credential, token)
        messages.success(request, STEPS[name].done % {"app_key": credential.app_key})
        return HttpResponseRedirect(_page(credential))

    def _too_late(self, request: HttpRequest, credential: Credential) -> HttpResponse:
        messages.warning(request, _("That is not possible any more. This is how it is now."))
        return HttpResponseRedirect(_page(credential))

    def _token_page(self, request: HttpRequest, credential: Credential, token: str) -> HttpResponse:
        """Rendered into this one answer: neither the session nor a message ever holds a token."""
        context = self._context(
            request,
            title=_("The token, this once"),
            credential=credential,
            token=token,
            back=_page(credential),
        )
        # `admin_view` lets nobody store a page.
        return render(request, "admin/credentials/token.html", context)

    def _context(self, request: HttpRequest, **context: Any) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, **context}


def _may(request: HttpRequest, verb: str) -> bool:
    return cast("User", request.user).has_perm(f"giftcard_provider.{verb}_credential")


def _record(request: HttpRequest, action: AuditAction, credential: Credential) -> None:
    audit.record(
        action,
        actor_of(request),
        subject=credential,
        store=credential.store,
        after={"app_key": credential.app_key},
    )


def _page(credential: Credential) -> str:
    return reverse("admin:giftcard_provider_credential_change", args=[credential.pk])
