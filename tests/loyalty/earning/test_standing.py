"""The tiers that customers have: reached by orders, lost with time, granted by staff."""

import datetime
from collections.abc import Iterator
from itertools import islice, permutations
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from loyalty import earning, jobs
from loyalty.models import (
    Customer,
    Earning,
    Grant,
    Job,
    JobKind,
    Program,
    ShopOrder,
    TierChange,
    TierGrant,
    TierScheme,
    TierStanding,
)
from tests.builders import make_customer
from tests.loyalty.earning.builders import (
    DAY,
    HOUR,
    START,
    an_order,
    canceled,
    invoiced,
    make_earning_program,
    make_rule,
    make_scheme,
    points,
    returned,
    take,
)

pytestmark = pytest.mark.django_db

NOW = START + 5 * DAY


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def program() -> Program:
    """A point for each real, with Silver and Gold."""
    program = make_earning_program()
    make_rule(program)
    make_scheme(program)
    return program


def changes() -> list[tuple[str, str, str, int]]:
    rows = TierChange.objects.order_by("pk")
    return list(rows.values_list("before", "after", "cause", "counted"))


def review() -> Job:
    """One review to its end, as the worker does it."""
    job = earning.begin_review()
    assert isinstance(job, Job)
    while jobs.run_next({JobKind.REVIEW_TIERS: earning.review_chunk}):
        pass
    return Job.objects.get(pk=job.pk)


def give(program: Program, customer: Customer, tier: str = "Gold", **fields: object) -> TierGrant:
    defaults: dict[str, object] = {
        "until": NOW + 10 * DAY if tier else None,
        "reason": "Complained with good cause",
        "by": User.objects.get_or_create(username="eva")[0],
        "request_id": f"grant-{TierGrant.objects.count()}",
    }
    return earning.grant(program, customer, tier=tier, **defaults | fields)  # type: ignore[arg-type]


def test_an_order_reaches_a_tier_at_once(program: Program) -> None:
    take(program.store, an_order(100_00))

    standing = TierStanding.objects.get()
    assert (standing.tier, standing.cause, standing.counted) == ("Silver", "reached", 100_00)
    assert standing.since == standing.judged_at == NOW
    assert standing.review_at == program.store.first_instant(datetime.date(2026, 4, 1))
    assert changes() == [("", "Silver", "reached", 100_00)]


def test_what_is_settled_again_is_no_change(program: Program) -> None:
    order = an_order(100_00)
    take(program.store, order, invoiced(order), order)

    assert changes() == [("", "Silver", "reached", 100_00)]


def test_the_next_order_earns_by_it_and_says_so(program: Program) -> None:
    take(program.store, an_order(100_00), an_order(100_00, paid=START + HOUR))

    verdict = ShopOrder.objects.get(paid_at=START + HOUR).verdicts
    assert [(each["why"], each["tier"]) for each in verdict] == [("given", "Silver")]
    assert points(program) == {"due": 250, "pending": 250}


def test_the_tier_says_how_long_its_earnings_are_valid(program: Program) -> None:
    first, second = an_order(300_00), invoiced(an_order(100_00, paid=START + HOUR))

    take(program.store, first, second)

    grant = Grant.objects.get()
    assert (grant.amount, grant.valid_from) == (200 * 25, START + HOUR + 8 * DAY)
    assert grant.expires_at == program.expiry_after(grant.valid_from, days=730)
    assert program.validity_days == 365


IN_POINTS = [
    {"name": "Silver", "threshold": 100 * 25, "multiplier": "1.50", "validity_days": None},
    {"name": "Gold", "threshold": 300 * 25, "multiplier": "2.00", "validity_days": None},
]


@pytest.mark.parametrize("fields", [{}, {"basis": "points", "tiers": IN_POINTS}])
def test_the_outcome_is_the_same_whatever_the_order_of_arrival(fields: dict[str, Any]) -> None:
    facts = [(120_00, 0), (90_00, 1), (150_00, 26), (40_00, 27)]
    sights = [
        invoiced(an_order(value, paid=START - 40 * DAY + days * DAY, order_id=f"o{days}"))
        for value, days in facts
    ]
    sights[1] = returned(sights[1], 30_00)
    found = set()
    for arrival in islice(permutations(sights), 0, None, 5):
        program = make_earning_program()
        make_rule(program)
        make_scheme(program, **fields)
        take(program.store, *arrival)
        earnings = Earning.objects.filter(rule__program=program).order_by("order__order_id")
        standing = TierStanding.objects.get(program=program)
        found.add(
            (
                tuple(earnings.values_list("order__order_id", "due")),
                tuple(earnings.values_list("validity_days", flat=True)),
                (standing.tier, standing.counted, standing.review_at),
            )
        )

    [(dues, _validity, _standing)] = found
    # R$ 120 reach Silver for those after them; R$ 60 of R$ 90 are kept.
    assert dict(dues) == {"o0": 120 * 25, "o1": 90 * 25, "o26": 225 * 25, "o27": 80 * 25}


def test_an_order_that_arrives_late_raises_those_after_it(program: Program) -> None:
    take(program.store, invoiced(an_order(100_00, paid=START + HOUR)))
    assert points(program) == {"due": 100, "credited": 100}

    take(program.store, an_order(100_00))

    assert points(program) == {"due": 250, "credited": 150, "pending": 100}


def test_an_order_that_is_canceled_takes_the_tier_along(program: Program) -> None:
    first = an_order(100_00)
    take(program.store, first, invoiced(an_order(50_00, paid=START + HOUR)))

    take(program.store, canceled(first))

    assert points(program) == {"due": 50, "credited": 75, "taken": 25}
    assert changes() == [("", "Silver", "reached", 100_00), ("Silver", "", "nothing", 50_00)]


def test_time_takes_a_tier_away_once(program: Program, clock: time_machine.Traveller) -> None:
    take(program.store, an_order(100_00))
    assert earning.begin_review() == {"customers": 0}
    clock.move_to(program.store.first_instant(datetime.date(2026, 4, 1)))

    job = review()

    assert (job.status, job.counts) == ("done", {"customers": 1})
    assert changes() == [("", "Silver", "reached", 100_00), ("Silver", "", "nothing", 0)]
    assert TierStanding.objects.get().review_at is None
    assert earning.begin_review() == {"customers": 0}


def test_a_new_scheme_is_looked_at_when_it_begins(
    program: Program, clock: time_machine.Traveller
) -> None:
    take(program.store, an_order(60_00))
    tiers = [{"name": "Bronze", "threshold": 0, "multiplier": "1.00", "validity_days": None}]
    scheme = make_scheme(program, on=False, starts_at=NOW + DAY, tiers=tiers)
    earning.switch_on_scheme(scheme)
    assert earning.begin_review() == {"customers": 0}
    clock.move_to(NOW + DAY)

    review()

    assert changes() == [("", "Bronze", "reached", 60_00)]
    assert TierChange.objects.get().scheme == scheme


def test_who_bought_before_the_first_scheme_is_judged_when_it_begins(
    clock: time_machine.Traveller,
) -> None:
    program = make_earning_program()
    make_rule(program)
    take(program.store, an_order(100_00))
    earning.switch_on_scheme(make_scheme(program, on=False, starts_at=NOW + DAY))
    clock.move_to(NOW + DAY)

    review()

    assert changes() == [("", "Silver", "reached", 100_00)]
    assert points(program) == {"due": 100, "pending": 100}


@pytest.mark.parametrize("changed", [{"starts_at": NOW}, {"tiers": []}])
def test_a_scheme_that_begins_in_the_past_or_is_empty_is_not_switched_on(
    changed: dict[str, object],
) -> None:
    scheme = make_scheme(make_earning_program(), on=False, **{"starts_at": NOW + DAY} | changed)

    with pytest.raises(ValueError, match="begins in the future"):
        earning.switch_on_scheme(scheme)

    assert TierScheme.objects.get().switched_on_at is None


def test_staff_grant_a_tier_until_an_instant(
    program: Program, clock: time_machine.Traveller
) -> None:
    customer = make_customer(program.store, email="ana@example.com")
    until = NOW + 10 * DAY

    made = give(program, customer, until=until, reason="  Complained with good cause ")

    assert (made.tier, made.given_at, made.reason) == ("Gold", NOW, "Complained with good cause")
    assert TierStanding.objects.get().review_at == until + datetime.timedelta(microseconds=1)
    take(program.store, an_order(100_00, paid=NOW + HOUR))
    assert points(program)["due"] == 200
    clock.move_to(NOW + 11 * DAY)
    review()
    assert changes() == [("", "Gold", "granted", 0), ("Gold", "Silver", "reached", 100_00)]
    assert TierChange.objects.earliest("pk").grant == made


def test_a_grant_is_ended_by_one_of_no_tier(
    program: Program, clock: time_machine.Traveller
) -> None:
    customer = make_customer(program.store)
    give(program, customer)
    clock.shift(HOUR)

    give(program, customer, "", reason="Given to the wrong person")

    assert changes() == [("", "Gold", "granted", 0), ("Gold", "", "nothing", 0)]


def test_a_repeated_grant_is_one(program: Program) -> None:
    customer = make_customer(program.store)
    made = give(program, customer, request_id="same")

    assert give(program, customer, request_id="same") == made

    assert TierGrant.objects.count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"tier": "Platinum"},
        {"until": NOW},
        {"until": None},
        {"tier": "", "until": NOW + DAY},
        {"reason": "  "},
    ],
)
def test_a_grant_of_nothing_known_changes_nothing(
    changed: dict[str, object], program: Program
) -> None:
    customer = make_customer(program.store)

    with pytest.raises(ValueError, match=r"tier"):
        give(program, customer, **changed)  # type: ignore[arg-type]

    assert not TierGrant.objects.exists()
    assert changes() == []


def test_a_grant_looks_again_at_orders_of_clocks_that_are_ahead(program: Program) -> None:
    take(program.store, an_order(100_00, paid=NOW + HOUR))
    customer = Customer.objects.get()

    give(program, customer)

    assert ShopOrder.objects.get().due_at == timezone.now()
