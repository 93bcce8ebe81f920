"""Rules and campaigns as the engine takes them, and switching them on and off."""

import datetime
from fractions import Fraction

from django.db.models import Q
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.earning.engine import Boost, Rule
from loyalty.earning.values import NO_CHANGES, PointValues
from loyalty.models import Campaign, EarningRule, Program
from loyalty.models.earning_rule import smallest_unit
from loyalty.money import exponent_of


def rule_of(row: EarningRule, values: PointValues = NO_CHANGES) -> Rule:
    """The rule as it is, or, while it is a draft, as it would be if switched on now.

    `values` say what a point of the program was worth at which time; without them always the same.
    """
    unit = row.unit or smallest_unit(row.program)
    return Rule(
        id=row.pk or 0,
        rate=_rate(row),
        unit=unit,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        includes_shipping=row.includes_shipping,
        channels=frozenset(row.channels),
        categories=frozenset(row.categories),
        brands=frozenset(row.brands),
        skus=frozenset(row.skus),
        payment_systems=frozenset(row.payment_systems),
        minimum=row.minimum or 0,
        first_order_only=row.first_order_only,
        tiers=frozenset(row.tiers),
        cap_per_order=row.cap_per_order,
        cap_per_period=row.cap_per_period,
        period=row.period,
        priority=row.priority,
        is_exclusive=row.is_exclusive,
        in_points=row.points is not None,
        worths=values.steps,
    )


def boost_of(row: Campaign, *, room: int | None) -> Boost:
    """The campaign, with what is left of its budget."""
    return Boost(
        id=row.pk,
        factor=Fraction(row.multiplier),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        room=room,
    )


def switch_on(rule: EarningRule) -> EarningRule:
    """Let a rule give from its beginning on, as it is now, for good; safe to repeat.

    It takes the program's unit and point value along: what it gives for an order stays the same
    whatever becomes of them.
    """
    with atomic():
        row = (
            EarningRule.objects.select_for_update().select_related("program__store").get(pk=rule.pk)
        )
        if not row.is_on:
            row.switched_on_at = timezone.now()
            row.unit = smallest_unit(row.program)
            row.point_units = row.program.point_units
            row.save()
    return row


def switch_off(row: EarningRule | Campaign) -> None:
    """End a rule or campaign now, or before it begins; orders paid before keep what they earned."""
    now = timezone.now()
    if row.ends_at is None or row.ends_at > now:
        row.ends_at = max(now, row.starts_at)
        row.save(update_fields=["ends_at"])


def switch_on_campaign(campaign: Campaign) -> None:
    """Let a campaign add to what the rules give; safe to repeat."""
    Campaign.objects.filter(pk=campaign.pk, switched_on_at=None).update(
        switched_on_at=timezone.now()
    )
    campaign.refresh_from_db()


def earning_programs(store_id: int) -> list[Program]:
    """The store's programs that give anything for orders, if only a tier."""
    gives = Q(earning_rules__switched_on_at__isnull=False) | Q(
        tier_schemes__switched_on_at__isnull=False
    )
    programs = Program.objects.filter(gives, store=store_id, earning_policy__isnull=False)
    return list(programs.select_related("store", "earning_policy").distinct().order_by("pk"))


def span(
    day: datetime.date, period: str, program: Program
) -> tuple[datetime.datetime, datetime.datetime]:
    """The first instant of the day, month or year that a day is in, and of the next one."""
    store = program.store
    first = {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[period]
    if period == "day":
        after = first + datetime.timedelta(days=1)
    elif period == "month":
        after = (first + datetime.timedelta(days=31)).replace(day=1)
    else:
        after = first.replace(year=first.year + 1)
    return store.first_instant(first), store.first_instant(after)


def _rate(row: EarningRule) -> Fraction:
    """Units of the program for each of the currency's smallest digits."""
    program = row.program
    if row.percent is not None:
        finer = program.exponent - exponent_of(program.store.currency)
        return Fraction(row.percent) / 100 * Fraction(10) ** int(finer)
    points = row.points or 0
    point = row.point_units or smallest_unit(program)
    return Fraction(points * point, row.per_amount or 1)
