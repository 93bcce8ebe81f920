"""A purchase for each way in which a store and the ledger may come to differ.

Here is the ledger's side. What the store makes of it belongs to whoever plays the store.
"""

import datetime
from collections.abc import Callable, Mapping

from loyalty import ledger
from loyalty.demo.clock import Dice, Story
from loyalty.demo.purchases import MINUTE, order_ids
from loyalty.demo.shop import GIFT, RELATION, Shop
from loyalty.models import DiscrepancyKind, GiftCard, Origin, Store, Transaction

BEGAN = 14  # days ago; each kind takes one

Kind = DiscrepancyKind


def order_of(account: str, kind: DiscrepancyKind) -> tuple[str, str]:
    """The order in which a store of the demo shows this kind of difference, and its sequence."""
    return order_ids(Dice(f"{account} {kind}"))


def kinds_by_order(store: Store) -> Mapping[str, DiscrepancyKind]:
    """Every such order of a store."""
    return {order_of(store.account, kind)[0]: kind for kind in Kind}


def differences(shop: Shop) -> Story:
    """One customer's card pays for an order of each kind, a day after the other."""
    dice = Dice(f"{shop.plan.account} differences")
    moment = shop.ago(BEGAN, dice)
    yield moment
    card = ledger.issue(
        shop.programs[GIFT],
        actor=shop.vtex,
        amount=2 * sum(shop.plan.prices),
        owner=shop.customer(4),
        public_id=shop.card_id("differences"),
    )
    for kind, price in zip(_STEPS, shop.plan.prices, strict=False):
        moment = shop.later(moment, 1, dice)
        yield moment
        order = _Order(shop, card, dice, kind, price)
        yield from _STEPS[kind](order, moment)


class _Order:
    """An order of one kind, and what is done with its payment."""

    def __init__(
        self, shop: Shop, card: GiftCard, dice: Dice, kind: DiscrepancyKind, price: int
    ) -> None:
        self.shop, self.card, self.dice, self.price = shop, card, dice, price
        self.order_id, self.sequence = order_of(shop.plan.account, kind)

    def hold(self) -> Transaction:
        """A payment, each with an id of its own."""
        return ledger.authorize(
            self.card.pk,
            amount=self.price,
            request_id=self.dice.hexadecimal(32),
            actor=self.shop.vtex,
            buyer=self.card.owner.identity if self.card.owner else None,
            order_id=self.order_id,
            order_sequence=self.sequence,
        )

    def settle(self, debit: Transaction) -> None:
        """All of it."""
        ledger.settle(
            debit,
            amount=self.price,
            request_id=self.dice.hexadecimal(32),
            actor=self.shop.vtex,
        )

    def refund(self, debit: Transaction, amount: int) -> None:
        """A part."""
        ledger.cancel(
            debit, amount=amount, request_id=self.dice.hexadecimal(32), actor=self.shop.vtex
        )

    def reward(self) -> None:
        """Five percent on a wallet of the store, if it has one."""
        wallets = GiftCard.objects.filter(store=self.shop.store, relation_name=RELATION)
        if wallet := wallets.select_related("program").order_by("pk").first():
            ledger.credit(
                wallet.pk,
                amount=self.shop.units(reward_of(self.price), wallet),
                request_id=self.dice.hexadecimal(32),
                actor=self.shop.vtex,
                origin=Origin.REWARD,
                order_id=self.order_id,
                order_sequence=self.sequence,
                reference=self.order_id,
            )


def reward_of(price: int) -> int:
    """What is due for an order of this price, in the same digits."""
    return price * 5 // 100


def _nothing(_order: _Order, _moment: datetime.datetime) -> Story:
    yield from ()


def _held(order: _Order, _moment: datetime.datetime) -> Story:
    order.hold()
    yield from ()


def _settled(order: _Order, moment: datetime.datetime) -> Story:
    debit = order.hold()
    yield moment + 40 * MINUTE
    order.settle(debit)


def _refunded_once(order: _Order, moment: datetime.datetime) -> Story:
    debit = order.hold()
    yield moment + 40 * MINUTE
    order.settle(debit)
    yield moment + 90 * MINUTE
    order.refund(debit, refund_of(order.price))


def refund_of(price: int) -> int:
    """The part of a price that is given back at a time."""
    return price // 1000 * 100


def _held_twice(order: _Order, moment: datetime.datetime) -> Story:
    yield from _settled(order, moment)
    yield moment + 41 * MINUTE
    order.hold()


def _rewarded_twice(order: _Order, moment: datetime.datetime) -> Story:
    yield from _settled(order, moment)
    for minute in (50, 55):
        yield moment + minute * MINUTE
        order.reward()


_STEPS: Mapping[DiscrepancyKind, Callable[[_Order, datetime.datetime], Story]] = {
    Kind.PAYMENT_WITHOUT_DEBIT: _nothing,
    Kind.DEBIT_WITHOUT_ORDER: _held,
    Kind.CANCELED_BUT_HELD: _held,
    Kind.REFUND: _refunded_once,
    Kind.SETTLEMENT: _held,
    Kind.FIGURES: _settled,
    Kind.DOUBLE_DEBIT: _held_twice,
    Kind.REWARD: _rewarded_twice,
}
