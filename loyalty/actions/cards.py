"""What staff do to a card."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Sum

from loyalty import ledger
from loyalty.actions.base import (
    Action,
    CardAction,
    Figures,
    Subject,
    end_of,
    is_owner,
)
from loyalty.identity import Identity
from loyalty.ledger.states import expired_of
from loyalty.models import (
    AuditAction,
    Customer,
    GiftCard,
    Grant,
    Origin,
    Program,
    Store,
)


@dataclass(frozen=True, kw_only=True)
class IssueCard(Action):
    """A new card of a program, for a customer or for whoever holds the code. Amount in units."""

    name = AuditAction.ISSUE
    permission = "loyalty.issue_card"

    program_id: int
    value: int
    owner_id: int | None = None
    last_day: str = ""
    reference: str = ""

    @cached_property
    def _program(self) -> Program:
        return Program.objects.select_related("store").get(pk=self.program_id)

    @cached_property
    def _owner(self) -> Customer | None:
        if self.owner_id is None:
            return None
        found = Customer.objects.filter(pk=self.owner_id, store=self.store)
        owner = found.select_related("merged_into").first()
        # Merged since it was asked for: it is for the same person.
        return owner.person if owner else None

    @property
    def store(self) -> Store:
        """The program's store."""
        return self._program.store

    @property
    def customer(self) -> Customer | None:
        """The owner to be."""
        return self._owner

    @property
    def currency(self) -> str:
        """The store's currency."""
        return self.store.currency

    @property
    def exponent(self) -> int:
        """The digits of the program's cards."""
        return self._program.exponent

    @property
    def amount(self) -> int:
        """What the card is issued with."""
        return self.value

    def favors(self, identity: Identity) -> bool:
        """The owner gains."""
        return is_owner(identity, self._owner)

    def figures(self) -> Figures:
        """What is outstanding of this program for this owner."""
        cards = GiftCard.objects.filter(program_id=self.program_id, owner=self._owner)
        if self.owner_id is None:
            # All bearer cards of a program would be a scan; before there is no card at all.
            return {"available": 0}
        return {"available": cards.aggregate(sum=Sum("balance__available"))["sum"] or 0}

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Issue it; the request id names the card, so that a repeat finds it."""
        return ledger.issue(
            self._program,
            actor=actor,
            amount=self.value,
            owner=self._owner,
            expires_at=end_of(self.last_day, self.store),
            reason=self.reason,
            note=self.note,
            reference=self.reference,
            public_id=hashlib.sha256(f"issue {request_id}".encode()).hexdigest()[:32],
        )


@dataclass(frozen=True, kw_only=True)
class GiveCredit(CardAction):
    """Credit on a card that takes it: courtesy, return of goods, loyalty. Amount in units."""

    name = AuditAction.CREDIT
    permission = "loyalty.credit_card"

    value: int
    origin: str = Origin.CREDIT
    funding: str = ""
    last_day: str = ""
    order_id: str = ""

    @property
    def amount(self) -> int:
        """What is given."""
        return self.value

    def favors(self, identity: Identity) -> bool:
        """The owner gains."""
        return is_owner(identity, self.customer)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Credit the card."""
        ledger.credit(
            self.card_id,
            amount=self.value,
            request_id=request_id,
            actor=actor,
            origin=self.origin,
            funding=self.funding or None,
            order_id=self.order_id,
            expires_at=end_of(self.last_day, self.store),
            reason=self.reason,
            note=self.note,
        )
        return self.card


@dataclass(frozen=True, kw_only=True)
class Adjust(CardAction):
    """A correction, up or down, in units."""

    name = AuditAction.ADJUST
    permission = "loyalty.adjust_card"

    change: int

    @property
    def amount(self) -> int:
        """How much is corrected, whichever way."""
        return abs(self.change)

    def favors(self, identity: Identity) -> bool:
        """Upwards the owner gains."""
        return self.change > 0 and is_owner(identity, self.customer)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Adjust the card."""
        ledger.adjust(
            self.card_id,
            change=self.change,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )
        return self.card


@dataclass(frozen=True, kw_only=True)
class Block(CardAction):
    """Stop debits and credits for now."""

    name = AuditAction.BLOCK
    permission = "loyalty.block_card"
    amount = 0

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Block the card."""
        ledger.block(
            self.card_id, request_id=request_id, actor=actor, reason=self.reason, note=self.note
        )
        return self.card


@dataclass(frozen=True, kw_only=True)
class Unblock(CardAction):
    """Let a blocked card be used again."""

    name = AuditAction.UNBLOCK
    permission = "loyalty.block_card"
    amount = 0

    def favors(self, identity: Identity) -> bool:
        """The owner gains."""
        return is_owner(identity, self.customer)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Unblock the card."""
        ledger.unblock(
            self.card_id, request_id=request_id, actor=actor, reason=self.reason, note=self.note
        )
        return self.card


@dataclass(frozen=True, kw_only=True)
class Close(CardAction):
    """End a card for good; what is on it is taken off."""

    name = AuditAction.CLOSE
    permission = "loyalty.close_card"

    @property
    def amount(self) -> int:
        """What is taken off."""
        return self.balance.available

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Close the card."""
        ledger.close(
            self.card_id, request_id=request_id, actor=actor, reason=self.reason, note=self.note
        )
        return self.card


@dataclass(frozen=True, kw_only=True)
class Extend(CardAction):
    """A later last day, or none, for some grants of a card; what expired of them comes back."""

    name = AuditAction.EXTEND
    permission = "loyalty.extend_card"

    grant_ids: tuple[int, ...]
    last_day: str = ""

    @property
    def amount(self) -> int:
        """What lives longer: what remains of the grants, and what comes back to them."""
        grants = Grant.objects.filter(card_id=self.card_id, pk__in=self.grant_ids)
        remaining = grants.aggregate(sum=Sum("remaining"))["sum"] or 0
        return remaining + sum(expired_of(self.card_id, self.grant_ids).values())

    def favors(self, identity: Identity) -> bool:
        """The owner gains."""
        return is_owner(identity, self.customer)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Extend the grants, and the card with them."""
        ledger.extend(
            self.card_id,
            expires_at=end_of(self.last_day, self.store),
            grant_ids=self.grant_ids,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )
        return self.card


@dataclass(frozen=True, kw_only=True)
class ChangeOwner(CardAction):
    """Another owner, or none."""

    name = AuditAction.OWNER
    permission = "loyalty.change_owner"

    owner_id: int | None

    @cached_property
    def _new_owner(self) -> Customer | None:
        return Customer.objects.filter(pk=self.owner_id).first() if self.owner_id else None

    @property
    def amount(self) -> int:
        """What changes hands."""
        balance = self.balance
        return balance.available + balance.held

    def favors(self, identity: Identity) -> bool:
        """The new owner gains."""
        return is_owner(identity, self._new_owner)

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Change the owner."""
        ledger.change_owner(
            self.card_id,
            owner=self._new_owner,
            request_id=request_id,
            actor=actor,
            reason=self.reason,
            note=self.note,
        )
        return self.card
