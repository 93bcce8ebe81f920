"""Doing something: a form, what it would change, and one confirmation. The same for every action.

The form carries a random token from the moment it was opened, so that a double click, the back
button or a second tab do the same thing once (`loyalty.approvals.request_id_of`). What the person
saw before is compared with what there is when they confirm.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from loyalty import approvals
from loyalty.actions import Action, Preview
from loyalty.admin.figures import Scale, changes, money_of
from loyalty.admin.forms import FIELD_OF, FORMS, ActionForm
from loyalty.approvals import ActionRefused, Outcome
from loyalty.exceptions import LedgerBusy, LedgerError
from loyalty.models import Approval, AuditEvent, Discrepancy, Operation, Transaction
from loyalty.sign_in.address import actor_of

# Whoever acts on one of these goes on from there, not from what came of it.
_STAY = (Discrepancy, Operation, Transaction)


@dataclass(frozen=True, slots=True)
class Button:
    """A link to an action that the person may take."""

    label: StrOrPromise
    url: str
    is_danger: bool


def buttons(request: HttpRequest, row: Model) -> list[Button]:
    """The actions on a row that make sense now and that the person has the permission for."""
    return [
        Button(form.title, _url(row, "action", row.pk, form.name), form.is_danger)
        for form in FORMS.get(type(row), ())
        if request.user.has_perm(form.permission) and form.applies_to(row)
    ]


def _url(row: Model, page: str, *arguments: object) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=arguments)


class ActionURLs(admin.ModelAdmin[Any]):
    """A mixin for the pages of a model: `<key>/do/<action>/` leads to its actions."""

    def get_urls(self) -> list[URLPattern]:
        """The actions' address, before those of the pages."""
        meta = self.model._meta
        address = path(
            "<int:pk>/do/<slug:name>/",
            self.admin_site.admin_view(self.do_action),
            name=f"{meta.app_label}_{meta.model_name}_action",
        )
        return [address, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with what the person may do from it."""
        row = context.get("original")
        context.setdefault("buttons", buttons(request, row) if row else [])
        return super().render_change_form(request, context, *args, **kwargs)

    def do_action(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """The form, its preview and its confirmation."""
        row = self.get_queryset(request).filter(pk=pk).first()
        kind = next((form for form in FORMS[self.model] if form.name == name), None)
        if row is None or kind is None:
            raise Http404
        if not request.user.has_perm(kind.permission):
            raise PermissionDenied
        return _Doing(request, self.admin_site, row, kind).answer()


class _Doing:
    """One request of a person who is taking an action."""

    def __init__(
        self, request: HttpRequest, site: admin.AdminSite, row: Model, kind: type[ActionForm]
    ) -> None:
        self.request = request
        self.site = site
        self.row = row
        self.kind = kind
        self.token = request.POST.get("token") or secrets.token_hex(16)

    def answer(self) -> HttpResponse:
        """Where the person is on the way from the empty form to the confirmation."""
        form = self.kind(self.row)
        if self.request.method != "POST" and form.fields:
            return self._form_page(form)
        form = self.kind(self.row, data=self.request.POST)
        if "edit" in self.request.POST or not form.is_valid():
            return self._form_page(form)
        action = form.action()
        try:
            if "confirm" in self.request.POST:
                return self._confirmed(form, action)
            return self._preview_page(form, action)
        except (LedgerError, ActionRefused) as refusal:
            return self._refused(form, refusal)

    def _confirmed(self, form: ActionForm, action: Action) -> HttpResponse:
        actor = actor_of(self.request)
        request_id = approvals.request_id_of(action, actor=actor, token=self.token)
        if not _is_known(action, request_id):
            preview = action.preview()
            if self.request.POST.get("seen") != _fingerprint(action, preview):
                messages.warning(
                    self.request,
                    _("Something changed since you looked. See the new figures and confirm again."),
                )
                return self._preview_page(form, action, preview)
        outcome = approvals.carry_out(action, actor=actor, token=self.token)
        self._tell(outcome)
        return HttpResponseRedirect(self._next_page(outcome))

    def _preview_page(
        self, form: ActionForm, action: Action, preview: Preview | None = None
    ) -> HttpResponse:
        approvals.refuse_own(action, actor_of(self.request).user)
        preview = preview or action.preview()
        scale = Scale(action.store, action.currency, action.exponent, action.unit)
        user = actor_of(self.request).user
        return self._page(
            "admin/actions/confirm.html",
            form=form,
            changes=changes(preview.before, preview.after, scale),
            seen=_fingerprint(action, preview),
            amount=money_of(action.amount, scale) if action.amount else "",
            needs_another=approvals.needs_another_person(action, user),
            is_unproven=action.is_unproven,
            about_template=form.about_template,
            **form.about(action),
        )

    def _form_page(self, form: ActionForm) -> HttpResponse:
        return self._page("admin/actions/form.html", form=form)

    def _refused(self, form: ActionForm, refusal: LedgerError | ActionRefused) -> HttpResponse:
        if isinstance(refusal, ActionRefused):
            form.add_error(None, str(refusal))
        else:
            field = FIELD_OF.get(refusal.code)
            form.add_error(field if field in form.fields else None, _(refusal.message))
            if not isinstance(refusal, LedgerBusy):
                # The ledger keeps its answer to a request: the next attempt is another request.
                self.token = secrets.token_hex(16)
        return self._form_page(form)

    def _page(self, template: str, **context: object) -> HttpResponse:
        return TemplateResponse(
            self.request,
            template,
            {
                **self.site.each_context(self.request),
                "title": self.kind.title,
                "explanation": self.kind.explanation,
                "is_danger": self.kind.is_danger,
                "row": self.row,
                "row_url": _url(self.row, "change", self.row.pk),
                "opts": self.row._meta,
                "list_url": _url(self.row, "changelist"),
                "token": self.token,
                **context,
            },
        )

    def _tell(self, outcome: Outcome) -> None:
        if outcome.approval and outcome.approval.state == Approval.Status.WAITING:
            messages.warning(
                self.request,
                _("It waits for another person; nothing has moved yet."),
            )
        elif outcome.is_repeat:
            messages.info(self.request, _("This was done already; nothing was done twice."))
        else:
            messages.success(self.request, self.kind.done)

    def _next_page(self, outcome: Outcome) -> str:
        shown = outcome.approval or outcome.subject
        if shown is None or type(shown) not in self.site._registry:
            return _url(self.row, "change", self.row.pk)
        if outcome.approval is None and isinstance(self.row, _STAY):
            return _url(self.row, "change", self.row.pk)
        return _url(shown, "change", shown.pk)


def _is_known(action: Action, request_id: str) -> bool:
    """Whether exactly this was asked for before: it will be answered as then."""
    return (
        AuditEvent.objects.filter(action=action.name, request_id=request_id).exists()
        or Approval.objects.filter(request_id=request_id).exists()
    )


def _fingerprint(action: Action, preview: Preview) -> str:
    """The figures before, so that a confirmation is about what was seen."""
    standing = {name: preview.before[name] for name in preview.before.keys() - action.moving}
    figures = json.dumps(standing, sort_keys=True, default=str)
    return hashlib.sha256(figures.encode()).hexdigest()
