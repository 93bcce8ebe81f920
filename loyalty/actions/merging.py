"""Two customers who turn out to be one: made one, and that undone."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from loyalty import ledger, limits
from loyalty.actions.base import Action, Figures, Subject, is_owner
from loyalty.identity import Identity
from loyalty.ledger.transfers import legs_of
from loyalty.models import AuditAction, Customer, CustomerMerge, GiftCard, Store
from loyalty.money import exponent_of


@dataclass(frozen=True, kw_only=True)
class _OfTwo(Action):
    """Something done to a customer and the one who stays; amounts in the currency's own digits."""

    permission = "loyalty.merge_customers"

    @property
    def store(self) -> Store:
        """The store of both."""
        return self.into.store

    @property
    def currency(self) -> str:
        """The store's currency."""
        return self.store.currency

    @property
    def exponent(self) -> int:
        """The currency's own digits: the cards may count in different ones."""
        return exponent_of(self.currency)

    @property
    @abstractmethod
    def into(self) -> Customer:
        """The one who stays."""

    @property
    @abstractmethod
    def away(self) -> Customer:
        """The one who is merged into the other."""

    @property
    def customer(self) -> Customer:
        """The one who stays: whose page tells of it."""
        return self.into

    @property
    def subject(self) -> Customer:
        """The other one."""
        return self.away

    def favors(self, identity: Identity) -> bool:
        """Both are people who may gain."""
        return is_owner(identity, self.away) or is_owner(identity, self.into)

    @cached_property
    def _card_ids(self) -> Sequence[int]:
        """The cards of both, as they were before it was done."""
        owned = GiftCard.objects.filter(owner__in=[self.away, self.into])
        return list(owned.order_by("pk").values_list("pk", flat=True))

    def figures(self) -> Figures:
        """What the one who stays has, in how many cards, and what is on each wallet of both."""
        cards = list(
            GiftCard.objects.filter(pk__in=self._card_ids).select_related("balance").order_by("pk")
        )
        own = [card for card in cards if card.owner_id == self.into.pk]
        return {
            "available": sum(self._available(card) for card in own),
            "cards": len(own),
            **{f"card:{card.pk}": card.balance.available for card in cards if card.relation_name},
            # Worked out before it is done, and the same after it.
            "total": self.amount,
        }

    def _available(self, card: GiftCard) -> int:
        if card.currency != self.currency:
            return 0
        return limits.minor_units(
            card.balance.available, currency=card.currency, exponent=card.exponent
        )


@dataclass(frozen=True, kw_only=True)
class Merge(_OfTwo):
    """A customer becomes one with another of the store, who stays."""

    name = AuditAction.MERGE

    customer_id: int
    into_id: int

    @cached_property
    def away(self) -> Customer:
        """The one who is merged into the other."""
        return Customer.objects.select_related("store").get(pk=self.customer_id)

    @cached_property
    def into(self) -> Customer:
        """The one who stays."""
        return Customer.objects.select_related("store").get(pk=self.into_id)

    @property
    def is_unproven(self) -> bool:
        """Always: that two are one person is what somebody believes, and another has to as well."""
        return True

    @cached_property
    def amount(self) -> int:
        """What changes hands."""
        cards = GiftCard.objects.filter(owner=self.customer_id).select_related("balance")
        return sum(self._available(card) for card in cards)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Merge them."""
        made = ledger.merge(
            self.away,
            self.into,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )
        return made.into


@dataclass(frozen=True, kw_only=True)
class Unmerge(_OfTwo):
    """A merge is undone as a whole, while nothing of it was used."""

    name = AuditAction.UNMERGE

    merge_id: int

    @cached_property
    def _merge(self) -> CustomerMerge:
        return CustomerMerge.objects.select_related("customer__store", "into__store").get(
            pk=self.merge_id
        )

    @property
    def away(self) -> Customer:
        """The one who is to be another customer again."""
        return self._merge.customer

    @property
    def into(self) -> Customer:
        """The one who stays."""
        return self._merge.into

    @cached_property
    def amount(self) -> int:
        """What goes back to wallets that it was transferred from."""
        legs = legs_of([int(card) for card in self._merge.cards], self._merge.request_id)
        cards = GiftCard.objects.in_bulk([received.card_id for received in legs.values()])
        return sum(
            limits.minor_units(
                received.applied,
                currency=self.currency,
                exponent=cards[received.card_id].exponent,
            )
            for received in legs.values()
        )

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Undo it."""
        ledger.unmerge(
            self._merge,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )
        return self.away
