"""A rule tried on past orders gives nothing, and says what it would have given."""

import datetime

import pytest

from loyalty import earning, jobs
from loyalty.earning import simulation
from loyalty.identity import Identity
from loyalty.models import Earning, EarningRule, GiftCard, Job, Program, RuleSimulation
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    make_earning_program,
    make_rule,
)

pytestmark = pytest.mark.django_db

FIRST, LAST = datetime.date(2026, 3, 1), datetime.date(2026, 3, 31)


def run(rule: EarningRule, first: datetime.date = FIRST) -> RuleSimulation:
    made = simulation.simulate(rule, first, LAST, by=None)
    assert jobs.run_next({Job.Kind.SIMULATE_RULE: simulation.chunk})
    made.refresh_from_db()
    assert made.is_finished
    return made


@pytest.fixture
def program() -> Program:
    """Ana bought twice and canceled once, Bia bought a little; one order is too old."""
    program = make_earning_program()
    bia = Identity.of(email="bia@example.com")
    for order in (
        an_order(100_00),
        an_order(50_00, paid=START + DAY),
        canceled(an_order(30_00, paid=START + DAY)),
        an_order(20_00, paid=START + DAY, buyer=bia),
        an_order(10_00, paid=START - 30 * DAY),
    ):
        earning.record(program.store, order)
    return program


def test_says_what_to_whom_and_when(program: Program) -> None:
    made = run(make_rule(program, on=False, starts_at=START + 300 * DAY))

    assert (made.orders, made.customers) == (4, 2)
    assert (made.given_orders, made.given_customers) == (3, 2)
    assert (made.units, made.eligible) == (170 * 25, 170_00)
    assert made.by_day == {"2026-03-02": 100 * 25, "2026-03-03": 70 * 25}
    assert made.by_reason == {"given": 3, "canceled": 1}
    assert [units for _customer, units in made.most] == [150 * 25, 20 * 25]


def test_gives_nothing(program: Program) -> None:
    run(make_rule(program, on=False))

    assert not Earning.objects.exists()
    assert not GiftCard.objects.exists()


def test_knows_the_rules_that_were_on_and_the_first_order_of_all_times(program: Program) -> None:
    make_rule(program, channels=["1"], is_exclusive=True, minimum=60_00, priority=1)

    excluded = run(make_rule(program, on=False, priority=2))
    first = run(make_rule(program, on=False, priority=0, first_order_only=True))

    assert excluded.by_reason == {"excluded": 1, "given": 2, "canceled": 1}
    # Ana's first order was in January.
    assert first.by_reason == {"not_first": 2, "canceled": 1, "given": 1}


def test_a_chunk_that_is_repeated_counts_once(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "_CUSTOMERS_AT_ONCE", 1)
    made = simulation.simulate(make_rule(program, on=False), FIRST, LAST, by=None)

    steps = [simulation.chunk(Job.objects.get()) for _ in range(5)]

    made.refresh_from_db()
    assert steps == [True, True, False, False, False]
    assert (made.customers, made.units) == (2, 170 * 25)


@pytest.mark.parametrize("days", [-1, 366])
def test_refuses_a_window_that_is_none_or_too_long(program: Program, days: int) -> None:
    rule = make_rule(program, on=False)

    with pytest.raises(ValueError, match="at most a year"):
        simulation.simulate(rule, FIRST, FIRST + datetime.timedelta(days=days), by=None)

    assert not Job.objects.exists()
