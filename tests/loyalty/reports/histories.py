"""Random histories of two stores, and the same figures as a plain sum over all entries."""

import datetime
import zoneinfo
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

import time_machine
from django.utils import timezone

from loyalty import ledger
from loyalty.demo.clock import Dice
from loyalty.exceptions import Decline, InvalidDates
from loyalty.models import Entry, GiftCard, Program, Store, Transaction
from loyalty.reports import aggregate_due
from loyalty.reports.amounts import finest
from loyalty.reports.flows import Kind
from tests.builders import (
    make_adjustment,
    make_cancellation,
    make_credit,
    make_hold,
    make_points_program,
    make_program,
    make_settlement,
    make_store,
    make_wallet,
    new_id,
)

FIRST = datetime.datetime(2026, 1, 20, 12, tzinfo=datetime.UTC)
DAYS = 130  # over the change to and from summer time in Santiago
LAST = FIRST + datetime.timedelta(days=DAYS)


def make_history(seed: str, *, steps: int = 80) -> list[Store]:
    """Verbs on cards of short validity at instants that go back and forth, summed now and then."""
    dice = Dice(seed)
    stores = [
        make_store(time_zone="America/Sao_Paulo", refund_grace_days=dice.pick((0, 10))),
        make_store(time_zone="America/Santiago", currency="CLP", refund_grace_days=20),
    ]
    with time_machine.travel(FIRST, tick=False):
        programs = [
            make_program(stores[0], validity_days=20),
            make_points_program(stores[0], validity_days=35),
            make_program(stores[1], validity_days=25, funding="promotional"),
        ]
        cards = [make_wallet(program, balance=100_0000) for program in programs]
    for number in range(steps):
        at = FIRST + datetime.timedelta(
            days=number * DAYS // steps, minutes=dice.between(0, 2 * 24 * 60)
        )
        with time_machine.travel(at, tick=False), suppress(Decline, InvalidDates):
            dice.pick(_STEPS)(dice, dice.pick(tuple(cards)), dice.pick(tuple(programs)), cards)
        if dice.below(9) == 0:
            aggregate_due(chunk=dice.between(1, 20))
    return stores


def _issue(dice: Dice, _card: GiftCard, program: Program, cards: list[GiftCard]) -> None:
    cards.append(make_wallet(program, balance=dice.between(1, 90_0000)))


def _credit(dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    make_credit(card, dice.between(1, 50_0000))


def _hold(dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    make_hold(card, dice.between(1, 30) * 10 ** (card.exponent - 1 if card.exponent else 3))


def _settle(dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    for debit in _debits(card):
        if debit.held and dice.below(2):
            make_settlement(debit, dice.pick((debit.held, dice.between(1, debit.held))))


def _cancel(dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    for debit in _debits(card):
        if debit.cancelable and dice.below(2):
            make_cancellation(debit, dice.between(1, debit.cancelable))


def _expire(_dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    ledger.expire(card.pk, actor="clock")


def _adjust(dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    make_adjustment(card, dice.between(1, 5_0000) * dice.pick((-1, 1)))


def _extend(dice: Dice, card: GiftCard, _program: Program, _cards: list[GiftCard]) -> None:
    ledger.extend(
        card.pk,
        expires_at=timezone.now() + datetime.timedelta(days=dice.between(5, 40)),
        grant_ids=list(card.grants.values_list("pk", flat=True)),
        request_id=new_id(),
        actor="test",
        reason="customer_service",
    )


def _close(dice: Dice, card: GiftCard, _program: Program, cards: list[GiftCard]) -> None:
    if dice.below(4) == 0:
        ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")


_Step = Callable[[Dice, GiftCard, Program, list[GiftCard]], None]
_STEPS: tuple[_Step, ...] = (
    *(_issue, _credit, _hold, _hold, _hold, _settle, _settle),
    *(_cancel, _cancel, _cancel, _expire, _adjust, _extend, _close),
)


def _debits(card: GiftCard) -> list[Transaction]:
    return list(card.transactions.filter(kind="debit").order_by("pk"))


def entries_of(store: Store) -> list[Entry]:
    return list(
        Entry.objects.filter(card__store=store)
        .select_related("card", "grant", "landing_grant")
        .order_by("pk")
    )


def plain_positions(
    store: Store, counts: Callable[[datetime.datetime], bool]
) -> dict[Kind, dict[str, int]]:
    """The buckets of each kind of credit: each entry by itself, whose local instant counts."""
    zone = zoneinfo.ZoneInfo(store.time_zone)
    found: dict[Kind, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries_of(store):
        if not counts(entry.created_at.astimezone(zone)):
            continue
        card = entry.card
        amount = finest(entry.amount, currency=card.currency, exponent=card.exponent)
        for bucket, grant, change in (
            (entry.source, entry.grant, -amount),
            (entry.target, entry.landing_grant or entry.grant, amount),
        ):
            kind = Kind(card.program_id, card.currency, grant.funding, grant.origin)
            name, sign = ("credited", -1) if bucket == "outside" else (bucket, 1)
            found[kind][name] += sign * change
    return {
        kind: {name: amount for name, amount in sorted(buckets.items()) if amount}
        for kind, buckets in sorted(found.items())
        if any(buckets.values())
    }
