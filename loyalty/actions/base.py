"""The shape of an action, and the figures of a card that it changes."""

import dataclasses
import datetime
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from django.db.models import Model

from loyalty import ledger
from loyalty.identity import Identity
from loyalty.models import (
    AuditAction,
    Balance,
    Batch,
    Customer,
    GiftCard,
    Operation,
    PointValueChange,
    Program,
    Store,
)

Figures = dict[str, int | str | None]
"""Named figures: amounts in units (`AMOUNTS`; `card:12` is what is available on that card, in its
own), dates in ISO form, customers by number."""

AMOUNTS = ("available", "held", "spent", "expired", "removed", "total")

Subject = GiftCard | Operation | Batch | PointValueChange | Customer
"""What an action leaves behind that people may want to look at."""


@dataclass(frozen=True)
class Preview:
    """The same figures before and after."""

    before: Figures
    after: Figures


@dataclass(frozen=True, kw_only=True)
class Action(ABC):
    """Something that a person asks for, as plain data.

    `permission` is needed to ask for it. What it moves counts against the person's limits. `moving`
    are figures that change all the time by themselves: it is no other action because of them.
    """

    name: ClassVar[AuditAction]
    permission: ClassVar[str]
    moving: ClassVar[frozenset[str]] = frozenset()

    reason: str = ""
    note: str = ""

    @property
    @abstractmethod
    def store(self) -> Store:
        """Whose store it is about."""

    @property
    @abstractmethod
    def currency(self) -> str:
        """The currency of its amounts."""

    @property
    @abstractmethod
    def exponent(self) -> int:
        """The digits of its units."""

    @property
    @abstractmethod
    def amount(self) -> int:
        """Units at stake, whichever way they move; 0 when no limit is touched."""

    @property
    def card(self) -> GiftCard | None:
        """The card that it is about, when there is one already."""
        return None

    @property
    def unit(self) -> Program | None:
        """The program in whose points its amounts are shown too, if it is about one's money."""
        return self.card.program if self.card else None

    @property
    def customer(self) -> Customer | None:
        """The customer that it is about, if any."""
        return None

    @property
    def subject(self) -> Model | None:
        """What else it is about: the audit trail leads there."""
        return None

    @property
    def is_unproven(self) -> bool:
        """Whether another person has to stand in for evidence that is missing, however little."""
        return False

    def favors(self, identity: Identity) -> bool:
        """Whether this person would gain by it: nobody may give credit to themselves."""
        return False

    @abstractmethod
    def figures(self) -> Figures:
        """The figures that it changes, as they are now."""

    @abstractmethod
    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Do it by the ledger's verb, once for each request id. Raises what the verb raises."""

    def wait(self) -> None:  # noqa: B027 - most actions have nothing to do then
        """Called when it has to wait for another person."""

    def withdraw(self) -> None:  # noqa: B027
        """Called when it was rejected or has lapsed."""

    def preview(self, *, request_id: str = "rehearsal") -> Preview:
        """What it would change; raises what `perform` would raise. Nothing is kept."""
        with ledger.rehearsal():
            before = self.figures()
            self.perform(request_id=request_id, actor="rehearsal")
            return Preview(before, self.figures())

    @property
    def parameters(self) -> dict[str, Any]:
        """What `of` builds it from again."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The action with these parameters, as JSON keeps them."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in parameters.items()
        }
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class CardAction(Action):
    """An action on a card that exists."""

    card_id: int

    @cached_property
    def _card(self) -> GiftCard:
        return GiftCard.objects.select_related("store", "program__store", "owner").get(
            pk=self.card_id
        )

    @property
    def card(self) -> GiftCard:
        """The card."""
        return self._card

    @property
    def store(self) -> Store:
        """The card's store."""
        return self._card.store

    @property
    def customer(self) -> Customer | None:
        """The card's owner."""
        return self._card.owner

    @property
    def currency(self) -> str:
        """The card's currency."""
        return self._card.currency

    @property
    def exponent(self) -> int:
        """The card's own digits."""
        return self._card.exponent

    def figures(self) -> Figures:
        """The card's buckets, state, end and owner."""
        return card_figures(self.card_id)

    @property
    def balance(self) -> Balance:
        """What is on the card now."""
        return Balance.objects.get(card_id=self.card_id)


def card_figures(card_id: int) -> Figures:
    """The figures of a card as they are now, inside a rehearsal as they would be."""
    balance = Balance.objects.select_related("card").get(card_id=card_id)
    end = balance.card.expires_at
    return {
        "available": balance.available,
        "held": balance.held,
        "spent": balance.spent,
        "expired": balance.expired,
        "removed": balance.removed,
        "status": balance.card.status,
        "expires_at": end.isoformat() if end else None,
        "owner": balance.card.owner_id,
    }


def is_owner(identity: Identity, customer: Customer | None) -> bool:
    """Whether a customer is this person, also by what those merged into them are known by."""
    return customer is not None and (
        identity.matches(customer.identity) or customer.merged.identified_by(identity).exists()
    )


def end_of(day: str, store: Store) -> datetime.datetime | None:
    """The last instant of a day in ISO form in the store's zone; None for no day."""
    return store.last_instant(datetime.date.fromisoformat(day)) if day else None
