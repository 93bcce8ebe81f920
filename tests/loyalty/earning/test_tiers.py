"""Which tier a customer has at an instant, as arithmetic."""

import datetime
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.earning.engine import Why, evaluate
from loyalty.earning.tiers import Because, Climb, Gift, Ladder, Period, Scheme, Standing, Tier
from loyalty.shop_orders import Order
from tests.loyalty.earning.builders import DAY, HOUR, START, an_order, canceled, returned
from tests.loyalty.earning.test_engine import ZONE, a_boost, a_rule, judged

LONG_AGO = START - 2000 * DAY
SILVER = Tier(name="Silver", threshold=100_00, factor=Fraction("1.5"))
GOLD = Tier(name="Gold", threshold=300_00, factor=Fraction(2), validity_days=730)


def a_scheme(number: int = 1, **fields: Any) -> Scheme:
    """Silver from R$ 100 and Gold from R$ 300 in 30 days; no grace."""
    defaults: dict[str, Any] = {"starts_at": LONG_AGO, "tiers": (GOLD, SILVER), "days": 30}
    return Scheme(id=number, **defaults | fields)


def a_ladder(*schemes: Scheme, gifts: Sequence[Gift] = ()) -> Ladder:
    return Ladder(schemes=schemes or (a_scheme(),), zone=ZONE, gifts=gifts)


def a_climb(*spent: tuple[datetime.datetime, int], ladder: Ladder | None = None) -> Climb:
    climb = Climb(ladder or a_ladder())
    for at, amount in spent:
        climb.add(at, spend=amount, points=0)
    return climb


def midnight(day: int, month: int = 3, year: int = 2026) -> datetime.datetime:
    return datetime.datetime(year, month, day, tzinfo=ZONE)


JUST = datetime.timedelta(microseconds=1)


def names(climb: Climb, *instants: datetime.datetime) -> list[str]:
    return [climb.at(instant).name for instant in instants]


def test_a_tier_is_reached_at_once_with_its_threshold() -> None:
    assert a_climb((START, 99_99)).at(START).tier is None
    assert a_climb((START, 100_00)).at(START).tier == SILVER
    assert a_climb((START, 100_00), (START, 200_00)).at(START) == Standing(
        GOLD, Because.REACHED, 300_00, a_scheme()
    )


def test_rolling_days_end_at_midnight_of_the_store() -> None:
    climb = a_climb((START, 100_00))

    # The 2nd of March and 29 days after it.
    assert names(climb, midnight(1, 4) - JUST, midnight(1, 4)) == ["Silver", ""]
    assert climb.changes_at(START) == midnight(1, 4)


def test_a_tier_is_kept_for_the_days_of_grace() -> None:
    climb = a_climb((START, 100_00), ladder=a_ladder(a_scheme(grace_days=10)))

    kept = climb.at(midnight(1, 4))
    assert (kept.tier, kept.because, kept.counted) == (SILVER, Because.GRACE, 0)
    assert names(climb, midnight(11, 4) - JUST, midnight(11, 4)) == ["Silver", ""]
    assert climb.changes_at(START) == midnight(11, 4)


def test_it_goes_down_step_by_step_each_after_its_grace() -> None:
    ladder = a_ladder(a_scheme(grace_days=5))
    climb = a_climb((START, 200_00), (START + 10 * DAY, 100_00), ladder=ladder)

    assert names(climb, midnight(6, 4) - JUST, midnight(6, 4)) == ["Gold", "Silver"]
    assert names(climb, midnight(16, 4) - JUST, midnight(16, 4)) == ["Silver", ""]


def test_buying_in_the_days_of_grace_keeps_it() -> None:
    ladder = a_ladder(a_scheme(grace_days=10))
    climb = a_climb((START, 100_00), (midnight(5, 4), 100_00), ladder=ladder)

    assert climb.at(midnight(11, 4)).because == Because.REACHED
    assert climb.changes_at(midnight(5, 4)) == midnight(15, 5)


@pytest.mark.parametrize(
    ("period", "last"),
    [(Period.MONTH, midnight(1, 5)), (Period.YEAR, midnight(1, 1, 2028))],
)
def test_a_calendar_period_counts_for_itself_and_the_next(
    period: Period, last: datetime.datetime
) -> None:
    climb = a_climb((START, 100_00), ladder=a_ladder(a_scheme(period=period)))

    assert names(climb, START, last - JUST, last) == ["Silver", "Silver", ""]
    assert climb.changes_at(START) == last


def test_two_calendar_periods_are_never_added_up() -> None:
    ladder = a_ladder(a_scheme(period=Period.MONTH))
    climb = a_climb((midnight(31), 99_00), (midnight(1, 4), 99_00), ladder=ladder)

    assert climb.at(midnight(1, 4)) == Standing(None, Because.NOTHING, 99_00, ladder.schemes[0])


def test_the_day_is_the_stores() -> None:
    late = datetime.datetime(2026, 4, 1, 2, 59, tzinfo=datetime.UTC)  # 23:59 on the 31st there
    climb = a_climb((late, 100_00), ladder=a_ladder(a_scheme(period=Period.MONTH)))

    assert names(climb, midnight(1, 5) - JUST, midnight(1, 5)) == ["Silver", ""]


def test_a_grant_raises_until_its_end_and_never_lowers() -> None:
    gifts = [Gift(id=1, since=START, name="Silver", until=START + 5 * DAY)]
    ladder = a_ladder(gifts=gifts)

    granted = a_climb(ladder=ladder)
    assert names(granted, START - JUST, START, START + 5 * DAY) == ["", "Silver", "Silver"]
    assert granted.at(START + 5 * DAY + JUST).tier is None
    assert granted.changes_at(START) == START + 5 * DAY + JUST
    assert a_climb((START, 300_00), ladder=ladder).at(START).tier == GOLD


def test_the_newest_grant_counts() -> None:
    gifts = [
        Gift(id=1, since=START, name="Gold", until=START + 50 * DAY),
        Gift(id=2, since=START + DAY, name="Silver", until=START + 2 * DAY),
        Gift(id=3, since=START + 3 * DAY),
    ]
    climb = a_climb(ladder=a_ladder(gifts=gifts))

    assert names(climb, START, START + DAY, START + 3 * DAY) == ["Gold", "Silver", ""]


def test_a_new_scheme_judges_from_its_beginning_by_all_that_was_bought() -> None:
    easier = a_scheme(2, starts_at=midnight(10), tiers=(Tier(name="Gold", threshold=50_00),))
    climb = a_climb((START, 60_00), ladder=a_ladder(a_scheme(), easier))

    assert names(climb, midnight(10) - JUST, midnight(10)) == ["", "Gold"]
    assert climb.changes_at(START) == midnight(10)


def test_before_the_first_scheme_there_is_no_tier() -> None:
    climb = a_climb((START, 900_00), ladder=a_ladder(a_scheme(starts_at=START + DAY)))

    assert climb.at(START) == Standing()


def test_an_order_earns_by_the_tier_of_those_before_it() -> None:
    orders = [an_order(100_00, paid=START + number * HOUR) for number in range(5)]

    verdicts = judged(*orders, ladder=a_ladder())

    assert [(verdict.tier, verdict.due) for verdict in verdicts] == [
        ("", 100 * 25),
        ("Silver", 150 * 25),
        ("Silver", 150 * 25),
        ("Gold", 200 * 25),
        ("Gold", 200 * 25),
    ]
    assert verdicts[-1].awards[0].validity_days == 730


def test_what_came_back_never_counted() -> None:
    first, second = an_order(300_00), an_order(100_00, paid=START + HOUR)

    for sight in (returned(first, 250_00), canceled(first)):
        assert judged(sight, second, ladder=a_ladder())[-1].tier == ""


def test_another_currency_does_not_count() -> None:
    other = an_order(300_00, currency="USD")

    assert judged(other, an_order(paid=START + HOUR), ladder=a_ladder())[-1].tier == ""


def test_a_rule_may_be_for_some_tiers() -> None:
    rules = [a_rule(1, tiers=["Silver", "Gold"])]
    orders = [an_order(100_00), an_order(100_00, paid=START + HOUR)]

    verdicts = judged(*orders, rules=rules, ladder=a_ladder())

    assert [(verdict.why, verdict.due) for verdict in verdicts] == [
        (Why.OTHER_TIER, 0),
        (Why.GIVEN, 150 * 25),
    ]
    assert judged(an_order(), rules=rules)[0].why == Why.OTHER_TIER


def test_points_of_rules_count_and_those_of_campaigns_do_not() -> None:
    scheme = a_scheme(basis="points", tiers=(Tier(name="Silver", threshold=150 * 25),))
    orders = [an_order(100_00, paid=START + number * HOUR) for number in range(3)]

    verdicts = judged(*orders, ladder=a_ladder(scheme), boosts=[a_boost("3")])

    assert [verdict.tier for verdict in verdicts] == ["", "", "Silver"]


def test_a_campaign_multiplies_what_the_tier_gives() -> None:
    first, second = an_order(100_00), an_order(100_00, paid=START + HOUR)

    verdict = judged(first, second, ladder=a_ladder(), boosts=[a_boost("2")])[-1]

    assert [award.due for award in verdict.awards] == [150 * 25, 150 * 25]


AMOUNTS = st.integers(min_value=1, max_value=200_00)
HOURS = st.integers(min_value=0, max_value=24 * 200)
SCHEMES = st.builds(
    a_scheme,
    basis=st.sampled_from(["spend", "points"]),
    period=st.sampled_from(Period),
    days=st.integers(min_value=1, max_value=60),
    grace_days=st.integers(min_value=0, max_value=40),
)


@given(
    facts=st.lists(st.tuples(HOURS, AMOUNTS), min_size=1, max_size=12),
    scheme=SCHEMES,
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_tiers_are_the_same_whatever_the_order_of_delivery(
    facts: list[tuple[int, int]], scheme: Scheme, data: st.DataObject
) -> None:
    orders: list[Order] = [
        an_order(amount, paid=START + hours * HOUR, order_id=f"o{number}")
        for number, (hours, amount) in enumerate(facts)
    ]
    other = data.draw(st.permutations(orders))
    ladder = a_ladder(scheme)

    def told(delivered: Sequence[Order]) -> list[tuple[str, str, int]]:
        verdicts = evaluate(delivered, [a_rule()], zone=ZONE, currency="BRL", ladder=ladder)
        return [(each.order_id, each.tier, each.due) for each in verdicts]

    assert told(other) == told(orders)


@given(
    facts=st.lists(st.tuples(HOURS, AMOUNTS), max_size=8),
    scheme=SCHEMES,
    hours=st.integers(min_value=24 * 200, max_value=24 * 1200),
)
@settings(max_examples=60, deadline=None)
def test_a_tier_is_the_highest_of_its_days_of_grace(
    facts: list[tuple[int, int]], scheme: Scheme, hours: int
) -> None:
    """Compared with a definition that looks at every day, and adds up every order."""
    spent = sorted((START + number * HOUR, amount) for number, amount in facts)
    scheme = a_scheme(
        period=scheme.period, days=scheme.days, grace_days=scheme.grace_days, tiers=scheme.tiers
    )
    instant = START + hours * HOUR
    today = instant.astimezone(ZONE).date()

    def reached(day: datetime.date) -> int:
        counted = max(
            sum(amount for at, amount in spent if first <= at.astimezone(ZONE).date() <= last)
            for first, last in scheme.spans(day)
        )
        tier = scheme.reached_with(counted)
        return tier.threshold if tier else 0

    expected = max(reached(today - each * DAY) for each in range(scheme.grace_days + 1))
    climb = a_climb(*spent, ladder=a_ladder(scheme))
    found = climb.at(instant).tier
    assert (found.threshold if found else 0) == expected
    turn = climb.changes_at(instant)
    if turn:
        assert climb.at(turn - JUST).name == climb.at(instant).name != climb.at(turn).name
