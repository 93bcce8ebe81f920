"""The real thing for the properties of earning, told and read in the model's words."""

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.contrib.auth.models import User

from loyalty import earning, jobs, ledger, point_values
from loyalty.models import (
    Campaign,
    Earning,
    EarningRule,
    GiftCard,
    Job,
    Origin,
    PointValueChange,
    Program,
    Reason,
    ShopOrder,
    Store,
    TierStanding,
    Transaction,
)
from loyalty.shop_orders import Line, Order, OrderState, Tender
from loyalty.tasks import HANDLERS
from tests import builders
from tests.loyalty.earning.builders import (
    make_campaign,
    make_earning_program,
    make_rule,
    make_scheme,
)
from tests.loyalty.earning.facts import Key, Sight
from tests.loyalty.earning.houses import DAY, PEOPLE, POINT, START, House, Rule
from tests.loyalty.ledger.books import ACTOR
from tests.loyalty.ledger.books import Books as Ledger
from tests.loyalty.ledger.cards import Answer, Call


class Books(Ledger):
    """One program in a store of its own; wallets by their number in the model."""

    def __init__(self, house: House) -> None:
        super().__init__(grace_days=30)
        # Of ana and cid so little is known that they may be anybody.
        nobody = {"profile_id": "", "document": ""}
        self.buyers = {
            name: builders.make_customer(self.store, name=name, **({} if name == "bia" else nobody))
            for name in PEOPLE
        }
        self.identities = {name: buyer.identity for name, buyer in self.buyers.items()}
        self.customers = {**self.buyers, "": None}
        self.program = make_house(house, self.store)
        self.rules = list(EarningRule.objects.order_by("priority").values_list("pk", flat=True))
        self.requests = 0
        self.staff = User.objects.create(username="eva")

    # --- What happens ---

    def take(self, sight: Sight) -> None:
        earning.settle(earning.record(self.store, self._order(sight)))

    def tick(self) -> None:
        earning.settle_due()

    def give_tier(self, who: str, name: str, until: datetime.datetime | None, number: int) -> None:
        earning.grant(
            self.program,
            self.buyers[who],
            tier=name,
            until=until,
            reason="For the sake of it",
            by=self.staff,
            request_id=f"grant {number}",
        )

    def change_points(self, before: int, after: int, *, keeps_points: bool) -> None:
        policies = PointValueChange.Policy
        self.requests += 1
        point_values.change(
            self.program,
            before=before,
            after=after,
            policy=policies.KEEP_POINTS if keeps_points else policies.KEEP_MONEY,
            requested_by=self.staff,
            reason=Reason.CAMPAIGN,
            request_id=f"value {self.requests}",
        )

    def adjust_all(self) -> None:
        while jobs.run_next(HANDLERS):
            pass

    def review(self) -> None:
        while earning.review_chunk(Job()):
            pass

    def merge(self, who: str, into: str, request_id: str) -> Answer:
        self._look()
        return super().merge(who, into, request_id)

    def call(self, call: Call) -> Answer:
        self._look()
        return super().call(call)

    def _reward(self, call: Call) -> Transaction:
        """The store's own reward for an order, which is the request's id."""
        return ledger.credit(
            self.cards[call.card].pk,
            amount=call.amount,
            request_id=call.request_id,
            actor=ACTOR,
            origin=Origin.REWARD,
            funding=call.funding,
        )

    def _order(self, sight: Sight) -> Order:
        by_card = sight.total - sight.by_credit
        return Order(
            order_id=sight.order_id,
            state=OrderState(sight.state),
            changed_at=sight.changed,
            placed_at=sight.placed,
            paid_at=sight.paid,
            invoiced_at=sight.invoiced,
            delivered_at=sight.delivered,
            channel=sight.channel,
            currency=sight.currency,
            buyer=self.identities[sight.customer],
            lines=tuple(
                Line(
                    sku=f"kind {kind}",
                    value=sight.values[kind],
                    returned=sight.returned[kind],
                    reward=0 if kind else sight.reward,
                )
                for kind in (0, 1)
            ),
            shipping=sight.shipping,
            tenders=(
                Tender(system="2", amount=by_card),
                Tender(system="16", amount=sight.by_credit, is_credit=True),
            ),
        )

    # --- What there is ---

    def _look(self) -> None:
        """Cards and transactions that earning made, too."""
        self.cards = list(GiftCard.objects.filter(store=self.store).order_by("pk"))
        self.transactions = list(Transaction.objects.order_by("pk"))

    def wallets(self) -> list[dict[str, object]]:
        self._look()
        return [self.state(number) for number in range(len(self.cards))]

    def earnings(self) -> dict[Key, tuple[int, int, int, int]]:
        """What was due, credited, taken back and forgiven, of all that ever gave anything."""
        rows = Earning.objects.select_related("order").order_by("pk")
        return {
            (
                int(row.order.order_id.removeprefix("order-")),
                self.rules.index(row.rule_id),
                row.campaign_id is not None,
            ): (row.due, row.credited, row.taken, row.forgiven)
            for row in rows
            if row.due or row.credited
        }

    def verdicts(self) -> dict[int, list[str]]:
        return {
            int(row.order_id.removeprefix("order-")): [each["why"] for each in row.verdicts]
            for row in ShopOrder.objects.all()
        }

    def standing(self) -> dict[str, tuple[str, int]]:
        names = {customer.pk: name for name, customer in self.buyers.items()}
        return {
            names[row.customer_id]: (row.tier, row.counted) for row in TierStanding.objects.all()
        }

    @property
    def used(self) -> int:
        return Campaign.objects.get().used


def make_house(house: House, store: Store) -> Program:
    """The program with its rules, campaign and tiers, as the code keeps them."""
    program = make_earning_program(
        store,
        usable_from=house.usable_from,
        usable_after_days=house.usable_after,
        undelivered_days=house.assumed_after,
        take_back=house.take_back,
        validity_days=house.validity,
    )
    for priority, rule in enumerate(house.rules):
        make_rule(program, priority=priority, **_fields(rule))
    campaign = house.campaign
    make_campaign(
        program,
        _decimal(campaign.factor),
        starts_at=campaign.since,
        ends_at=campaign.until,
        budget=_units(campaign.budget),
    )
    if tiers := house.tiers:
        make_scheme(
            program,
            starts_at=START - 400 * DAY,
            basis=tiers.basis,
            period=tiers.period,
            days=tiers.days if tiers.period == "rolling" else None,
            grace_days=tiers.grace,
            tiers=[
                {
                    "name": step.name,
                    "threshold": step.threshold,
                    "multiplier": _decimal(step.factor),
                    "validity_days": step.validity,
                }
                for step in tiers.steps
            ],
        )
    return program


def _fields(rule: Rule) -> dict[str, Any]:
    return {
        "points": rule.rate.numerator,
        "per_amount": rule.rate.denominator * 1_00,
        "skus": [f"kind {kind}" for kind in rule.kinds] if len(rule.kinds) == 1 else [],
        "includes_shipping": rule.shipping,
        "channels": list(rule.channels),
        "minimum": rule.minimum or None,
        "first_order_only": rule.first,
        "tiers": list(rule.tiers),
        "cap_per_order": _units(rule.order_cap),
        "cap_per_period": _units(rule.period_cap),
        "period": rule.period,
        "is_exclusive": rule.exclusive,
        "ends_at": rule.until,
    }


def _units(points: int | None) -> int | None:
    return None if points is None else points * POINT


def _decimal(factor: Fraction) -> str:
    return str(Decimal(factor.numerator) / factor.denominator)
