"""Programs of every kind, for the properties of earning."""

import datetime
from dataclasses import dataclass
from fractions import Fraction

POINT = 25  # units, until it is worth something else
PEOPLE = ("ana", "bia", "cid")
DAY = datetime.timedelta(days=1)
START = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule; points for each real, and limits in points."""

    rate: Fraction
    kinds: tuple[int, ...] = (0, 1)
    shipping: bool = False
    channels: tuple[str, ...] = ()
    minimum: int = 0
    first: bool = False
    tiers: tuple[str, ...] = ()
    order_cap: int | None = None
    period_cap: int | None = None
    period: str = ""
    exclusive: bool = False
    until: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Some time in which rules give more; the budget in points."""

    factor: Fraction
    since: datetime.datetime
    until: datetime.datetime
    budget: int | None = None


@dataclass(frozen=True)
class Step:
    """A tier; the threshold in centavos, or in units when points count."""

    name: str
    threshold: int
    factor: Fraction = Fraction(1)
    validity: int | None = None


@dataclass(frozen=True, kw_only=True)
class Tiers:
    """The tiers of a program from the lowest."""

    steps: tuple[Step, ...]
    basis: str = "spend"
    period: str = "rolling"
    days: int = 30
    grace: int = 0


@dataclass(frozen=True, kw_only=True)
class House:
    """A program with its rules, in the order of their priority."""

    rules: tuple[Rule, ...]
    campaign: Campaign
    tiers: Tiers | None = None
    usable_from: str = "invoice"
    usable_after: int = 7
    assumed_after: int = 10
    validity: int = 45
    take_back: str = "owe"


def _campaign(budget: int | None = None, *, factor: str = "1.5", days: int = 25) -> Campaign:
    return Campaign(
        factor=Fraction(factor), since=START - DAY, until=START + days * DAY, budget=budget
    )


# Caps, first orders, exclusion, shipping, a rule that ended; a wallet that owes.
CAPS = House(
    rules=(
        Rule(rate=Fraction(7), channels=("2",), exclusive=True, minimum=20_00),
        Rule(rate=Fraction(1, 2), first=True),
        Rule(rate=Fraction(5, 2), kinds=(0,), period_cap=200, period="month"),
        Rule(rate=Fraction(1), shipping=True, order_cap=120),
        Rule(rate=Fraction(1), kinds=(1,), period_cap=90, period="day", until=START + 20 * DAY),
    ),
    campaign=_campaign(),
)
# Tiers by what is bought, a campaign with a budget that all share; what was spent is waived.
TIERS = House(
    rules=(
        Rule(rate=Fraction(1), order_cap=400),
        Rule(rate=Fraction(1, 3), tiers=("Gold",)),
    ),
    campaign=_campaign(90, factor="2", days=60),
    tiers=Tiers(
        steps=(
            Step("Silver", 100_00, Fraction(3, 2)),
            Step("Gold", 300_00, Fraction(2), validity=90),
        ),
        days=20,
        grace=5,
    ),
    take_back="waive",
)
# Usable after the delivery; tiers of the calendar by points; caps and tiers together.
DELIVERY = House(
    rules=(
        Rule(rate=Fraction(2), kinds=(0,), period_cap=500, period="year"),
        Rule(rate=Fraction(1), kinds=(1,)),
    ),
    campaign=_campaign(factor="1.25"),
    tiers=Tiers(
        steps=(
            Step("Silver", 120 * POINT, Fraction(5, 4)),
            Step("Gold", 400 * POINT, Fraction(2), validity=20),
        ),
        basis="points",
        period="month",
    ),
    usable_from="delivery",
    usable_after=3,
)
HOUSES = (CAPS, TIERS, DELIVERY)
