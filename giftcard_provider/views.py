"""The eleven operations: authenticate, parse, ask the ledger, answer. No rule lives here."""

from collections.abc import Callable
from typing import ClassVar, cast

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from giftcard_provider import carts, failed_calls, serializers
from giftcard_provider.models import Caller, Endpoint
from giftcard_provider.pagination import page
from giftcard_provider.parsers import LenientParser
from giftcard_provider.throttling import CredentialRate, WrongCodes
from loyalty import ledger, lookup, wallets
from loyalty.models import Operation, Origin, Store, Transaction
from loyalty.money import to_units

CREDIT = Transaction.Kind.CREDIT


class ProtocolView(APIView):
    """One resource of the protocol. The caller is known before anything of the request is read."""

    http_method_names = ["get", "post"]
    throttle_classes = [CredentialRate]
    endpoint: ClassVar[Endpoint]

    @property
    def caller(self) -> Caller:
        """The store that calls."""
        return cast("Caller", self.request.user)

    @property
    def actor(self) -> str:
        """Who the ledger's records name."""
        return f"vtex:{self.caller.app_key}"[:64]


class UnknownPathView(ProtocolView):
    """Every other path below the mount: credentials first, then 404."""

    endpoint = Endpoint.ELSEWHERE

    def get(self, request: Request, path: str) -> Response:
        """Nothing is here."""
        raise NotFound

    post = get


class SearchView(ProtocolView):
    """POST /giftcards/_search."""

    endpoint = Endpoint.SEARCH
    parser_classes = [LenientParser]

    def post(self, request: Request) -> Response:
        """The usable cards of the shopper, or the one card of a typed code; never an error."""
        wanted = serializers.SearchRequest.from_body(request.data)
        found = self._by_code(wanted) if wanted.typed_code else self._by_owner(wanted)
        carts.remember(found, wanted.cart)
        part, content_range = page(found, request.headers.get("REST-Range"))
        return Response(
            serializers.search_answer(part, provider_id=self.caller.provider_id),
            headers={"REST-Content-Range": content_range},
        )

    def _by_owner(self, wanted: serializers.SearchRequest) -> list[lookup.CardView]:
        return lookup.cards_of(self.caller.store_id, wanted.client, wanted.cart)

    def _by_code(self, wanted: serializers.SearchRequest) -> list[lookup.CardView]:
        wrong_codes = WrongCodes(self.caller.store_id, wanted.client, wanted.cart_id)
        notes = failed_calls.notes_of(self.request.META)
        if wrong_codes.is_over_limit():
            notes.unfound_code = wanted.typed_code
            return []
        card = lookup.card_by_code(
            self.caller.store_id, wanted.typed_code, wanted.client, wanted.cart
        )
        if card is None:
            wrong_codes.count(wanted.typed_code)
            notes.unfound_code = wanted.typed_code
            return []
        return [card]


class CardsView(ProtocolView):
    """POST /giftcards."""

    endpoint = Endpoint.CARDS

    def post(self, request: Request) -> Response:
        """The customer's wallet, opened when there is none yet."""
        wanted = serializers.wallet_request(request.data, timezone.now())
        store = Store.objects.get(pk=self.caller.store_id)
        card = wallets.open_wallet(store, wanted, actor=self.actor)
        view = lookup.card_by_id(store.pk, card.public_id)
        return Response(
            serializers.wallet_answer(
                card,
                view,
                provider_id=self.caller.provider_id,
                profile_id=wanted.owner.profile_id or None,
            )
        )


class CardView(ProtocolView):
    """GET /giftcards/{id}."""

    endpoint = Endpoint.CARD

    def get(self, request: Request, card_id: str) -> Response:
        """The card with what is usable of it now."""
        found = lookup.card_by_id(self.caller.store_id, card_id)
        card = found.within(carts.last_of(found))
        return Response(serializers.card_answer(card, provider_id=self.caller.provider_id))


class TransactionsView(ProtocolView):
    """GET and POST /giftcards/{id}/transactions."""

    endpoint = Endpoint.TRANSACTIONS

    def get(self, request: Request, card_id: str) -> Response:
        """Every transaction of the card, newest first; paged only when a range is asked for."""
        found = lookup.transactions_of(self.caller.store_id, card_id)
        wanted_range = request.headers.get("REST-Range")
        part, content_range = page(found, wanted_range or f"0-{max(len(found) - 1, 0)}")
        return Response(
            [serializers.transaction_reference(card_id, each.public_id) for each in part],
            headers={"REST-Content-Range": content_range},
        )

    def post(self, request: Request, card_id: str) -> Response:
        """A debit or a credit, once for each request id."""
        wanted = serializers.TransactionRequest.from_body(request.data)
        found = ledger.recall_purchase(self.caller.store_id, card_id, request_id=wanted.request_id)
        amount = to_units(wanted.value, currency=found.currency, exponent=found.exponent)
        move = self._credit if wanted.kind == CREDIT else self._debit
        return Response(
            serializers.transaction_reference(card_id, move(found, wanted, amount).public_id)
        )

    def _debit(
        self, found: ledger.Recall, wanted: serializers.TransactionRequest, amount: int
    ) -> Transaction:
        return found.first_answer(Operation.Kind.AUTHORIZE, amount) or ledger.authorize(
            found.card_id,
            amount=amount,
            request_id=wanted.request_id,
            actor=self.actor,
            buyer=wanted.client,
            token=wanted.token,
            cart=wanted.cart,
            order_id=wanted.order_id,
            order_sequence=wanted.order_sequence,
        )

    def _credit(
        self, found: ledger.Recall, wanted: serializers.TransactionRequest, amount: int
    ) -> Transaction:
        transaction = found.first_answer(Operation.Kind.CREDIT, amount) or ledger.credit(
            found.card_id,
            amount=amount,
            request_id=wanted.request_id,
            actor=self.actor,
            origin=Origin.REWARD,
            order_id=wanted.order_id,
            order_sequence=wanted.order_sequence,
        )
        wallets.meet_owner(found.card_id, wanted.client, name=wanted.client_name)
        return transaction


class TransactionView(ProtocolView):
    """GET /giftcards/{id}/transactions/{tid}."""

    endpoint = Endpoint.TRANSACTION

    def get(self, request: Request, card_id: str, transaction_id: str) -> Response:
        """One transaction, with its links."""
        found = lookup.transaction_of(self.caller.store_id, card_id, transaction_id)
        return Response(serializers.transaction_answer(found))


class AuthorizationView(ProtocolView):
    """GET /giftcards/{id}/transactions/{tid}/authorization."""

    endpoint = Endpoint.AUTHORIZATION

    def get(self, request: Request, card_id: str, transaction_id: str) -> Response:
        """What was authorized."""
        found = lookup.transaction_of(self.caller.store_id, card_id, transaction_id)
        return Response(serializers.authorization_answer(found))


class StepsView(ProtocolView):
    """What settlements and cancellations share: a list to add up, and a step to take."""

    kind: Operation.Kind
    verb: Callable[..., Operation]

    def get(self, request: Request, card_id: str, transaction_id: str) -> Response:
        """Every step that was applied, oldest first."""
        found = lookup.transaction_of(self.caller.store_id, card_id, transaction_id)
        card = found.card
        return Response(
            [
                serializers.step_answer(step, currency=card.currency, exponent=card.exponent)
                for step in lookup.steps_of(found, self.kind)
            ]
        )

    def post(self, request: Request, card_id: str, transaction_id: str) -> Response:
        """One step, once for each request id and value."""
        wanted = serializers.StepRequest.from_body(request.data)
        found = ledger.recall_step(
            self.caller.store_id,
            card_id,
            transaction_id,
            kind=self.kind,
            request_id=wanted.request_id,
        )
        amount = to_units(wanted.value, currency=found.currency, exponent=found.exponent)
        step = found.first_answer(self.kind, amount) or self.verb(
            found.transaction, amount=amount, request_id=wanted.request_id, actor=self.actor
        )
        return Response(
            serializers.step_answer(step, currency=found.currency, exponent=found.exponent)
        )


class SettlementsView(StepsView):
    """GET and POST .../settlements."""

    endpoint = Endpoint.SETTLEMENTS
    kind = Operation.Kind.SETTLE
    verb = staticmethod(ledger.settle)


class CancellationsView(StepsView):
    """GET and POST .../cancellations: release before settlement, refund after it."""

    endpoint = Endpoint.CANCELLATIONS
    kind = Operation.Kind.CANCEL
    verb = staticmethod(ledger.cancel)
