"""The nouns of the credit system, one a file. Money tables are written only by `loyalty.ledger`."""

from loyalty.models.balance import Balance
from loyalty.models.card import GiftCard
from loyalty.models.customer import Customer
from loyalty.models.entry import Bucket, Entry
from loyalty.models.grant import Funding, Grant, Origin
from loyalty.models.operation import Operation, Outcome, Reason
from loyalty.models.program import Program
from loyalty.models.store import Store
from loyalty.models.transaction import Transaction

__all__ = [
    "Balance",
    "Bucket",
    "Customer",
    "Entry",
    "Funding",
    "GiftCard",
    "Grant",
    "Operation",
    "Origin",
    "Outcome",
    "Program",
    "Reason",
    "Store",
    "Transaction",
]
