"""A program's figures equal a plain count over its entries, cards and earnings."""

import datetime
import zoneinfo
from collections import defaultdict
from contextlib import suppress

import pytest
import time_machine

from loyalty import earning, ledger, reports
from loyalty.demo.clock import Dice
from loyalty.exceptions import Decline
from loyalty.identity import Identity
from loyalty.models import (
    BookActive,
    BookCause,
    BookJoined,
    BookProgress,
    EarningMovement,
    Entry,
    GiftCard,
    Program,
    Transaction,
)
from loyalty.reports import programs
from loyalty.reports.amounts import finest
from loyalty.reports.pending import Pending, pending
from loyalty.reports.programs import Age, Joined, Turnover
from loyalty.reports.roll_forward import months_between
from tests.builders import (
    make_adjustment,
    make_cancellation,
    make_credit,
    make_hold,
    make_program,
    make_purchase,
    make_settlement,
    make_store,
    make_wallet,
    new_id,
)
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    returned,
    take,
)

pytestmark = pytest.mark.django_db

SEEDS = [f"program {number}" for number in range(2)]
every_history = pytest.mark.parametrize("seed", SEEDS)
DAYS = 110
LAST = START + DAYS * DAY


def make_year(seed: str, *, steps: int = 45) -> Program:
    """Orders of a few customers that earn, return and are canceled, and all that wallets do."""
    dice = Dice(seed)
    store = make_store(time_zone=dice.pick(("America/Sao_Paulo", "Asia/Tokyo")))
    program = make_earning_program(
        store, validity_days=40, take_back=dice.pick(("waive", "owe")), usable_after_days=3
    )
    make_program(store)
    make_rule(program)
    make_rule(program, points=3, minimum=150_00, priority=50)
    make_campaign(program, ends_at=START + 60 * DAY)
    for number in range(steps):
        at = START + datetime.timedelta(minutes=number * DAYS * 1440 // steps + dice.below(1440))
        with time_machine.travel(at, tick=False), suppress(Decline):
            dice.pick(_STEPS)(dice, program, at)
            if number % 20 == 19:
                _revalue(program, at, after=50 - number)
        if dice.below(7) == 0:
            reports.aggregate_due(chunk=dice.between(1, 15))
    return program


def _buy(dice: Dice, program: Program, at: datetime.datetime) -> None:
    buyer = Identity.of(email=f"ana{dice.below(5)}@example.com")
    order = an_order(dice.between(20, 300) * 100, paid=at - 8 * DAY, buyer=buyer)
    sights = [order, invoiced(order)]
    if dice.below(3) == 0:
        sights.append(dice.pick((returned(order, 10_00), canceled(order, after=9 * DAY))))
    take(program.store, *sights[dice.below(2) :])


def _spend(dice: Dice, program: Program, _at: datetime.datetime) -> None:
    for card in _wallets(dice, program):
        make_hold(card, dice.between(1, 60) * 100)


def _finish(dice: Dice, program: Program, _at: datetime.datetime) -> None:
    for debit in Transaction.objects.filter(card__program=program, kind="debit").order_by("pk"):
        if debit.held and dice.below(2):
            make_settlement(debit, dice.between(1, debit.held // 100) * 100)
        elif debit.cancelable and dice.below(4) == 0:
            make_cancellation(debit, debit.cancelable)


def _by_hand(dice: Dice, program: Program, _at: datetime.datetime) -> None:
    for card in _wallets(dice, program):
        make_credit(card, 7_00, origin=dice.pick(("credit", "reward")))
        make_adjustment(card, dice.pick((-1_00, 2_00)))


def _revalue(program: Program, at: datetime.datetime, after: int) -> None:
    for card in GiftCard.objects.filter(program=program).order_by("pk")[:2]:
        ledger.revalue(
            card.pk,
            before=25,
            after=after,
            given_until=at + DAY,
            request_id=new_id(),
            actor="test",
            reason="campaign",
        )


def _clock(_dice: Dice, program: Program, _at: datetime.datetime) -> None:
    for card in GiftCard.objects.filter(program=program):
        ledger.expire(card.pk, actor="clock")
    earning.settle_due()


def _join(dice: Dice, program: Program, _at: datetime.datetime) -> None:
    card = make_wallet(program, balance=dice.below(2) * 5_00)
    if dice.below(4) == 0:
        ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")


_STEPS = (_buy, _buy, _buy, _buy, _spend, _spend, _finish, _by_hand, _clock, _join)


def _wallets(dice: Dice, program: Program) -> list[GiftCard]:
    cards = list(GiftCard.objects.filter(program=program).order_by("pk"))
    return [dice.pick(tuple(cards))] if cards else []


def amount_of(entry: Entry) -> int:
    return finest(entry.amount, currency="BRL", exponent=entry.card.exponent)


def entries_of(program: Program) -> list[Entry]:
    entries = Entry.objects.filter(card__program=program)
    return list(entries.select_related("card", "grant", "operation").order_by("pk"))


def local_day(instant: datetime.datetime, program: Program) -> datetime.date:
    return instant.astimezone(zoneinfo.ZoneInfo(program.store.time_zone)).date()


CAME = {"earning": "earned", "reward": "rewarded"}
LEFT = {"spent": "spent", "expired": "expired", "removed": "removed"}


def plain_column(entry: Entry) -> str:
    if entry.operation.kind == "revalue":
        return "revalued"
    if entry.source == "outside":
        return CAME.get(entry.grant.origin, "given")
    if entry.source == "spent":
        return "refunded"
    if entry.source in {"expired", "removed"}:
        return "restored"
    is_step = entry.operation.request_id.startswith("unearn:")
    if entry.target == "removed" and (is_step or entry.operation.kind == "cancel"):
        return "taken_back"
    return LEFT.get(entry.target, "")


def plain_turnover(program: Program, first: datetime.date, last: datetime.date) -> Turnover:
    found = Turnover()
    for entry in entries_of(program):
        day = local_day(entry.created_at, program)
        if first <= day <= last and (name := plain_column(entry)):
            is_less = name == "revalued" and entry.target == "removed"
            amount = -amount_of(entry) if is_less else amount_of(entry)
            setattr(found, name, getattr(found, name) + amount)
    return found


def test_the_histories_reach_what_is_hard() -> None:
    made = [make_year(seed) for seed in SEEDS]

    steps = EarningMovement.objects.filter(status="done")
    assert steps.filter(kind="take_back").count() > 5
    assert steps.filter(kind="credit", earning__campaign__isnull=False).exists()
    columns = {plain_column(entry) for program in made for entry in entries_of(program)}
    assert columns == {*Turnover.__dataclass_fields__, ""} - {"opening", "restored"}


@every_history
def test_every_month_is_what_its_entries_moved(seed: str) -> None:
    program = make_year(seed)
    first, last = (START + 12 * DAY).date(), (LAST - 20 * DAY).date()

    found = programs.figures(program, first, last)

    opening = plain_turnover(program, datetime.date.min, first - DAY).closing
    assert opening > 0
    for month in months_between(first, last):
        until = (month + 31 * DAY).replace(day=1) - DAY
        expected = plain_turnover(program, max(month, first), min(until, last))
        expected.opening = opening
        assert found.months[month] == expected
        opening = expected.closing
    assert found.whole.closing == opening
    assert found.ever.closing == opening
    assert found.ever == plain_turnover(program, datetime.date.min, last)


@every_history
def test_what_is_owed_at_an_instant_is_what_the_entries_say(seed: str) -> None:
    program = make_year(seed)
    dice = Dice(seed)

    for _ in range(4):
        at = START + datetime.timedelta(minutes=dice.below(DAYS * 1440))
        found = programs.figures(program, START.date(), START.date(), at=at).owed
        held = available = 0
        for entry in entries_of(program):
            if entry.created_at <= at:
                amount = amount_of(entry)
                held += amount * ((entry.target == "held") - (entry.source == "held"))
                sign = (entry.target == "available") - (entry.source == "available")
                available += amount * sign
        assert (found.held, found.available) == (held, available)


@every_history
def test_the_cost_of_each_rule_and_campaign_is_what_its_steps_moved(seed: str) -> None:
    program = make_year(seed)
    first, last = (START + 12 * DAY).date(), LAST.date()
    steps = {
        (step.card_id, step.request_id): step.earning
        for step in EarningMovement.objects.select_related("earning")
    }
    given: dict[tuple[str, int, int], int] = defaultdict(int)
    taken: dict[tuple[str, int, int], int] = defaultdict(int)
    for entry in entries_of(program):
        if first <= local_day(entry.created_at, program) <= last:
            step = steps.get((entry.card_id, entry.operation.request_id))
            ids = (step.rule_id, step.campaign_id or 0) if step else (0, 0)
            key = (entry.grant.origin, *ids)
            column = plain_column(entry)
            given[key] += amount_of(entry) * (column in {"earned", "rewarded", "given"})
            taken[key] += amount_of(entry) * (column == "taken_back")

    found = programs.figures(program, first, last)

    costs = {(cost.source.value, cost.rule, cost.campaign): cost for cost in found.costs}
    assert {key: cost.given for key, cost in costs.items()} == {k: v for k, v in given.items() if v}
    assert {key: cost.taken_back for key, cost in costs.items() if cost.taken_back} == {
        key: amount for key, amount in taken.items() if amount
    }
    assert sum(cost.given for cost in found.costs if cost.rule) == found.whole.earned
    whole = found.whole
    assert sum(cost.net for cost in found.costs) == whole.credited - whole.revalued


@every_history
def test_cohorts_are_what_the_wallets_of_a_month_did(seed: str) -> None:
    program = make_year(seed)
    cards = list(GiftCard.objects.filter(program=program))
    entries = entries_of(program)
    with time_machine.travel(LAST, tick=False):
        found = programs.cohorts(program)

    assert {each.month: each.size for each in found if each.size} == _counted(program, cards)
    for cohort in found:
        mine = [
            e
            for e in entries
            if local_day(e.card.created_at, program).replace(day=1) == cohort.month
        ]
        ages = list(months_between(cohort.month, LAST.date()))
        assert len(cohort.ages) >= len(ages)
        given = spent = 0
        for month, age in zip(ages, cohort.ages, strict=False):
            now = [e for e in mine if local_day(e.created_at, program).replace(day=1) == month]
            for entry in now:
                column, amount = plain_column(entry), amount_of(entry)
                given += amount * (column in {"earned", "rewarded", "given"})
                given -= amount * (column == "taken_back")
                if column == "revalued":
                    given += amount if entry.source == "outside" else -amount
                spent += amount * ((column == "spent") - (column == "refunded"))
            active = {
                entry.card_id
                for entry in now
                if (entry.source, entry.target) == ("available", "held")
                or plain_column(entry) in {"earned", "rewarded"}
            }
            assert age == Age(len(active), given, spent)


def _counted(program: Program, cards: list[GiftCard]) -> dict[datetime.date, int]:
    found: dict[datetime.date, int] = defaultdict(int)
    for card in cards:
        found[local_day(card.created_at, program).replace(day=1)] += 1
    return dict(found)


@every_history
def test_members_are_the_wallets_by_the_month_of_their_opening(seed: str) -> None:
    program = make_year(seed)
    cards = list(GiftCard.objects.filter(program=program))
    first, last = (START + 12 * DAY).date(), (LAST - 20 * DAY).date()

    found = programs.figures(program, first, last).joined

    expected: dict[datetime.date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for card in cards:
        day = local_day(card.created_at, program)
        counts = expected[day.replace(day=1)]
        counts[0] += first <= day <= last
        counts[1] += day <= last
        counts[2] += card.status != "closed"
    assert found == {month: Joined(*counts) for month, counts in expected.items()}


@every_history
def test_the_sums_come_to_the_same_as_the_entries(seed: str) -> None:
    program = make_year(seed)
    asked = (program, START.date(), LAST.date())
    before = (programs.figures(*asked), programs.cohorts(program))

    reports.aggregate_due(chunk=7)
    after = (programs.figures(*asked), programs.cohorts(program))
    reports.rebuild()
    without = (programs.figures(*asked), programs.cohorts(program))
    reports.aggregate_due()

    assert before == after == without == (programs.figures(*asked), programs.cohorts(program))
    assert reports.verify() == []


def test_pending_waits_for_the_invoice_and_then_for_its_day() -> None:
    program = make_earning_program(usable_after_days=7)
    make_rule(program)
    paid = an_order(100_00)
    with time_machine.travel(START + 2 * DAY, tick=False):
        take(program.store, paid)
        waiting = pending(program)
        take(program.store, invoiced(paid))
        booked = pending(program)
    with time_machine.travel(START + 9 * DAY, tick=False):
        usable = pending(program)

    assert waiting == Pending(waits=100 * 25 * 100, booked=0)
    assert booked == Pending(waits=0, booked=100 * 25 * 100)
    assert usable == Pending(0, 0)


@pytest.mark.parametrize(
    ("table", "change"),
    [(BookCause, {"amount": 1}), (BookJoined, {"active": 5}), (BookJoined, {"spent": 3})],
)
def test_a_wrong_sum_of_a_program_is_found(
    table: type[BookCause | BookJoined], change: dict[str, int]
) -> None:
    make_purchase(make_wallet(make_earning_program(), balance=9_00), 9_00)
    reports.aggregate_due()
    row = table._default_manager.order_by("pk")[0]
    table._default_manager.filter(pk=row.pk).update(**change)

    [difference] = reports.verify()

    assert difference.kept == next(iter(change.values()))


def test_the_books_go_on_while_a_part_begins_anew() -> None:
    make_purchase(make_wallet(make_earning_program(), balance=9_00), 9_00)
    reports.aggregate_due()
    # As a database that was summed before there were figures of programs.
    for table in (BookCause, BookJoined, BookActive):
        table._default_manager.all().delete()
    BookProgress.objects.filter(pk=2).delete()

    again = reports.aggregate_due()

    assert again == 0
    assert BookCause.objects.count() == 3
    assert reports.verify() == []


def test_gift_cards_are_no_members() -> None:
    make_purchase(make_wallet(make_program(), balance=9_00), 9_00)

    reports.aggregate_due()

    assert not BookCause.objects.exists()
    assert not BookActive.objects.exists()
    assert reports.verify() == []
