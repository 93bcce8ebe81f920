"""What the provider in memory is made of."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


class Refusal(Exception):
    """What is answered instead."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = {"error": "refused"} if body is None else body


@dataclass
class Debit:
    """A transaction of the test card."""

    id: str
    value: Decimal
    written: str
    request_id: str
    date: str
    settlements: list[dict[str, Any]] = field(default_factory=list)
    cancellations: list[dict[str, Any]] = field(default_factory=list)

    def sum(self, kind: str) -> Decimal:
        return sum((step["value"] for step in getattr(self, kind)), Decimal(0))


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: str
    headers: Any
    body: bytes
