"""Carrying out what is due: every movement is written down before the ledger is asked for it."""

import datetime
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from django.db.models import Count, F, Q, QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger, point_values, wallets
from loyalty.earning.deciding import decide
from loyalty.earning.lots import FAR, is_own, lost, lots_of, named
from loyalty.earning.rules import earning_programs
from loyalty.earning.values import PointValues
from loyalty.exceptions import LedgerBusy, LedgerError, UnknownCustomer
from loyalty.models import (
    Customer,
    Earning,
    EarningMovement,
    EarningPolicy,
    GiftCard,
    Grant,
    Operation,
    Origin,
    PointValueChange,
    Program,
    Reason,
    ShopOrder,
    Transaction,
)

ACTOR = "earning"
ROUNDS = 8
LOOK_AGAIN = datetime.timedelta(days=1)

PLANNED, DONE, REFUSED = EarningMovement.Status
CREDIT, TAKE_BACK = EarningMovement.Kind

log = logging.getLogger(__name__)


def settle(*orders: ShopOrder) -> None:
    """Bring earnings and wallet in line with orders of one customer as they were last seen.

    Safe to repeat, at once with others, and after a crash at any point: what is written down and
    not done yet is done first, with the same request id. Raises `LedgerBusy`: try again later.
    """
    buyer = _buyer(orders)
    if buyer is not None:
        for program in earning_programs(orders[0].store_id):
            carry_out(program, decide(program, orders))
    # Of who was merged into another meanwhile they are due at once, for the other.
    theirs = ShopOrder.objects.filter(customer=buyer)
    _look_again(orders, theirs)
    for version in {order.version for order in orders}:
        seen = [order.pk for order in orders if order.version == version]
        theirs.filter(pk__in=seen, version=version).update(settled_version=version)


def _buyer(orders: Sequence[ShopOrder]) -> int | None:
    """The orders' customer; one who was merged into another gives them to the other."""
    known = orders[0].customer_id
    people = Customer.objects.filter(merged_into__isnull=False)
    merged = people.filter(pk=known).first() if known else None
    if merged is None:
        return known
    found = ShopOrder.objects.filter(pk__in=[order.pk for order in orders], customer=merged)
    found.update(customer=merged.merged_into)
    return merged.merged_into_id


def carry_out(program: Program, customer: Customer) -> None:
    """Have the ledger follow all of a customer's earnings in a program, as far as it can now.

    What it refuses again and again is noted on the earning, and tried again a day later.
    """
    movements: Sequence[EarningMovement] = ()
    for _ in range(ROUNDS):
        movements = _planned(program, customer)
        if not movements:
            latest = point_values.latest(program)
            if latest and latest.is_under_way:
                point_values.adjust_owned(latest, customer.pk)
            movements = _plan(program, customer, latest)
        if not movements:
            return
        perform(movements)
    refused = EarningMovement.objects.filter(
        pk__in=[each.pk for each in movements], status=REFUSED, kind=CREDIT
    )
    for movement in refused:
        Earning.objects.filter(pk=movement.earning_id).update(problem=movement.refusal)


def perform(movements: Sequence[EarningMovement]) -> None:
    """Ask the ledger for movements and note its answers; a repeated one is answered as at first.

    Raises `LedgerBusy`; what was answered until then is noted.
    """
    answers: list[tuple[EarningMovement, dict[str, object]]] = []
    try:
        for movement in movements:
            answers.append((movement, _asked(movement)))  # noqa: PERF401  kept when one fails
    finally:
        _note(answers)


def _asked(movement: EarningMovement) -> dict[str, object]:
    """What is to be noted of a movement."""
    try:
        credit, operation = _ask(movement)
    except LedgerBusy:
        raise
    except LedgerError as refusal:
        log.warning("Earning %s: %s", movement.earning_id, refusal.code)
        return {"status": REFUSED, "refusal": refusal.code}
    return {"status": DONE, "credit": credit, "operation": operation}


def _ask(movement: EarningMovement) -> tuple[Transaction, Operation]:
    if movement.kind == CREDIT:
        order_id = movement.earning.order.order_id
        credit = ledger.credit(
            movement.card_id,
            amount=movement.units,
            request_id=movement.request_id,
            actor=ACTOR,
            origin=Origin.EARNING,
            order_id=order_id,
            valid_from=movement.valid_from,
            expires_at=movement.expires_at,
            reference=order_id,
        )
        return credit, credit.operations.get(kind=Operation.Kind.CREDIT)
    taken_from = movement.credit
    assert taken_from is not None  # noqa: S101  the database holds it of every take-back
    if movement.grant_id:
        return taken_from, ledger.adjust(
            movement.card_id,
            change=-movement.units,
            request_id=movement.request_id,
            actor=ACTOR,
            reason=Reason.CORRECTION,
            grant_id=movement.grant_id,
        )
    # A purchase may have been quicker: then it is looked for again, and never in other credit.
    operation = ledger.cancel(
        taken_from,
        amount=movement.units,
        request_id=movement.request_id,
        actor=ACTOR,
        own_grant_only=True,
    )
    return taken_from, operation


def _note(answers: Iterable[tuple[EarningMovement, dict[str, object]]]) -> None:
    """Each answer once: another worker may have got and noted the same."""
    with atomic():
        for movement, answer in answers:
            planned = EarningMovement.objects.filter(pk=movement.pk, status=PLANNED)
            if planned.update(**answer) and answer["status"] == DONE:
                counter = "credited" if movement.kind == CREDIT else "taken"
                Earning.objects.filter(pk=movement.earning_id).update(
                    **{counter: F(counter) + movement.counted}
                )


def _planned(program: Program, customer: Customer) -> list[EarningMovement]:
    """What was written down and not noted as done: somebody is at it, or died at it."""
    movements = EarningMovement.objects.filter(
        earning__rule__program=program, earning__order__customer=customer, status=PLANNED
    )
    return list(movements.select_related("earning__order", "credit").order_by("pk"))


def _plan(
    program: Program, customer: Customer, latest: PointValueChange | None
) -> list[EarningMovement]:
    """By the point value that the wallet was brought in line with; `LedgerBusy` for a newer one."""
    found = list(_movable(program, customer))
    if not found:
        return []
    credits_something = any(each.pending for each in found)
    wallet = _wallet(program, customer) if credits_something else None
    with ledger.locked_in_time():
        point_values.stand_still(program)
        values = PointValues.of(program)
        if values.latest != latest:
            raise LedgerBusy
        Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        if planned := _planned(program, customer):
            # Another worker came first: nothing is planned twice.
            return planned
        movable = _movable(program, customer).select_related("order", "rule")
        earnings = [
            each
            for each in movable.annotate(planned=Count("movements"))
            # What became due a moment ago is for whoever found that: no wallet was looked for.
            if credits_something or not each.pending
        ]
        plan = _Plan(
            program.earning_policy,
            customer,
            program,
            wallet,
            list(lots_of(program, customer)),
            values,
            {each.pk: each.planned for each in earnings},
        )
        return EarningMovement.objects.bulk_create(
            movement for earning in earnings for movement in plan.of(earning)
        )


def _movable(program: Program, customer: Customer) -> QuerySet[Earning]:
    """What is not in line with the ledger and could be: to be taken back, or to be credited."""
    net = F("credited") - F("taken") - F("forgiven")
    earnings = Earning.objects.filter(order__customer=customer, rule__program=program)
    return earnings.filter(
        Q(due__lt=net) | Q(due__gt=net, usable_at__isnull=False) | Q(due__gt=net, forgiven__gt=0)
    ).order_by("pk")


def _wallet(program: Program, customer: Customer) -> GiftCard | None:
    """Where earnings go, opened by the first; None when nothing can be credited any more."""
    try:
        return wallets.wallet_of(program, customer, actor=ACTOR)
    except UnknownCustomer:
        return None


@dataclass(slots=True)
class _Plan:
    """What has to move for one customer, worked out under their lock."""

    policy: EarningPolicy
    customer: Customer
    program: Program
    wallet: GiftCard | None
    lots: Sequence[Grant]
    values: PointValues
    numbers: dict[int, int]
    taken: dict[int, int] = field(default_factory=dict)

    def of(self, earning: Earning) -> Iterator[EarningMovement]:
        """The movements of an earning; what is forgiven, or cannot be credited, is noted on it."""
        self._ask_again(earning)
        if earning.pending:
            yield from self._credit(earning)
        elif earning.owed:
            yield from self._take_back(earning)

    def _ask_again(self, earning: Earning) -> None:
        """More is due again: what was forgiven was the customer's after all."""
        if again := min(earning.pending, earning.forgiven):
            earning.forgiven -= again
            earning.save(update_fields=["forgiven"])

    def _credit(self, earning: Earning) -> Iterator[EarningMovement]:
        if earning.usable_at is None:
            return
        problem = self._obstacle(earning.usable_at)
        if problem != earning.problem:
            earning.problem = problem
            earning.save(update_fields=["problem"])
        units = int(earning.pending * self._scale(earning))
        if self.wallet is not None and units and not problem:
            yield self._movement(
                earning,
                CREDIT,
                units,
                worth=earning.pending,
                card_id=self.wallet.pk,
                valid_from=earning.usable_at,
                expires_at=self._ends_at(earning),
            )

    def _ends_at(self, earning: Earning) -> datetime.datetime | None:
        """The end that the customer's tier gives; None for the program's own."""
        if earning.validity_days is None or earning.usable_at is None:
            return None
        return self.program.expiry_after(earning.usable_at, days=earning.validity_days)

    def _obstacle(self, usable_at: datetime.datetime) -> str:
        """Why nothing can be put on the wallet now, in a word; empty when it can."""
        wallet = self.wallet
        if wallet is None:
            return "customer_erased"
        has_credit = wallet.balance.credited > 0
        checks = (
            (wallet.program_id != self.program.pk, "other_program"),
            (wallet.exponent != self.program.exponent, "other_units"),
            (wallet.status == GiftCard.Status.BLOCKED, "card_blocked"),
            (has_credit and not wallet.is_reloadable, "not_reloadable"),
            (wallet.expires_at is not None and wallet.expires_at <= usable_at, "card_expired"),
        )
        return next((name for applies, name in checks if applies), "")

    def _take_back(self, earning: Earning) -> Iterator[EarningMovement]:
        """From its own credit, then from others: pending first; the rest is forgiven or owed.

        What expired of its own is gone already: it is asked of no other.
        """
        own = set(_credits(earning))
        yield from self._taken(earning, [lot for lot in self.lots if is_own(lot, earning, own)])
        if self._left(earning):
            gone = max(lost(earning, own, self.values) - earning.forgiven, 0)
            self._forgive(earning, min(self._left(earning), gone))
        if self._left(earning):
            yield from self._taken(earning, self.lots)
        if self.policy.take_back == EarningPolicy.TakeBack.WAIVE:
            self._forgive(earning, self._left(earning))

    def _taken(self, earning: Earning, lots: Iterable[Grant]) -> Iterator[EarningMovement]:
        now, scale = timezone.now(), self._scale(earning)
        for lot in sorted(
            lots,
            key=lambda lot: (
                lot.valid_from <= now,
                lot.expires_at or FAR,
                lot.pk,
            ),
        ):
            left = self._left(earning)
            asked = int(left * scale)
            if units := min(asked, lot.remaining):
                lot.remaining -= units
                # What is still asked for after it comes to whole units again: nothing is lost.
                worth = left - int((asked - units) / scale) if units < asked else left
                self.taken[earning.pk] = self.taken.get(earning.pk, 0) + worth
                yield self._movement(earning, TAKE_BACK, units, worth=worth, **named(lot))

    def _scale(self, earning: Earning) -> Fraction:
        return self.values.scale_since(earning.order.paid_at)

    def _left(self, earning: Earning) -> int:
        """What is owed beyond what is planned to be taken."""
        return earning.owed - self.taken.get(earning.pk, 0)

    def _forgive(self, earning: Earning, units: int) -> None:
        if units:
            earning.forgiven += units
            earning.save(update_fields=["forgiven"])

    def _movement(
        self, earning: Earning, kind: str, units: int, **fields: object
    ) -> EarningMovement:
        self.numbers[earning.pk] = number = self.numbers[earning.pk] + 1
        campaign = f":{earning.campaign_id}" if earning.campaign_id else ""
        verb = "earn" if kind == CREDIT else "unearn"
        return EarningMovement(
            earning=earning,
            number=number,
            kind=kind,
            units=units,
            point_value=self.values.latest,
            request_id=(f"{verb}:{earning.order.order_id}:{earning.rule_id}{campaign}:{number}"),
            **fields,
        )


def _credits(earning: Earning) -> Iterator[int]:
    done = earning.movements.filter(kind=CREDIT, status=DONE)
    yield from (each for each in done.values_list("credit_id", flat=True) if each)


def _look_again(orders: Sequence[ShopOrder], theirs: QuerySet[ShopOrder]) -> None:
    """Note when time alone may change something: a delivery is assumed, or an obstacle has gone.

    Of these, and of the customer's others that wait for the first time: for what these left them.
    """
    instants: dict[int, datetime.datetime] = {}
    now = timezone.now()
    for earning in _waiting(orders):
        if earning.usable_at is not None:
            again = now + LOOK_AGAIN
        else:
            assert earning.order.invoiced_at is not None  # noqa: S101  only those are asked for
            days = earning.rule.program.earning_policy.undelivered_days
            again = earning.order.invoiced_at + datetime.timedelta(days=days)
        instants[earning.order_id] = min(again, instants.get(earning.order_id, again))
    quiet = [order.pk for order in orders if order.pk not in instants]
    theirs.filter(pk__in=quiet, due_at__isnull=False).update(due_at=None)
    for pk, again in instants.items():
        theirs.filter(pk=pk).update(due_at=again)


def _waiting(orders: Sequence[ShopOrder]) -> QuerySet[Earning]:
    """What is pending for the orders' customer, behind an obstacle or until the delivery."""
    behind = Q(usable_at__isnull=False) & ~Q(problem="")
    until_delivery = Q(usable_at=None, order__invoiced_at__isnull=False)
    mine = Q(order__in=[order.pk for order in orders])
    if orders[0].customer_id is not None:
        mine |= Q(order__customer=orders[0].customer_id, order__due_at=None)
    pending = Earning.objects.filter(mine, due__gt=F("credited") - F("taken") - F("forgiven"))
    return pending.filter(behind | until_delivery).select_related(
        "order", "rule__program__earning_policy"
    )
