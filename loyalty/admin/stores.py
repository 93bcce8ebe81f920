"""Stores, and what they give."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.core.validators import validate_slug
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.admin.actions import ActionURLs
from loyalty.admin.base import NOTHING, Recent, badge, moment, shown_moment
from loyalty.admin.formats import shown_money
from loyalty.admin.program_earning import ProgramEarningURLs
from loyalty.admin.program_messages import ProgramMessageURLs
from loyalty.admin.settings import SettingsAdmin
from loyalty.alerts import UNHEARD
from loyalty.models import GiftCard, OrderListening, PointValueChange, Program, Store
from loyalty.notifications.contents import SWITCHES


@dataclass(frozen=True, slots=True)
class StoreLink:
    """A button on a store's page, for somebody who may press it."""

    label: StrOrPromise
    url: str


_TROUBLE = _(
    "Look at the store's keys of VTEX and at the order feed, then read the days that were missed"
    " again."
)
_SILENCE = _("See under Periodic work whether the orders are read. What was missed is read then.")


@admin.register(Store)
class StoreAdmin(SettingsAdmin[Store]):
    """The VTEX accounts that are served. Days, orders and money depend on what stays."""

    list_display = ("name", "account", "provider_id", "currency", "time_zone")
    search_fields = ("account", "name")
    created = moment("created_at", _("created at"))
    fields = (
        "name",
        "account",
        "provider_id",
        "currency",
        "time_zone",
        "language",
        "refund_grace_days",
        "open_hold_alert_days",
        "orders_heard",
        "created",
    )
    readonly_fields = ("orders_heard", "created")
    fixed = ("account", "provider_id", "currency", "time_zone")
    recent = (Recent(Program, "store", ("name", "kind", "funding", "validity_days")),)
    # Filled by the applications that have something to do with a store (their module of pages).
    links: ClassVar[list[Callable[[HttpRequest, Store], StoreLink | None]]] = []

    @admin.display(description=_("orders"))
    def orders_heard(self, store: Store) -> str | SafeString:
        """Until when the store's orders are known; what hinders that, and what to do."""
        known = OrderListening.objects.filter(store=store.pk).first() if store.pk else None
        if known is None:
            return NOTHING
        heard = _("heard until %(instant)s") % {"instant": shown_moment(known.heard_at, store)}
        is_silent = known.heard_at is None or known.heard_at < timezone.now() - UNHEARD
        if known.problem:
            kind, problem, advice = "bad", gettext(known.problem), _TROUBLE
        elif is_silent:
            kind, problem, advice = "open", gettext("Nobody has listened since."), _SILENCE
        else:
            return badge("good", heard)
        return format_html(
            '{}<p class="notice notice-{}">{}</p><p class="quiet">{}</p>',
            *(badge(kind, heard), kind, problem, advice),
        )

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """A provider id that fits into URLs: it stays."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name == "provider_id":
            field.validators.append(validate_slug)
        return field

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with the ways to what belongs to the store."""
        if store := context.get("original"):
            found = (link(request, store) for link in self.links)
            context["extra_buttons"] = [link for link in found if link]
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(Program)
class ProgramAdmin(ProgramEarningURLs, ProgramMessageURLs, ActionURLs, SettingsAdmin[Program]):
    """The kinds of credit of each store. What its cards count in stays."""

    list_display = ("name", "store", "kind", "funding", "validity_days", "relation_name", "point")
    list_filter = ("store", "kind", "funding")
    list_select_related = ("store",)
    search_fields = ("name",)
    created = moment("created_at", _("created at"))
    fieldsets = (
        (None, {"fields": ("store", "kind", "name", "caption", "relation_name", "created")}),
        (
            _("New cards"),
            {
                "fields": (
                    "funding",
                    "validity_days",
                    "is_restricted",
                    "is_reloadable",
                    "is_reusable",
                )
            },
        ),
        (_("Messages"), {"fields": (*SWITCHES.values(), "code_in_message")}),
        (
            _("Paying with this credit"),
            {
                "fields": (
                    "redemption_minimum_cart",
                    "redemption_percent",
                    "redemption_counts_shipping",
                    "redemption_minimum",
                    "redemption_maximum",
                ),
                "description": _(
                    "Empty: no rule. Checkout shows no more of the balance than the rule allows,"
                    " and says nothing of the rule: tell your customers."
                ),
            },
        ),
        (_("Points"), {"fields": ("unit_name", "point", "finer_digits", "point_units")}),
        (_("Terms"), {"fields": ("terms_version", "terms")}),
    )
    # The messages have a page of their own.
    readonly_fields = ("created", "point", *SWITCHES.values(), "code_in_message")
    fixed = ("store", "kind", "relation_name", "finer_digits", "point_units")
    recent = (
        Recent(
            PointValueChange,
            "program",
            ("since", "value_before", "value_after", "policy", "state", "why", "changed_by"),
        ),
        Recent(GiftCard, "program", ("code_shown", "owner_link", "state", "available", "last_day")),
    )

    @admin.display(description=_("value of a point"))
    def point(self, program: Program) -> str:
        """What a point is worth, for programs that count in points."""
        if program.point_units is None:
            return NOTHING
        return shown_money(program.point_units, program.store.currency, program.exponent)
