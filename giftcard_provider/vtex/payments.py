"""The Payments Gateway: what became of a transaction, and the sums of each payment of it."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from giftcard_provider.vtex.client import Client
from giftcard_provider.vtex.fields import amount, mapping, rows, text, word
from loyalty.order_sources import PaymentStatus, SourceUnreadable

_CANCELED = {"canceled", "cancelled", "denied"}
_FINISHED = {"finished", "settled"}


@dataclass(frozen=True, slots=True)
class Standing:
    """A transaction as a whole."""

    status: PaymentStatus
    status_text: str
    refunds: Decimal | None


@dataclass(frozen=True, slots=True)
class Sums:
    """What was settled of a payment and given back of it; None when that is not told."""

    settled: Decimal | None
    returned: Decimal | None


def standing(client: Client, transaction_id: str, *, digits: int) -> Standing | None:
    """The state of a transaction; None when the gateway does not know it."""
    found = client.payments(f"/api/pvt/transactions/{transaction_id}")
    if found is None:
        return None
    found = mapping(found, "transaction")
    status = word(found.get("status"), "status of a transaction")
    refunds = None
    if "totalRefunds" in found:  # null is none; what is left out is not known
        refunds = amount(found["totalRefunds"] or 0, digits=digits)
    return Standing(status_of(status), status, refunds)


def status_of(value: str) -> PaymentStatus:
    """A status of the gateway in one of three; whatever is under way is open."""
    status = value.lower()
    if status in _CANCELED:
        return PaymentStatus.CANCELED
    return PaymentStatus.FINISHED if status in _FINISHED else PaymentStatus.OPEN


def sums(
    client: Client, transaction_id: str, payment_ids: list[str], *, digits: int
) -> Mapping[str, Sums]:
    """The sums of these payments of a transaction."""
    settled = _actions(client, transaction_id, "settlements", digits)
    refunded = _actions(client, transaction_id, "refunds", digits)
    canceled = _actions(client, transaction_id, "cancellations", digits)
    found: dict[str, Sums] = {}
    for payment_id in payment_ids:
        returned: Decimal | None = None
        if refunded is not None and canceled is not None:
            returned = refunded[payment_id] + canceled[payment_id]
        else:
            returned = _noted_refunds(client, transaction_id, payment_id, digits)
        found[payment_id] = Sums(None if settled is None else settled[payment_id], returned)
    return found


def _actions(
    client: Client, transaction_id: str, kind: str, digits: int
) -> defaultdict[str, Decimal] | None:
    """The sum of each payment's actions of a kind; None when the gateway tells in no known way.

    Only settlements are documented; refunds and cancellations are links of the same family.
    """
    found = client.payments(f"/api/pvt/transactions/{transaction_id}/{kind}")
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    if found is None:
        return total if kind == "settlements" else None
    try:
        for action in rows(mapping(found, kind).get("actions"), kind):
            total[text(action["paymentId"])] += amount(action["value"], digits=digits)
    except (SourceUnreadable, KeyError):
        return None
    return total


def _noted_refunds(
    client: Client, transaction_id: str, payment_id: str, digits: int
) -> Decimal | None:
    """The refunds that the gateway notes in a field of the payment, as JSON inside of a text."""
    found = client.payments(f"/api/pvt/transactions/{transaction_id}/payments/{payment_id}")
    if found is None:
        return None
    try:
        fields = rows(mapping(found, "payment").get("fields"), "fields of a payment")
        notes = [field.get("value") for field in fields if field.get("name") == "refund"]
        listed = [row for note in notes for row in rows(json.loads(text(note)), "refunds")]
        return sum((amount(row["ValueAsInt"], digits=digits) for row in listed), Decimal(0))
    except (SourceUnreadable, KeyError, ValueError):
        return None
