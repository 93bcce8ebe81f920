"""Earning rules and campaigns: drafts are written, tried, switched on; what is on only ends."""

import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty import audit, earning
from loyalty.admin import charts
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, badge, day, moment
from loyalty.admin.columns import page_of
from loyalty.admin.earning_pages import (
    as_it_was,
    earning_page,
    earning_url,
    has,
    need,
    note_change,
)
from loyalty.admin.earning_texts import (
    REASONS,
    campaign_in_words,
    rule_in_words,
    shown_cap,
    shown_units,
    shown_value,
)
from loyalty.admin.formats import shown_count
from loyalty.admin.forms.earning import CampaignForm, RuleForm, WindowForm
from loyalty.earning import simulation
from loyalty.earning.engine import Why
from loyalty.models import (
    AuditAction,
    Campaign,
    Customer,
    EarningRule,
    Program,
    RuleSimulation,
)
from loyalty.sign_in.address import actor_of

_MOST_BARS = 31


def state_of(row: EarningRule | Campaign) -> SafeString:
    """Draft, to come, on or ended."""
    now = timezone.now()
    if row.switched_on_at is None:
        return badge("neutral", _("draft"))
    if row.ends_at is not None and row.ends_at <= now:
        return badge("neutral", _("ended"))
    if row.starts_at > now:
        return badge("open", _("to come"))
    return badge("good", _("on"))


class _SwitchedAdmin(ReadOnlyAdmin[Any]):
    """What rules and campaigns have in common: written for a program, switched on, ended."""

    form_class: type[RuleForm | CampaignForm]
    list_filter = ("program__store", "program")
    list_select_related = ("program__store",)
    search_fields = ("name",)

    first = day("starts_at", _("first day"))
    switched = moment("switched_on_at", _("switched on at"))

    def get_urls(self) -> list[URLPattern]:
        """The pages here, before the usual ones."""
        name, wrap = self.opts.model_name, self.admin_site.admin_view
        return [
            path("new/<int:program>/", wrap(self.new), name=f"loyalty_{name}_new"),
            path("<int:pk>/edit/", wrap(self.edit), name=f"loyalty_{name}_edit"),
            path("<int:pk>/switch/<slug:way>/", wrap(self.switch), name=f"loyalty_{name}_switch"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The row, with what may be done about it."""
        row = context["original"]
        if row:
            context["extra_buttons"] = self.ways(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def ways(self, request: HttpRequest, row: Any) -> list[dict[str, object]]:
        """The buttons of a row's page."""
        name = self.opts.model_name
        found: list[tuple[str, str, object, str]] = [
            (f"change_{name}", "edit", _("Change"), "")
            if self.may_change(row)
            else ("", "", "", ""),
            ("switch_earning", "switch", _("Switch on"), "on")
            if row.switched_on_at is None
            else ("", "", "", ""),
            ("switch_earning", "switch", _("End now"), "off")
            if row.switched_on_at and (row.ends_at is None or row.ends_at > timezone.now())
            else ("", "", "", ""),
        ]
        return [
            {
                "label": label,
                "url": reverse(
                    f"admin:loyalty_{name}_{page}", args=[row.pk, way] if way else [row.pk]
                ),
            }
            for permission, page, label, way in found
            if permission and has(request, permission)
        ]

    def may_change(self, row: Any) -> bool:
        """Whether there is anything to change about it."""
        return row.switched_on_at is None

    def new(self, request: HttpRequest, program: int) -> HttpResponse:
        """A draft; `?copy=` begins with what another one says."""
        need(request, f"add_{self.opts.model_name}")
        owner = get_object_or_404(Program.objects.select_related("store"), pk=program)
        row = self.model(program=owner)
        given = request.GET.get("copy", "")
        if given.isdecimal():
            row = get_object_or_404(self.model, pk=int(given), program=owner)
            row.pk, row._state.adding = None, True
            row.switched_on_at, row.ends_at = None, None
            row.starts_at = timezone.now()
        return self._written(request, row, owner, is_new=True)

    def edit(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A draft, or what may still change of what is on."""
        need(request, f"change_{self.opts.model_name}")
        row = self._row(pk)
        if not self.may_change(row):
            raise Http404
        return self._written(request, row, row.program, is_new=False)

    def switch(self, request: HttpRequest, pk: int, way: str) -> HttpResponse:
        """What switching on or ending means, then doing it."""
        need(request, "switch_earning")
        row = self._row(pk)
        if way not in {"on", "off"}:
            raise Http404
        title = _("Switch on") if way == "on" else _("End now")
        if request.method != "POST":
            return earning_page(
                request, "switch", row, title, is_on=way == "on", words=self.words(row)
            )
        before = as_it_was(row)
        if way == "on":
            self.switch_on(row)
        else:
            earning.switch_off(row)
        row = self._row(pk)
        note_change(request, row, row.program, before=before)
        messages.success(request, _("Done."))
        return HttpResponseRedirect(page_of(row))

    def switch_on(self, row: Any) -> None:
        """By the verb of its kind."""
        raise NotImplementedError

    def words(self, row: Any) -> str:
        """What it gives, in one line."""
        raise NotImplementedError

    @admin.display(description=_("last day"), ordering="ends_at")
    def last(self, row: Any) -> str:
        """The last day on which an order may be paid."""
        if row.ends_at is None:
            return NOTHING
        last = row.ends_at.astimezone(row.program.store.zone) - datetime.timedelta(microseconds=1)
        return date_format(last, "SHORT_DATE_FORMAT", use_l10n=True)

    @admin.display(description=_("state"))
    def state(self, row: Any) -> SafeString:
        """Draft, to come, on or ended."""
        return state_of(row)

    @admin.display(description=_("gives"))
    def gives(self, row: Any) -> str:
        """What it gives, in one line."""
        return self.words(row)

    def _row(self, pk: int) -> Any:
        rows = self.model._default_manager.select_related("program__store")
        return get_object_or_404(rows, pk=pk)

    def _written(
        self, request: HttpRequest, row: Any, program: Program, *, is_new: bool
    ) -> HttpResponse:
        before = None if is_new else as_it_was(row)
        form = self.form_class(program, request.POST or None, instance=row)
        if request.method == "POST" and form.is_valid():
            saved = form.save()
            note_change(request, saved, program, before=before)
            messages.success(request, _("Kept."))
            return HttpResponseRedirect(page_of(saved))
        title = _("New draft") if is_new else _("Change")
        shown = program if is_new else row
        return earning_page(
            request, "write", shown, title, form=form, back_url=earning_url(program)
        )


@admin.register(EarningRule)
class EarningRuleAdmin(_SwitchedAdmin):
    """What orders earn."""

    form_class = RuleForm
    list_display = ("name", "program", "gives", "state", "first", "last", "priority")
    fields = (
        *("program", "name", "state", "gives", "shipping", "first", "last"),
        *("channels", "categories", "brands", "skus", "payment_systems"),
        *("smallest", "first_order_only", "tiers_shown", "order_cap", "period_cap"),
        *("priority", "is_exclusive"),
        "switched",
    )
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        """Also trying it."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/try/", wrap(self.trial), name="loyalty_earningrule_try"),
            *super().get_urls(),
        ]

    def ways(self, request: HttpRequest, row: EarningRule) -> list[dict[str, object]]:
        """Also trying it, and a copy."""
        ways = super().ways(request, row)
        if has(request, "add_rulesimulation"):
            url = reverse("admin:loyalty_earningrule_try", args=[row.pk])
            ways.append({"label": _("Try on past orders"), "url": url})
        if has(request, "add_earningrule"):
            url = reverse("admin:loyalty_earningrule_new", args=[row.program_id])
            ways.append({"label": _("New draft from this one"), "url": f"{url}?copy={row.pk}"})
        return ways

    def switch_on(self, row: EarningRule) -> None:
        """With the program's unit and point value of now."""
        earning.switch_on(row)

    def words(self, row: EarningRule) -> str:
        """What it gives, in one line."""
        return rule_in_words(row)

    @admin.display(description=_("also on shipping"), boolean=True)
    def shipping(self, row: EarningRule) -> bool:
        """Whether shipping earns too."""
        return row.includes_shipping

    @admin.display(description=_("smallest eligible value"))
    def smallest(self, row: EarningRule) -> str:
        """As money."""
        return shown_value(row.minimum, row.program) if row.minimum else NOTHING

    @admin.display(description=_("tiers of the customer"))
    def tiers_shown(self, row: EarningRule) -> str:
        """Whose orders earn by it."""
        return ", ".join(row.tiers) or NOTHING

    @admin.display(description=_("at most for an order"))
    def order_cap(self, row: EarningRule) -> str:
        """As points and money."""
        return shown_cap(row.cap_per_order, row) if row.cap_per_order else NOTHING

    @admin.display(description=_("at most for a customer in the period"))
    def period_cap(self, row: EarningRule) -> str:
        """As points and money, with the period."""
        if not row.cap_per_period:
            return NOTHING
        return f"{shown_cap(row.cap_per_period, row)}, {row.get_period_display()}"

    def trial(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The window to try it on, and what came out the last time."""
        need(request, "view_earningrule", "add_rulesimulation")
        rule = self._row(pk)
        form = WindowForm(rule.program.store.zone, data=request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor = actor_of(request)
            days = form.cleaned_data
            simulation.simulate(rule, days["first_day"], days["last_day"], by=actor.user)
            audit.record(
                AuditAction.JOB_RUN,
                actor,
                subject=rule,
                store=rule.program.store,
                after={name: value.isoformat() for name, value in days.items()},
            )
            messages.success(request, _("A worker tries it now; reload this page in a moment."))
            return HttpResponseRedirect(request.path)
        latest = rule.simulations.order_by("-pk").first()
        return earning_page(
            request,
            "trial",
            rule,
            _("Try on past orders"),
            form=form,
            words=rule_in_words(rule),
            latest=latest,
            **(_results(latest, rule.program) if latest else {}),
        )


@admin.register(Campaign)
class CampaignAdmin(_SwitchedAdmin):
    """For some time the rules give more."""

    form_class = CampaignForm
    list_display = ("name", "program", "gives", "state", "first", "last", "used_shown", "of_budget")
    fields = (
        *("program", "name", "state", "gives", "first", "last", "used_shown", "of_budget"),
        "switched",
    )
    readonly_fields = fields

    def may_change(self, row: Campaign) -> bool:
        """The end and the budget change also while it is on."""
        return row.switched_on_at is None or row.ends_at > timezone.now()

    def switch_on(self, row: Campaign) -> None:
        """From its first day on."""
        earning.switch_on_campaign(row)

    def words(self, row: Campaign) -> str:
        """How much it multiplies."""
        return campaign_in_words(row)

    @admin.display(description=_("used"))
    def used_shown(self, row: Campaign) -> str:
        """What it added so far."""
        return shown_units(row.used, row.program)

    @admin.display(description=_("budget"))
    def of_budget(self, row: Campaign) -> str:
        """The most that it adds."""
        return NOTHING if row.budget is None else shown_units(row.budget, row.program)


def _results(made: RuleSimulation, program: Program) -> dict[str, object]:
    """A simulation as the page shows it."""
    customers = Customer.objects.in_bulk([customer for customer, _units in made.most])
    return {
        "facts": [
            (_("would have been given"), shown_units(made.units, program)),
            (_("eligible value"), shown_value(made.eligible, program)),
            (_("orders that would have earned"), f"{made.given_orders} / {made.orders}"),
            (_("customers who would have earned"), f"{made.given_customers} / {made.customers}"),
        ],
        "chart": _chart(made, program),
        "reasons": sorted(
            ((REASONS[Why(name)], count) for name, count in made.by_reason.items()),
            key=lambda each: -each[1],
        ),
        "most": [
            (page_of(customers[customer]), customers[customer], shown_units(units, program))
            for customer, units in made.most
            if customer in customers
        ],
    }


def _chart(made: RuleSimulation, program: Program) -> SafeString:
    """A bar for each day, or, of a long window, for each month."""
    days = (made.last_day - made.first_day).days + 1
    names = [(made.first_day + datetime.timedelta(days=each)).isoformat() for each in range(days)]
    width = 10 if days <= _MOST_BARS else 7
    sums: dict[str, int] = {name[:width]: 0 for name in names}
    for name, units in made.by_day.items():
        sums[name[:width]] = sums.get(name[:width], 0) + units
    unit = program.point_units or 10 ** (program.exponent)
    highest = max(sums.values(), default=0) // unit
    axis = [(each * unit, shown_count(each)) for each in charts.steps_to(highest)]
    series = charts.Series(
        _("would have been given"),
        list(sums.values()),
        [shown_units(units, program) for units in sums.values()],
    )
    labels = [name[-5:] for name in sums]
    return charts.columns(
        _("What it would have given"), labels, [series], name="trial", axis=axis, texts=list(sums)
    )
