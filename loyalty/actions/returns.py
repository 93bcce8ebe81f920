"""The return of goods paid as credit instead of money, with or without a bonus (*vale-troca*)."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q, Sum
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger
from loyalty.actions.base import Action, Figures, Subject, end_of, is_owner
from loyalty.exceptions import ReturnOutdated, UnknownCustomer
from loyalty.identity import Identity
from loyalty.models import (
    AuditAction,
    Customer,
    Funding,
    GiftCard,
    Origin,
    Program,
    ReturnPayment,
    ShopOrder,
    Store,
    Transaction,
)
from loyalty.money import exponent_of


@dataclass(frozen=True, kw_only=True)
class PayReturn(Action):
    """Credit for goods of an order that came back, on the buyer's card or a new one.

    `value` and `bonus` are units of the program; the bonus is promotional and a grant of its own.
    `paid_before` is how many returns of the order had been paid when this was asked for: the next
    one is paid once, whoever asks and however often.
    """

    name = AuditAction.PAY_RETURN
    permission = "loyalty.credit_card"

    order_key: int
    program_id: int
    value: int
    paid_before: int
    bonus: int = 0
    last_day: str = ""

    @cached_property
    def order(self) -> ShopOrder:
        """The order, as last seen."""
        return ShopOrder.objects.select_related("store", "customer").get(pk=self.order_key)

    @cached_property
    def _program(self) -> Program:
        return Program.objects.select_related("store").get(pk=self.program_id)

    @property
    def store(self) -> Store:
        """The order's store."""
        return self.order.store

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
        """What is given in all."""
        return self.value + self.bonus

    @property
    def customer(self) -> Customer | None:
        """The buyer."""
        return self.order.customer

    @property
    def subject(self) -> ShopOrder:
        """The order."""
        return self.order

    def favors(self, identity: Identity) -> bool:
        """The buyer gains."""
        return is_owner(identity, self.customer)

    def figures(self) -> Figures:
        """What the buyer has of this program's credit."""
        cards = GiftCard.objects.filter(program_id=self.program_id, owner=self.customer)
        return {"available": cards.aggregate(sum=Sum("balance__available"))["sum"] or 0}

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Credit what the goods were worth, then the bonus. Raises `ReturnOutdated`."""
        # Not the form's id: two people may ask for the same, and two approvals may be decided.
        decided = self._decided() or self._decide(self._card(actor))
        self._credit(decided, decided.value, decided.request_id, actor)
        if decided.bonus:
            self._credit(decided, decided.bonus, f"{decided.request_id}:bonus", actor)
        return decided.card

    def _decided(self) -> ReturnPayment | None:
        """The return as it was decided before, if it was; another in its place is outdated."""
        number = self.paid_before + 1
        found = self.order.return_payments.select_related("card").filter(number=number).first()
        if found is None:
            return None
        if (found.card.program_id, found.value, found.bonus) != (
            self.program_id,
            self.value,
            self.bonus,
        ):
            raise ReturnOutdated
        return found

    def _decide(self, card: GiftCard) -> ReturnPayment:
        with atomic():
            order = ShopOrder.objects.select_for_update(no_key=True).get(pk=self.order_key)
            if decided := self._decided():
                return decided
            is_next = order.return_payments.count() == self.paid_before
            if not is_next or self._in_currency(self.value) > still_returnable(self.order):
                raise ReturnOutdated
            return ReturnPayment.objects.create(
                order=order,
                number=self.paid_before + 1,
                card=card,
                value=self.value,
                bonus=self.bonus,
            )

    def _in_currency(self, units: int) -> int:
        finer: int = 10**self._program.finer_digits
        return units // finer

    def _card(self, actor: str) -> GiftCard:
        owner = self.customer
        if owner is None:
            raise UnknownCustomer
        lives = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        takes_more = GiftCard.objects.filter(
            lives,
            program=self._program,
            owner=owner,
            is_reloadable=True,
            status=GiftCard.Status.ACTIVE,
            merged_into=None,
        )
        named = f"return:{self.order_key}:{self.program_id}:{self.paid_before}"
        return takes_more.order_by("pk").first() or ledger.issue(
            self._program,
            actor=actor,
            owner=owner,
            is_reloadable=True,
            public_id=hashlib.sha256(named.encode()).hexdigest()[:32],
            reason=self.reason,
            note=self.note,
        )

    def _credit(self, decided: ReturnPayment, units: int, request_id: str, actor: str) -> None:
        is_bonus = request_id != decided.request_id
        ledger.credit(
            decided.card_id,
            amount=units,
            request_id=request_id,
            actor=actor,
            origin=Origin.CREDIT if is_bonus else Origin.RETURN,
            funding=Funding.PROMOTIONAL if is_bonus else Funding.PAID,
            order_id=self.order.order_id,
            expires_at=end_of(self.last_day, self.store),
            reason=self.reason,
            note=self.note,
        )


def still_returnable(order: ShopOrder) -> int:
    """What of the order was not paid as credit yet, in the currency's smallest digits.

    Goods and shipping; what was taken back of an earlier credit may be paid again.
    """
    digits = exponent_of(order.store.currency)
    paid = order.return_payments.select_related("card")
    credited = {
        credit.request_id: credit
        for credit in Transaction.objects.filter(
            card__in=[each.card_id for each in paid], order_id=order.order_id, kind="credit"
        )
    }
    given = 0
    for each in paid:
        credit = credited.get(each.request_id)
        finer: int = 10 ** (each.card.exponent - digits)
        given += (each.value - (credit.canceled if credit else 0)) // finer
    whole: int = order.total + order.facts.get("shipping", 0)
    return max(whole - given, 0)
