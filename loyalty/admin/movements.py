"""What happened to cards: grants, transactions, operations and entries."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty.admin.base import (
    ProgramKindFilter,
    ReadOnlyAdmin,
    Recent,
    badge,
    day,
    link,
    linked,
    moment,
    money,
)
from loyalty.models import Entry, Grant, Operation, Outcome, Transaction


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin[Grant]):
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
    list_filter = ("origin", "funding", "card__store", ("card__program__kind", ProgramKindFilter))
    list_select_related = ("card", "card__store")
    ordering = ("-id",)
    search_fields = ("card__public_id",)
    search_help_text = _("Card id.")
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
    recent = (
        Recent(Entry, "grant", ("created", "movement", "shown", "operation_link")),
        Recent(Entry, "landing_grant", ("created", "movement", "shown", "operation_link")),
    )

    @admin.display(description=_("grant"), ordering="pk")
    def number(self, grant: Grant) -> str:
        """The grant's number."""
        return str(grant.pk)


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin[Transaction]):
    """Each purchase and credit that the store asked for."""

    list_display = (
        "created",
        "order_id",
        "card_link",
        "kind",
        "state",
        "shown",
        "settled_shown",
        "given_back",
    )
    list_filter = ("kind", "card__store", ("card__program__kind", ProgramKindFilter))
    list_select_related = ("card", "card__store")
    search_fields = ("public_id", "order_id", "request_id", "card__public_id")
    search_help_text = _("Transaction, order, request (payment) or card id.")
    card_link = link("card", _("gift card"))
    shown = money("amount", _("amount"))
    settled_shown = money("settled", _("settled"))
    released_shown = money("released", _("released"))
    refunded_shown = money("refunded", _("refunded"))
    held_now = money("held", _("held"), is_stored=False)
    given_back = money("canceled", _("canceled"), is_stored=False)
    created = moment("created_at", _("created at"))
    fields = (
        "public_id",
        "card_link",
        "kind",
        "state",
        "shown",
        "held_now",
        "settled_shown",
        "released_shown",
        "refunded_shown",
        "order_id",
        "order_sequence",
        "request_id",
        "created",
    )
    readonly_fields = fields
    recent = (
        Recent(
            Operation,
            "transaction",
            ("created", "oid_link", "kind", "result", "asked", "moved", "request_id", "actor"),
        ),
        Recent(Entry, "transaction", ("created", "movement", "shown", "grant_link")),
    )

    @admin.display(description=_("state"))
    def state(self, transaction: Transaction) -> SafeString:
        """The transaction in one word."""
        open_states = {Transaction.State.HELD, Transaction.State.PARTIALLY_SETTLED}
        kind = "open" if transaction.state in open_states else "neutral"
        return badge(kind, transaction.state.label)

    @admin.display(description=_("transaction"))
    def public_id_link(self, transaction: Transaction) -> str:
        """The id, leading to this transaction."""
        return linked(transaction)


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin[Operation]):
    """Each request made of a card, accepted or declined."""

    list_display = (
        "created",
        "card_link",
        "kind",
        "result",
        "asked",
        "moved",
        "actor",
        "reason",
    )
    list_filter = ("kind", "outcome", "reason", "card__store")
    list_select_related = ("card", "card__store", "transaction")
    search_fields = (
        "oid",
        "card__public_id",
        "transaction__public_id",
        "transaction__order_id",
        "transaction__request_id",
    )
    search_help_text = _("Operation, transaction, order, request (payment) or card id.")
    card_link = link("card", _("gift card"))
    transaction_link = link("transaction", _("transaction"))
    asked = money("amount", _("amount asked for"))
    moved = money("applied", _("amount moved"))
    created = moment("created_at", _("created at"))
    fields = (
        "oid",
        "card_link",
        "transaction_link",
        "kind",
        "result",
        "asked",
        "moved",
        "request_id",
        "actor",
        "reason",
        "note",
        "created",
    )
    readonly_fields = (
        "card_link",
        "transaction_link",
        "result",
        "asked",
        "moved",
        "created",
    )
    recent = (Recent(Entry, "operation", ("created", "movement", "shown", "grant_link")),)

    @admin.display(description=_("outcome"), ordering="outcome")
    def result(self, operation: Operation) -> SafeString:
        """Accepted, or why not."""
        if operation.outcome == Outcome.OK:
            return badge("good", operation.get_outcome_display())
        return badge("bad", operation.decline_code)

    @admin.display(description=_("operation"))
    def oid_link(self, operation: Operation) -> str:
        """The id, leading to this operation."""
        return linked(operation)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin[Entry]):
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
    list_filter = ("source", "target", "card__store")
    list_select_related = ("card", "card__store", "operation", "transaction", "grant")
    search_fields = ("card__public_id", "transaction__public_id", "transaction__order_id")
    search_help_text = _("Card, transaction or order id.")
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
        return f"{entry.get_source_display()} → {entry.get_target_display()}"
