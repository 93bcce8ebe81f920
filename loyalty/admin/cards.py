"""Cards and their amounts. Codes are masked everywhere; digests and sealed codes are on no page."""

from collections.abc import Iterator

from django.contrib import admin
from django.db.models import Q
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty.admin.base import (
    NOTHING,
    ProgramKindFilter,
    ReadOnlyAdmin,
    Recent,
    badge,
    day,
    link,
    moment,
    money,
)
from loyalty.models import Balance, Entry, GiftCard, Grant, Operation, Transaction

_LAST = 4


@admin.register(GiftCard)
class GiftCardAdmin(ReadOnlyAdmin[GiftCard]):
    """The cards, each with what is on it."""

    list_display = (
        "code_shown",
        "owner_link",
        "available",
        "held",
        "state",
        "last_day",
        "program",
        "store",
    )
    list_filter = (
        "status",
        ("program__kind", ProgramKindFilter),
        "store",
        "currency",
        "is_imported",
    )
    list_select_related = ("store", "program", "program__store", "owner", "balance")
    search_fields = (
        "public_id",
        "owner__email",
        "owner__document",
        "owner__corporate_document",
        "owner__profile_id",
    )
    search_help_text = _(
        "Card id, last four of the code, or the owner's whole e-mail, document or profile id."
    )
    owner_link = link("owner", _("owner"))
    available = money("balance.available", _("available"))
    held = money("balance.held", _("held"))
    credited = money("balance.credited", _("credited"))
    spent = money("balance.spent", _("spent"))
    expired = money("balance.expired", _("expired"))
    removed = money("balance.removed", _("removed"))
    issued = moment("created_at", _("issued at"))
    start = moment("valid_from", _("valid from"))
    expiry = moment("expires_at", _("expires at"))
    last_day = day("expires_at", _("last day"))
    fieldsets = (
        (None, {"fields": ("code_shown", "public_id", "store", "program", "owner", "state")}),
        (
            _("Amounts"),
            {"fields": ("available", "points", "held", "credited", "spent", "expired", "removed")},
        ),
        (_("Dates"), {"fields": ("issued", "start", "expiry")}),
        (
            _("Rules"),
            {
                "classes": ("collapse",),
                "fields": (
                    "is_restricted",
                    "is_reloadable",
                    "is_reusable",
                    "is_imported",
                    "relation_name",
                    "caption",
                    "terms_version",
                ),
            },
        ),
    )
    readonly_fields = (
        "code_shown",
        "state",
        "points",
        "available",
        "held",
        "credited",
        "spent",
        "expired",
        "removed",
        "issued",
        "start",
        "expiry",
    )
    recent = (
        Recent(
            Entry,
            "card",
            ("created", "movement", "shown", "left", "operation_link", "transaction_link"),
        ),
        Recent(
            Transaction,
            "card",
            ("created", "public_id_link", "kind", "state", "shown", "order_id"),
        ),
        Recent(Grant, "card", ("number", "origin", "funding", "shown", "left", "last_day")),
        Recent(
            Operation,
            "card",
            ("created", "oid_link", "kind", "result", "asked", "actor", "reason", "note"),
        ),
    )

    @admin.display(description=_("code"), ordering="pk")
    def code_shown(self, card: GiftCard) -> str:
        """The code as everybody may see it."""
        return str(card)

    @admin.display(description=_("state"), ordering="status")
    def state(self, card: GiftCard) -> SafeString:
        """What the card can do now, dates included."""
        if card.status != card.Status.ACTIVE:
            return badge("bad", card.get_status_display())
        now = timezone.now()
        if card.expires_at is not None and card.expires_at <= now:
            return badge("neutral", _("expired"))
        if card.valid_from > now:
            return badge("neutral", _("not valid yet"))
        return badge("good", card.get_status_display())

    @admin.display(description=_("available in points"))
    def points(self, card: GiftCard) -> str:
        """How many whole points the available amount is, on a points program's card."""
        program = card.program
        if program.point_units is None:
            return NOTHING
        return f"{card.balance.available // program.point_units} {program.unit_name}"

    def search_conditions(self, term: str) -> Iterator[Q]:
        """Also the last four of a code, masked or bare; of a short one masked only."""
        yield from super().search_conditions(term)
        last4 = term.lstrip("*")
        is_masked = last4 != term
        if last4 and (is_masked or len(last4) == _LAST):
            yield Q(code_last4__in={last4, last4.upper()})


@admin.register(Balance)
class BalanceAdmin(ReadOnlyAdmin[Balance]):
    """The amounts of every card, bucket by bucket."""

    list_display = (
        "card_link",
        "credited_shown",
        "available_shown",
        "held_shown",
        "spent_shown",
        "expired_shown",
        "removed_shown",
    )
    list_display_links = None
    list_filter = ("card__store", ("card__program__kind", ProgramKindFilter))
    list_select_related = ("card",)
    ordering = ("-card",)
    search_fields = ("card__public_id",)
    search_help_text = _("Card id.")
    card_link = link("card", _("gift card"))
    credited_shown = money("credited", _("credited"))
    available_shown = money("available", _("available"))
    held_shown = money("held", _("held"))
    spent_shown = money("spent", _("spent"))
    expired_shown = money("expired", _("expired"))
    removed_shown = money("removed", _("removed"))
    fields = (
        "card",
        "credited_shown",
        "available_shown",
        "held_shown",
        "spent_shown",
        "expired_shown",
        "removed_shown",
        "version",
    )
    readonly_fields = fields
