"""What a verb asks to be written: a request, the units that it moves, what it opens and changes."""

import datetime
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from loyalty.models import Bucket, Operation, Transaction


def new_public_id() -> str:
    """An id for URLs: 32 hexadecimal digits, 128 random bits, never empty (known issue 855864)."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, eq=False)
class NewGrant:
    """A grant that the operation opens; of money from another card, with the grant it came from.

    `given_at` is when that money was first given; None for now.
    """

    origin: str
    funding: str
    amount: int
    valid_from: datetime.datetime
    expires_at: datetime.datetime | None
    reference: str = ""
    came_from: int | None = None
    given_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Units of a grant from bucket to bucket; `landing` is where a late refund lands instead."""

    source: Bucket
    target: Bucket
    amount: int
    grant: int | NewGrant
    landing: NewGrant | None = None


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """A debit or credit that the operation opens."""

    kind: Transaction.Kind
    order_id: str = ""
    order_sequence: str = ""
    public_id: str = field(default_factory=new_public_id)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the card, by whom, and when the ledger took it up."""

    kind: Operation.Kind
    request_id: str
    amount: int
    actor: str
    reason: str = ""
    note: str = ""
    reverses_id: int | None = None
    counterpart_id: int | None = None
    oid: str = field(default_factory=new_public_id)
    # Looked up when it is called: a stopped clock (`loyalty.demo`, tests) must reach it.
    at: datetime.datetime = field(default_factory=lambda: timezone.now())  # noqa: PLW0108


@dataclass(frozen=True, slots=True)
class LaterEnd:
    """Grants that live longer: until another last instant, or for ever."""

    grant_ids: Sequence[int]
    expires_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Issue:
    """The first amount of a card that has just been made; 0 opens no grant."""

    card_id: int
    request_id: str
    amount: int
    valid_from: datetime.datetime
    expires_at: datetime.datetime | None
    reference: str
