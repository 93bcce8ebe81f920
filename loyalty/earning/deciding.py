"""Bringing a customer's earnings in line with the orders as last seen; the ledger follows later."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from loyalty.earning import engine
from loyalty.earning.engine import Award, Verdict
from loyalty.earning.intake import order_of
from loyalty.earning.rules import boost_of, rule_of, span
from loyalty.earning.standing import judge, ladder_of
from loyalty.earning.tiers import Ladder
from loyalty.earning.values import PointValues
from loyalty.exceptions import LedgerBusy
from loyalty.ledger import locked_in_time
from loyalty.models import (
    Campaign,
    Customer,
    Earning,
    EarningPolicy,
    EarningRule,
    Origin,
    Program,
    ShopOrder,
    Transaction,
)
from loyalty.notifications import announce_earned

Key = tuple[int, int, int | None]
_LONGEST_FIRST = ("year", "month", "day")
_DECIDED = ("gross", "due", "usable_at", "validity_days")


def decide(program: Program, orders: Sequence[ShopOrder]) -> Customer:
    """Write what orders of one customer, and all that others have to do with them, earn.

    One transaction under the customer's lock: two orders at once cannot both use what is left of a
    cap. Campaigns with a budget are locked too, always in the same turn. Safe to repeat. Raises
    `LedgerBusy` when a lock was not to be had in time.
    """
    with locked_in_time():
        people = Customer.objects.select_for_update(no_key=True, of=("self",))
        customer = people.filter(shop_orders=orders[0]).first()
        if customer is None:
            # While this waited for the lock they were merged into another customer.
            raise LedgerBusy
        # What was said of them so far, and their payment, are read under the lock.
        fresh = list(ShopOrder.objects.filter(pk__in=[order.pk for order in orders]))
        case = _Case.of(program, customer, fresh)
        case.keep(case.verdicts())
        judge(program, customer, case.ladder)
    return customer


@dataclass(frozen=True, slots=True)
class _Case:
    """What is looked at together, read under the lock."""

    program: Program
    policy: EarningPolicy
    customer: Customer
    rules: Sequence[EarningRule]
    campaigns: Sequence[Campaign]
    orders: Sequence[ShopOrder]
    known: Mapping[Key, Earning]
    known_of: Mapping[int, Mapping[Key, Earning]]
    ladder: Ladder | None
    values: PointValues

    @classmethod
    def of(cls, program: Program, customer: Customer, changed: Sequence[ShopOrder]) -> "_Case":
        rules = list(
            EarningRule.objects.filter(program=program, switched_on_at__isnull=False)
            .select_related("program__store")
            .order_by("pk")
        )
        campaigns = list(
            Campaign.objects.select_for_update(no_key=True)
            .filter(program=program, switched_on_at__isnull=False)
            .order_by("pk")
        )
        ladder = ladder_of(program, customer)
        together = _related(program, customer, changed, rules)
        if ladder:
            # A tier follows from all that was bought, and each order's tier from those before it.
            together |= Q(customer=customer, paid_at__isnull=False)
        orders = list(ShopOrder.objects.filter(together, version__gt=0).order_by("pk"))
        known: dict[Key, Earning] = {}
        known_of: dict[int, dict[Key, Earning]] = {}
        for each in Earning.objects.filter(order__in=orders, rule__program=program):
            key = (each.order_id, each.rule_id, each.campaign_id)
            known[key] = known_of.setdefault(each.order_id, {})[key] = each
        return cls(
            program=program,
            policy=program.earning_policy,
            customer=customer,
            rules=rules,
            campaigns=campaigns,
            orders=orders,
            known=known,
            known_of=known_of,
            ladder=ladder,
            values=PointValues.of(program),
        )

    def verdicts(self) -> list[Verdict]:
        """What the engine says of these orders."""
        rewarded = _rewarded(self.program, [order.order_id for order in self.orders])
        is_about_first = any(rule.first_order_only for rule in self.rules)
        first = _standing(self.customer).first() if is_about_first else None
        return engine.evaluate(
            [
                order_of(order, store_reward=rewarded.get(order.order_id, 0))
                for order in self.orders
            ],
            [rule_of(rule, self.values) for rule in self.rules],
            zone=self.program.store.zone,
            currency=self.program.store.currency,
            boosts=[boost_of(each, room=self._room(each)) for each in self.campaigns],
            first_order=first.order_id if first else "",
            ladder=self.ladder,
        )

    def keep(self, verdicts: Sequence[Verdict]) -> None:
        """Write the earnings that changed, what the campaigns used, and why."""
        found = engine.by_order(verdicts)
        before = _used(self.known.values())
        new: list[Earning] = []
        changed: list[Earning] = []
        explained: list[ShopOrder] = []
        for order in self.orders:
            mine = found.get(order.order_id, [])
            for earning, award in self._awards(order, mine):
                if self._changes(order, earning, award):
                    (new if earning._state.adding else changed).append(earning)
            if self._explains(order, mine):
                explained.append(order)
        Earning.objects.bulk_update(changed, _DECIDED)
        Earning.objects.bulk_create(new)
        ShopOrder.objects.bulk_update(explained, ["verdicts"])
        used = _used([*self.known.values(), *new])
        for campaign in self.campaigns:
            if used[campaign.pk] != before[campaign.pk]:
                campaign.used += used[campaign.pk] - before[campaign.pk]
                campaign.save(update_fields=["used"])
        announce_earned(self.program, self.customer, [each.order for each in new if each.due])

    def _room(self, campaign: Campaign) -> int | None:
        """What is left of a budget for these orders: what they use already is theirs."""
        if campaign.budget is None:
            return None
        return campaign.budget - campaign.used + _used(self.known.values())[campaign.pk]

    def _awards(
        self, order: ShopOrder, verdicts: Iterable[Verdict]
    ) -> Iterable[tuple[Earning, Award | None]]:
        """Each earning with its award; None for one that is not due any more."""
        awards: dict[Key, Award] = {
            (order.pk, verdict.rule, award.boost): award
            for verdict in verdicts
            for award in verdict.awards
        }
        for key, award in awards.items():
            _order, rule, campaign = key
            new = Earning(order=order, rule_id=rule, campaign_id=campaign, gross=0, due=0)
            yield self.known.get(key, new), award
        for key, earning in self.known_of.get(order.pk, {}).items():
            if key not in awards:
                yield earning, None

    def _changes(self, order: ShopOrder, earning: Earning, award: Award | None) -> bool:
        """Bring it in line; whether there is something to write."""
        known = _decided(earning)
        earning.usable_at = self.policy.usable_at(order.invoiced_at, order.delivered_at)
        earning.due = award.due if award else 0
        if award:
            earning.gross, earning.validity_days = award.gross, award.validity_days
        return earning._state.adding or known != _decided(earning)

    def _explains(self, order: ShopOrder, verdicts: Iterable[Verdict]) -> bool:
        """Tell of the order why it earned or not; whether that is something new."""
        mine = {rule.pk: rule for rule in self.rules}
        told = [each for each in order.verdicts if each["rule"] not in mine]
        told += [self._told(order, verdict, mine) for verdict in verdicts]
        known, order.verdicts = order.verdicts, told
        return bool(told != known)

    def _told(
        self, order: ShopOrder, verdict: Verdict, rules: Mapping[int, EarningRule]
    ) -> dict[str, Any]:
        """A verdict as it is kept: with the names that the rules had, and the cap's period."""
        rule = rules[verdict.rule]
        told: dict[str, Any] = {
            "rule": verdict.rule,
            "name": rule.name,
            "why": verdict.why.value,
            "eligible": verdict.eligible,
            "due": verdict.due,
        }
        if rule.period and order.paid_at:
            zone = self.program.store.zone
            told["period"] = engine.period_of(order.paid_at, rule.period, zone)
        if verdict.because_of is not None:
            told["because_of"] = rules[verdict.because_of].name
        if verdict.tier:
            told["tier"] = verdict.tier
        return told


def _used(earnings: Iterable[Earning]) -> Counter[int]:
    """What is due by each campaign."""
    used: Counter[int] = Counter()
    for earning in earnings:
        if earning.campaign_id:
            used[earning.campaign_id] += earning.due
    return used


def _decided(earning: Earning) -> tuple[object, ...]:
    return tuple(getattr(earning, name) for name in _DECIDED)


def _standing(customer: Customer) -> QuerySet[ShopOrder]:
    """The customer's orders that were paid and not canceled, in the turn of the engine."""
    paid = ShopOrder.objects.filter(customer=customer, paid_at__isnull=False)
    return paid.exclude(state=ShopOrder.State.CANCELED).order_by("paid_at", "order_id")


def _related(
    program: Program,
    customer: Customer,
    changed: Sequence[ShopOrder],
    rules: Sequence[EarningRule],
) -> Q:
    """The orders whose earnings may change with those that changed.

    Those that share a cap's period, and with a rule for first orders those that are, become or
    were the first; each with all orders of its period, since a cap is about all of them. An order
    whose payment the store dates anew was part of another period, which is looked at too.
    """
    anchors = [*changed]
    if any(rule.first_order_only for rule in rules):
        anchors += _standing(customer)[:2]
        first_rules = [rule for rule in rules if rule.first_order_only]
        anchors += ShopOrder.objects.filter(
            customer=customer, earnings__rule__in=first_rules, earnings__due__gt=0
        )
    together = Q(pk__in=[anchor.pk for anchor in anchors])
    capped = {rule.pk: rule.period for rule in rules if rule.period}
    period = next((each for each in _LONGEST_FIRST if each in capped.values()), None)
    if period:
        zone = program.store.zone
        days = {anchor.paid_at.astimezone(zone).date() for anchor in anchors if anchor.paid_at}
        days |= {
            engine.first_day_of(told["period"])
            for order in changed
            for told in order.verdicts
            if told["rule"] in capped and "period" in told
        }
        for since, until in {span(day, period, program) for day in days}:
            together |= Q(customer=customer, paid_at__gte=since, paid_at__lt=until)
    return together


def _rewarded(program: Program, order_ids: Sequence[str]) -> dict[str, int]:
    """The orders for which the store itself gave a reward that was not taken back."""
    credits_given = Transaction.objects.filter(
        Q(order_id__in=order_ids) | Q(request_id__in=order_ids),
        kind=Transaction.Kind.CREDIT,
        card__store=program.store_id,
        grants__origin=Origin.REWARD,
    )
    wanted = set(order_ids)
    return {
        order_id: credit.cancelable
        for credit in credits_given
        if credit.cancelable
        for order_id in (credit.order_id, credit.request_id)
        if order_id in wanted
    }
