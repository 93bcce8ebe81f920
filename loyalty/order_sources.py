"""What reconciliation and earning ask of a store's record of orders, wherever that is kept.

`LOYALTY_ORDER_SOURCE` names the class that reads it over the network for the reconciliation; a file
is another source (`loyalty.reconciliation.files`). `LOYALTY_ORDER_FEED` names the one for earning.
Amounts of payments are decimals in major units, exact.
"""

import datetime
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from loyalty.models import Store
from loyalty.shop_orders import Order


class SourceError(Exception):
    """The record of orders could not be read; the message is for staff and names no secret.

    `message` is in English, with places for `values`: pages translate it (`in_words`).
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message % values if values else message)
        self.message, self.values = message, values

    @property
    def in_words(self) -> str:
        """The message in the language that is active."""
        said = {name: gettext(str(value) or "-") for name, value in self.values.items()}
        return gettext(self.message) % said if said else gettext(self.message)


class SourceUnavailable(SourceError):
    """Not now: the same question may be asked again later."""


class SourceRefused(SourceError):
    """Not with these keys, or there are none: a person has to do something."""


class SourceUnreadable(SourceError):
    """What came back is not what was agreed on."""


class WindowKind(StrEnum):
    """Which date of an order a window is about."""

    AUTHORIZED = "authorized"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Window:
    """From an instant up to another."""

    kind: WindowKind
    since: datetime.datetime
    until: datetime.datetime


class PaymentStatus(StrEnum):
    """What became of a payment in the store's record."""

    OPEN = "open"
    FINISHED = "finished"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment with one of our cards. Sums that are None are not known (yet)."""

    payment_id: str
    tid: str
    card_id: str
    provider: str
    currency: str
    amount: Decimal
    status: PaymentStatus
    settled: Decimal | None = None
    returned: Decimal | None = None
    transaction_id: str = ""
    transaction_refunds: Decimal | None = None
    status_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What was bought together: one or more orders, and the payments with our cards.

    `rewards` is the credit due for each order; empty when the record does not tell.
    """

    group: str
    order_ids: tuple[str, ...]
    status: str
    is_invoiced: bool
    is_canceled: bool
    changed_at: datetime.datetime | None
    payments: tuple[Payment, ...]
    rewards: tuple[tuple[str, Decimal], ...] = ()
    is_detailed: bool = True


class OrderSource(ABC):
    """A store's record of orders."""

    # So long after the fact the record tells of it.
    lag = datetime.timedelta(0)
    # Whether anything can be looked up one by one, and what is missing then does not exist.
    answers_look_ups = True

    def __init__(self, store: Store) -> None:
        self.store = store
        # What could not be read, by a short reason, while the rest could.
        self.unreadable: list[str] = []

    @classmethod
    def stores(cls) -> QuerySet[Store]:
        """The stores whose record can be read: none, where keys are needed and there are none."""
        return Store.objects.none()

    @property
    def calls(self) -> int:
        """Requests sent so far, repeated ones included."""
        return 0

    @abstractmethod
    def purchases(self, window: Window) -> Iterator[Purchase]:
        """Every purchase with a date in the window; one may come twice. Raises `SourceError`."""

    @abstractmethod
    def detailed(self, purchase: Purchase) -> Purchase:
        """The same with the sums of each payment, as far as they are known."""

    @abstractmethod
    def look_up(self, *, order_id: str, tid: str) -> Purchase | None:
        """The purchase of a debit by its order, or by the debit's own id when there is none."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Called once when the source is not needed any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """That something changed about an order; `handle` is what the feed knows the notice by."""

    order_id: str
    handle: str


class OrderFeed(ABC):
    """A store's orders as earning needs them: what changed, and each order in full."""

    # So long after the fact the lists tell of it.
    lag = datetime.timedelta(0)

    def __init__(self, store: Store) -> None:
        self.store = store

    @abstractmethod
    def notices(self) -> list[Notice]:
        """Some notices that were not confirmed yet; none when there are no more for now.

        One that is not confirmed comes again. Raises `SourceError`.
        """

    @abstractmethod
    def confirm(self, notices: Sequence[Notice]) -> None:
        """Let the feed forget these. Raises `SourceError`."""

    @abstractmethod
    def order(self, order_id: str) -> Order | None:
        """An order as it is now; None when there is none. Raises `SourceError`."""

    @abstractmethod
    def order_ids(self, window: Window) -> Iterator[Sequence[str]]:
        """Every order with a date in the window; one may come twice. Raises `SourceError`."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Called once when the feed is not needed any more."""


def feed_of(store: Store) -> OrderFeed:
    """The store's feed of orders. Raises `SourceRefused` when it has no keys."""
    named: type[OrderFeed] = import_string(settings.LOYALTY_ORDER_FEED)
    return named(store)


def source_class() -> type[OrderSource]:
    """The class that `LOYALTY_ORDER_SOURCE` names."""
    named: type[OrderSource] = import_string(settings.LOYALTY_ORDER_SOURCE)
    return named


def source_of(store: Store) -> OrderSource:
    """The store's record over the network. Raises `SourceRefused` when it has no keys."""
    return source_class()(store)
