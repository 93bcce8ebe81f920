"""A customer's tiers: how each came about, what comes next, and granting one."""

import secrets
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from loyalty import audit, earning
from loyalty.admin.columns import address, linked, page_of
from loyalty.admin.earning_pages import has, need
from loyalty.admin.formats import NOTHING, shown_moment
from loyalty.admin.forms.tiers import GrantForm
from loyalty.admin.related import Table, additions
from loyalty.admin.tier_texts import cause_in_words, next_in_words
from loyalty.models import AuditAction, Customer, Program, TierGrant, TierScheme, TierStanding
from loyalty.sign_in.address import actor_of


class CustomerTierURLs(admin.ModelAdmin[Any]):
    """A mixin for the customer's page: `<key>/tier/` grants one."""

    def get_urls(self) -> list[URLPattern]:
        """The page here, before those of the customer."""
        page = self.admin_site.admin_view(self.grant_page)
        return [path("<int:pk>/tier/", page, name="loyalty_customer_tier"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The customer, with the way there for whoever may go it."""
        row = context["original"]
        if row and not row.erased_at and has(request, "add_tiergrant") and _programs(row):
            url = reverse("admin:loyalty_customer_tier", args=[row.pk])
            button = {"label": _("Grant a tier"), "url": url}
            context["extra_buttons"] = [*context.get("extra_buttons", ()), button]
        return super().render_change_form(request, context, *args, **kwargs)

    def grant_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Which tier, until when and why; then it is the customer's at once."""
        need(request, "add_tiergrant")
        customer = Customer.objects.select_related("store").filter(pk=pk, erased_at=None).first()
        programs = _programs(customer) if customer else []
        if customer is None or not programs:
            raise Http404
        initial = {"token": secrets.token_hex(16)}
        form = GrantForm(customer, programs, request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            _grant(request, customer, form)
            messages.success(request, _("Done."))
            return HttpResponseRedirect(page_of(customer))
        return TemplateResponse(
            request,
            "admin/tiers/grant.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Grant a tier"),
                "opts": self.opts,
                "row": customer,
                "row_url": page_of(customer),
                "list_url": address(Customer, "changelist"),
                "form": form,
                "lines": [
                    f"{row.program}: {row.tier or NOTHING}. {explained}"
                    for row, explained, _next in _explained(customer)
                ],
            },
        )


def table_of_tiers(request: HttpRequest, subject: object) -> Table | None:
    """On a customer's page: the tier in each program, how it came about, and what comes next."""
    if not isinstance(subject, Customer) or not has(request, "view_tierstanding"):
        return None
    return Table(
        title=_("tiers"),
        labels=[
            str(label)
            for label in (
                _("program"),
                _("tier"),
                _("since"),
                _("how it came about"),
                _("what comes next"),
            )
        ],
        rows=[
            [
                linked(row.program),
                row.tier or NOTHING,
                shown_moment(row.since, row.program.store),
                explained,
                following,
            ]
            for row, explained, following in _explained(subject)
        ],
        link="",
        has_more=False,
    )


def _explained(customer: Customer) -> list[tuple[TierStanding, str, str]]:
    """Each standing with how it came about and what comes next, from the orders as they are now."""
    found = []
    rows = TierStanding.objects.filter(customer=customer).select_related("program__store")
    for row in rows.order_by("program"):
        standing = earning.standing_of(row.program, customer)
        if standing is None or standing.scheme is None:
            continue
        scheme = TierScheme.objects.get(pk=standing.scheme.id)
        scheme.program = row.program
        grant = (
            TierGrant.objects.select_related("given_by").get(pk=standing.gift.id)
            if standing.gift
            else None
        )
        explained = cause_in_words(standing, scheme, grant)
        found.append((row, explained, " ".join(next_in_words(standing, row)) or NOTHING))
    return found


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
        request_id=f"tier:{data['token']}",
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


additions.append(table_of_tiers)
