"""The store's orders as last seen, and what each earned or why not. Only shows."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty import audit
from loyalty.admin.actions import ActionURLs
from loyalty.admin.approvals import refusal_in_words
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, Recent, badge, link, moment
from loyalty.admin.columns import linked, order_link
from loyalty.admin.earning_pages import earning_page, has, need
from loyalty.admin.earning_texts import OBSTACLES, shown_earned, shown_units, told
from loyalty.admin.formats import shown_moment, shown_money
from loyalty.admin.forms.earning import WindowForm
from loyalty.admin.lists import LargeList
from loyalty.admin.stores import StoreAdmin, StoreLink
from loyalty.earning.values import units_now, with_changes
from loyalty.models import (
    AuditAction,
    Earning,
    EarningMovement,
    Job,
    ShopOrder,
    Store,
)
from loyalty.money import exponent_of
from loyalty.sign_in.address import actor_of

LONGEST_WINDOW = 92
_STATES = {
    ShopOrder.State.ANNOUNCED: "neutral",
    ShopOrder.State.PLACED: "neutral",
    ShopOrder.State.PAID: "open",
    ShopOrder.State.INVOICED: "good",
    ShopOrder.State.CANCELED: "bad",
}
_EARNING_STATES = {
    Earning.State.PENDING: "open",
    Earning.State.CREDITED: "good",
    Earning.State.TAKEN_BACK: "neutral",
    Earning.State.OWED: "bad",
    Earning.State.NOTHING: "neutral",
}


@admin.register(ShopOrder)
class ShopOrderAdmin(ActionURLs, LargeList[ShopOrder], ReadOnlyAdmin[ShopOrder]):
    """Orders that may earn, how far each is, and what its rules said."""

    list_display = ("order", "customer_link", "shown_state", "paid", "goods", "earned", "problem")
    list_filter = ("store", "state")
    list_select_related = ("store", "customer")
    search_fields = ("order_id",)
    search_help_text = _("Whole number of the order.")
    customer_link = link("customer", _("customer"))
    paid = moment("paid_at", _("paid at"))
    placed = moment("placed_at", _("placed at"))
    invoiced = moment("invoiced_at", _("invoiced at"))
    delivered = moment("delivered_at", _("delivered at"))
    changed = moment("changed_at", _("changed at"))
    fields = (
        *("order", "store", "customer_link", "shown_state", "status", "channel"),
        *("placed", "paid", "invoiced", "delivered", "changed", "goods", "what_is_kept"),
        *("earned", "pending", "why", "problem", "failures"),
    )
    readonly_fields = fields
    recent = (
        Recent(Earning, "order", ("by", "state_shown", "gross_shown", "due_shown", "usable")),
    )

    def get_urls(self) -> list[URLPattern]:
        """Also reading orders of a window again."""
        page = self.admin_site.admin_view(self.read_again)
        return [
            path("read-again/<int:store>/", page, name="loyalty_shoporder_again"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShopOrder]:
        """With what each earned: a few rows of a page."""
        orders = super().get_queryset(request)
        earnings = with_changes(Earning.objects.select_related("rule__program__store"))
        return orders.prefetch_related(Prefetch("earnings", earnings))

    @admin.display(description=_("order"), ordering="order_id")
    def order(self, row: ShopOrder) -> str:
        """Its number, leading to all that our cards paid of it."""
        return order_link(row.order_id)

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, row: ShopOrder) -> SafeString:
        """How far it is."""
        return badge(_STATES[ShopOrder.State(row.state)], row.get_state_display())

    @admin.display(description=_("value of the goods"))
    def goods(self, row: ShopOrder) -> str:
        """What was bought, once it was read."""
        return _money(row.total, row) if row.version else NOTHING

    @admin.display(description=_("kept by the customer"))
    def what_is_kept(self, row: ShopOrder) -> str:
        """What was not canceled or returned."""
        return _money(row.kept, row) if row.version else NOTHING

    @admin.display(description=_("due"))
    def earned(self, row: ShopOrder) -> str:
        """What is due of it now, by program."""
        sums: dict[Any, int] = {}
        for each in row.earnings.all():
            sums[each.rule.program] = sums.get(each.rule.program, 0) + units_now(each.due, each)
        texts = [shown_units(units, program) for program, units in sums.items() if units]
        return ", ".join(texts) or NOTHING

    @admin.display(description=_("pending"))
    def pending(self, row: ShopOrder) -> str:
        """What of that is not credited yet."""
        texts = [shown_earned(each.pending, each) for each in row.earnings.all() if each.pending]
        return ", ".join(texts) or NOTHING

    @admin.display(description=_("why it earned or not"))
    def why(self, row: ShopOrder) -> SafeString | str:
        """Each rule with its reason and amount."""
        if row.version and row.customer_id is None:
            return str(_("The order names no customer of the store."))
        lines = format_html_join("", "<li>{}</li>", ((line,) for line in told(row)))
        return format_html_join("", "<ul class='reasons'>{}</ul>", [(lines,)]) if lines else NOTHING

    def read_again(self, request: HttpRequest, store: int) -> HttpResponse:
        """Have the orders of some days announced again, by a job."""
        need(request, "run_jobs", "view_shoporder")
        owner = get_object_or_404(Store, pk=store)
        form = WindowForm(owner.zone, LONGEST_WINDOW, request.POST or None)
        if request.method == "POST" and form.is_valid():
            first, last = form.cleaned_data["first_day"], form.cleaned_data["last_day"]
            actor = actor_of(request)
            job = Job.objects.create(
                kind=Job.Kind.CATCH_UP_ORDERS,
                parameters={"store": owner.pk, "first": first.isoformat()},
                total=(last - first).days + 1,
                requested_by=actor.user,
            )
            audit.record(AuditAction.JOB_RUN, actor, subject=job, store=owner)
            messages.success(request, _("A worker reads them again."))
            return HttpResponseRedirect(reverse("admin:loyalty_job_change", args=[job.pk]))
        return earning_page(
            request,
            "write",
            owner,
            _("Read orders again"),
            form=form,
            back_url=reverse("admin:loyalty_shoporder_changelist"),
        )


def _read_again(request: HttpRequest, store: Store) -> StoreLink | None:
    """The way there from the store's page."""
    if not (has(request, "run_jobs") and has(request, "view_shoporder")):
        return None
    url = reverse("admin:loyalty_shoporder_again", args=[store.pk])
    return StoreLink(_("Read orders again"), url)


StoreAdmin.links.append(_read_again)


@admin.register(Earning)
class EarningAdmin(LargeList[Earning], ReadOnlyAdmin[Earning]):
    """What each order earned by each rule, and what became of it."""

    list_display = (
        *("number", "order_shown", "by", "state_shown"),
        *("gross_shown", "due_shown", "pending_shown", "usable"),
    )
    list_filter = ("order__store", "rule__program", "rule")
    list_select_related = ("order__store", "rule__program__store", "campaign")
    rule_link = link("rule", _("rule"))
    campaign_link = link("campaign", _("campaign"))
    fields = (
        *("order_shown", "rule_link", "campaign_link", "state_shown", "gross_shown", "due_shown"),
        *("pending_shown", "credited_shown", "taken_shown", "forgiven_shown", "owed_shown"),
        *("usable", "obstacle"),
    )
    readonly_fields = fields
    recent = (Recent(EarningMovement, "earning", ("step", "amount", "result", "credited_by")),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Earning]:
        """With what points were worth: an earning is counted by the day of its order."""
        return with_changes(super().get_queryset(request))

    @admin.display(description=_("earning"), ordering="pk")
    def number(self, row: Earning) -> str:
        """Its number."""
        return str(row.pk)

    @admin.display(description=_("order"))
    def order_shown(self, row: Earning) -> str:
        """The order's page here."""
        return linked(row.order)

    @admin.display(description=_("by"))
    def by(self, row: Earning) -> str:
        """The rule, and the campaign that added to it."""
        return f"{row.rule} · {row.campaign}" if row.campaign else str(row.rule)

    @admin.display(description=_("state"))
    def state_shown(self, row: Earning) -> SafeString:
        """In one word."""
        return badge(_EARNING_STATES[row.state], row.state.label)

    @admin.display(description=_("earned"))
    def gross_shown(self, row: Earning) -> str:
        """For the order as bought."""
        return _units(row.gross, row)

    @admin.display(description=_("due"))
    def due_shown(self, row: Earning) -> str:
        """For what is kept."""
        return _units(row.due, row)

    @admin.display(description=_("pending"))
    def pending_shown(self, row: Earning) -> str:
        """Still to be credited."""
        return _units(row.pending, row)

    @admin.display(description=_("credited"))
    def credited_shown(self, row: Earning) -> str:
        """Put on the wallet."""
        return _units(row.credited, row)

    @admin.display(description=_("taken back"))
    def taken_shown(self, row: Earning) -> str:
        """Taken back."""
        return _units(row.taken, row)

    @admin.display(description=_("not asked for"))
    def forgiven_shown(self, row: Earning) -> str:
        """Expired or waived."""
        return _units(row.forgiven, row)

    @admin.display(description=_("owed"))
    def owed_shown(self, row: Earning) -> str:
        """To be taken from what is earned next."""
        return _units(row.owed, row)

    @admin.display(description=_("usable from"), ordering="usable_at")
    def usable(self, row: Earning) -> str:
        """By the store's clock."""
        return shown_moment(row.usable_at, row.order.store)

    @admin.display(description=_("problem"))
    def obstacle(self, row: Earning) -> str:
        """Why it is not credited, in words."""
        return str(OBSTACLES.get(row.problem) or refusal_in_words(row.problem)) or NOTHING


@admin.register(EarningMovement)
class EarningMovementAdmin(LargeList[EarningMovement], ReadOnlyAdmin[EarningMovement]):
    """Each step that the ledger was asked for."""

    list_display = ("step", "earning_link", "amount", "result", "credited_by")
    list_filter = ("status", "kind")
    list_select_related = ("earning__rule__program__store", "credit", "card__store")
    search_fields = ("request_id",)
    earning_link = link("earning", _("earning"))
    credited_by = link("credit", _("credit"))
    card_link = link("card", _("gift card"))
    start = moment("valid_from", _("usable from"))
    created = moment("created_at", _("created at"))
    fields = (
        *("request_id", "earning_link", "step", "amount", "card_link", "start", "credited_by"),
        *("result", "created"),
    )
    readonly_fields = fields

    @admin.display(description=_("step"))
    def step(self, row: EarningMovement) -> str:
        """Credit or take back, with its number."""
        return f"{row.number}. {row.get_kind_display()}"

    @admin.display(description=_("amount"))
    def amount(self, row: EarningMovement) -> str:
        """As points and money."""
        return shown_units(row.units, row.earning.rule.program)

    @admin.display(description=_("status"), ordering="status")
    def result(self, row: EarningMovement) -> str:
        """What became of it, with the refusal."""
        return f"{row.get_status_display()} {row.refusal}".strip()


def _money(units: int, row: ShopOrder) -> str:
    return shown_money(units, row.store.currency, exponent_of(row.store.currency))


def _units(units: int, row: Earning) -> str:
    return shown_earned(units, row) if units else NOTHING
