"""What happened to cards: grants, transactions, operations and entries."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.admin.actions import ActionURLs, buttons
from loyalty.admin.base import ReadOnlyAdmin, Recent
from loyalty.admin.columns import badge, day, link, linked, moment, money, order_link
from loyalty.admin.difference_parts import open_differences
from loyalty.admin.filters import (
    ChoicesFilter,
    DayFilter,
    ExpiringFilter,
    OpenFilter,
    PartOfFilter,
    ProgramKindFilter,
    RelationFilter,
)
from loyalty.admin.formats import amount_and_worth, shown_moment
from loyalty.admin.lists import LargeList
from loyalty.admin.pages import StoryPage, may_see
from loyalty.admin.parts import Fact, fact_of
from loyalty.admin.people import name_of, with_staff_names
from loyalty.admin.states import transaction_badge, transaction_state
from loyalty.admin.stories import movement_of, refusal_of, steps_of
from loyalty.models import Entry, Grant, Operation, Outcome, Transaction

_STEPS = 100  # VTEX asks for a handful


@admin.register(Grant)
class GrantAdmin(LargeList[Grant], ReadOnlyAdmin[Grant]):
    """Each credit given, and what is left of it."""

    list_display = (
        "number",
        "card_link",
        "origin",
        "funding",
        "shown",
        "left",
        "first_day",
        "last_day",
    )
    list_filter = (
        ("origin", ChoicesFilter),
        ("funding", ChoicesFilter),
        ExpiringFilter,
        ("card__store", RelationFilter),
        ("card__program__kind", ProgramKindFilter),
        DayFilter,
        ("card", PartOfFilter),
    )
    list_select_related = ("card__store", "card__program")
    card_link = link("card", _("gift card"))
    operation_link = link("operation", _("operation"))
    transaction_link = link("transaction", _("transaction"))
    shown = money("amount", _("amount"))
    left = money("remaining", _("remaining"))
    start = moment("valid_from", _("valid from"))
    expiry = moment("expires_at", _("expires at"))
    first_day = day("valid_from", _("first day"))
    last_day = day("expires_at", _("last day"))
    created = moment("created_at", _("created at"))
    fields = (
        "number",
        "card_link",
        "origin",
        "funding",
        "shown",
        "left",
        "start",
        "expiry",
        "reference",
        "operation_link",
        "transaction_link",
        "created",
    )
    readonly_fields = fields
    # Entries have no index on their grants: a card has few.
    recent = (
        Recent(
            Entry, "grant", ("created", "movement", "shown", "operation_link"), {"card": "card"}
        ),
        Recent(
            Entry,
            "landing_grant",
            ("created", "movement", "shown", "operation_link"),
            {"card": "card"},
        ),
    )

    @admin.display(description=_("grant"), ordering="pk")
    def number(self, grant: Grant) -> str:
        """The grant's number."""
        return str(grant.pk)


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One part of a transaction's way: a label, an amount and its worth, and how it stands."""

    label: StrOrPromise
    amount: str
    worth: str
    kind: str


@admin.register(Transaction)
class TransactionAdmin(
    ActionURLs, StoryPage[Transaction], LargeList[Transaction], ReadOnlyAdmin[Transaction]
):
    """Each purchase and credit that the store asked for."""

    list_display = (
        "created",
        "order",
        "card_link",
        "kind",
        "state",
        "shown",
        "settled_shown",
        "given_back",
    )
    list_display_links = ("created",)
    list_filter = (
        OpenFilter,
        ("kind", ChoicesFilter),
        ("card__store", RelationFilter),
        ("card__program", RelationFilter),
        ("card__program__kind", ProgramKindFilter),
        DayFilter,
        ("card", PartOfFilter),
    )
    list_select_related = ("card__store", "card__program")
    export_also = ("public_id", "request_id")
    story_template = "admin/transaction_page.html"
    story_related = ("card__store", "card__program", "card__owner")
    card_link = link("card", _("gift card"))
    shown = money("amount", _("amount"))
    settled_shown = money("settled", _("settled"))
    given_back = money("canceled", _("canceled"), is_stored=False)
    created = moment("created_at", _("created at"))

    @admin.display(description=_("order"), ordering="order_id")
    def order(self, transaction: Transaction) -> str:
        """The order, leading to everything that touched it."""
        return order_link(transaction.order_id)

    @admin.display(description=_("state"))
    def state(self, transaction: Transaction) -> SafeString:
        """The transaction in one word."""
        return transaction_badge(transaction)

    @admin.display(description=_("transaction"))
    def public_id_link(self, transaction: Transaction) -> str:
        """The id, leading to this transaction."""
        return linked(transaction)

    def story_title(self, row: Transaction) -> str:
        """What kind, of which order."""
        values = {"order": row.order_id}
        if row.kind == Transaction.Kind.CREDIT:
            return gettext("Credit transaction")
        if row.order_id:
            return gettext("Purchase of order %(order)s") % values
        return gettext("Purchase")

    def story(self, request: HttpRequest, row: Transaction) -> dict[str, Any]:
        """From the hold to what is left, and each step as VTEX knows it."""
        steps = row.operations.select_related(
            "card__store", "card__program", "transaction"
        ).order_by("id")
        return {
            "transaction": row,
            "card": row.card,
            "badge": transaction_badge(row),
            "state": transaction_state(row),
            "flow": _flow(row),
            "facts": _facts_of_transaction(row),
            "differences": open_differences(request, Q(transaction=row)),
            "steps": steps_of(steps[:_STEPS]) if may_see(request, Operation) else [],
        }


def _flow(transaction: Transaction) -> list[FlowStep]:
    def step(label: StrOrPromise, units: int, kind: str = "neutral") -> FlowStep:
        shown = amount_and_worth(units, transaction.card)
        return FlowStep(label, *shown, kind if units else "none")

    if transaction.kind == Transaction.Kind.CREDIT:
        return [
            step(_("credited"), transaction.amount, "good"),
            step(_("taken back"), transaction.released, "bad"),
            step(_("can still be taken back"), transaction.cancelable),
        ]
    return [
        step(_("asked for"), transaction.amount),
        step(_("settled: spent"), transaction.settled, "good"),
        step(_("released before settlement"), transaction.released),
        step(_("refunded after settlement"), transaction.refunded),
        step(_("still held"), transaction.held, "open"),
    ]


def _facts_of_transaction(transaction: Transaction) -> list[Fact]:
    card = transaction.card
    facts = [
        fact_of(_("gift card"), card),
        *([fact_of(_("owner"), card.owner)] if card.owner else []),
        fact_of(_("program"), card.program),
        fact_of(_("store"), card.store),
        Fact(_("created at"), shown_moment(transaction.created_at, card.store)),
        Fact(_("time zone"), card.store.time_zone),
    ]
    if transaction.order_id:
        facts.insert(0, Fact(_("order"), order_link(transaction.order_id)))
    if transaction.order_sequence:
        facts.append(Fact(_("order sequence"), transaction.order_sequence))
    return [
        *facts,
        Fact(_("transaction id"), transaction.public_id),
        Fact(_("request id (payment)"), transaction.request_id),
    ]


@admin.register(Operation)
class OperationAdmin(ActionURLs, LargeList[Operation], ReadOnlyAdmin[Operation]):
    """Each request made of a card, accepted or declined."""

    change_form_template = "admin/operation_page.html"
    list_display = (
        "created",
        "card_link",
        "kind",
        "result",
        "asked",
        "moved",
        "who",
        "reason",
    )
    list_filter = (
        ("kind", ChoicesFilter),
        ("outcome", ChoicesFilter),
        ("reason", ChoicesFilter),
        ("card__store", RelationFilter),
        DayFilter,
        ("card", PartOfFilter),
        ("transaction", PartOfFilter),
    )
    list_select_related = ("card__store", "card__program", "transaction")
    export_also = ("oid", "request_id", "note")
    card_link = link("card", _("gift card"))
    transaction_link = link("transaction", _("transaction"))
    reverses_link = link("reverses", _("reverses"))
    asked = money("amount", _("amount asked for"))
    moved = money("applied", _("amount moved"))
    created = moment("created_at", _("created at"))
    fields = (
        "oid",
        "card_link",
        "transaction_link",
        "kind",
        "result",
        "refusal",
        "asked",
        "moved",
        "request_id",
        "who",
        "reason",
        "note",
        "reverses_link",
        "created",
    )
    readonly_fields = fields
    recent = (Recent(Entry, "operation", ("created", "movement", "shown", "grant_link")),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        """With the names of staff, which would be a statement for each row."""
        return with_staff_names(super().get_queryset(request))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """The page, with what can be done."""
        context["buttons"] = buttons(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("outcome"), ordering="outcome")
    def result(self, operation: Operation) -> SafeString:
        """Accepted, or why not."""
        if operation.outcome == Outcome.OK:
            return badge("good", operation.get_outcome_display())
        return badge("bad", operation.decline_code)

    @admin.display(description=_("refusal"))
    def refusal(self, operation: Operation) -> str:
        """Why not, in words."""
        return refusal_of(operation)

    @admin.display(description=_("by"), ordering="actor")
    def who(self, operation: Operation) -> str:
        """The person, VTEX, or our own clock."""
        name: str | None = getattr(operation, "staff_name", None)
        return name or name_of(operation.actor)

    @admin.display(description=_("operation"))
    def oid_link(self, operation: Operation) -> str:
        """The id, leading to this operation."""
        return linked(operation)


@admin.register(Entry)
class EntryAdmin(LargeList[Entry], ReadOnlyAdmin[Entry]):
    """Each movement of money, in the order in which it happened."""

    list_display = (
        "created",
        "card_link",
        "movement",
        "shown",
        "left",
        "held_left",
        "operation_link",
        "transaction_link",
    )
    list_filter = (
        ("source", ChoicesFilter),
        ("target", ChoicesFilter),
        ("card__store", RelationFilter),
        DayFilter,
        ("card", PartOfFilter),
        ("transaction", PartOfFilter),
        ("operation", PartOfFilter),
        ("grant", PartOfFilter),
        ("landing_grant", PartOfFilter),
    )
    list_select_related = (*("card__store", "card__program", "operation", "transaction", "grant"),)
    card_link = link("card", _("gift card"))
    operation_link = link("operation", _("operation"))
    transaction_link = link("transaction", _("transaction"))
    grant_link = link("grant", _("grant"))
    landing_link = link("landing_grant", _("landing grant"))
    shown = money("amount", _("amount"))
    left = money("available_after", _("available after"))
    held_left = money("held_after", _("held after"))
    created = moment("created_at", _("created at"))
    fields = (
        "seq",
        "card_link",
        "movement",
        "shown",
        "left",
        "held_left",
        "grant_link",
        "landing_link",
        "operation_link",
        "transaction_link",
        "created",
    )
    readonly_fields = fields

    @admin.display(description=_("movement"))
    def movement(self, entry: Entry) -> str:
        """Between which buckets."""
        return movement_of(entry)
