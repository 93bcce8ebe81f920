"""The work list of differences with the stores: look, decide, put right, note, ignore."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import audit, reconciliation
from loyalty.admin.actions import ActionURLs
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, link, moment, shown_moment
from loyalty.admin.book_pages import EXPORT, Cell, Row, Table, download, number_cell
from loyalty.admin.columns import address, linked, page_of
from loyalty.admin.csv import in_chunks
from loyalty.admin.difference_filters import AgeFilter, AssigneeFilter, StateFilter
from loyalty.admin.difference_parts import (
    STATES,
    advice_of,
    evidence_of,
    money_at_risk,
    order_of,
    remedy_amount,
    sentence_of,
    severity_badge,
    sides_of,
    status_badge,
)
from loyalty.admin.formats import shown_money
from loyalty.admin.forms.triage import TriageForm
from loyalty.admin.pages import StoryPage
from loyalty.admin.parts import Fact, events_of, fact_of, open_approvals
from loyalty.models import AuditAction, AuditEvent, Discrepancy, DiscrepancyKind, ReconciliationRun
from loyalty.money import exponent_of, to_decimal
from loyalty.reconciliation.totals import AGES, totals_of
from loyalty.sign_in.address import actor_of

CHANGE = "loyalty.change_discrepancy"
_REMEDIES = (AuditAction.SETTLE_DIFFERENCE, AuditAction.CANCEL_DIFFERENCE)


@admin.register(Discrepancy)
class DiscrepancyAdmin(ActionURLs, StoryPage[Discrepancy], ReadOnlyAdmin[Discrepancy]):
    """Each difference, with both sides' figures and what would help."""

    change_list_template = "admin/reconciliation/differences.html"
    story_template = "admin/reconciliation/difference.html"
    story_related = ("store", "card__store", "transaction", "run", "assigned_to")
    list_display = (
        *("kind_shown", "weight", "at_risk", "remedy_shown", "age", "order", "card_link"),
        *("store", "assigned_to", "state"),
    )
    list_display_links = ("kind_shown",)
    list_filter = (StateFilter, "kind", "severity", "remedy", AgeFilter, AssigneeFilter, "store")
    list_select_related = ("store", "card", "transaction", "assigned_to")
    search_fields = ("key", "order_group", "transaction__public_id", "card__public_id")
    search_help_text = _("Order, payment, transaction or card id.")
    card_link = link("card", _("gift card"))
    seen = moment("last_seen", _("last seen"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discrepancy]:
        """What is worst first, of the same severity the newest."""
        return super().get_queryset(request).order_by("-severity", "-pk")

    # --- The list ---

    @admin.display(description=_("kind"), ordering="kind")
    def kind_shown(self, difference: Discrepancy) -> str:
        """What is different."""
        return str(difference.get_kind_display())

    @admin.display(description=_("severity"), ordering="severity")
    def weight(self, difference: Discrepancy) -> SafeString:
        """How bad it is."""
        return severity_badge(difference)

    @admin.display(description=_("amount at risk"), ordering="amount")
    def at_risk(self, difference: Discrepancy) -> str:
        """How much of whose money."""
        return money_at_risk(difference)

    @admin.display(description=_("order"), ordering="order_group")
    def order(self, difference: Discrepancy) -> str:
        """The order, leading to everything that touched it."""
        return order_of(difference)

    @admin.display(description=_("proposed"), ordering="remedy")
    def remedy_shown(self, difference: Discrepancy) -> str:
        """What would put it right, and how much that is."""
        return f"{difference.get_remedy_display()} {remedy_amount(difference)}".strip()

    @admin.display(description=_("status"), ordering="status")
    def state(self, difference: Discrepancy) -> SafeString:
        """Open, ignored or gone."""
        return status_badge(difference)

    @admin.display(description=_("age"), ordering="-first_seen")
    def age(self, difference: Discrepancy) -> str:
        """In days since it was first seen."""
        days = (timezone.now() - difference.first_seen).days
        return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list below its totals, with the ways in and out."""
        context = {
            "title": _("Differences"),
            "totals": self._totals(request),
            "may_start": request.user.has_perm("loyalty.add_reconciliationrun"),
            "csv_url": f"{address(Discrepancy, 'csv')}?{request.GET.urlencode()}"
            if request.user.has_perm(EXPORT)
            else "",
            "runs_url": address(ReconciliationRun, "changelist"),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def _totals(self, request: HttpRequest) -> Table | None:
        """Of what is open, of the store that the list is about or of all."""
        rows = Discrepancy.objects.filter(status=Discrepancy.Status.OPEN)
        store = request.GET.get("store__id__exact", "")
        if store.isdecimal():
            rows = rows.filter(store=int(store[:18]))
        found = totals_of(rows)
        if not found:
            return None
        labels: list[StrOrPromise] = [
            _("kind"),
            *(_("number"), _("amount at risk")),
            *(_age_label(index) for index in range(len(AGES) + 1)),
        ]
        table = Table(
            _("Open differences by kind and age"),
            [Cell(label, is_figure=bool(index)) for index, label in enumerate(labels)],
        )
        for total in found:
            money = shown_money(total.amount, total.currency, exponent_of(total.currency))
            table.rows.append(
                Row(
                    [
                        Cell(
                            DiscrepancyKind(total.kind).label,
                            href=f"?kind__exact={total.kind}"
                            + (f"&store__id__exact={store}" if store.isdecimal() else ""),
                        ),
                        number_cell(total.number),
                        Cell(money, is_figure=True),
                        *(number_cell(number) for number in total.ages),
                    ]
                )
            )
        return table

    # --- The way out ---

    def get_urls(self) -> list[URLPattern]:
        """The file of the list and the small decisions, before the pages."""
        view = self.admin_site.admin_view
        return [
            path("csv/", view(self.csv), name="loyalty_discrepancy_csv"),
            path("<int:pk>/triage/", view(self.triage), name="loyalty_discrepancy_triage"),
            *super().get_urls(),
        ]

    def csv(self, request: HttpRequest) -> HttpResponse:
        """What the list shows, whole, as CSV."""
        if not (self.has_view_permission(request) and request.user.has_perm(EXPORT)):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).queryset
        related = rows.select_related("store", "card", "transaction", "assigned_to")
        return download(  # type: ignore[return-value]
            request, "differences", _HEADER, map(_csv_row, in_chunks(related))
        )

    # --- One difference ---

    def story_title(self, row: Discrepancy) -> str:
        """What kind, of which order."""
        kind = str(row.get_kind_display())
        return f"{kind[:1].upper()}{kind[1:]}"

    def story(self, request: HttpRequest, row: Discrepancy) -> dict[str, Any]:
        """Both sides, the evidence, what is proposed, and what people did."""
        may_change = request.user.has_perm(CHANGE)
        events = AuditEvent.objects.filter(
            action__in=[AuditAction.CHANGED, *_REMEDIES],
            subject=f"{row._meta.label_lower}:{row.pk}",
        )
        return {
            "difference": row,
            "kind": _tone(row),
            "sentence": sentence_of(row),
            "advice": advice_of(row),
            "at_risk": money_at_risk(row),
            "remedy_amount": remedy_amount(row),
            "weight": severity_badge(row),
            "badge": status_badge(row),
            "sides": sides_of(row),
            "evidence": evidence_of(row),
            "facts": _facts(row),
            "approvals": open_approvals(request, Q(parameters__difference_id=row.pk)),
            "events": events_of(request, events, row.store),
            "form": TriageForm(row) if may_change else None,
            "may_ignore": may_change and row.status == Discrepancy.Status.OPEN,
            "may_take_up": may_change and row.status == Discrepancy.Status.IGNORED,
        }

    @method_decorator(require_POST)
    def triage(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Assign, note, ignore with a reason, take up again: each leaves a trace."""
        row = self.row_of(request, str(pk))
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        form = TriageForm(row, data=request.POST)
        if not form.is_valid():
            messages.error(request, " ".join(form.problems))
        else:
            _apply(request, row, form)
        return HttpResponseRedirect(page_of(row))


def _tone(row: Discrepancy) -> str:
    if row.status == Discrepancy.Status.OPEN and row.severity == Discrepancy.Severity.HIGH:
        return "bad"
    return STATES[Discrepancy.Status(row.status)]


def _apply(request: HttpRequest, row: Discrepancy, form: TriageForm) -> None:
    before, note = _noted(row), form.words
    if form.step == "ignore":
        is_done = reconciliation.ignore(row, because=note)
    elif form.step == "take_up":
        is_done = reconciliation.take_up(row)
    else:
        is_done = True
        reconciliation.assign(row, form.assignee)
        reconciliation.annotate(row, note)
    fresh = Discrepancy.objects.select_related("assigned_to").get(pk=row.pk)
    after = _noted(fresh)
    if not is_done:
        messages.warning(request, _("Somebody was faster: see what it is now."))
    elif before == after and note == row.note:
        messages.info(request, _("That is how it was already; nothing was changed."))
    else:
        audit.record(
            AuditAction.CHANGED,
            actor_of(request),
            subject=row,
            store=row.store,
            card=row.card,
            before={name: before[name] for name in before if before[name] != after[name]},
            after={name: after[name] for name in after if before[name] != after[name]},
            note=note,
        )
        messages.success(request, _("Done."))


def _noted(row: Discrepancy) -> dict[str, str]:
    return {
        "status": row.status,
        "assigned_to": row.assigned_to.get_username() if row.assigned_to else "",
    }


def _facts(row: Discrepancy) -> list[Fact]:
    store = row.store
    return [
        fact_of(_("store"), store),
        Fact(_("order"), order_of(row)),
        *([Fact(_("gift card"), linked(row.card))] if row.card else []),
        *([Fact(_("transaction"), linked(row.transaction))] if row.transaction else []),
        Fact(_("first seen"), shown_moment(row.first_seen, store)),
        Fact(_("last seen"), shown_moment(row.last_seen, store)),
        *([Fact(_("closed at"), shown_moment(row.closed_at, store))] if row.closed_at else []),
        *([Fact(_("times it came back"), row.reopened)] if row.reopened else []),
        fact_of(_("first found by"), row.run),
        Fact(_("assigned to"), row.assigned_to or NOTHING),
        *([Fact(_("note"), row.note)] if row.note else []),
        *(
            [Fact(_("why it is ignored"), row.ignored_because)]
            if row.status == Discrepancy.Status.IGNORED
            else []
        ),
    ]


def _age_label(index: int) -> StrOrPromise:
    if index == len(AGES):
        days = AGES[-1]
        return ngettext("over %(n)s day", "over %(n)s days", days) % {"n": days}
    days = AGES[index]
    return ngettext("up to %(n)s day", "up to %(n)s days", days) % {"n": days}


_HEADER: Sequence[object] = (
    *(_("store"), _("kind"), _("severity"), _("status"), _("currency"), _("amount at risk")),
    *(_("order"), _("key"), _("gift card"), _("transaction"), _("remedy"), _("amount")),
    *(_("our figures"), _("the store's figures"), _("first seen"), _("last seen")),
    *(_("closed at"), _("times it came back"), _("assigned to"), _("note")),
    _("why it is ignored"),
)


def _csv_row(row: Discrepancy) -> list[object]:
    zone, card = row.store.zone, row.card
    return [
        *(str(row.store), row.get_kind_display(), row.get_severity_display()),
        *(row.get_status_display(), row.currency),
        to_decimal(row.amount, exponent=exponent_of(row.currency)),
        *(row.order_group, row.key, card.public_id if card else ""),
        *(row.transaction.public_id if row.transaction else "", row.get_remedy_display()),
        to_decimal(row.remedy_units, exponent=card.exponent) if card and row.remedy_units else None,
        *(_figures(row.ours), _figures(row.theirs)),
        *(timezone.localtime(row.first_seen, zone), timezone.localtime(row.last_seen, zone)),
        timezone.localtime(row.closed_at, zone) if row.closed_at else None,
        *(row.reopened, str(row.assigned_to or ""), row.note, row.ignored_because),
    ]


def _figures(figures: dict[str, Any]) -> str:
    return "; ".join(f"{name} {value}" for name, value in figures.items() if value is not None)
