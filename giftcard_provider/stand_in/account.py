"""A store of the demo as its VTEX account has it: all agrees, but for one order of each kind."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from giftcard_provider.stand_in.scenario import Payment, Purchase, Scenario
from loyalty import demo
from loyalty.models import DiscrepancyKind, Operation, OperationKind, Outcome, Store, Transaction
from loyalty.money import exponent_of

Kind = DiscrepancyKind
Canceled, Finished, Authorized = "Canceled", "Finished", "Authorized"


def scenario_of(store: Store) -> Scenario:
    """The account's orders: those of every purchase that the ledger has, as they are now."""
    debits = Transaction.objects.filter(card__store=store, kind=Transaction.Kind.DEBIT)
    rows = sorted(debits.select_related("card"), key=lambda debit: (_group_of(debit), debit.pk))
    settled, moved = _moments(store)
    kinds = demo.kinds_by_order(store)
    scenario = Scenario()
    for _group, same in groupby(rows, key=_group_of):
        own = list(same)
        agreed = _purchase(store, own)
        agreed.invoiced = settled.get(own[0].pk)
        agreed.changed = max((moved[each.pk] for each in own if each.pk in moved), default=None)
        kind = kinds.get(own[0].order_id)
        purchase = _DIFFERENCES[kind](agreed) if kind in _DIFFERENCES else agreed
        if purchase:
            scenario.add(purchase)
        if kind == Kind.FIGURES:
            scenario.add(_never_came(store, own[0]))
    return scenario


def _moments(store: Store) -> tuple[Mapping[int, datetime], Mapping[int, datetime]]:
    """When each debit was settled, and when something last happened to it."""
    done = Operation.objects.filter(
        card__store=store, transaction__isnull=False, outcome=Outcome.OK
    ).order_by("pk")
    settled: dict[int, datetime] = {}
    moved: dict[int, datetime] = {}
    for key, kind, at in done.values_list("transaction_id", "kind", "created_at"):
        moved[key] = at
        if kind == OperationKind.SETTLE:
            settled.setdefault(key, at)
    return settled, moved


def _group_of(debit: Transaction) -> str:
    return debit.order_id.removesuffix("-01") or f"v{debit.pk}demo"


def _purchase(store: Store, debits: Sequence[Transaction]) -> Purchase:
    """The order that paid with these debits, when nothing has gone wrong."""
    first = debits[0]
    held, settled = (any(getattr(each, name) for each in debits) for name in ("held", "settled"))
    status, payment_status = "ready-for-handling", Authorized
    if settled and not held:
        status, payment_status = "invoiced", Finished
    elif not held:
        status, payment_status = "canceled", Canceled
    return Purchase(
        _group_of(first),
        first.created_at,
        [_payment(store, each) for each in debits],
        status=status,
        payment_status=payment_status,
        currency=store.currency,
        transaction_id=f"{first.pk:032X}",
    )


def _payment(store: Store, debit: Transaction) -> Payment:
    names = ("amount", "settled", "refunded", "released")
    step = 10 ** (debit.card.exponent - exponent_of(store.currency))
    value, settled, refunded, released = (getattr(debit, name) // step for name in names)
    return Payment(
        value,
        tid=debit.public_id,
        card_id=debit.card.public_id,
        id=debit.request_id.upper(),
        provider=store.provider_id,
        settled=settled,
        refunded=refunded,
        canceled=released,
    )


# --- What went wrong ---


def _never_came(store: Store, other: Transaction) -> Purchase:
    """An order whose payment the ledger has never heard of, on the card of another one."""
    order_id, _sequence = demo.order_of(store.account, Kind.PAYMENT_WITHOUT_DEBIT)
    payment = _payment(store, other)
    payment.tid, payment.id = payment.tid[::-1], payment.id[::-1]
    payment.settled = payment.value
    return Purchase(
        order_id.removesuffix("-01"),
        other.created_at,
        [payment],
        invoiced=other.created_at,
        status="invoiced",
        payment_status=Finished,
        currency=store.currency,
        transaction_id=payment.id,
    )


def _unknown(_purchase: Purchase) -> None:
    """The shopper left: there was never an order."""


def _canceled(purchase: Purchase) -> Purchase:
    """Canceled there, and the cancellation was lost on its way."""
    (payment,) = purchase.payments
    payment.settled, payment.refunded, payment.canceled = 0, 0, payment.value
    purchase.status, purchase.payment_status = "canceled", Canceled
    return purchase


def _refunded_twice(purchase: Purchase) -> Purchase:
    """The second partial refund of the same amount was swallowed (known issue 1118560)."""
    (payment,) = purchase.payments
    payment.refunded = 2 * demo.refund_of(payment.value)
    return purchase


def _settled(purchase: Purchase) -> Purchase:
    """Invoiced there, and the settlement was lost on its way."""
    (payment,) = purchase.payments
    payment.settled, payment.refunded, payment.canceled = payment.value, 0, 0
    purchase.invoiced = purchase.invoiced or purchase.authorized
    purchase.status, purchase.payment_status = "invoiced", Finished
    return purchase


def _rounded(purchase: Purchase) -> Purchase:
    """One unit more than what was asked for."""
    (payment,) = purchase.payments
    payment.value += 1
    payment.settled = payment.value
    return purchase


def _paid_once(purchase: Purchase) -> Purchase:
    """The first answer came too late and another payment was made; only one is known."""
    purchase.payments = purchase.payments[:1]
    return _settled(purchase)


def _rewarded(purchase: Purchase) -> Purchase:
    """A reward is due once."""
    purchase.reward = demo.reward_of(purchase.total)
    return purchase


_DIFFERENCES: Mapping[DiscrepancyKind | None, Callable[[Purchase], Purchase | None]] = {
    Kind.DEBIT_WITHOUT_ORDER: _unknown,
    Kind.CANCELED_BUT_HELD: _canceled,
    Kind.REFUND: _refunded_twice,
    Kind.SETTLEMENT: _settled,
    Kind.FIGURES: _rounded,
    Kind.DOUBLE_DEBIT: _paid_once,
    Kind.REWARD: _rewarded,
}
