"""The wire's words: what comes in, read into our own; what goes out. The only camelCase.

VTEX sends more than the protocol needs, and much of it null: whatever is not named here is ignored.
Amounts are decimals of major units on both sides.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from giftcard_provider import fields
from loyalty import codes
from loyalty.identity import Identity
from loyalty.lookup import CardView
from loyalty.models import GiftCard, Operation, Transaction
from loyalty.money import shown
from loyalty.redemption import Cart
from loyalty.wallets import WalletRequest

Body = Mapping[str, Any]
Answer = dict[str, Any]

MAX_CODE = 512
MAX_NAME = 100
MAX_ORDER = 64
MAX_SEQUENCE = 32
MAX_REQUEST_ID = 128
MAX_TOKEN = 512


def _object(value: object) -> Body:
    return value if isinstance(value, dict) else {}


def _text(body: Body, name: str, *, limit: int) -> str:
    value = fields.text(body.get(name), limit=limit)
    if value is None:
        raise fields.InvalidField(name)
    return value


def _cart(cart: Body) -> Cart | None:
    """The cart's sums, added up here: a debit's `grandTotal` is 0. None when a sum is missing."""
    items, discounts, shipping, taxes = (
        fields.number(cart.get(name)) for name in ("itemsTotal", "discounts", "shipping", "taxes")
    )
    if items is None:
        return None
    sums = (items, discounts or Decimal(0), shipping or Decimal(0), taxes or Decimal(0))
    return Cart(total=sum(sums, Decimal(0)), shipping=shipping or Decimal(0))


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """POST /giftcards/_search: who is paying, in which cart, with which typed code."""

    client: Identity
    cart_id: str
    cart: Cart | None
    typed_code: str

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Read any JSON object: what cannot be read finds nothing."""
        client, cart = _object(body.get("client")), _object(body.get("cart"))
        typed = cart.get("redemptionCode")
        return cls(
            client=Identity.of(
                profile_id=client.get("id"),
                email=client.get("email"),
                document=client.get("document"),
                corporate_document=client.get("corporateDocument"),
            ),
            cart_id=str(cart.get("id") or "")[:MAX_NAME],
            cart=_cart(cart),
            typed_code=typed.strip()[:MAX_CODE] if isinstance(typed, str) else "",
        )


def wallet_request(body: Body, now: datetime.datetime) -> WalletRequest:
    """POST /giftcards. Raises `InvalidField` without a relation and a caption.

    An expiry that has passed (the documentation's own example has one) is taken as none given.
    """
    relation_name = _text(body, "relationName", limit=MAX_NAME)
    caption = _text(body, "caption", limit=MAX_NAME)
    if not relation_name and not caption:
        raise fields.InvalidField("relationName")
    expires_at = fields.moment(body.get("expiringDate"))
    profile_id = body.get("profileId") or body.get("userProfileId")
    return WalletRequest(
        relation_name=relation_name,
        caption=caption,
        # "You can use the customer's registered email", says the documentation of this field.
        owner=Identity.of(profile_id=profile_id, email=profile_id),
        currency=_text(body, "currencyCode", limit=3).upper(),
        expires_at=expires_at if expires_at and expires_at > now else None,
        is_restricted=_flag(body, "restrictedToOwner"),
        is_reloadable=_flag(body, "multipleCredits"),
        is_reusable=_flag(body, "multipleRedemptions"),
    )


def _flag(body: Body, name: str) -> bool | None:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise fields.InvalidField(name)


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """POST /giftcards/{id}/transactions. The redemption code is masked, empty or null: not read."""

    kind: Transaction.Kind
    value: Decimal
    request_id: str
    token: str
    order_id: str
    order_sequence: str
    cart: Cart | None
    client: Identity
    client_name: str

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Raises `InvalidField` and `InvalidAmount`; the order may be missing."""
        order = _object(body.get("orderInfo"))
        profile = _object(order.get("clientProfile"))
        token = _text(body, "redemptionToken", limit=MAX_TOKEN)
        names = [
            fields.text(profile.get(name), limit=MAX_NAME) for name in ("firstName", "lastName")
        ]
        return cls(
            kind=_kind(body.get("operation")),
            value=fields.amount(body.get("value")),
            request_id=_request_id(body),
            token="" if "*" in token else token,
            order_id=_text(order, "orderId", limit=MAX_ORDER),
            order_sequence=_text(order, "sequence", limit=MAX_SEQUENCE),
            cart=_cart(_object(order.get("cart"))),
            client=Identity.of(
                profile_id=profile.get("profileId") or profile.get("userProfileId"),
                email=profile.get("email"),
                document=profile.get("document"),
                corporate_document=profile.get("corporateDocument"),
            ),
            client_name=" ".join(name for name in names if name),
        )


@dataclass(frozen=True, slots=True)
class StepRequest:
    """POST .../settlements and POST .../cancellations."""

    value: Decimal
    request_id: str

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Raises `InvalidField` and `InvalidAmount`."""
        return cls(value=fields.amount(body.get("value")), request_id=_request_id(body))


def _kind(value: object) -> Transaction.Kind:
    if isinstance(value, str) and value.strip().lower() in Transaction.Kind:
        return Transaction.Kind(value.strip().lower())
    raise fields.InvalidField("operation")


def _request_id(body: Body) -> str:
    request_id = _text(body, "requestId", limit=MAX_REQUEST_ID)
    if not request_id:
        raise fields.InvalidField("requestId")
    return request_id


def card_link(card_id: str) -> str:
    """The card's path, relative to the service URL."""
    return f"giftcards/{card_id}"


def transaction_link(card_id: str, transaction_id: str) -> str:
    """The transaction's path, relative to the service URL."""
    return f"{card_link(card_id)}/transactions/{transaction_id}"


def search_answer(cards: Sequence[CardView], *, provider_id: str) -> list[Answer]:
    """The cards found, without code or token."""
    return [
        {
            "id": card.public_id,
            "provider": provider_id,
            "balance": card.balance,
            "_self": {"href": card_link(card.public_id)},
            **_labels(card.relation_name, card.caption),
        }
        for card in cards
    ]


def card_answer(card: CardView, *, provider_id: str) -> Answer:
    """GET /giftcards/{id}: both spellings of the link, since VTEX reads either."""
    transactions = {"href": f"{card_link(card.public_id)}/transactions"}
    return {
        "id": card.public_id,
        "provider": provider_id,
        "redemptionToken": codes.token(card.public_id),
        "redemptionCode": codes.masked(card.code_last4),
        "balance": card.balance,
        "emissionDate": fields.card_date(card.created_at),
        "expiringDate": fields.card_date(card.expires_at),
        "currencyCode": card.currency,
        "discount": False,
        "transaction": transactions,
        "transactions": transactions,
        **_labels(card.relation_name, card.caption),
    }


def wallet_answer(
    card: GiftCard, view: CardView, *, provider_id: str, profile_id: object
) -> Answer:
    """POST /giftcards: the card, and what was asked for as it now stands."""
    return {
        **card_answer(view, provider_id=provider_id),
        "relationName": card.relation_name,
        "caption": card.caption,
        "restrictedToOwner": card.is_restricted,
        "multipleRedemptions": card.is_reusable,
        "multipleCredits": card.is_reloadable,
        "profileId": profile_id,
    }


def _labels(relation_name: str, caption: str) -> Answer:
    # Empty ones made checkout fail at a provider in production: left out.
    labels = {"relationName": relation_name, "caption": caption}
    return {name: label for name, label in labels.items() if label}


def transaction_reference(card_id: str, transaction_id: str) -> Answer:
    """The answer to a new transaction, and one line of the list."""
    return {
        "cardId": card_id,
        "id": transaction_id,
        "_self": {"href": transaction_link(card_id, transaction_id)},
    }


def transaction_answer(transaction: Transaction) -> Answer:
    """GET .../transactions/{tid}."""
    card = transaction.card
    link = transaction_link(card.public_id, transaction.public_id)
    return {
        "cardId": card.public_id,
        "id": transaction.public_id,
        "operation": transaction.kind.capitalize(),
        "value": _shown(transaction.amount, card),
        "description": f"Order {transaction.order_id}" if transaction.order_id else "",
        "date": fields.step_date(transaction.created_at),
        "requestId": transaction.request_id,
        "authorization": {"href": f"{link}/authorization"},
        "settlement": {"href": f"{link}/settlements"},
        "cancellation": {"href": f"{link}/cancellations"},
        "_self": {"href": link},
    }


def authorization_answer(transaction: Transaction) -> Answer:
    """GET .../authorization: the whole transaction, whatever was canceled since."""
    return {
        "oid": transaction.public_id,
        "value": _shown(transaction.amount, transaction.card),
        "date": fields.step_date(transaction.created_at),
    }


def step_answer(operation: Operation, *, currency: str, exponent: int) -> Answer:
    """A settlement or cancellation, with the value that was really applied."""
    return {
        "oid": operation.oid,
        "value": shown(operation.applied, currency=currency, exponent=exponent),
        "date": fields.step_date(operation.created_at),
    }


def _shown(units: int, card: GiftCard) -> Decimal:
    return shown(units, currency=card.currency, exponent=card.exponent)
