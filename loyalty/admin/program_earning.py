"""A program's page of earning: its policy with an example, its rules and its campaigns."""

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.admin.book_pages import query
from loyalty.admin.columns import page_of
from loyalty.admin.earning_pages import (
    as_it_was,
    earning_page,
    earning_url,
    has,
    need,
    note_change,
)
from loyalty.admin.earning_rules import state_of
from loyalty.admin.earning_texts import (
    campaign_in_words,
    rule_in_words,
    shown_units,
    shown_value,
)
from loyalty.admin.formats import shown_day
from loyalty.admin.forms.earning import PolicyForm, example_value
from loyalty.admin.program_pages import SEE
from loyalty.admin.tiers import state_of_scheme
from loyalty.earning import engine, rules
from loyalty.models import EarningPolicy, EarningRule, Program
from loyalty.shop_orders import Line, Order, OrderState, Tender

_DAY = datetime.timedelta(days=1)


class ProgramEarningURLs(admin.ModelAdmin[Any]):
    """A mixin for the program's page: `<key>/earning/`."""

    def get_urls(self) -> list[URLPattern]:
        """The page here, before those of the program."""
        page = self.admin_site.admin_view(self.earning_page)
        return [
            path("<int:pk>/earning/", page, name="loyalty_program_earning"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The program, with the way there for whoever may see rules."""
        row = context["original"]
        if row and row.kind == Program.Kind.LOYALTY and has(request, "view_earningrule"):
            button = {"label": gettext_lazy("Earning"), "url": earning_url(row)}
            context["extra_buttons"] = [*context.get("extra_buttons", ()), button]
        if row and row.kind == Program.Kind.LOYALTY and request.user.has_perm(SEE):
            url = f"{reverse('admin:program_figures')}{query(program=row.pk)}"
            button = {"label": gettext_lazy("Figures"), "url": url}
            context["extra_buttons"] = [*context.get("extra_buttons", ()), button]
        return super().render_change_form(request, context, *args, **kwargs)

    def earning_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the program gives for orders; the policy changes after its example was seen."""
        need(request, "view_program", "view_earningrule", "view_earningpolicy")
        program = get_object_or_404(Program.objects.select_related("store"), pk=pk)
        known = EarningPolicy.objects.filter(program=program).first()
        may_change = has(request, "change_earningpolicy")
        if request.method == "POST":
            need(request, "change_earningpolicy")
        before = as_it_was(known) if known else None
        form = PolicyForm(program, request.POST or None, instance=known)
        example: list[str] = []
        if form.is_bound and form.is_valid():
            if form.is_seen:
                note_change(request, form.save(), program, before=before)
                messages.success(request, _("Kept."))
                return HttpResponseRedirect(request.path)
            example = example_of(program, form.save(commit=False))
            # What is typed stays; only the mark is new.
            form.data = {**request.POST.dict(), "seen": form.mark}
        elif known and not form.is_bound:
            example = example_of(program, known)
        return earning_page(
            request,
            "program",
            program,
            gettext_lazy("Earning"),
            form=form,
            is_asked=form.is_bound and bool(example),
            example=example,
            may_change=may_change,
            may_write=has(request, "add_earningrule"),
            rules=_rules(program),
            campaigns=_campaigns(program),
            schemes=_schemes(program),
            may_write_tiers=has(request, "add_tierscheme"),
            new_tiers=reverse("admin:loyalty_tierscheme_new", args=[program.pk]),
            new_rule=reverse("admin:loyalty_earningrule_new", args=[program.pk]),
            new_campaign=reverse("admin:loyalty_campaign_new", args=[program.pk]),
        )


def example_of(program: Program, policy: EarningPolicy) -> list[str]:
    """A purchase under a policy, step by step: worked out by the rules' own engine."""
    example = _Example(program, policy)
    return [*example.earned(), *example.taken_back()]


class _Example:
    """Goods of 200.00, a quarter paid with credit, half of it returned after some was spent."""

    def __init__(self, program: Program, policy: EarningPolicy) -> None:
        self._program, self._policy = program, policy
        self._paid = timezone.now()
        self._value = example_value(program)
        self._bought = self._order(0)
        self._half = self._order(self._value // 2)

    def earned(self) -> list[str]:
        """What is pending, and when it is usable and ends."""
        invoiced = self._paid + 2 * _DAY
        delivered = self._paid + 5 * _DAY
        usable = self._policy.usable_at(invoiced, delivered) or invoiced
        ends = self._program.expiry_after(usable)
        lines = [
            _(
                "%(paid)s: a customer buys for %(value)s and pays %(credit)s of it with credit."
                " %(earned)s are pending: %(counted)s earn, by %(rule)s."
            )
            % {
                "paid": self._day(self._paid),
                "value": shown_value(self._value, self._program),
                "credit": shown_value(self._value // 4, self._program),
                "counted": shown_value(self._value * 3 // 4, self._program),
                "earned": shown_units(self._due(self._bought), self._program),
                "rule": self._rule_text(),
            },
            _(
                "%(invoiced)s: the order is invoiced, %(delivered)s: it is delivered."
                " %(usable)s: what was earned is usable."
            )
            % {
                "invoiced": self._day(invoiced),
                "delivered": self._day(delivered),
                "usable": self._day(usable),
            },
        ]
        if ends:
            lines.append(_("%(end)s: what is left of it ends.") % {"end": self._day(ends)})
        return lines

    def taken_back(self) -> list[str]:
        """Half comes back when only a quarter of the earning is unspent."""
        earned, due = self._due(self._bought), self._due(self._half)
        unspent = self._down(earned // 4)
        back = earned - due
        taken, rest = min(back, unspent), max(back - unspent, 0)
        lines = [
            _("When half of it comes back before anything is spent, %(back)s are taken back.")
            % {"back": shown_units(back, self._program)}
        ]
        rest_text = {
            EarningPolicy.TakeBack.WAIVE: _("The other %(rest)s are waived."),
            EarningPolicy.TakeBack.OWE: _(
                "The other %(rest)s are taken from what the customer earns next."
            ),
        }[EarningPolicy.TakeBack(self._policy.take_back)]
        lines.append(
            _("When only %(unspent)s are left by then, %(taken)s are taken back.")
            % {
                "unspent": shown_units(unspent, self._program),
                "taken": shown_units(taken, self._program),
            }
            + " "
            + rest_text % {"rest": shown_units(rest, self._program)}
        )
        return lines

    def _order(self, returned: int) -> Order:
        return Order(
            order_id="example",
            state=OrderState.INVOICED,
            changed_at=self._paid,
            placed_at=self._paid,
            paid_at=self._paid,
            currency=self._program.store.currency,
            lines=(Line(sku="1", value=self._value, returned=returned),),
            tenders=(
                Tender(system="2", amount=self._value - self._value // 4),
                Tender(system="16", amount=self._value // 4, is_credit=True),
            ),
        )

    def _rule(self) -> EarningRule:
        """The program's first plain rule that is on, or a usual one."""
        plain = EarningRule.objects.filter(
            program=self._program, switched_on_at__isnull=False, ends_at=None, channels=[]
        ).filter(categories=[], brands=[], skus=[], payment_systems=[], first_order_only=False)
        if rule := plain.select_related("program__store").order_by("priority", "pk").first():
            return rule
        usual = EarningRule(program=self._program, starts_at=self._paid)
        if self._program.point_units is None:
            usual.percent = Decimal(5)
        else:
            usual.points, usual.per_amount = 1, self._value // 200
        return usual

    def _rule_text(self) -> str:
        return rule_in_words(self._rule())

    def _due(self, order: Order) -> int:
        [verdict] = engine.evaluate(
            [order],
            [replace(rules.rule_of(self._rule()), starts_at=self._paid, ends_at=None, minimum=0)],
            zone=self._program.store.zone,
            currency=self._program.store.currency,
        )
        return verdict.due

    def _down(self, units: int) -> int:
        unit = rules.rule_of(self._rule()).unit
        return units // unit * unit

    def _day(self, instant: datetime.datetime) -> str:
        local = instant.astimezone(self._program.store.zone)
        return date_format(local, "SHORT_DATE_FORMAT", use_l10n=True)


def _rules(program: Program) -> list[dict[str, object]]:
    return [
        {
            "name": rule.name,
            "url": page_of(rule),
            "words": rule_in_words(rule),
            "state": state_of(rule),
        }
        for rule in program.earning_rules.select_related("program__store")
    ]


def _schemes(program: Program) -> list[dict[str, object]]:
    return [
        {
            "name": str(scheme),
            "url": page_of(scheme),
            "first": shown_day(scheme.starts_at, program.store),
            "state": state_of_scheme(scheme),
        }
        for scheme in program.tier_schemes.select_related("program__store")
    ]


def _campaigns(program: Program) -> list[dict[str, object]]:
    return [
        {
            "name": campaign.name,
            "url": page_of(campaign),
            "words": campaign_in_words(campaign),
            "state": state_of(campaign),
            "used": shown_units(campaign.used, program),
        }
        for campaign in program.campaigns.select_related("program__store")
    ]
