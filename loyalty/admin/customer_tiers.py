"""A customer's tiers: how each came about, what comes next, and granting one."""

import secrets
from typing import Any

from django.contrib import admin, messages
from django.contrib.postgres.aggregates import JSONBAgg
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from loyalty import audit, earning
from loyalty.admin.columns import address, linked, page_of
from loyalty.admin.earning_pages import has, need
from loyalty.admin.forms.tiers import GrantForm
from loyalty.admin.parts import Fact
from loyalty.admin.related import Table, latest
from loyalty.admin.tier_texts import cause_in_words, ladder_of_tiers, next_in_words
from loyalty.models import (
    AuditAction,
    Customer,
    Program,
    TierCause,
    TierChange,
    TierGrant,
    TierStanding,
)
from loyalty.sign_in.address import actor_of


class CustomerTierURLs(admin.ModelAdmin[Any]):
    """A mixin for the customer's page: `<key>/tier/` shows how tiers changed, and grants one."""

    def get_urls(self) -> list[URLPattern]:
        """The page here, before those of the customer."""
        page = self.admin_site.admin_view(self.tier_page)
        return [path("<int:pk>/tier/", page, name="loyalty_customer_tier"), *super().get_urls()]

    def tier_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Each tier with its history, and, for whoever may, granting one: it holds at once."""
        need(request, "view_customer", "view_tierstanding")
        customer = get_object_or_404(Customer.objects.select_related("store"), pk=pk)
        programs = [] if customer.erased_at else _programs(customer)
        may_grant = has(request, "add_tiergrant") and bool(programs)
        if request.method == "POST" and not may_grant:
            raise PermissionDenied
        form = GrantForm(customer, programs, request.POST or None)
        if request.method == "POST" and form.is_valid():
            _grant(request, customer, form)
            messages.success(request, _("Done."))
            return HttpResponseRedirect(page_of(customer))
        tables = [
            self._latest(request, TierChange, customer),
            self._latest(request, TierGrant, customer),
        ]
        return TemplateResponse(
            request,
            "admin/tiers/customer.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Tiers"),
                "opts": self.opts,
                "row": customer,
                "row_url": page_of(customer),
                "list_url": address(Customer, "changelist"),
                "form": form,
                "token": request.POST.get("token") or secrets.token_hex(16),
                "may_grant": may_grant,
                "climbs": _climbs(customer),
                "tables": [table for table in tables if table],
            },
        )

    def _latest(
        self,
        request: HttpRequest,
        model: type[TierChange | TierGrant],
        customer: Customer,
    ) -> Table | None:
        page = self.admin_site.get_model_admin(model)
        columns = [name for name in page.list_display if name != "customer_link"]
        return latest(
            request,
            page,
            Q(customer=customer),
            columns=[str(name) for name in columns],
            query={"customer__id__exact": customer.pk},
        )


def tier_buttons(request: HttpRequest, customer: Customer) -> list[dict[str, object]]:
    """The way there for whoever may see tiers."""
    if not has(request, "view_tierstanding"):
        return []
    url = reverse("admin:loyalty_customer_tier", args=[customer.pk])
    return [{"label": _("Tiers"), "url": url}]


def with_tiers(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Customers with what is known of their tiers, in the same statement (`tier_facts`)."""
    standings = TierStanding.objects.filter(customer=OuterRef("pk")).exclude(tier="").order_by()
    each = JSONObject(program="program__name", tier="tier", cause="cause")
    together = standings.values("customer").annotate(all=JSONBAgg(each, order_by="program"))
    return customers.annotate(tiers_known=Subquery(together.values("all")))


def tier_facts(request: HttpRequest, customer: Customer) -> list[Fact]:
    """The tier in each program, and whether it was reached, is kept or was granted."""
    if not has(request, "view_tierstanding"):
        return []
    known: list[dict[str, str]] = getattr(customer, "tiers_known", None) or []
    return [
        Fact(
            _("tier"),
            f"{each['tier']} ({TierCause(each['cause']).label}), {each['program']}",
        )
        for each in known
    ]


def _climbs(customer: Customer) -> list[dict[str, object]]:
    """The tier in each program, how it came about, what comes next, and all of it as a picture."""
    return [
        {
            "program": linked(held.program),
            "tier": held.standing.name or _("no tier"),
            "cause": cause_in_words(held),
            "next": next_in_words(held),
            "ladder": ladder_of_tiers(held, f"ladder-{held.program.pk}"),
        }
        for held in earning.held_by(customer)
    ]


def _programs(customer: Customer) -> list[Program]:
    """The programs of the store that have tiers now."""
    rows = Program.objects.filter(
        store=customer.store_id, tier_schemes__switched_on_at__isnull=False
    )
    programs = rows.select_related("store").distinct().order_by("name", "pk")
    return [program for program in programs if earning.tiers_of(program)]


def _grant(request: HttpRequest, customer: Customer, form: GrantForm) -> None:
    actor, data = actor_of(request), form.cleaned_data
    program, tier = data["tier"]
    last = data["last_day"]
    made = earning.grant(
        program,
        customer,
        tier=tier,
        until=program.store.last_instant(last) if last else None,
        reason=data["reason"],
        by=actor.user,
        request_id=f"tier:{customer.pk}:{request.POST.get('token', '')[:32]}",
    )
    audit.record(
        AuditAction.TIER_GRANTED,
        actor,
        subject=made,
        customer=customer,
        after={"tier": tier, "until": made.until.isoformat() if made.until else ""},
        note=made.reason,
        request_id=made.request_id,
    )
