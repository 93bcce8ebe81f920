"""One purchase of the store beside our debits of it: what is different, and what would help.

Only compares: nothing is read or written here. What the store's record does not tell is not
judged.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from loyalty.models import Discrepancy, DiscrepancyKind, Transaction
from loyalty.order_sources import Payment, PaymentStatus, Purchase
from loyalty.reconciliation.findings import (
    Comparison,
    Figures,
    Finding,
    Remedy,
    Severity,
    amount_of,
    minor_units,
    our_figures,
    shown,
    units_of,
)

Kind = DiscrepancyKind
Pair = tuple[Payment, Transaction | None]


def paired(
    purchase: Purchase, debits: Sequence[Transaction]
) -> tuple[list[Pair], list[Transaction]]:
    """Each payment with its debit, by our id of it or else by the payment's; the debits left."""
    left = {debit.public_id: debit for debit in debits}
    by_request: defaultdict[str, list[Transaction]] = defaultdict(list)
    for debit in debits:
        by_request[debit.request_id.upper()].append(debit)
    found = {id(each): left.pop(each.tid, None) for each in purchase.payments}
    for payment in purchase.payments:
        if found[id(payment)] is None and payment.payment_id:
            same = [
                debit for debit in by_request[payment.payment_id.upper()] if debit.public_id in left
            ]
            same.sort(key=lambda debit: debit.card.public_id != payment.card_id)
            if same:
                found[id(payment)] = left.pop(same[0].public_id)
    return [(payment, found[id(payment)]) for payment in purchase.payments], list(left.values())


def needs_details(purchase: Purchase, debits: Sequence[Transaction]) -> bool:
    """Whether the sums of the payments have to be asked for: not when all is plain already."""
    pairs, _left = paired(purchase, debits)
    return not purchase.is_detailed and any(
        not _agree(payment, debit, purchase) for payment, debit in pairs if debit
    )


def _agree(payment: Payment, debit: Transaction, purchase: Purchase) -> bool:
    # Not known is not 0: the payment has to be asked for.
    if payment.transaction_refunds != 0 or debit.canceled or _figures_differ(payment, debit)[0]:
        return payment.status == PaymentStatus.CANCELED and not debit.cancelable
    if payment.status == PaymentStatus.OPEN:
        return not debit.settled and not purchase.is_invoiced
    return payment.status == PaymentStatus.FINISHED and debit.settled == debit.amount


def compare(purchase: Purchase, debits: Sequence[Transaction]) -> Comparison:
    """Everything that is different between a purchase and our debits of it."""
    result = Comparison()
    pairs, left = paired(purchase, debits)
    is_plain = not purchase.is_detailed  # the caller asked, and all agreed
    for payment, debit in pairs:
        if debit is None:
            result.findings.extend(_without_debit(payment, purchase))
            continue
        if not payment.tid and payment.status != PaymentStatus.CANCELED:
            result.findings.append(_without_id(payment, debit, purchase))
        result.findings.extend(_of_figures(payment, debit, purchase))
        if payment.status == PaymentStatus.CANCELED:
            result.findings.extend(_of_canceled(payment, debit, purchase))
            continue
        if is_plain:
            continue
        if payment.returned is None:
            result.unjudged.add(Kind.REFUND)
        if payment.settled is None:
            result.unjudged.add(Kind.SETTLEMENT)
        result.findings.extend(_of_refunds(payment, debit, purchase))
        result.findings.extend(_of_settlement(payment, debit, purchase))
    paid = [debit for _payment, debit in pairs if debit]
    result.findings.extend(_of_left(left, paid, purchase))
    return result


def without_purchase(debits: Sequence[Transaction], *, why: str) -> Comparison:
    """The findings about debits of one order that the store does not know at all."""
    result = Comparison(unjudged={Kind.REWARD})
    for debit in debits:
        if debit.cancelable:
            result.findings.append(_unknown(debit, Kind.DEBIT_WITHOUT_ORDER, {"reason": why}))
    return result


# --- Each kind of difference ---


def _without_debit(payment: Payment, purchase: Purchase) -> Iterator[Finding]:
    """The store took a payment for which nothing is held or spent here."""
    if payment.status == PaymentStatus.CANCELED or not payment.provider:
        return  # a payment that was turned down, or one of another provider's cards
    yield Finding(
        kind=Kind.PAYMENT_WITHOUT_DEBIT,
        key=payment.payment_id or payment.tid or purchase.group,
        severity=Severity.HIGH,
        currency=payment.currency,
        amount=minor_units(payment.amount, payment.currency),
        order_group=purchase.group,
        theirs=_their_figures(payment),
        evidence=_evidence(payment, purchase) | {"reason": "no_debit"},
    )


def _without_id(payment: Payment, debit: Transaction, purchase: Purchase) -> Finding:
    """The store kept no id of the debit: it can neither settle nor cancel it."""
    return Finding(
        kind=Kind.PAYMENT_WITHOUT_DEBIT,
        key=payment.payment_id,
        severity=Severity.MEDIUM,
        theirs=_their_figures(payment),
        evidence=_evidence(payment, purchase) | {"reason": "no_id"},
        **_about(debit, debit.cancelable, purchase.group),
    )


def _of_figures(payment: Payment, debit: Transaction, purchase: Purchase) -> Iterator[Finding]:
    ours, theirs = _figures_differ(payment, debit)
    if ours:
        difference = abs(payment.amount - amount_of(debit.amount, debit))
        yield Finding(
            kind=Kind.FIGURES,
            key=debit.public_id,
            severity=Severity.HIGH if {"amount", "currency"} & ours.keys() else Severity.LOW,
            ours=ours,
            theirs=theirs,
            evidence=_evidence(payment, purchase),
            **_about(debit, 0, purchase.group)
            | {"amount": minor_units(difference, debit.card.currency)},
        )


def _figures_differ(payment: Payment, debit: Transaction) -> tuple[Figures, Figures]:
    """The figures of both sides that should be the same and are not."""
    ours = {
        "amount": shown(amount_of(debit.amount, debit)),
        "currency": debit.card.currency,
        "card": debit.card.public_id,
        "transaction": debit.public_id,
        "payment": debit.request_id.upper(),
    }
    theirs = {
        "amount": shown(payment.amount),
        "currency": payment.currency or debit.card.currency,
        "card": payment.card_id or debit.card.public_id,
        "transaction": payment.tid or debit.public_id,
        "payment": payment.payment_id.upper() or debit.request_id.upper(),
    }
    names = [name for name in ours if ours[name] != theirs[name]]
    return {name: ours[name] for name in names}, {name: theirs[name] for name in names}


def _of_canceled(payment: Payment, debit: Transaction, purchase: Purchase) -> Iterator[Finding]:
    """The store gave the whole payment back; some of it has not come back to the card."""
    if debit.cancelable:
        yield Finding(
            kind=Kind.CANCELED_BUT_HELD,
            key=debit.public_id,
            severity=Severity.MEDIUM if debit.held == debit.cancelable else Severity.HIGH,
            ours=our_figures(debit),
            theirs=_their_figures(payment),
            evidence=_evidence(payment, purchase),
            remedy=_way_back(debit),
            remedy_units=debit.cancelable,
            **_about(debit, debit.cancelable, purchase.group),
        )


def _of_refunds(payment: Payment, debit: Transaction, purchase: Purchase) -> Iterator[Finding]:
    """Given back here and there: less is owed to the shopper, more was given away."""
    if payment.returned is None:
        return
    short = payment.returned - amount_of(debit.canceled, debit)
    if not short:
        return
    units = min(units_of(short, debit), debit.cancelable) if short > 0 else 0
    yield Finding(
        kind=Kind.REFUND,
        key=debit.public_id,
        severity=Severity.HIGH,
        ours=our_figures(debit),
        theirs=_their_figures(payment),
        evidence=_evidence(payment, purchase),
        remedy=Remedy.REFUND if units else Remedy.NONE,
        remedy_units=units,
        **_about(debit, 0, purchase.group) | {"amount": minor_units(short, debit.card.currency)},
    )


def _of_settlement(payment: Payment, debit: Transaction, purchase: Purchase) -> Iterator[Finding]:
    """Settled here and there; what is invoiced and still held (known issue 1201336)."""
    if payment.settled == payment.amount and debit.settled == debit.amount:
        return  # in full on both sides; another amount is a finding of its own
    ours = amount_of(debit.settled, debit)
    theirs = ours if payment.settled is None else payment.settled
    difference, remedy, units = theirs - ours, Remedy.NONE, 0
    if difference > 0:
        remedy, units = Remedy.SETTLE, min(units_of(difference, debit), debit.held)
    elif difference == 0 and debit.held:
        if payment.status == PaymentStatus.OPEN and purchase.is_invoiced:
            remedy, units = Remedy.SETTLE, debit.held
        elif payment.status == PaymentStatus.FINISHED:
            # Over with less than was held; without the sums nobody knows whether it was.
            is_known = payment.settled is not None
            remedy, units = (
                (Remedy.RELEASE, debit.held) if is_known else (Remedy.SETTLE, debit.held)
            )
    if not difference and not units:
        return
    at_risk = abs(difference) or amount_of(units, debit)
    yield Finding(
        kind=Kind.SETTLEMENT,
        key=debit.public_id,
        severity=Severity.MEDIUM,
        ours=our_figures(debit),
        theirs=_their_figures(payment),
        evidence=_evidence(payment, purchase),
        remedy=remedy if units else Remedy.NONE,
        remedy_units=units,
        **_about(debit, 0, purchase.group) | {"amount": minor_units(at_risk, debit.card.currency)},
    )


def _of_left(
    left: Sequence[Transaction], paid: Sequence[Transaction], purchase: Purchase
) -> Iterator[Finding]:
    """Debits of an order that no payment of it names: made twice, or never completed."""
    cards = {debit.card_id for debit in paid}
    evidence: Figures = {"orders": list(purchase.order_ids), "order_status": purchase.status}
    for debit in sorted(left, key=lambda debit: debit.pk):
        if debit.cancelable:
            is_double = debit.card_id in cards
            kind = Kind.DOUBLE_DEBIT if is_double else Kind.DEBIT_WITHOUT_ORDER
            yield _unknown(debit, kind, evidence | {"reason": "no_payment"}, purchase.group)
        cards.add(debit.card_id)


def of_rewards(
    purchase: Purchase, given: Sequence[Transaction], *, currency: str
) -> Iterator[Finding]:
    """Credit given for an order: twice, or not at all although it is due and invoiced."""
    for order_id, due in purchase.rewards:
        standing = [
            credit
            for credit in sorted(given, key=lambda credit: credit.pk)
            if order_id in {credit.order_id, credit.request_id} and credit.cancelable
        ]
        theirs = {"orders": [order_id], "reward": shown(due)}
        if len(standing) > 1:
            last = standing[-1]
            yield Finding(
                kind=Kind.REWARD,
                key=order_id,
                severity=Severity.HIGH,
                ours={"credits": [shown(amount_of(each.amount, each)) for each in standing]},
                theirs=theirs,
                evidence={"reason": "twice", "order_status": purchase.status},
                remedy=Remedy.TAKE_BACK,
                remedy_units=last.cancelable,
                **_about(last, last.cancelable, purchase.group),
            )
        elif due and not standing and purchase.is_invoiced:
            yield Finding(
                kind=Kind.REWARD,
                key=order_id,
                severity=Severity.MEDIUM,
                currency=currency,
                amount=minor_units(due, currency),
                order_group=purchase.group,
                theirs=theirs,
                evidence={"reason": "missing", "order_status": purchase.status},
            )


# --- Parts ---


def _unknown(
    debit: Transaction, kind: DiscrepancyKind, evidence: Figures, order_group: str = ""
) -> Finding:
    return Finding(
        kind=kind,
        key=debit.public_id,
        severity=Severity.HIGH if debit.settled else Severity.MEDIUM,
        ours=our_figures(debit),
        evidence=evidence | {"debit_at": debit.created_at.isoformat()},
        remedy=_way_back(debit),
        remedy_units=debit.cancelable,
        **_about(debit, debit.cancelable, order_group or debit.order_id),
    )


def _way_back(debit: Transaction) -> Discrepancy.Remedy:
    return Remedy.RELEASE if debit.held == debit.cancelable else Remedy.REFUND


def _about(debit: Transaction, units: int, order_group: str) -> dict[str, Any]:
    return {
        "currency": debit.card.currency,
        "amount": minor_units(amount_of(units, debit), debit.card.currency),
        "order_group": order_group,
        "card_id": debit.card_id,
        "transaction_id": debit.pk,
    }


def _their_figures(payment: Payment) -> Figures:
    return {
        "amount": shown(payment.amount),
        "status": payment.status_text or payment.status,
        "settled": shown(payment.settled),
        "returned": shown(payment.returned),
    }


def _evidence(payment: Payment, purchase: Purchase) -> Figures:
    return {
        "orders": list(purchase.order_ids),
        "order_status": purchase.status,
        "payment": payment.payment_id,
        "transaction": payment.transaction_id,
        "tid": payment.tid,
    }
