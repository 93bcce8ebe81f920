"""Cards, credit and calls as the ledger's model in plain Python has them."""

import datetime
from collections import Counter
from dataclasses import dataclass, field

LIMIT = 2**63 - 1  # what the database can count
FOREVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Call:
    """One request made of a card; cards and transactions go by their number in the model."""

    verb: str
    card: int
    amount: int = 0
    request_id: str = ""
    transaction: int = -1
    funding: str = "paid"
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    token: str = ""  # "right", "wrong" or none
    buyer: str = ""  # "owner", "friend", "stranger" or nobody known
    lots: tuple[int, ...] = ()  # by their number on the card
    operation: int = -1
    values: tuple[int, int] = (1, 1)  # of a point, before and after
    given_until: datetime.datetime | None = None  # what is adjusted was given before


@dataclass(frozen=True)
class Answer:
    """What a call is answered: by which record, and how much it moved; or why it did not."""

    outcome: str  # "ok", "declined" (recorded) or "refused" (not recorded)
    code: str = ""
    number: int = -1  # of the transaction that it opened, or of the operation that it is
    applied: int = 0


class Refusal(Exception):
    """Why a call is declined, or refused without a record."""

    def __init__(self, code: str, outcome: str = "declined") -> None:
        super().__init__(code)
        self.answer = Answer(outcome, code)


@dataclass(eq=False)
class Lot:
    """Credit with its own dates; spent in the order of `turn`."""

    number: int
    funding: str
    amount: int
    valid_from: datetime.datetime
    expires_at: datetime.datetime | None
    remaining: int
    expired: int = 0
    card: int = -1
    given: datetime.datetime | None = None
    came_from: "Lot | None" = None  # on another card
    grew_from: "Lot | None" = None  # when points became worth more

    def is_from(self, other: "Lot") -> bool:
        """Whether its money was that of a lot on another card, however often it went on."""
        return self.came_from is not None and (
            self.came_from is other or self.came_from.is_from(other)
        )

    def is_expired(self, now: datetime.datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def is_usable(self, now: datetime.datetime) -> bool:
        return self.valid_from <= now and not self.is_expired(now)

    @property
    def turn(self) -> tuple[datetime.datetime, int, int]:
        return self.expires_at or FOREVER, ["promotional", "paid"].index(self.funding), self.number


@dataclass(eq=False)
class Share:
    """What a debit took from one lot."""

    lot: Lot
    held: int
    spent: int = 0


@dataclass(eq=False)
class Transaction:
    """A debit with its shares in the order of taking, or a credit with its lot."""

    kind: str
    card: int
    amount: int
    shares: list[Share] = field(default_factory=list)
    lot: Lot | None = None
    settled: int = 0
    released: int = 0
    refunded: int = 0

    @property
    def held(self) -> int:
        return self.amount - self.settled - self.released if self.kind == "debit" else 0

    @property
    def left(self) -> int:
        return self.amount - self.released - self.refunded


@dataclass(eq=False)
class Adjustment:
    """Up: the lot that it opened. Down: what it took from each."""

    card: int
    amount: int
    opened: Lot | None
    taken: list[Share]
    is_reversed: bool = False


@dataclass(eq=False)
class Card:
    """A card, its lots, and what it answered to every request so far."""

    valid_from: datetime.datetime
    expires_at: datetime.datetime | None = None
    validity_days: int | None = None  # of the card and of credit, when they come without dates
    funding: str = "paid"  # of adjustments
    reloadable: bool = True
    reusable: bool = True
    restricted: bool = False
    status: str = "active"
    owner: str = "owner"
    wallet: bool = False
    program: object = None  # of two wallets of one program the money is the same
    merged_into: int | None = None
    revalued: int = 0
    lots: list[Lot] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)  # credited, spent, expired, removed, held
    answers: dict[tuple[object, ...], tuple[Call, Answer]] = field(default_factory=dict)

    @property
    def available(self) -> int:
        return sum(lot.remaining for lot in self.lots)

    def is_expired(self, now: datetime.datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def usable(self, now: datetime.datetime) -> list[Lot]:
        return sorted((lot for lot in self.lots if lot.is_usable(now)), key=lambda lot: lot.turn)
