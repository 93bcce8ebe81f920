"""Cards and their amounts. Codes are masked everywhere; digests and sealed codes are on no page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.admin.actions import ActionURLs
from loyalty.admin.base import ReadOnlyAdmin
from loyalty.admin.columns import address, badge, day, link, moment, money
from loyalty.admin.difference_parts import open_differences
from loyalty.admin.filters import (
    BatchFilter,
    CardStateFilter,
    DayFilter,
    ExpiringFilter,
    MoneyFilter,
    OriginFilter,
    OwnerFilter,
    PartOfFilter,
    ProgramKindFilter,
    RelationFilter,
)
from loyalty.admin.formats import (
    NOTHING,
    amount_and_worth,
    shown_amount,
    shown_day,
    shown_moment,
)
from loyalty.admin.lists import LargeList
from loyalty.admin.pages import StoryPage, key_of, may_see
from loyalty.admin.parts import (
    Fact,
    Purchase,
    Tile,
    events_of,
    fact_of,
    open_approvals,
    purchases_of,
)
from loyalty.admin.related import added_tables
from loyalty.admin.reveal import RevealURLs
from loyalty.admin.states import card_badge, card_state
from loyalty.admin.stories import PAGE, steps_of
from loyalty.models import (
    AuditEvent,
    Balance,
    Bucket,
    Funding,
    GiftCard,
    Grant,
    Operation,
    Transaction,
)
from loyalty.verdicts import had_its_purchase

_GRANTS = 50
_PURCHASES = 10


@admin.register(GiftCard)
class GiftCardAdmin(
    RevealURLs, ActionURLs, StoryPage[GiftCard], LargeList[GiftCard], ReadOnlyAdmin[GiftCard]
):
    """The cards, each with what is on it; the page of one explains it."""

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
        CardStateFilter,
        MoneyFilter,
        ExpiringFilter,
        ("store", RelationFilter),
        ("program", RelationFilter),
        ("program__kind", ProgramKindFilter),
        BatchFilter,
        DayFilter,
        OwnerFilter,
        OriginFilter,
        ("owner", PartOfFilter),
    )
    list_select_related = ("store", "program", "program__store", "owner", "balance")
    export_also = ("public_id", "start", "issued")
    story_template = "admin/card_page.html"
    story_related = (*list_select_related, "batch")
    owner_link = link("owner", _("owner"))
    available = money("balance.available", _("available"))
    held = money("balance.held", _("held"))
    last_day = day("expires_at", _("last day"))
    start = moment("valid_from", _("valid from"))
    issued = moment("created_at", _("issued at"))

    @admin.display(description=_("code"), ordering="pk")
    def code_shown(self, card: GiftCard) -> str:
        """The code as everybody may see it."""
        return str(card)

    @admin.display(description=_("state"), ordering="status")
    def state(self, card: GiftCard) -> SafeString:
        """What the card can do now, dates included."""
        return card_badge(card)

    def story_title(self, row: GiftCard) -> str:
        """The masked code."""
        return gettext("Gift card %(code)s") % {"code": row}

    def story(self, request: HttpRequest, row: GiftCard) -> dict[str, Any]:
        """How the card is, what it is made of, and all that ever happened to it."""
        grants = _grants_of(row)
        steps = row.operations.select_related(
            "card__store", "card__program", "transaction"
        ).order_by("-id")
        if before := key_of(request, "before"):
            steps = steps.filter(pk__lt=before)
        listed = list(steps[: PAGE + 1]) if may_see(request, Operation) else []
        purchases, has_more = _purchases_of(row) if may_see(request, Transaction) else ([], False)
        all_purchases = f"{address(Transaction, 'changelist')}?card__id__exact={row.pk}"
        return {
            "card": row,
            "badge": card_badge(row),
            "state": card_state(
                row,
                [grant for grant in grants if grant.remaining],
                had_its_purchase=had_its_purchase(row),
            ),
            "amounts": _amounts(row),
            "facts": _facts(row),
            "rules": _rules(row),
            "grants": _grant_lines(row, grants),
            "steps": steps_of(listed[:PAGE]),
            "older": listed[PAGE - 1].pk if len(listed) > PAGE else None,
            "is_later_page": before is not None,
            "purchases": purchases,
            "more_purchases": all_purchases if has_more else "",
            "differences": open_differences(request, Q(card=row)),
            "approvals": open_approvals(request, Q(card=row)),
            "tables": added_tables(request, row),
            "events": events_of(request, AuditEvent.objects.filter(card=row), row.store),
        }


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A credit of the card and what became of it."""

    grant: Grant
    state: SafeString
    amount: str
    remaining: str
    first_day: str
    last_day: str
    parts: Sequence[Fact]


def _amounts(card: GiftCard) -> list[Tile]:
    balance = card.balance
    return [
        _tile(_("available"), balance.available, card),
        _tile(_("held"), balance.held, card),
        _tile(_("spent"), balance.spent, card),
        _tile(_("expired"), balance.expired, card),
        _tile(_("removed"), balance.removed, card),
        _tile(_("credited in all"), balance.credited, card),
    ]


def _tile(label: StrOrPromise, units: int, card: GiftCard) -> Tile:
    return Tile(label, *amount_and_worth(units, card))


def _facts(card: GiftCard) -> list[Fact]:
    return [
        fact_of(_("owner"), card.owner)
        if card.owner
        else Fact(_("owner"), _("nobody: whoever has the code")),
        fact_of(_("program"), card.program),
        fact_of(_("store"), card.store),
        Fact(_("issued at"), shown_moment(card.created_at, card.store)),
        Fact(_("valid from"), shown_moment(card.valid_from, card.store)),
        Fact(
            _("expires at"),
            shown_moment(card.expires_at, card.store) if card.expires_at else _("never"),
        ),
        Fact(_("time zone"), card.store.time_zone),
        *([fact_of(_("batch"), card.batch)] if card.batch else []),
        Fact(_("card id"), card.public_id),
    ]


def _rules(card: GiftCard) -> list[StrOrPromise]:
    rules: list[StrOrPromise] = [
        _("Only its owner can use it.")
        if card.is_restricted
        else _("Whoever has the code can use it."),
        _("It takes more than one credit.")
        if card.is_reloadable
        else _("It takes one credit only."),
        _("It allows more than one purchase.")
        if card.is_reusable
        else _("It allows one purchase only."),
    ]
    if card.is_imported:
        rules.append(_("Its code was made elsewhere."))
    if card.caption:
        rules.append(gettext("Shoppers see it as “%(caption)s”.") % {"caption": card.caption})
    if card.relation_name:
        rules.append(gettext("Its relation is “%(name)s”.") % {"name": card.relation_name})
    return rules


def _grants_of(card: GiftCard) -> list[Grant]:
    """Those with money first, in the order in which they are spent."""
    found = list(card.grants.order_by("-remaining", "-id")[:_GRANTS])
    far = timezone.now().replace(year=9999)
    return sorted(
        found,
        key=lambda grant: (
            not grant.remaining,
            grant.expires_at or far,
            grant.funding == Funding.PAID,
            grant.pk,
        ),
    )


def _grant_lines(card: GiftCard, grants: Sequence[Grant]) -> list[GrantLine]:
    became = _what_became(card)
    return [
        GrantLine(
            grant=grant,
            state=_grant_badge(grant),
            amount=shown_amount(grant.amount, card),
            remaining=shown_amount(grant.remaining, card),
            first_day=shown_day(grant.valid_from, card.store),
            last_day=shown_day(grant.expires_at, card.store) if grant.expires_at else NOTHING,
            parts=[
                Fact(label, shown_amount(units, card)) for label, units in became.get(grant.pk, [])
            ],
        )
        for grant in grants
    ]


def _grant_badge(grant: Grant) -> SafeString:
    now = timezone.now()
    if not grant.remaining:
        return badge("neutral", _("used up"))
    if grant.expires_at is not None and grant.expires_at <= now:
        return badge("bad", _("expired"))
    if grant.valid_from > now:
        return badge("open", _("not valid yet"))
    return badge("good", _("usable"))


def _what_became(card: GiftCard) -> dict[int, list[tuple[StrOrPromise, int]]]:
    """Of each grant: what is held, spent, expired, removed of it, or landed on another one."""
    sums: dict[int, dict[str, int]] = {}
    moved = card.entries.values("grant_id", "landing_grant_id", "source", "target").annotate(
        units=Sum("amount")
    )
    for each in moved.order_by():
        buckets = sums.setdefault(each["grant_id"], {})
        buckets[each["source"]] = buckets.get(each["source"], 0) - each["units"]
        target = each["target"] if each["landing_grant_id"] is None else "landed"
        buckets[target] = buckets.get(target, 0) + each["units"]
    labels: list[tuple[str, StrOrPromise]] = [
        (Bucket.HELD, _("held")),
        (Bucket.SPENT, _("spent")),
        (Bucket.EXPIRED, _("expired")),
        (Bucket.REMOVED, _("removed")),
        ("landed", _("refunded to a newer credit")),
    ]
    return {
        key: [(label, buckets[name]) for name, label in labels if buckets.get(name, 0) > 0]
        for key, buckets in sums.items()
    }


def _purchases_of(card: GiftCard) -> tuple[list[Purchase], bool]:
    found = list(card.transactions.order_by("-id")[: _PURCHASES + 1])
    for transaction in found:
        transaction.card = card
    return purchases_of(found[:_PURCHASES]), len(found) > _PURCHASES


@admin.register(Balance)
class BalanceAdmin(LargeList[Balance], ReadOnlyAdmin[Balance]):
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
    list_filter = (MoneyFilter, ("card__store", RelationFilter))
    list_select_related = ("card__store", "card__program")
    card_link = link("card", _("gift card"))
    credited_shown = money("credited", _("credited"))
    available_shown = money("available", _("available"))
    held_shown = money("held", _("held"))
    spent_shown = money("spent", _("spent"))
    expired_shown = money("expired", _("expired"))
    removed_shown = money("removed", _("removed"))
    fields = (
        "card_link",
        "credited_shown",
        "available_shown",
        "held_shown",
        "spent_shown",
        "expired_shown",
        "removed_shown",
        "version",
    )
    readonly_fields = fields
