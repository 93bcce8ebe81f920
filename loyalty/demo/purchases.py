"""How purchases go in the demo: each ending of one, through the ledger's verbs."""

import datetime
from collections.abc import Callable, Generator
from contextlib import suppress

from loyalty import ledger
from loyalty.demo.clock import Dice
from loyalty.demo.shop import Shop
from loyalty.exceptions import Decline
from loyalty.models import Balance, Customer, GiftCard, Transaction

MINUTE = datetime.timedelta(minutes=1)

# A purchase is a story within a card's story; it returns the instant of its last step.
Chapter = Generator[datetime.datetime, None, datetime.datetime]
Ending = Callable[[Shop, Transaction, Dice, datetime.datetime], Chapter]


def purchase(
    shop: Shop,
    card: GiftCard,
    dice: Dice,
    start: datetime.datetime,
    ending: Ending,
    *,
    buyer: Customer | None = None,
) -> Chapter:
    """Something is bought with the card; a refused request leaves its record and nothing else."""
    yield start
    step = shop.units(1, card)
    price = shop.units(dice.pick(shop.plan.prices), card)
    available = Balance.objects.get(card=card).available // step * step
    amount = price if ending is too_expensive else min(price, available) or price
    if ending is too_expensive:
        amount += available
    order, sequence = order_ids(dice)
    buyer = buyer or card.owner
    try:
        debit = ledger.authorize(
            card.pk,
            amount=amount,
            request_id=dice.hexadecimal(32),
            actor=shop.vtex,
            buyer=buyer.identity if buyer else None,
            order_id=order,
            order_sequence=sequence,
        )
    except Decline:
        return start
    return (yield from ending(shop, debit, dice, start))


def held(_shop: Shop, _debit: Transaction, _dice: Dice, moment: datetime.datetime) -> Chapter:
    """Neither invoiced nor canceled: somebody should look at it one day."""
    yield moment
    return moment


def captured(shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime) -> Chapter:
    """Invoiced in full."""
    moment = shop.later(moment, dice.between(1, 3), dice)
    yield moment
    _settle(shop, debit, debit.amount, dice)
    return moment


def in_two_parcels(
    shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime
) -> Chapter:
    """Two invoices; and the full invoice once more by mistake, which is refused."""
    first = _part(shop, debit, dice)
    moment = shop.later(moment, 1, dice)
    yield moment
    _settle(shop, debit, first, dice)
    moment = shop.later(moment, dice.between(1, 5), dice)
    yield moment
    with suppress(Decline):
        _settle(shop, debit, debit.amount, dice)
    _settle(shop, debit, debit.amount - first, dice)
    return moment


def partly_out_of_stock(
    shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime
) -> Chapter:
    """One invoice for what was there; the rest goes back."""
    first = _part(shop, debit, dice)
    moment = shop.later(moment, dice.between(1, 3), dice)
    yield moment
    _settle(shop, debit, first, dice)
    yield moment + 5 * MINUTE
    _cancel(shop, debit, debit.amount - first, dice)
    return moment


def dropped(shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime) -> Chapter:
    """The order's other payment was refused: everything goes back."""
    yield moment + dice.between(2, 50) * MINUTE
    _cancel(shop, debit, debit.amount, dice)
    return moment


def returned(shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime) -> Chapter:
    """Invoiced, then returned in part or as a whole."""
    moment = yield from captured(shop, debit, dice, moment)
    moment = shop.later(moment, dice.between(4, 15), dice)
    yield moment
    amount = debit.amount if dice.below(2) else _part(shop, debit, dice)
    _cancel(shop, debit, amount, dice)
    return moment


def returned_late(shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime) -> Chapter:
    """Returned when the credit had expired: the money comes back with the days of grace."""
    moment = yield from captured(shop, debit, dice, moment)
    moment = shop.later(moment, dice.between(13, 18), dice)
    yield moment
    _cancel(shop, debit, debit.amount, dice)
    return moment


def too_expensive(shop: Shop, debit: Transaction, dice: Dice, moment: datetime.datetime) -> Chapter:
    """More than is on the card: refused before it comes to this."""
    return (yield from dropped(shop, debit, dice, moment))


def _settle(shop: Shop, debit: Transaction, amount: int, dice: Dice) -> None:
    ledger.settle(debit, amount=amount, request_id=dice.hexadecimal(32), actor=shop.vtex)


def _cancel(shop: Shop, debit: Transaction, amount: int, dice: Dice) -> None:
    ledger.cancel(debit, amount=amount, request_id=dice.hexadecimal(32), actor=shop.vtex)


def _part(shop: Shop, debit: Transaction, dice: Dice) -> int:
    """Some of the purchase, in the currency's own steps; less than all of it."""
    card = GiftCard.objects.select_related("program").get(pk=debit.card_id)
    step = shop.units(1, card)
    return max(debit.amount * dice.between(30, 70) // 100 // step, 1) * step


def order_ids(dice: Dice) -> tuple[str, str]:
    """An order id and its sequence, as VTEX writes them."""
    sequence = dice.between(500_000, 599_999)
    return f"1{dice.between(300_000, 499_999)}{sequence}-01", str(sequence)
