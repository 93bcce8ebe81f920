"""What happens to the cards of the demo: every step through the ledger's verbs."""

import datetime
from collections.abc import Iterator
from contextlib import suppress

from django.utils import timezone

from loyalty import ledger
from loyalty.demo.clock import Dice, Story
from loyalty.demo.decisions import merged, other_point_value, to_be_merged
from loyalty.demo.differences import differences
from loyalty.demo.earnings import BUYERS, buyer, earning_rules, granted_tier, news
from loyalty.demo.purchases import (
    Ending,
    captured,
    dropped,
    held,
    in_two_parcels,
    order_ids,
    partly_out_of_stock,
    purchase,
    returned,
    returned_late,
    too_expensive,
)
from loyalty.demo.shop import GIFT, LOYALTY, PROMOTION, RELATION, RETURN, Shop
from loyalty.exceptions import Decline
from loyalty.models import GiftCard, Grant, Origin, Program, Reason, Transaction

SUPPORT, MANAGER, CLOCK = "staff:support", "staff:manager", "system:expiry"
OLDEST = 330  # days
NOT_BOOKED_DAYS = 5  # what expired since then still waits for the job

_DAY = datetime.timedelta(days=1)


def stories(shop: Shop) -> Iterator[Story]:
    """Every story of the store."""
    yield nights(shop)
    for kind, story in (
        (GIFT, gift_card),
        (RETURN, return_credit),
        (LOYALTY, wallet),
        (PROMOTION, promotion),
    ):
        for number in range(shop.plan.cards[kind]):
            yield story(shop, number)
    yield differences(shop)
    yield earning_rules(shop)
    yield granted_tier(shop)
    yield news(shop)
    yield other_point_value(shop)
    yield merged(shop)
    yield to_be_merged(shop)
    for number in range(BUYERS):
        yield buyer(shop, number)


def nights(shop: Shop) -> Story:
    """Every third night expiry is booked, until a few days ago."""
    day = timezone.localdate(shop.now, shop.store.zone) - OLDEST * _DAY
    while day < timezone.localdate(shop.now, shop.store.zone) - NOT_BOOKED_DAYS * _DAY:
        day += 3 * _DAY
        yield shop.store.first_instant(day) + datetime.timedelta(hours=3)
        due = Grant.objects.filter(
            card__store=shop.store, remaining__gt=0, expires_at__lte=timezone.now()
        )
        for card_id in sorted(set(due.values_list("card_id", flat=True))):
            ledger.expire(card_id, actor=CLOCK)


def gift_card(shop: Shop, number: int) -> Story:
    """Bought as a present, mostly for somebody not known; what follows goes by the number."""
    dice = Dice(f"{shop.plan.account} gift {number}")
    is_shown = number in _UNTOUCHED
    moment = shop.ago(3 + number if is_shown else dice.between(12, OLDEST), dice)
    yield moment
    is_imported = number in _IMPORTED
    card = ledger.issue(
        shop.programs[GIFT],
        actor=MANAGER,
        amount=50_000 if number == 0 else dice.pick(shop.plan.gifts),
        owner=shop.customer(number) if number % 3 == 1 else None,
        imported_code=f"{shop.plan.account.upper()}-{7001 + number}" if is_imported else "",
        valid_from=shop.now + 10 * _DAY if number in _FOR_LATER else None,
        public_id=shop.card_id("gift", number),
        reason=Reason.MIGRATION if is_imported else "",
    )
    if is_shown or number in _FOR_LATER:
        return
    for ending in _GIFT_ENDINGS[number % len(_GIFT_ENDINGS)]:
        moment = yield from purchase(
            shop, card, dice, shop.later(moment, dice.between(1, 40), dice), ending
        )
    if number in _STAFF_ACTS:
        yield shop.later(moment, dice.between(1, 6), dice)
        yield from _STAFF_ACTS[number](shop, card, dice)


def return_credit(shop: Shop, number: int) -> Story:
    """Goods came back; the store owes their price to the customer, and only to them."""
    dice = Dice(f"{shop.plan.account} return {number}")
    # The first customer's is recent and stays as it is: it is the one that demo.json leads to.
    moment = shop.ago(dice.between(4, OLDEST) if number else 20, dice)
    order, _sequence = order_ids(dice)
    yield moment
    card = ledger.issue(
        shop.programs[RETURN],
        actor=SUPPORT,
        amount=dice.pick(shop.plan.prices),
        owner=shop.customer(number),
        reason=Reason.RETURN,
        note=f"Order {order}",
        public_id=shop.card_id("return", number),
    )
    match number % 5:
        case 0 | 3 if number:
            start = shop.later(moment, dice.between(2, 60), dice)
            yield from purchase(shop, card, dice, start, captured)
        case 1:
            start = shop.later(moment, dice.between(2, 30), dice)
            yield from purchase(shop, card, dice, start, captured, buyer=shop.customer(number + 5))


def wallet(shop: Shop, number: int) -> Story:
    """Rewards of orders come in, purchases go out, what is not used in time expires."""
    dice = Dice(f"{shop.plan.account} wallet {number}")
    owner = shop.customer(number)
    moment = shop.ago(dice.between(40, OLDEST) if number else 200, dice)
    yield moment
    if GiftCard.objects.filter(owner=owner, relation_name=RELATION).exists():
        return  # an interrupted run came this far
    # As VTEX opens it: without an end, while each reward lasts as long as the program says.
    end = shop.store.last_instant(moment.date() + 30 * _DAY) if number in _ONCE_ENDED else None
    card = ledger.issue(shop.programs[LOYALTY], actor=shop.vtex, owner=owner, expires_at=end)
    while moment < shop.now:
        moment = shop.later(moment, dice.between(8, 45), dice)
        yield moment
        if end and end < moment:
            end = None
            ledger.renew(
                card.pk,
                expires_at=end,
                request_id=dice.hexadecimal(32),
                actor=MANAGER,
                reason=Reason.CUSTOMER_SERVICE,
                note="Opened for a month by mistake",
            )
        reward = _reward(shop, card, dice)
        match dice.below(8):
            case 0:
                # The order came back, and the reward with it.
                moment = shop.later(moment, dice.between(1, 2), dice)
                yield moment
                with suppress(Decline):
                    ledger.cancel(
                        reward,
                        amount=reward.amount,
                        request_id=dice.hexadecimal(32),
                        actor=shop.vtex,
                    )
            case 1 | 2:
                start = shop.later(moment, 1, dice)
                moment = yield from purchase(shop, card, dice, start, captured)


def promotion(shop: Shop, number: int) -> Story:
    """A present of the store for one purchase within a month; many are forgotten."""
    dice = Dice(f"{shop.plan.account} promotion {number}")
    moment = shop.ago(number * 3 + 1, dice)
    yield moment
    card = ledger.issue(
        shop.programs[PROMOTION],
        actor=MANAGER,
        amount=dice.pick(shop.plan.gifts[:3]) // 2,
        owner=shop.customer(number * 2 + 1),
        reason=Reason.CAMPAIGN,
        public_id=shop.card_id("promotion", number),
    )
    match number % 4:
        case 0:
            start = shop.later(moment, dice.between(1, 20), dice)
            yield from purchase(shop, card, dice, start, captured)
        case 1:
            start = shop.later(moment, dice.between(18, 28), dice)
            yield from purchase(shop, card, dice, start, returned_late)
        case 2:
            # Too late: the last day is over, whether it is booked or not.
            yield from purchase(shop, card, dice, shop.later(moment, 32, dice), captured)


def lost(_shop: Shop, card: GiftCard, dice: Dice) -> Story:
    """Reported as lost."""
    ledger.block(
        card.pk,
        request_id=dice.hexadecimal(32),
        actor=SUPPORT,
        reason=Reason.LOST,
        note="Reported by phone",
    )
    yield from ()


def stolen(shop: Shop, card: GiftCard, dice: Dice) -> Story:
    """Blocked on suspicion; somebody tries to pay with it all the same."""
    ledger.block(card.pk, request_id=dice.hexadecimal(32), actor=MANAGER, reason=Reason.FRAUD)
    yield from purchase(shop, card, dice, shop.later(timezone.now(), 1, dice), captured)


def found_again(shop: Shop, card: GiftCard, dice: Dice) -> Story:
    """Lost, and found in another pocket."""
    yield from lost(shop, card, dice)
    yield shop.later(timezone.now(), 2, dice)
    ledger.unblock(
        card.pk,
        request_id=dice.hexadecimal(32),
        actor=SUPPORT,
        reason=Reason.CUSTOMER_SERVICE,
        note="The customer found the card",
    )


def ended(_shop: Shop, card: GiftCard, dice: Dice) -> Story:
    """Closed for good; a card with an open purchase refuses that."""
    with suppress(Decline):
        ledger.close(
            card.pk,
            request_id=dice.hexadecimal(32),
            actor=MANAGER,
            reason=Reason.CORRECTION,
            note="Issued twice for the same sale",
        )
    yield from ()


def apology(shop: Shop, card: GiftCard, dice: Dice) -> Story:
    """A little more, for a late delivery."""
    with suppress(Decline):
        ledger.adjust(
            card.pk,
            change=shop.plan.gifts[0] // 5,
            request_id=dice.hexadecimal(32),
            actor=SUPPORT,
            reason=Reason.CUSTOMER_SERVICE,
            note="Late delivery",
            funding="promotional",
        )
    yield from ()


def corrected(shop: Shop, card: GiftCard, dice: Dice) -> Story:
    """A little less: too much was put on the card."""
    with suppress(Decline):
        ledger.adjust(
            card.pk,
            change=-shop.plan.gifts[0] // 10,
            request_id=dice.hexadecimal(32),
            actor=MANAGER,
            reason=Reason.CORRECTION,
            note="Wrong amount typed at the counter",
        )
    yield from ()


# By the number of a wallet, then of a gift card: what each is an example of.
_ONCE_ENDED = frozenset({1})
_UNTOUCHED = frozenset({0, 2, 5, 6, 8})
_FOR_LATER = frozenset({9})
_IMPORTED = frozenset({15, 16, 17, 21})
_STAFF_ACTS = {
    10: lost,
    11: stolen,
    12: found_again,
    13: ended,
    14: apology,
    18: corrected,
    22: apology,
    23: ended,
    26: lost,
    29: corrected,
    41: stolen,
    44: ended,
    53: apology,
}
_GIFT_ENDINGS: list[tuple[Ending, ...]] = [
    (captured,),
    (in_two_parcels, captured),
    (),
    (partly_out_of_stock,),
    (dropped, captured, returned),
    (captured, too_expensive),
    (returned, captured),
    (held,),
    (captured, captured, captured),
]


def _reward(shop: Shop, card: GiftCard, dice: Dice) -> Transaction:
    """Five percent of an order, as whole points where the program counts in points."""
    order, sequence = order_ids(dice)
    value = shop.units(dice.pick(shop.plan.prices) * 5 // 100, card)
    # The card came with the program as it was; a point may be worth something else by now.
    point = Program.objects.get(pk=card.program_id).point_units or 1
    return ledger.credit(
        card.pk,
        amount=value // point * point + point * dice.below(2),
        request_id=dice.hexadecimal(32),
        actor=shop.vtex,
        origin=Origin.REWARD,
        order_id=order,
        order_sequence=sequence,
        reference=order,
    )
