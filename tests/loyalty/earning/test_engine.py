"""What orders earn, as arithmetic: exact values, and the reason whenever it is nothing."""

import zoneinfo
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from loyalty.earning.engine import Boost, Rule, Verdict, Why, evaluate, period_of
from loyalty.shop_orders import Line, Order, Tender
from tests.loyalty.earning.builders import (
    DAY,
    HOUR,
    LONG_AGO,
    START,
    an_order,
    canceled,
    invoiced,
    returned,
)

ZONE = zoneinfo.ZoneInfo("America/Sao_Paulo")


def a_rule(number: int = 1, **fields: Any) -> Rule:
    """A point of 25 units for each real."""
    defaults: dict[str, Any] = {"rate": Fraction(25, 100), "unit": 25, "starts_at": LONG_AGO}
    return Rule(id=number, **defaults | fields)


def a_boost(factor: str = "2", **fields: Any) -> Boost:
    defaults: dict[str, Any] = {"starts_at": START - DAY, "ends_at": START + 30 * DAY}
    return Boost(id=9, factor=Fraction(factor), **defaults | fields)


def judged(*orders: Order, rules: list[Rule] | None = None, **options: Any) -> list[Verdict]:
    return evaluate(orders, rules or [a_rule()], zone=ZONE, currency="BRL", **options)


def one(order: Order, rule: Rule | None = None, **options: Any) -> Verdict:
    [verdict] = judged(order, rules=[rule or a_rule()], **options)
    return verdict


def test_rounds_down_to_whole_points_once() -> None:
    verdict = one(an_order(199_99))

    assert (verdict.why, verdict.eligible, verdict.due) == (Why.GIVEN, 199_99, 199 * 25)


def test_a_percentage_rounds_down_to_the_currency() -> None:
    cashback = a_rule(rate=Fraction("0.025"), unit=1)

    assert one(an_order(99_99), cashback).due == 249


def test_is_as_due_for_a_return_as_it_is_for_what_is_kept() -> None:
    [award] = one(returned(an_order(199_99), 100_00)).awards

    # 99.99 of 199.99 of 199 points: 99.49.
    assert (award.gross, award.due) == (199 * 25, 99 * 25)


def test_nothing_is_due_of_a_canceled_order() -> None:
    verdict = one(canceled(an_order(100_00)))

    assert (verdict.why, verdict.due) == (Why.CANCELED, 0)


def test_credit_earns_nothing() -> None:
    half = (Tender(system="2", amount=50_00), Tender(system="16", amount=50_00, is_credit=True))

    assert one(an_order(100_00, tenders=half)).due == 50 * 25


def test_shipping_earns_only_when_the_rule_says_so_and_with_its_lines() -> None:
    lines = (Line(sku="1", value=60_00), Line(sku="2", value=40_00))
    order = an_order(lines=lines, shipping=20_00, tenders=(Tender(system="2", amount=120_00),))

    assert one(order).due == 100 * 25
    assert one(order, a_rule(includes_shipping=True)).due == 120 * 25
    assert one(order, a_rule(includes_shipping=True, skus=["1"])).due == 72 * 25


def test_only_the_part_paid_in_the_rules_way_earns() -> None:
    mixed = (Tender(system="125", amount=30_00), Tender(system="2", amount=70_00))
    pix = a_rule(payment_systems=["125"])

    assert one(an_order(100_00, tenders=mixed), pix).due == 30 * 25


LINES = (
    Line(sku="1", value=60_00, brand="7", categories=("3", "31")),
    Line(sku="2", value=40_00, brand="8", categories=("4",)),
)


@pytest.mark.parametrize(
    ("conditions", "units"),
    [
        ({"skus": ["2"]}, 40 * 25),
        ({"brands": ["7"]}, 60 * 25),
        ({"categories": ["31", "9"]}, 60 * 25),
        ({"categories": ["4"], "brands": ["7"]}, 0),
    ],
)
def test_only_lines_of_the_rule_earn(conditions: dict[str, Any], units: int) -> None:
    assert one(an_order(100_00, lines=LINES), a_rule(**conditions)).due == units


CREDIT_ONLY = (Tender(system="16", amount=100_00, is_credit=True),)
REASONS: list[tuple[Why, Order, Rule]] = [
    (Why.NOT_PAID, an_order(paid=None), a_rule()),
    (Why.CANCELED, canceled(an_order(paid=None)), a_rule()),
    (Why.OTHER_CURRENCY, an_order(currency="USD"), a_rule()),
    (Why.STORE_REWARD, an_order(lines=(Line(sku="1", value=1_00, reward=1),)), a_rule()),
    (Why.STORE_REWARD, an_order(store_reward=1), a_rule()),
    (Why.OTHER_DATES, an_order(), a_rule(starts_at=START + HOUR)),
    (Why.OTHER_DATES, an_order(), a_rule(ends_at=START)),
    (Why.OTHER_CHANNEL, an_order(channel="2"), a_rule(channels=["1", "3"])),
    (Why.OTHER_ITEMS, an_order(), a_rule(skus=["2"])),
    (Why.PAID_WITH_CREDIT, an_order(tenders=CREDIT_ONLY), a_rule()),
    (Why.PAID_WITH_CREDIT, an_order(tenders=()), a_rule()),
    (Why.OTHER_PAYMENT, an_order(), a_rule(payment_systems=["125"])),
    (Why.BELOW_MINIMUM, an_order(99_99), a_rule(minimum=100_00)),
    (Why.CAP_REACHED, an_order(), a_rule(cap_per_order=24)),
    (Why.TOO_LITTLE, an_order(99), a_rule()),
]


@pytest.mark.parametrize(("why", "order", "rule"), REASONS)
def test_says_why_nothing_is_given(why: Why, order: Order, rule: Rule) -> None:
    verdict = one(order, rule)

    assert (verdict.why, verdict.awards) == (why, ())


def test_a_rule_holds_from_its_beginning_and_not_at_its_end() -> None:
    rule = a_rule(starts_at=START, ends_at=START + HOUR)

    assert one(an_order(), rule).why == Why.GIVEN


def test_an_order_gives_no_more_than_its_cap() -> None:
    verdict = one(an_order(100_00), a_rule(cap_per_order=60 * 25 + 24))

    assert (verdict.why, verdict.due) == (Why.CAPPED_BY_ORDER, 60 * 25)


def test_a_return_is_pro_rata_to_what_the_cap_left() -> None:
    verdict = one(returned(an_order(100_00), 50_00), a_rule(cap_per_order=60 * 25))

    assert verdict.due == 30 * 25


def test_a_period_gives_no_more_than_its_cap_to_the_first_paid_orders() -> None:
    rule = a_rule(cap_per_period=150 * 25, period="month")
    first, second = an_order(100_00), an_order(100_00, paid=START + DAY)
    third, next_month = an_order(100_00, paid=START + 2 * DAY), an_order(paid=START + 40 * DAY)

    found = judged(next_month, third, second, first, rules=[rule])

    assert [(verdict.why, verdict.due) for verdict in found] == [
        (Why.GIVEN, 100 * 25),
        (Why.CAPPED_BY_PERIOD, 50 * 25),
        (Why.CAP_REACHED, 0),
        (Why.GIVEN, 100 * 25),
    ]


def test_what_comes_back_leaves_room_in_the_period() -> None:
    rule = a_rule(cap_per_period=100 * 25, period="month")

    found = judged(returned(an_order(100_00), 40_00), an_order(paid=START + DAY), rules=[rule])

    assert [verdict.due for verdict in found] == [60 * 25, 40 * 25]


def test_periods_are_those_of_the_store() -> None:
    late = START.replace(month=3, day=1, hour=2)  # 23:00 of February 28 in São Paulo

    assert [period_of(late, name, ZONE) for name in ("day", "month", "year")] == [
        "2026-02-28",
        "2026-02",
        "2026",
    ]


def test_the_first_order_is_the_first_that_stands() -> None:
    rule = a_rule(first_order_only=True)
    first, second, third = (an_order(paid=START + number * DAY) for number in range(3))

    found = judged(canceled(first), third, second, rules=[rule])

    assert [verdict.why for verdict in found] == [Why.CANCELED, Why.GIVEN, Why.NOT_FIRST]
    assert one(third, rule, first_order="another").why == Why.NOT_FIRST


def test_rules_add_up_unless_one_excludes_those_after_it() -> None:
    base, more = a_rule(1, priority=2), a_rule(2, priority=1)
    alone = replace(more, is_exclusive=True)

    together = judged(an_order(10_00), rules=[base, more])
    excluded = judged(an_order(10_00), rules=[base, alone])

    assert [(verdict.rule, verdict.due) for verdict in together] == [(2, 250), (1, 250)]
    assert [(each.rule, each.why, each.because_of) for each in excluded] == [
        (2, Why.GIVEN, None),
        (1, Why.EXCLUDED, 2),
    ]


def test_an_exclusive_rule_that_gives_nothing_excludes_nothing() -> None:
    alone = a_rule(2, priority=-1, is_exclusive=True, channels=["2"])

    found = judged(an_order(10_00), rules=[a_rule(1), alone])

    assert [(verdict.rule, verdict.due) for verdict in found] == [(2, 0), (1, 250)]


def test_of_two_campaigns_the_stronger_counts_and_adds_an_award_of_its_own() -> None:
    stronger = replace(a_boost("3"), id=8)

    verdict = one(an_order(100_00), boosts=[a_boost("2"), stronger])

    assert [(award.boost, award.gross) for award in verdict.awards] == [
        (None, 100 * 25),
        (8, 200 * 25),
    ]


def test_a_campaign_gives_what_is_left_of_its_budget() -> None:
    boosts = [a_boost(room=130 * 25 + 1)]

    found = judged(an_order(100_00), an_order(100_00, paid=START + HOUR), boosts=boosts)

    assert [verdict.due for verdict in found] == [200 * 25, 130 * 25]


def test_the_cap_holds_for_rule_and_campaign_together() -> None:
    verdict = one(an_order(100_00), a_rule(cap_per_order=150 * 25), boosts=[a_boost()])

    assert [award.gross for award in verdict.awards] == [100 * 25, 50 * 25]


def test_the_same_in_whatever_turn_the_orders_are_named() -> None:
    rule = a_rule(cap_per_period=150 * 25, period="year")
    orders = [invoiced(an_order(paid=START + number * DAY)) for number in range(4)]

    assert judged(*orders, rules=[rule]) == judged(*reversed(orders), rules=[rule])
