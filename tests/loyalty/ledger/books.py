"""The real ledger, called with the model's calls and answering in the model's words."""

import datetime
from collections import Counter
from collections.abc import Callable

from django.utils import timezone

from loyalty import ledger, lookup
from loyalty.exceptions import Decline, LedgerError
from loyalty.models import (
    Customer,
    CustomerMerge,
    GiftCard,
    Operation,
    Program,
    Reason,
    Transaction,
)
from tests import builders
from tests.loyalty.ledger.cards import Answer, Call, Card

ACTOR = "test"
RELATION = "loyalty-program"


class Books:
    """One store, and what was made in it: cards and transactions by their number in the model."""

    def __init__(self, *, grace_days: int) -> None:
        self.store = builders.make_store(refund_grace_days=grace_days)
        self.owner = builders.make_customer(self.store)
        self.customers = {
            "owner": self.owner,
            # Of whom so little is known that they may be anybody.
            "friend": builders.make_customer(self.store, profile_id="", document=""),
            "guest": builders.make_customer(self.store, profile_id="", document=""),
            "stranger": builders.make_customer(),
            "": None,
        }
        self.programs: dict[object, Program] = {}
        self.merges: list[CustomerMerge] = []
        self.cards: list[GiftCard] = []
        self.transactions: list[Transaction] = []
        self.operations: list[str] = []

    def issue(self, card: Card, amount: int) -> None:
        self.cards.append(
            ledger.issue(
                self._program(card),
                actor=ACTOR,
                amount=amount,
                owner=self.customers[card.owner],
                valid_from=card.valid_from,
                expires_at=card.expires_at,
                is_reloadable=card.reloadable,
                is_reusable=card.reusable,
                is_restricted=card.restricted,
            )
        )

    def _program(self, card: Card) -> Program:
        if card.wallet and card.program in self.programs:
            return self.programs[card.program]
        made = builders.make_program(
            self.store,
            funding=card.funding,
            validity_days=card.validity_days,
            relation_name=RELATION if card.wallet else "",
        )
        self.programs[card.program] = made
        return made

    def merge(self, who: str, into: str, request_id: str) -> Answer:
        return self._together(
            lambda: ledger.merge(
                self._named(who),
                self._named(into),
                request_id=request_id,
                actor=ACTOR,
                reason=Reason.CORRECTION,
            )
        )

    def unmerge(self, number: int, request_id: str) -> Answer:
        return self._together(
            lambda: ledger.unmerge(
                self.merges[number], request_id=request_id, actor=ACTOR, reason=Reason.CORRECTION
            )
        )

    def _named(self, name: str) -> Customer:
        customer = self.customers[name]
        assert customer
        return customer

    def _together(self, verb: Callable[[], CustomerMerge]) -> Answer:
        try:
            made = verb()
        except Decline as decline:
            return Answer("declined", decline.code)
        except LedgerError as error:
            return Answer("refused", error.code)
        if made not in self.merges:
            self.merges.append(made)
        return Answer("ok", number=self.merges.index(made))

    def call(self, call: Call) -> Answer:
        try:
            done = getattr(self, f"_{call.verb}")(call)
        except Decline as decline:
            return Answer("declined", decline.code)
        except LedgerError as error:
            return Answer("refused", error.code)
        return self._answer(done)

    def _credit(self, call: Call) -> Transaction:
        return ledger.credit(
            self.cards[call.card].pk,
            amount=call.amount,
            request_id=call.request_id,
            actor=ACTOR,
            funding=call.funding,
            valid_from=call.valid_from,
            expires_at=call.expires_at,
        )

    def _authorize(self, call: Call) -> Transaction:
        card = self.cards[call.card]
        buyer = self.customers[call.buyer]
        return ledger.authorize(
            card.pk,
            amount=call.amount,
            request_id=call.request_id,
            actor=ACTOR,
            buyer=buyer.identity if buyer else None,
            token={"right": card.token, "wrong": "0" * 64}.get(call.token, ""),
        )

    def _settle(self, call: Call) -> Operation:
        transaction = self.transactions[call.transaction]
        return ledger.settle(
            transaction, amount=call.amount, request_id=call.request_id, actor=ACTOR
        )

    def _cancel(self, call: Call) -> Operation:
        transaction = self.transactions[call.transaction]
        return ledger.cancel(
            transaction, amount=call.amount, request_id=call.request_id, actor=ACTOR
        )

    def _expire(self, call: Call) -> Operation | None:
        return ledger.expire(self.cards[call.card].pk, actor=ACTOR)

    def _adjust(self, call: Call) -> Operation:
        return ledger.adjust(
            self.cards[call.card].pk,
            change=call.amount,
            request_id=call.request_id,
            actor=ACTOR,
            reason=Reason.CORRECTION,
            expires_at=call.expires_at,
        )

    def _renew(self, call: Call) -> Operation:
        pk = self.cards[call.card].pk
        return ledger.renew(pk, expires_at=call.expires_at, request_id=call.request_id, actor=ACTOR)

    def _extend(self, call: Call) -> Operation:
        card = self.cards[call.card]
        # A late refund of both fundings opens two grants at once, in no particular order.
        grants = card.grants.order_by("operation_id", "funding", "pk").values_list("pk", flat=True)
        known = dict(enumerate(grants))
        return ledger.extend(
            card.pk,
            expires_at=call.expires_at,
            grant_ids=[known.get(number, 0) for number in call.lots],
            request_id=call.request_id,
            actor=ACTOR,
            reason=Reason.CUSTOMER_SERVICE,
        )

    def _change_owner(self, call: Call) -> Operation:
        return ledger.change_owner(
            self.cards[call.card].pk,
            owner=self.customers[call.buyer],
            request_id=call.request_id,
            actor=ACTOR,
            reason=Reason.CORRECTION,
        )

    def _revalue(self, call: Call) -> Operation | None:
        before, after = call.values
        return ledger.revalue(
            self.cards[call.card].pk,
            before=before,
            after=after,
            given_until=call.given_until or timezone.now() + datetime.timedelta(days=1),
            request_id=call.request_id,
            actor=ACTOR,
            reason=Reason.CAMPAIGN,
        )

    def _reverse(self, call: Call) -> Operation:
        return ledger.reverse(
            Operation.objects.get(oid=self.operations[call.operation]),
            request_id=call.request_id,
            actor=ACTOR,
            reason=Reason.CORRECTION,
        )

    def _block(self, call: Call) -> Operation:
        change: Callable[..., Operation] = getattr(ledger, call.verb)
        pk = self.cards[call.card].pk
        return change(pk, request_id=call.request_id, actor=ACTOR, reason=Reason.FRAUD)

    _unblock = _close = _block

    def state(self, number: int) -> dict[str, object]:
        """All that a card is and has, as the database says: see `Model.state`."""
        card = builders.fresh(self.cards[number])
        return {
            "status": card.status,
            "owner": next(
                name for name, customer in self.customers.items() if customer == card.owner
            ),
            "merged into": self.cards.index(card.merged_into) if card.merged_into else None,
            "expires at": card.expires_at,
            "buckets": builders.buckets(card),
            "lots": Counter(
                card.grants.values_list(
                    "funding", "amount", "remaining", "valid_from", "expires_at"
                )
            ),
            "transactions": list(
                card.transactions.order_by("id").values_list(
                    "kind", "amount", "settled", "released", "refunded"
                )
            ),
            "usable": lookup.card_by_id(self.store.pk, card.public_id).usable,
        }

    def recalled(self, call: Call) -> Answer | None:
        """What is known of a request without the lock; None when the verb has to be called."""
        try:
            if call.verb in {"authorize", "credit"}:
                return self._recalled_purchase(call)
            if call.verb in {"settle", "cancel"}:
                return self._recalled_step(call)
        except Decline as decline:
            return Answer("declined", decline.code)
        except LedgerError as error:
            return Answer("refused", error.code)
        return None

    def _recalled_purchase(self, call: Call) -> Answer | None:
        card = self.cards[call.card].public_id
        recall = ledger.recall_purchase(self.store.pk, card, request_id=call.request_id)
        transaction = recall.first_answer(call.verb, call.amount)
        return None if transaction is None else self._answer(transaction)

    def _recalled_step(self, call: Call) -> Answer | None:
        recall = ledger.recall_step(
            self.store.pk,
            self.cards[call.card].public_id,
            self.transactions[call.transaction].public_id,
            kind=call.verb,
            request_id=call.request_id,
        )
        operation = recall.first_answer(call.verb, call.amount)
        return None if operation is None else self._answer(operation)

    def _answer(self, done: Transaction | Operation | None) -> Answer:
        """The answer, in which every transaction and operation has the number of its first day."""
        if done is None:
            return Answer("ok")
        if isinstance(done, Transaction):
            if done.public_id not in [known.public_id for known in self.transactions]:
                self.transactions.append(done)
            return Answer("ok", number=self._number(done.public_id), applied=done.amount)
        if done.oid in [known.public_id for known in self.transactions]:
            return Answer("ok", "settled by nature", self._number(done.oid), done.applied)
        if done.oid not in self.operations:
            self.operations.append(done.oid)
        return Answer("ok", number=self.operations.index(done.oid), applied=done.applied)

    def _number(self, public_id: str) -> int:
        return [transaction.public_id for transaction in self.transactions].index(public_id)
