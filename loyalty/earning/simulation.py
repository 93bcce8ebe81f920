"""A rule tried on past orders: what it would have given, to whom, at what cost."""

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import nlargest

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.transaction import atomic

from loyalty.earning.engine import Rule, Verdict, evaluate
from loyalty.earning.intake import order_of
from loyalty.earning.rules import rule_of
from loyalty.earning.standing import ladders_of
from loyalty.earning.tiers import Ladder
from loyalty.earning.values import PointValues
from loyalty.models import EarningRule, Job, RuleSimulation, ShopOrder

LONGEST_DAYS = 366
_CUSTOMERS_AT_ONCE = 200
_MOST = 10


def simulate(
    rule: EarningRule, first_day: datetime.date, last_day: datetime.date, *, by: User | None
) -> RuleSimulation:
    """Begin to try a rule on the orders that were paid in a window of days; a worker does it.

    It is tried as if it had been on in all of the window, beside the rules that were; its caps
    count from the window's first day. Raises `ValueError` for a window that is none or too long.
    """
    if not 0 <= (last_day - first_day).days < LONGEST_DAYS:
        msg = "The window is at most a year long."
        raise ValueError(msg)
    with atomic():
        job = Job.objects.create(kind=Job.Kind.SIMULATE_RULE, requested_by=by)
        made = RuleSimulation.objects.create(
            rule=rule, first_day=first_day, last_day=last_day, job=job
        )
        job.parameters = {"simulation": made.pk}
        job.save(update_fields=["parameters"])
    return made


def chunk(job: Job) -> bool:
    """Count the next customers; True while more are left. Counted once, however often it runs."""
    with atomic():
        made = (
            RuleSimulation.objects.select_for_update(of=("self",))
            .select_related("rule__program__store")
            .get(pk=job.parameters["simulation"])
        )
        if not made.is_finished:
            _count(made)
            made.save()
        job.done = made.customers
        job.total = job.done if made.is_finished else max(job.total, job.done + 1)
    return not made.is_finished


def _count(made: RuleSimulation) -> None:
    rows = _orders(made)
    customers = list(
        rows.filter(customer__gt=made.after)
        .values_list("customer", flat=True)
        .order_by("customer")
        .distinct()[:_CUSTOMERS_AT_ONCE]
    )
    made.is_finished = len(customers) < _CUSTOMERS_AT_ONCE
    if not customers:
        return
    made.after = customers[-1] or made.after
    orders: dict[int, list[ShopOrder]] = {}
    for row in rows.filter(customer__in=customers):
        orders.setdefault(row.customer_id or 0, []).append(row)
    firsts = _first_orders(customers)
    tally = _Tally(made)
    ladders = ladders_of(made.rule.program, list(orders))
    earlier = _earlier(made, orders) if ladders else {}
    for customer, mine in orders.items():
        tally.add(
            customer,
            mine,
            firsts.get(customer, ""),
            ladder=ladders.get(customer),
            earlier=earlier.get(customer, ()),
        )
    tally.keep()


def _orders(made: RuleSimulation) -> QuerySet[ShopOrder]:
    store = made.rule.program.store
    since, until = store.first_instant(made.first_day), store.last_instant(made.last_day)
    return ShopOrder.objects.filter(
        store=store, customer__isnull=False, paid_at__gte=since, paid_at__lte=until
    )


def _earlier(made: RuleSimulation, customers: Collection[int]) -> Mapping[int, Sequence[ShopOrder]]:
    """What these customers bought before the window: it counts for their tiers."""
    since = made.rule.program.store.first_instant(made.first_day)
    found: dict[int, list[ShopOrder]] = {}
    for row in ShopOrder.objects.filter(customer__in=customers, paid_at__lt=since):
        found.setdefault(row.customer_id or 0, []).append(row)
    return found


def _first_orders(customers: Sequence[int | None]) -> Mapping[int, str]:
    """Each customer's first order that stands, of all times."""
    standing = ShopOrder.objects.filter(customer__in=customers, paid_at__isnull=False).exclude(
        state=ShopOrder.State.CANCELED
    )
    firsts = standing.order_by("customer", "paid_at", "order_id").distinct("customer")
    return {
        customer: order_id
        for customer, order_id in firsts.values_list("customer", "order_id")
        if customer
    }


class _Tally:
    """The sums of a simulation, with some more customers."""

    def __init__(self, made: RuleSimulation) -> None:
        self._made = made
        self._program = made.rule.program
        store = self._program.store
        values = PointValues.of(self._program)
        self._tried = replace(
            rule_of(made.rule, values),
            starts_at=store.first_instant(made.first_day),
            ends_at=store.first_instant(made.last_day + datetime.timedelta(days=1)),
        )
        self._others = [
            rule_of(row, values)
            for row in EarningRule.objects.filter(
                program=self._program, switched_on_at__isnull=False
            )
            .exclude(pk=made.rule.pk)
            .select_related("program__store")
        ]
        self._by_day: Counter[str] = Counter(made.by_day)
        self._by_reason: Counter[str] = Counter(made.by_reason)
        self._most: dict[int, int] = dict(made.most)

    @property
    def rules(self) -> list[Rule]:
        """The rule that is tried, beside those that are on."""
        return [*self._others, self._tried]

    def add(
        self,
        customer: int,
        rows: Iterable[ShopOrder],
        first_order: str,
        *,
        ladder: Ladder | None = None,
        earlier: Iterable[ShopOrder] = (),
    ) -> None:
        """Count a customer's orders; with a ladder, the earlier ones say which tier they had."""
        orders = {row.order_id: order_of(row) for row in rows}
        verdicts = [
            verdict
            for verdict in evaluate(
                [*(order_of(row) for row in earlier), *orders.values()],
                self.rules,
                zone=self._program.store.zone,
                currency=self._program.store.currency,
                first_order=first_order,
                ladder=ladder,
            )
            if verdict.rule == self._tried.id and verdict.order_id in orders
        ]
        self._made.orders += len(orders)
        self._made.customers += 1
        for verdict in verdicts:
            self._by_reason[verdict.why.value] += 1
        given = [verdict for verdict in verdicts if verdict.due]
        if given:
            self._made.given_customers += 1
            self._made.given_orders += len(given)
            self._made.eligible += sum(verdict.eligible for verdict in given)
            self._give(customer, given, {each: orders[each].paid_at for each in orders})

    def _give(
        self,
        customer: int,
        given: Sequence[Verdict],
        paid: Mapping[str, datetime.datetime | None],
    ) -> None:
        zone = self._program.store.zone
        for verdict in given:
            instant = paid[verdict.order_id]
            if instant:
                self._by_day[instant.astimezone(zone).date().isoformat()] += verdict.due
        units = sum(verdict.due for verdict in given)
        self._made.units += units
        self._most[customer] = units

    def keep(self) -> None:
        """Write the sums into the simulation, which is saved by the caller."""
        self._made.by_day, self._made.by_reason = dict(self._by_day), dict(self._by_reason)
        most = nlargest(_MOST, self._most.items(), key=lambda each: (each[1], -each[0]))
        self._made.most = [list(each) for each in most]
