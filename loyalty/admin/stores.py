"""Stores, what they give, and to whom."""

from collections.abc import Iterator

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.admin.actions import ActionURLs
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, Recent, moment
from loyalty.admin.customer_messages import CustomerMessageURLs
from loyalty.admin.privacy import PersonalDataURLs
from loyalty.admin.program_messages import ProgramMessageURLs
from loyalty.models import Customer, GiftCard, Notification, Program, Store
from loyalty.notifications.contents import SWITCHES


@admin.register(Store)
class StoreAdmin(ReadOnlyAdmin[Store]):
    """The VTEX accounts that are served."""

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
        "created",
    )
    readonly_fields = ("created",)
    recent = (Recent(Program, "store", ("name", "kind", "funding", "validity_days")),)


@admin.register(Program)
class ProgramAdmin(ProgramMessageURLs, ActionURLs, ReadOnlyAdmin[Program]):
    """The kinds of credit of each store."""

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
    readonly_fields = ("created", "point")
    recent = (
        Recent(GiftCard, "program", ("code_shown", "owner_link", "state", "available", "last_day")),
    )

    @admin.display(description=_("value of a point"))
    def point(self, program: Program) -> str:
        """What a point is worth, for programs that count in points."""
        if program.point_value is None:
            return NOTHING
        return f"{program.store.currency} {program.point_value}"


@admin.register(Customer)
class CustomerAdmin(CustomerMessageURLs, PersonalDataURLs, ActionURLs, ReadOnlyAdmin[Customer]):
    """The owners of cards."""

    list_display = ("__str__", "email", "document", "corporate_document", "store", "created")
    list_filter = ("store",)
    list_select_related = ("store",)
    search_fields = ("email", "document", "corporate_document", "profile_id")
    search_help_text = _("Whole e-mail, document or profile id, or part of a name.")
    created = moment("created_at", _("created at"))
    fields = (
        "store",
        "name",
        "email",
        "document",
        "corporate_document",
        "profile_id",
        "language",
        "reminders_stopped",
        "created",
    )
    reminders_stopped = moment("reminders_stopped_at", _("wants no reminders since"))
    readonly_fields = ("created", "reminders_stopped")
    recent = (
        Recent(
            GiftCard, "owner", ("code_shown", "program", "state", "available", "held", "last_day")
        ),
        Recent(Notification, "customer", ("number_link", "kind", "state", "created", "sent")),
    )

    def search_conditions(self, term: str) -> Iterator[Q]:
        """Also part of a name: people know names."""
        yield from super().search_conditions(term)
        yield Q(name__icontains=term)
