"""Credit for many customers: whom it is for, what it comes to, and what became of each."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty import audit, batches
from loyalty.admin.base import ReadOnlyAdmin, badge, link
from loyalty.admin.columns import address, linked, page_of
from loyalty.admin.earning_pages import need
from loyalty.admin.earning_texts import shown_units, shown_value
from loyalty.admin.figures import CREDIT_STATES
from loyalty.admin.filters import Choice, PartOfFilter
from loyalty.admin.formats import shown_count, shown_money, shown_points
from loyalty.admin.forms.many import FilterForm, ListForm, ManyForm
from loyalty.admin.lists import LargeList
from loyalty.admin.parts import Tile
from loyalty.batches import Selection
from loyalty.exceptions import LedgerError
from loyalty.models import AuditAction, Batch, BatchOwner, Program
from loyalty.sign_in.address import actor_of

SHOWN = 20
FORMS: Mapping[str, type[ManyForm]] = {"list": ListForm, "filter": FilterForm}
# Why somebody is left out; what else is there is the ledger's own refusal.
REASONS: Mapping[str, StrOrPromise] = {
    batches.OWN: gettext_lazy("has your own e-mail or document"),
    batches.REPEATED: gettext_lazy("comes more than once in the list"),
    batches.OTHER_PROGRAM: gettext_lazy("has a wallet of another program"),
    "card_blocked": gettext_lazy("the wallet is blocked"),
    "card_closed": gettext_lazy("the wallet was closed"),
    "card_expired": gettext_lazy("the wallet has expired"),
    "not_reloadable": gettext_lazy("the wallet takes no more credit"),
    "unknown_customer": gettext_lazy("the person was erased"),
    "invalid_dates": gettext_lazy("the last day is over, or the wallet ends before it begins"),
    "balance_limit_exceeded": gettext_lazy("the wallet would hold more than can be counted"),
}


class CreditBatchURLs(admin.ModelAdmin[Any]):
    """A mixin for the batches: `credit/<program>/<list or filter>/`."""

    def get_urls(self) -> list[URLPattern]:
        """The form here, before those of the batches."""
        return [
            path(
                "credit/<int:program>/<slug:by>/",
                self.admin_site.admin_view(self.new_credit),
                name="loyalty_batch_credit",
            ),
            *super().get_urls(),
        ]

    def new_credit(self, request: HttpRequest, program: int, by: str) -> HttpResponse:
        """Whom it is for and what each gets; sent, it becomes a draft."""
        need(request, "add_batch")
        programs = Program.objects.select_related("store").exclude(relation_name="")
        of = programs.filter(pk=program).first()
        if of is None or by not in FORMS:
            raise Http404
        user = cast("User", request.user)
        form = FORMS[by](of, user, data=request.POST or None, files=request.FILES or None)
        if request.method == "POST" and form.is_valid() and (batch := _drafted(request, form)):
            return HttpResponseRedirect(page_of(batch))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Credit for many customers"),
            "list_url": reverse("admin:loyalty_batch_changelist"),
            "form": form,
            "program": of,
            "by": by,
        }
        return TemplateResponse(request, "admin/batches/credit.html", context)


def _drafted(request: HttpRequest, form: ManyForm) -> Batch | None:
    try:
        batch = form.save()
    except LedgerError as refusal:
        form.add_error("amount", str(_(refusal.message)))
        return None
    except ValidationError as refusal:
        form.add_error(None, refusal)
        return None
    audit.record(
        AuditAction.ADDED,
        actor_of(request),
        subject=batch,
        store=batch.program.store,
        after={"count": batch.count, "total": batch.total, **batch.selection},
        reason=batch.reason,
        note=batch.note,
        request_id=f"batch:{batch.pk}",
    )
    return batch


def credit_context(batch: Batch) -> dict[str, object]:
    """What the page of such a batch shows besides what it shows of all."""
    rows = batch.owners.select_related("customer", "credit").order_by("number")
    skipped = (
        batch.owners.exclude(problem="").values("problem").annotate(count=Count("pk")).order_by()
    )
    found = list(rows[: SHOWN + 1])
    return {
        "people": [
            (linked(row.customer), shown_units(row.amount or 0, batch.program), outcome_of(row))
            for row in found[:SHOWN]
        ],
        "are_more": len(found) > SHOWN,
        "people_url": f"{address(BatchOwner, 'changelist')}?batch__id__exact={batch.pk}",
        "left_out": [(reason(each["problem"]), each["count"]) for each in skipped],
    }


def credit_figures(batch: Batch) -> list[Tile]:
    """What it comes to, and what became of it."""
    found, program = batches.outcome(batch), batch.program
    figures = [
        Tile(_("customers"), shown_count(batch.count)),
        _amount(_("total amount"), batch.total, program),
        Tile(_("left out"), shown_count(found.skipped)),
    ]
    if batch.status in {Batch.Status.DRAFT, Batch.Status.WAITING, Batch.Status.DISCARDED}:
        return figures
    return [
        *figures,
        _amount(
            _("given to %(count)s") % {"count": shown_count(found.given)}, found.credited, program
        ),
        Tile(_("not given"), shown_count(found.refused)),
        _amount(_("unspent"), found.unspent, program),
    ]


def _amount(label: StrOrPromise, units: int, program: Program) -> Tile:
    """A tile of points has what they are worth below them."""
    worth = shown_money(units, program.store.currency, program.exponent)
    points = shown_points(units, program)
    return Tile(label, points, worth) if points else Tile(label, worth)


def state_in_a_word(batch: Batch) -> StrOrPromise:
    """Where a batch is, in words for cards or for credits."""
    if batch.source == Batch.Source.CREDIT:
        return CREDIT_STATES.get(batch.status, batch.get_status_display())
    return batch.get_status_display()


def reason(problem: str) -> StrOrPromise:
    """Why somebody gets nothing, in words."""
    return REASONS.get(problem, problem)


def outcome_of(row: BatchOwner) -> SafeString:
    """What became of one customer's credit."""
    if row.problem:
        kind = "neutral" if row.number > row.batch.count else "bad"
        return badge(kind, reason(row.problem))
    if row.credit is None:
        return badge("neutral", _("not given yet"))
    if not row.credit.cancelable:
        return badge("neutral", _("taken back"))
    return badge("good", _("given"))


def selection_in_words(batch: Batch) -> str:
    """Of whom a batch of credits is, when it was made for whom something is known of."""
    if not batch.selection:
        return ""
    asked = Selection.of(batch.selection)
    parts = [_("members of the program") if asked.members else _("all customers of the store")]
    if asked.tier:
        parts.append(_("tier %(tier)s") % {"tier": asked.tier})
    if asked.bought_from:
        parts.append(_("bought from %(day)s on") % {"day": _day(asked.bought_from)})
    if asked.bought_until:
        parts.append(_("bought until %(day)s") % {"day": _day(asked.bought_until)})
    if asked.bought_at_least:
        amount = shown_value(asked.bought_at_least, batch.program)
        parts.append(_("for at least %(amount)s") % {"amount": amount})
    if asked.not_bought_since:
        parts.append(_("nothing bought since %(day)s") % {"day": _day(asked.not_bought_since)})
    return ", ".join(str(part) for part in parts)


def _day(day: Any) -> str:
    return date_format(day, "SHORT_DATE_FORMAT", use_l10n=True)


class OutcomeFilter(Choice):
    """By what became of the credit."""

    title = gettext_lazy("outcome")
    parameter_name = "outcome"
    labels = (
        ("given", gettext_lazy("given")),
        ("taken_back", gettext_lazy("taken back")),
        ("refused", gettext_lazy("not given")),
        ("open", gettext_lazy("not given yet")),
    )

    def conditions(self) -> Mapping[str, Q]:
        """From the row and its credit."""
        taken = Q(credit__isnull=False, credit__released=F("credit__amount"))
        return {
            "given": Q(credit__isnull=False) & ~Q(credit__released=F("credit__amount")),
            "taken_back": taken,
            "refused": ~Q(problem=""),
            "open": Q(credit=None, problem="", amount__isnull=False),
        }


@admin.register(BatchOwner)
class BatchOwnerAdmin(LargeList[BatchOwner], ReadOnlyAdmin[BatchOwner]):
    """The customers of batches, each with what became of their card or credit."""

    list_display = (
        *("number", "batch_link", "customer_link", "amount_shown", "became", "card_link", "given"),
    )
    list_filter = (("batch", PartOfFilter), ("customer", PartOfFilter), OutcomeFilter)
    list_select_related = ("batch__program__store", "customer", "card", "credit")
    batch_link = link("batch", gettext_lazy("batch"))
    customer_link = link("customer", gettext_lazy("customer"))
    card_link = link("card", gettext_lazy("gift card"))
    given = link("credit", gettext_lazy("credit"))
    fields = (
        *("batch_link", "number", "customer_link", "amount_shown", "became", "card_link", "given"),
    )
    readonly_fields = fields

    @admin.display(description=gettext_lazy("amount"))
    def amount_shown(self, row: BatchOwner) -> str:
        """The row's own, or that of each card."""
        units = row.batch.amount if row.amount is None else row.amount
        return shown_units(units, row.batch.program)

    @admin.display(description=gettext_lazy("outcome"))
    def became(self, row: BatchOwner) -> str:
        """Of a credit; a card's outcome is the card."""
        return outcome_of(row) if row.amount is not None else "-"


__all__ = [
    "CreditBatchURLs",
    "credit_context",
    "credit_figures",
    "selection_in_words",
    "state_in_a_word",
]
