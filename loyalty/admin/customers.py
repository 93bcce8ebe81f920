"""Customers: who they are, what they have, and their statement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from loyalty import audit, statements
from loyalty.admin import exports
from loyalty.admin.actions import ActionURLs
from loyalty.admin.base import Recent
from loyalty.admin.columns import address, linked, moment
from loyalty.admin.csv import csv_response
from loyalty.admin.customer_form import CustomerFormURLs
from loyalty.admin.customer_merges import merged_facts, with_merged
from loyalty.admin.customer_messages import CustomerMessageURLs, message_buttons
from loyalty.admin.customer_tiers import CustomerTierURLs, tier_buttons, tier_facts, with_tiers
from loyalty.admin.filters import DayFilter, RelationFilter
from loyalty.admin.formats import shown_amount, shown_day, shown_document, shown_moment, shown_money
from loyalty.admin.lists import LargeList
from loyalty.admin.pages import StoryPage, key_of, may_see
from loyalty.admin.parts import Fact, events_of, fact_of, open_approvals
from loyalty.admin.people import name_of
from loyalty.admin.privacy import PersonalDataURLs
from loyalty.admin.states import card_badge
from loyalty.admin.stories import TITLES, Step, movement_of, steps_with
from loyalty.models import (
    AuditAction,
    AuditEvent,
    Customer,
    GiftCard,
    Language,
    Notification,
    Operation,
    ShopOrder,
)
from loyalty.money import to_decimal
from loyalty.reports.sums import one_snapshot
from loyalty.sign_in.address import actor_of

_CARDS = 20


@admin.register(Customer)
class CustomerAdmin(
    CustomerTierURLs,
    CustomerMessageURLs,
    PersonalDataURLs,
    ActionURLs,
    StoryPage[Customer],
    LargeList[Customer],
    CustomerFormURLs,
):
    """The owners of cards; the page of one says what they have and what happened to it."""

    list_display = ("__str__", "email", "document", "corporate_document", "store", "created")
    list_filter = (("store", RelationFilter), DayFilter)
    list_select_related = ("store",)
    search_fields = ("email", "document", "corporate_document", "profile_id")
    search_help_text = _("Whole e-mail, document or profile id, or part of a name.")
    export_also = ("name", "profile_id")
    story_template = "admin/customer_page.html"
    story_related = ("store", "merged_into")
    created = moment("created_at", _("created at"))
    recent = (
        Recent(
            ShopOrder,
            "customer",
            ("order", "shown_state", "paid", "goods", "earned", "pending", "why"),
        ),
        Recent(Notification, "customer", ("number_link", "kind", "state", "created", "sent")),
    )

    def search_conditions(self, term: str) -> Iterator[Q]:
        """Also part of a name: people know names."""
        yield from super().search_conditions(term)
        yield Q(name__icontains=term)

    def story_rows(self, rows: QuerySet[Customer]) -> QuerySet[Customer]:
        """Also with their tiers, and who was merged into them."""
        return with_merged(with_tiers(rows))

    def get_urls(self) -> list[URLPattern]:
        """The address of the statement as a file, before those of the pages."""
        return [
            path(
                "<int:pk>/statement/",
                self.admin_site.admin_view(self.statement_file),
                name="loyalty_customer_statement",
            ),
            *super().get_urls(),
        ]

    def story(self, request: HttpRequest, row: Customer) -> dict[str, Any]:
        """Who it is, what they have together and card by card, and what moved."""
        before = key_of(request, "before")
        sees_cards, sees_operations = may_see(request, GiftCard), may_see(request, Operation)
        with one_snapshot():
            found = statements.statement(row, before=before) if sees_operations else None
        cards, has_more = _cards_of(row) if sees_cards else ([], False)
        return {
            "customer": row,
            "tiles": _tiles(found.totals) if found else [],
            "facts": [*_facts(row), *merged_facts(row), *tier_facts(request, row)],
            "person": row.merged_into and linked(row.merged_into),
            "cards": cards,
            "all_cards": f"{address(GiftCard, 'changelist')}?owner__id__exact={row.pk}",
            "has_more_cards": has_more,
            "lines": _lines(found.lines) if found else [],
            "older": found.older if found else None,
            "is_later_page": before is not None,
            "statement_url": _statement_url(request, row),
            # Of one who was merged all else is done on the other's page.
            "extra_buttons": []
            if row.merged_into_id
            else [
                *self.form_button(request, row),
                *message_buttons(request, row),
                *tier_buttons(request, row),
                *_personal_data(request, row),
            ],
            "tables": [each for each in self.recent_tables(request, row) if each.rows],
            "approvals": open_approvals(request, Q(customer=row) | Q(card__owner=row)),
            "events": events_of(request, AuditEvent.objects.filter(customer=row), row.store),
        }

    def statement_file(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The whole statement as CSV, entry by entry, with what was left after each."""
        customer = self.row_of(request, str(pk))
        if not _statement_url(request, customer):
            raise PermissionDenied
        audit.record(AuditAction.EXPORT, actor_of(request), customer=customer, note="statement")
        header = [
            *(_("date"), _("gift card"), _("what happened"), _("movement"), _("amount")),
            *(_("change of what is available"), _("available after"), _("currency")),
            *(_("order"), _("by"), _("operation")),
        ]
        return csv_response(
            gettext("statement %(number)s") % {"number": customer.pk} + ".csv",
            header,
            _rows_of(customer),
            language=get_language() or "en",
        )


@dataclass(frozen=True, slots=True)
class CardLine:
    """A card as a line of its owner's page."""

    link: str
    program: str
    badge: SafeString
    available: str
    held: str
    last_day: str


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A movement as a line: what it changed, and what could be spent after it."""

    step: Step
    change: str
    is_less: bool
    available_after: str


def _tiles(totals: Sequence[statements.Totals]) -> list[Fact]:
    return [
        Fact(label, shown_money(units, each.scale.currency, each.scale.exponent))
        for each in totals
        for label, units in ((_("available"), each.available), (_("held"), each.held))
    ]


def _facts(customer: Customer) -> list[Fact]:
    facts = [
        Fact(_("name"), customer.name),
        Fact(_("e-mail"), customer.email),
        Fact(_("personal document"), customer.document and shown_document(customer.document)),
        Fact(
            _("company document"),
            customer.corporate_document and shown_document(customer.corporate_document),
        ),
        Fact(_("VTEX profile id"), customer.profile_id),
        fact_of(_("store"), customer.store),
        Fact(_("language"), Language(customer.spoken_language).label),
        Fact(
            _("wants no reminders since"),
            customer.reminders_stopped_at
            and shown_moment(customer.reminders_stopped_at, customer.store),
        ),
        Fact(_("known since"), shown_moment(customer.created_at, customer.store)),
        Fact(_("number of the customer"), customer.pk),
    ]
    return [fact for fact in facts if fact.text]


def _cards_of(customer: Customer) -> tuple[list[CardLine], bool]:
    """The newest; their keys first, since somebody may own thousands."""
    # And not by id alone: with that order the planner may walk the table for one owner's.
    newest = GiftCard.objects.filter(owner=customer).order_by((F("pk") + 0).desc())
    keys = newest.values("pk")[: _CARDS + 1]
    found = GiftCard.objects.filter(pk__in=keys).select_related("store", "program", "balance")
    cards = list(found.order_by("-pk"))
    lines = [
        CardLine(
            link=linked(card),
            program=_program_of(card),
            badge=card_badge(card),
            available=shown_amount(card.balance.available, card),
            held=shown_amount(card.balance.held, card),
            last_day=shown_day(card.expires_at, card.store),
        )
        for card in cards[:_CARDS]
    ]
    return lines, len(cards) > _CARDS


def _program_of(card: GiftCard) -> str:
    """The program; of a wallet whose place another took in a merge, that too."""
    if card.merged_into_id is None:
        return str(card.program)
    return gettext("%(program)s, followed by another wallet") % {"program": card.program}


def _lines(lines: Sequence[statements.Line]) -> list[StatementLine]:
    steps = steps_with([(line.operation, line.entries) for line in lines])
    return [
        StatementLine(
            step=step,
            change=_signed(line),
            is_less=line.change < 0,
            available_after=shown_money(
                line.available_after, line.scale.currency, line.scale.exponent
            ),
        )
        for step, line in zip(steps, lines, strict=True)
    ]


def _signed(line: statements.Line) -> str:
    if not line.change:
        return ""
    shown = shown_money(line.change, line.scale.currency, line.scale.exponent)
    return f"+{shown}" if line.change > 0 else shown


def _statement_url(request: HttpRequest, customer: Customer) -> str:
    if not (request.user.has_perm(exports.PERMISSION) and may_see(request, Operation)):
        return ""
    return reverse("admin:loyalty_customer_statement", args=[customer.pk])


def _personal_data(request: HttpRequest, customer: Customer) -> list[dict[str, object]]:
    user = request.user
    if not (user.has_perm("loyalty.export_person") or user.has_perm("loyalty.erase_person")):
        return []
    url = reverse("admin:personal_data", args=[customer.pk])
    return [{"label": _("Personal data"), "url": url}]


def _rows_of(customer: Customer) -> Iterator[list[object]]:
    names: dict[str, str] = {}
    for moved in statements.movements(customer):
        actor = moved.entry.operation.actor
        if actor not in names:
            names[actor] = name_of(actor)
        yield [*_cells_of(moved), names[actor], moved.entry.operation.oid]


def _cells_of(moved: statements.Movement) -> list[object]:
    entry, exponent = moved.entry, moved.scale.exponent
    return [
        timezone.localtime(entry.created_at, entry.card.store.zone),
        entry.card,
        TITLES[entry.operation.kind],
        movement_of(entry),
        to_decimal(entry.amount, exponent=entry.card.exponent),
        to_decimal(moved.change, exponent=exponent),
        to_decimal(moved.available_after, exponent=exponent),
        moved.scale.currency,
        entry.transaction.order_id if entry.transaction else "",
    ]
