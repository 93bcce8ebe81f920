"""What the news of a loyalty program say: an order earned, it can be used now, a tier is reached.

Amounts, days and tiers are those of the moment it is sent; what was taken back is no news.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import codes
from loyalty.models import (
    Customer,
    Earning,
    EarningPolicy,
    GiftCard,
    Grant,
    MessageKind,
    Notification,
    Origin,
    Program,
    ShopOrder,
    Skipped,
    TierChange,
    scale_since,
)
from loyalty.notation import shown_decimal
from loyalty.notifications import figures, links
from loyalty.notifications.letters import Content, NotToBeSent

KINDS = frozenset({MessageKind.EARNED, MessageKind.USABLE, MessageKind.TIER_REACHED})
SAMPLE_ORDER = "1234567890123-01"

Details = list[tuple[str, str]]


def content_of(row: Notification, customer: Customer, language: str) -> Content:
    """What the message says now, in the active language. Raises `NotToBeSent`."""
    program = row.program
    assert program is not None  # noqa: S101  news are always a program's
    values = {
        **figures.names(customer, row.store),
        "program": figures.title(program, row.card.caption if row.card else ""),
    }
    if row.tier_change:
        tier = _tier_of(row.tier_change)
        return _content(
            row.kind, language, values | {"tier": tier["name"]}, _benefits(tier), customer
        )
    assert row.order is not None  # noqa: S101  the database holds it of all others
    values["order"] = row.order.order_id
    if row.card:
        values |= _usable(row.order, row.card)
        values["card"] = str(row.card)
    else:
        values |= _earned(row.order, program)
    return _content(row.kind, language, values, _details(values), customer)


def sample(program: Program, kind: str, language: str) -> Content:
    """The same with made-up figures."""
    now = timezone.now()
    units = 120 * (program.point_units or 10**program.exponent)
    amount = figures.amount(
        units, program, currency=program.store.currency, exponent=program.exponent
    )
    values = {
        "name": "Ana Souza",
        "store": program.store.name,
        "program": figures.title(program),
        "order": SAMPLE_ORDER,
        "amount": amount,
    }
    if kind == MessageKind.TIER_REACHED:
        tier: Mapping[str, Any] = {
            "name": _("Gold"),
            "multiplier": "1.5",
            "validity_days": program.validity_days,
        }
        return _content(kind, language, values | {"tier": tier["name"]}, _benefits(tier))
    if kind == MessageKind.USABLE:
        validity = figures.validity(program.expiry_after(now), program.store)
        values |= {"balance": amount, "validity": validity, "card": codes.masked("7K4M")}
    else:
        values["usable"] = _usable_from(program, None)
    return _content(kind, language, values, _details(values))


def _content(
    kind: str,
    language: str,
    values: Mapping[str, str],
    details: Details,
    customer: Customer | None = None,
) -> Content:
    return Content(
        kind=kind,
        language=language,
        store=values["store"],
        values=values,
        details=details,
        unsubscribe=links.unsubscribe_link(customer) if customer else "#",
        because=_("You get this because you take part in %(program)s.")
        % {"program": values["program"]},
    )


def _earned(order: ShopOrder, program: Program) -> dict[str, str]:
    """What is due for the order; the customer reads of whole orders, not of rules."""
    earnings = Earning.objects.filter(order=order, rule__program=program)
    units = earnings.aggregate(units=Sum("due"))["units"] or 0
    if not units:
        raise NotToBeSent(Skipped.NOTHING_LEFT)
    units = int(units * scale_since(program.point_value_changes.all(), order.paid_at))
    store = program.store
    return {
        "amount": figures.amount(
            units, program, currency=store.currency, exponent=program.exponent
        ),
        "usable": _usable_from(program, order),
    }


def _usable_from(program: Program, order: ShopOrder | None) -> str:
    """When it can be used, as a part of a sentence; by the policy while the day is not known."""
    policy: EarningPolicy = program.earning_policy
    at = policy.usable_at(order.invoiced_at, order.delivered_at) if order else None
    if at is None:
        days = policy.usable_after_days
        if policy.usable_from == EarningPolicy.UsableFrom.INVOICE:
            text = ngettext(
                "usable %(days)s day after the invoice",
                "usable %(days)s days after the invoice",
                days,
            )
        else:
            text = ngettext(
                "usable %(days)s day after the delivery",
                "usable %(days)s days after the delivery",
                days,
            )
        return text % {"days": days}
    if at <= timezone.now():
        return _("usable now")
    return _("usable from %(day)s on") % {"day": figures.day(at, program.store)}


def _usable(order: ShopOrder, card: GiftCard) -> dict[str, str]:
    """What is left of the order's earnings and can be used now."""
    now = timezone.now()
    if not card.is_valid_at(now):
        raise NotToBeSent(Skipped.NOTHING_LEFT)
    lots = _lots(order, card).filter(
        Q(valid_from__lte=now) & (Q(expires_at=None) | Q(expires_at__gt=now))
    )
    ends = {lot.expires_at for lot in lots}
    if not ends:
        raise NotToBeSent(Skipped.NOTHING_LEFT)
    end = None if None in ends else min(each for each in ends if each)
    return {
        "amount": figures.amount_on(card, sum(lot.remaining for lot in lots)),
        "balance": figures.amount_on(card, figures.usable(card)),
        "validity": figures.validity(end, card.store),
    }


def _lots(order: ShopOrder, card: GiftCard) -> QuerySet[Grant]:
    return Grant.objects.filter(
        card=card,
        origin=Origin.EARNING,
        reference=order.order_id,  # also of what a higher point value added
        remaining__gt=0,
    )


def _tier_of(change: TierChange) -> Mapping[str, Any]:
    """The tier that was reached, by its scheme; no news once it became another one again."""
    later = TierChange.objects.filter(
        customer=change.customer_id, program=change.program_id, pk__gt=change.pk
    )
    tiers = change.scheme.tiers if change.scheme else []
    tier = next((each for each in tiers if each["name"] == change.after), None)
    if tier is None or later.exists():
        raise NotToBeSent(Skipped.NOTHING_LEFT)
    return tier  # type: ignore[no-any-return]


def _details(values: Mapping[str, str]) -> Details:
    labels = {"amount": _("Amount"), "balance": _("Usable now"), "order": _("Order")}
    return [(label, values[name]) for name, label in labels.items() if name in values]


def _benefits(tier: Mapping[str, Any]) -> Details:
    lines = [(_("Tier"), tier["name"])]
    times = Decimal(tier["multiplier"])
    if times != 1:
        shown = _("%(times)s times the usual") % {"times": shown_decimal(times)}
        lines.append((_("Your orders earn"), shown))
    if days := tier["validity_days"]:
        text = ngettext("%(days)s day", "%(days)s days", days) % {"days": days}
        lines.append((_("What they earn is valid for"), text))
    return lines
