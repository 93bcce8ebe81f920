"""What waits for a second person, and what became of it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import approvals
from loyalty.actions import NAMES, Merge, rebuilt
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, badge, link, linked, moment, shown_moment
from loyalty.admin.figures import Scale, changes, money_of
from loyalty.admin.merging import compared
from loyalty.approvals import ActionRefused
from loyalty.exceptions import MESSAGES, LedgerError
from loyalty.models import Approval, AuditAction, Reason
from loyalty.sign_in.address import actor_of

State = Approval.Status
_KINDS = {
    State.WAITING: "open",
    State.APPROVED: "open",
    State.DONE: "good",
    State.FAILED: "bad",
    State.REJECTED: "bad",
    State.LAPSED: "neutral",
}


class ActionFilter(admin.SimpleListFilter):
    """By what was asked for: only actions can be."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The actions, in words."""
        return [(name, str(AuditAction(name).label)) for name in NAMES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        """The requests for one of them."""
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin[Approval]):
    """The requests, and the page on which another person decides."""

    list_display = (
        "action",
        "state_shown",
        "amount_shown",
        "store",
        "card_link",
        "customer_link",
        "requested_by",
        "asked_at",
        "decided_by",
    )
    list_filter = ("status", ActionFilter, "store")
    show_facets = admin.ShowFacets.ALLOW
    list_select_related = (
        "store",
        "card__store",
        "card__program",
        "customer",
        "requested_by",
        "decided_by",
    )
    search_fields = ("card__public_id", "requested_by__username")
    search_help_text = _("Card id or the name of the person who asked.")
    card_link = link("card", _("gift card"))
    customer_link = link("customer", _("customer"))
    asked_at = moment("requested_at", _("asked for at"))
    fields = ()
    change_form_template = "admin/approvals/approval.html"

    @admin.display(description=_("state"))
    def state_shown(self, approval: Approval) -> SafeString:
        """Where it is now."""
        return badge(_KINDS[approval.state], approval.state.label)

    @admin.display(description=_("amount"))
    def amount_shown(self, approval: Approval) -> str:
        """What it would move."""
        return money_of(approval.amount, _scale(approval))

    def get_urls(self) -> list[URLPattern]:
        """The decision's address, before those of the pages."""
        decide = path(
            "<int:pk>/decide/",
            self.admin_site.admin_view(self.decide),
            name="loyalty_approval_decide",
        )
        return [decide, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with what was seen when it was asked for and what would happen now."""
        approval: Approval = context["original"]
        action = rebuilt(approval.action, approval.parameters)
        scale = Scale(approval.store, approval.currency, approval.exponent, action.unit)
        user = actor_of(request).user
        context |= {
            "facts": self._facts(approval),
            "state": approval.state.label,
            "state_kind": _KINDS[approval.state],
            "amount": money_of(approval.amount, scale),
            "failure": refusal_in_words(approval.failure),
            "asked": changes(approval.before, approval.after, scale),
            "may_decide": user.has_perm("loyalty.decide_approval"),
            "is_own": approval.requested_by_id == user.pk,
            "is_waiting": approval.state == State.WAITING,
            "is_unfinished": approval.state == State.APPROVED,
        }
        if approval.state == State.WAITING:
            if isinstance(action, Merge):
                context["merge"] = compared(action.away, action.into)
            try:
                preview = action.preview()
            except LedgerError as error:
                context["refusal"] = gettext(error.message)
            else:
                context["now"] = changes(preview.before, preview.after, scale)
                context["is_as_asked"] = preview.before == approval.before
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self, approval: Approval) -> list[tuple[StrOrPromise, str]]:
        """What is known of the request, without what is not there yet."""
        facts: list[tuple[StrOrPromise, str]] = [
            (_("store"), linked(approval.store)),
            (_("gift card"), linked(approval.card)),
            (_("customer"), linked(approval.customer)),
            (_("reason"), str(dict(Reason.choices).get(approval.reason, ""))),
            (_("note"), approval.note),
            (_("asked for by"), str(approval.requested_by)),
            (_("asked for at"), shown_moment(approval.requested_at, approval.store)),
            (_("lapses at"), shown_moment(approval.expires_at, approval.store)),
            (_("decided by"), str(approval.decided_by or "")),
            (_("decided at"), shown_moment(approval.decided_at, approval.store)),
            (_("note of the decision"), approval.decision_note),
        ]
        return [(label, value) for label, value in facts if value not in {"", NOTHING}]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        """With what every page shows."""
        rows = super().get_queryset(request)
        return rows.select_related(
            "store", "card__program", "customer", "requested_by", "decided_by"
        )

    @method_decorator(require_POST)
    def decide(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Approve, reject, or finish what was approved before a crash."""
        approval = Approval.objects.filter(pk=pk).first()
        if approval is None:
            raise Http404
        actor, note = actor_of(request), request.POST.get("note", "").strip()[:500]
        if not actor.user.has_perm("loyalty.decide_approval"):
            raise PermissionDenied
        try:
            if "approve" in request.POST:
                approval = approvals.approve(approval, actor=actor, note=note)
            elif "reject" in request.POST:
                approval = approvals.reject(approval, actor=actor, note=note)
            elif "finish" in request.POST:
                approval = approvals.finish(approval)
        except ActionRefused as refusal:
            messages.error(request, str(refusal))
        else:
            _tell(request, approval)
        return HttpResponseRedirect(reverse("admin:loyalty_approval_change", args=[pk]))


def refusal_in_words(code: str) -> str:
    """What a refusal of the ledger means, for people; empty for none."""
    return gettext(MESSAGES[code]) if code in MESSAGES else code


def _scale(approval: Approval) -> Scale:
    program = approval.card.program if approval.card else None
    return Scale(approval.store, approval.currency, approval.exponent, program)


def _tell(request: HttpRequest, approval: Approval) -> None:
    match approval.status:
        case State.DONE:
            messages.success(request, _("Approved and done."))
        case State.FAILED:
            messages.error(
                request,
                gettext("Approved, but the ledger refused it: %(why)s Nothing moved.")
                % {"why": refusal_in_words(approval.failure)},
            )
        case State.REJECTED:
            messages.success(request, _("Rejected. Nothing moves."))
        case _:
            messages.warning(
                request, _("Approved. The ledger was busy: it will be done within a minute.")
            )
