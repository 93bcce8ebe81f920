"""A difference as it is found, before it is kept."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from loyalty.models import Discrepancy, DiscrepancyKind, Transaction
from loyalty.money import MAX_UNITS, exponent_of, to_decimal

Severity, Remedy = Discrepancy.Severity, Discrepancy.Remedy

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What `Discrepancy` keeps of it; `amount` is in minor units of the currency."""

    kind: DiscrepancyKind
    key: str
    severity: Discrepancy.Severity
    currency: str
    amount: int
    order_group: str
    ours: Figures = field(default_factory=dict)
    theirs: Figures = field(default_factory=dict)
    evidence: Figures = field(default_factory=dict)
    remedy: Discrepancy.Remedy = Remedy.NONE
    remedy_units: int = 0
    card_id: int | None = None
    transaction_id: int | None = None


@dataclass(slots=True)
class Comparison:
    """What came of comparing one purchase: findings, and the kinds that could not be judged."""

    findings: list[Finding] = field(default_factory=list)
    unjudged: set[DiscrepancyKind] = field(default_factory=set)


def minor_units(amount: Decimal, currency: str) -> int:
    """A decimal amount in minor units, rounded away from zero; only for people to weigh."""
    scaled = abs(amount).scaleb(exponent_of(currency))
    whole = int(scaled)
    return min(whole + (scaled != whole), MAX_UNITS)


def shown(amount: Decimal | None) -> str | None:
    """A decimal as JSON keeps it, exact."""
    return None if amount is None else f"{amount.normalize():f}"


def amount_of(units: int, transaction: Transaction) -> Decimal:
    """Units of a transaction's card as a decimal."""
    return to_decimal(units, exponent=transaction.card.exponent)


def units_of(amount: Decimal, transaction: Transaction) -> int:
    """A decimal as units of a transaction's card, rounded down: never more than there is."""
    return int(amount.scaleb(transaction.card.exponent))


def our_figures(transaction: Transaction) -> Figures:
    """The amounts of a transaction, as JSON keeps them."""
    names = ("amount", "held", "settled", "released", "refunded")
    return {name: shown(amount_of(getattr(transaction, name), transaction)) for name in names}
