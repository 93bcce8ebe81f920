"""How pages write what is earned: points beside money, and the reasons in words."""

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty.admin.formats import shown_decimal, shown_money, shown_percent, with_points
from loyalty.earning.engine import Why
from loyalty.earning.values import units_now
from loyalty.models import Campaign, Earning, EarningRule, Program, ShopOrder
from loyalty.money import exponent_of

REASONS: Mapping[Why, StrOrPromise] = {
    Why.GIVEN: gettext_lazy("given"),
    Why.CAPPED_BY_ORDER: gettext_lazy("given, up to the most for an order"),
    Why.CAPPED_BY_PERIOD: gettext_lazy("given, up to the most for the period"),
    Why.NOT_PAID: gettext_lazy("the payment is not approved yet"),
    Why.CANCELED: gettext_lazy("the order was canceled"),
    Why.STORE_REWARD: gettext_lazy("the store itself gives a reward for the order"),
    Why.OTHER_CURRENCY: gettext_lazy("it was paid in another currency"),
    Why.EXCLUDED: gettext_lazy("another rule gave something and excludes this one"),
    Why.OTHER_DATES: gettext_lazy("it was not paid within the rule's dates"),
    Why.OTHER_CHANNEL: gettext_lazy("it came by another sales channel"),
    Why.NOT_FIRST: gettext_lazy("it is not the customer's first order"),
    Why.OTHER_TIER: gettext_lazy("the customer had another tier"),
    Why.OTHER_ITEMS: gettext_lazy("nothing in it is what the rule is about"),
    Why.PAID_WITH_CREDIT: gettext_lazy("it was paid with credit only"),
    Why.OTHER_PAYMENT: gettext_lazy("it was not paid in the rule's way"),
    Why.BELOW_MINIMUM: gettext_lazy("its eligible value is below the rule's minimum"),
    Why.CAP_REACHED: gettext_lazy("the most for the order or period was reached"),
    Why.TOO_LITTLE: gettext_lazy("it comes to less than the smallest amount"),
}
OBSTACLES: Mapping[str, StrOrPromise] = {
    "customer_erased": gettext_lazy("The customer was erased."),
    "other_program": gettext_lazy("The customer's wallet belongs to another program."),
    "other_units": gettext_lazy("The customer's wallet counts in other units."),
    "card_blocked": gettext_lazy("The customer's wallet is blocked."),
    "not_reloadable": gettext_lazy("The customer's wallet takes no more credit."),
    "card_expired": gettext_lazy("The customer's wallet ends before it would be usable."),
}


def shown_units(units: int, program: Program) -> str:
    """`1,234 points (BRL 3.0850)`, or money alone when the program counts in money."""
    money = shown_money(units, program.store.currency, program.exponent)
    return with_points(units, program, money)


def shown_earned(units: int, earning: Earning) -> str:
    """The same for units of an earning, read by `with_changes`: by what they come to now."""
    return shown_units(units_now(units, earning), earning.rule.program)


def shown_cap(units: int, rule: EarningRule) -> str:
    """The same for a cap of a rule, which is of as many points whatever they are worth."""
    program = rule.program
    if rule.point_units and program.point_units:
        units = units * program.point_units // rule.point_units
    return shown_units(units, program)


def shown_value(units: int, program: Program) -> str:
    """The currency's smallest digits as money."""
    currency = program.store.currency
    return shown_money(units, currency, exponent_of(currency))


def told(order: ShopOrder) -> Iterator[str]:
    """Each verdict on an order, whose earnings come with it: rule, reason, and amount if any."""
    earnings = {each.rule_id: each for each in order.earnings.all()}
    for verdict in order.verdicts:
        reason = str(REASONS[Why(verdict["why"])])
        if "because_of" in verdict:
            reason = f"{reason} ({verdict['because_of']})"
        earning = earnings.get(verdict["rule"])
        if tier := verdict.get("tier"):
            reason = _("%(reason)s, as %(tier)s") % {"reason": reason, "tier": tier}
        due = verdict["due"]
        amount = f" · {shown_earned(due, earning)}" if due and earning else ""
        yield f"{verdict['name']}: {reason}{amount}"


def rule_in_words(rule: EarningRule) -> str:
    """What it gives, in one line."""
    if rule.percent is not None:
        return _("%(percent)s of the value") % {"percent": shown_percent(rule.percent)}
    return _("%(points)s %(unit)s for each %(amount)s") % {
        "points": rule.points,
        "unit": rule.program.unit_name or _("points"),
        "amount": shown_value(rule.per_amount or 0, rule.program),
    }


def campaign_in_words(campaign: Campaign) -> str:
    """How much it multiplies."""
    times = shown_decimal(campaign.multiplier)
    return _("%(times)s times as much") % {"times": times}
