"""The audit trail: who did what, when, from where, and what it changed. Only shown, by anybody.

The database itself refuses to change or delete an event.
"""

import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import privacy, roles
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, link, shown_amount
from loyalty.admin.figures import STATES, Change, Scale, changes, is_figure
from loyalty.admin.formats import shown_money
from loyalty.admin.limits import shown
from loyalty.admin.lists import LargeList
from loyalty.models import AuditAction, AuditEvent, Reason, Store
from loyalty.money import exponent_of

FIELDS: Mapping[str, StrOrPromise] = {
    "per_action": _("limit of an action"),
    "per_day": _("limit of a day"),
    "roles": _("roles"),
    "username": _("username"),
    "is_active": _("account open"),
    "is_superuser": _("may do everything"),
    "fields": _("fields changed"),
    "app_key": _("AppKey"),
    "kind": _("kind"),
    "service_url": _("service URL"),
    "first_name": _("first name"),
    "last_name": _("last name"),
    "email": _("e-mail"),
    "document": _("personal document"),
    "cards": _("cards"),
    "rows": _("rows"),
    "status": _("status"),
    "assigned_to": _("assigned to"),
    "source": _("compared with"),
    "window": _("window"),
}
_NOTES: Mapping[str, StrOrPromise] = {
    "idle": _("nothing happened for a while"),
    "too_long": _("signed in for too long"),
    "one-time password": _("wrong one-time password"),
    "password again": _("wrong password, asked for again"),
    "new backup codes": _("new backup codes"),
}
_REASONS: Mapping[str, StrOrPromise] = {**dict(Reason.choices), **privacy.REASONS}
# An event of these names a person by what they typed, without being theirs.
_BY_NAME = (AuditAction.SIGN_IN_FAILED, AuditAction.LOCKED_OUT)
_MOST_PEOPLE = 200


class PersonFilter(admin.SimpleListFilter):
    """By who did it, their failures to sign in too."""

    title = _("person")
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The staff, closed accounts too: what they did stays."""
        people = User.objects.filter(is_staff=True).order_by("username")[:_MOST_PEOPLE]
        return [(str(person.pk), person.get_username()) for person in people]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Their events."""
        value = self.value()
        person = User.objects.filter(pk=value).first() if value and value.isdecimal() else None
        if person is None:
            return queryset
        typed = Q(action__in=_BY_NAME, username=person.get_username())
        return queryset.filter(Q(user=person) | typed)


@admin.register(AuditEvent)
class AuditEventAdmin(LargeList[AuditEvent], ReadOnlyAdmin[AuditEvent]):
    """The list, newest first, and each event with what was before and after."""

    change_form_template = "admin/audit/event.html"
    list_display = (
        *("moment", "who", "action", "store", "card_link", "customer_link", "amount_shown"),
        *("address", "note_shown"),
    )
    list_filter = (PersonFilter, "action", "store", ("at", admin.DateFieldListFilter))
    list_select_related = ("user", "store", "card", "card__program", "customer")
    search_fields = ("card__public_id", "user__username")
    search_help_text = _("Card id, request id or username, whole.")
    ordering = ("-id",)
    card_link = link("card", _("gift card"))
    customer_link = link("customer", _("customer"))
    fields = (
        *("moment", "who", "address", "action", "subject_link", "store", "card_link"),
        *("customer_link", "amount_shown", "reason_shown", "note_shown", "request_id"),
    )
    readonly_fields = fields

    @admin.display(description=_("at"), ordering="id")
    def moment(self, event: AuditEvent) -> str:
        """By the clock of the store; of what belongs to none, by that of the first store."""
        zone = event.store.time_zone if event.store else getattr(event, "first_zone", None)
        local = timezone.localtime(event.at, zoneinfo.ZoneInfo(zone or "UTC"))
        return f"{date_format(local, 'SHORT_DATETIME_FORMAT', use_l10n=True)} {local:%Z}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """With the time zone that events of no store are shown in."""
        zones = Store.objects.order_by("pk").values("time_zone")[:1]
        return super().get_queryset(request).annotate(first_zone=Subquery(zones))

    @admin.display(description=_("person"))
    def who(self, event: AuditEvent) -> str:
        """Who did it; of a failed sign in whose name was typed, if it is a name."""
        if event.user is not None:
            return event.user.get_username()
        return event.username or gettext("(nobody that we know)")

    @admin.display(description=_("amount"))
    def amount_shown(self, event: AuditEvent) -> str:
        """Exact money; of a card in points, those with the money beside."""
        if event.amount is None or not event.currency:
            return NOTHING
        # The card lends its digits; an event of none counts in the currency's.
        if event.card:
            return shown_amount(event.amount, event.card)
        return shown_money(event.amount, event.currency, exponent_of(event.currency))

    @admin.display(description=_("reason"))
    def reason_shown(self, event: AuditEvent) -> StrOrPromise:
        """In the page's language: one of the ledger's, or why a person was erased."""
        return _REASONS.get(event.reason, event.reason) or NOTHING

    @admin.display(description=_("note"))
    def note_shown(self, event: AuditEvent) -> StrOrPromise:
        """What was noted: our own words in the page's language, a person's as they are."""
        return _NOTES.get(event.note, roles.label(event.note)) or NOTHING

    @admin.display(description=_("about"))
    def subject_link(self, event: AuditEvent) -> str:
        """What it was about, leading to its page."""
        name, _colon, key = event.subject.partition(":")
        try:
            model: type[Model] = apps.get_model(name)
            row = model._default_manager.filter(pk=key).first()
            page = reverse(
                f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key]
            )
        except (LookupError, ValueError, NoReverseMatch):
            return event.subject or NOTHING
        return format_html('<a href="{}">{}</a>', page, row or event.subject)

    def search_conditions(self, term: str) -> Iterator[Q]:
        """Also a request id, by the index that has the action first."""
        yield from super().search_conditions(term)
        yield Q(action__in=AuditAction.values, request_id=term) & ~Q(request_id="")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with the table of what changed."""
        event = context["original"]
        context["changes"] = changes_of(event)
        return super().render_change_form(request, context, *args, **kwargs)


def changes_of(event: AuditEvent) -> list[Change]:
    """What was before and after, one row a figure or field."""
    figures = {name for name in {**event.before, **event.after} if is_figure(name)}
    rows: list[Change] = []
    money = {name: event.after[name] for name in event.after if name in figures}
    if money and event.currency and (store := event.store or Store.objects.first()):
        digits = event.card.exponent if event.card else exponent_of(event.currency)
        known = {name: event.before.get(name) for name in money}
        program = event.card.program if event.card else None
        rows += changes(known, money, Scale(store, event.currency, digits, program))
    else:
        figures = set()
    names = [name for name in {**event.before, **event.after} if name not in figures]
    rows += [
        Change(
            FIELDS.get(name, name),
            _shown(event, name, event.before.get(name)),
            _shown(event, name, event.after.get(name)),
        )
        for name in names
    ]
    return rows


def _shown(event: AuditEvent, name: str, value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        words = [FIELDS.get(str(each), roles.label(str(each))) for each in value]
        return ", ".join(str(word) for word in words) or NOTHING
    if name in {"per_action", "per_day"} and event.currency:
        return shown(int(value), event.currency)
    return str(STATES.get(str(value), value) if name == "status" else value)
