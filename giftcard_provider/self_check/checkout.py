"""What checkout and the gateway do with a test card, and how it is undone again.

Amounts are decimals of major units. Every purchase is small, and given back in full when the check
that made it is over, passed or not.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from threading import Barrier
from typing import Any

from giftcard_provider.self_check.check import Failed, Skipped
from giftcard_provider.self_check.wire import Answer, Target, Wire
from loyalty.exceptions import UnknownCurrency
from loyalty.money import exponent_of

# Calls at the same moment.
AT_ONCE = 6
# The smallest steps of the currency that the card has to hold.
_LEAST_STEPS = 40

_USUAL_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Card:
    """The test card as it was found."""

    id: str
    token: str
    currency: str
    digits: int
    balance: Decimal

    @property
    def step(self) -> Decimal:
        """The smallest amount of its currency."""
        return Decimal(1).scaleb(-self.digits)


class Checkout:
    """A provider with a test card, as VTEX uses them."""

    def __init__(self, target: Target, wire: Wire) -> None:
        self.target = target
        self.wire = wire
        self.run_id = secrets.token_hex(6)
        # What could not be given back, by transaction.
        self.left: dict[str, Decimal] = {}
        self._card: Card | None = None

    @property
    def card(self) -> Card:
        """The test card; a check that needs it is skipped while there is none."""
        if self._card is None:
            raise Skipped("no_card")
        return self._card

    @property
    def step(self) -> Decimal:
        """The smallest amount of the card's currency."""
        return self.card.step

    def find_card(self) -> None:
        """Meet the test card: by its id, or by its code. Raises `Failed`."""
        card_id = self.target.card_id or self._found_by_code()
        answer = self.wire.call("GET", f"giftcards/{card_id}")
        seen = answer.object()
        currency = str(seen.get("currencyCode") or "")
        card = Card(
            id=card_id,
            token=str(seen.get("redemptionToken") or ""),
            currency=currency,
            digits=_digits(currency),
            balance=number(answer, seen, "balance"),
        )
        if card.balance < _LEAST_STEPS * card.step:
            expected = _LEAST_STEPS * card.step
            raise Failed("too_little", found=card.balance, expected=expected)
        self._card = card

    def _found_by_code(self) -> str:
        found = self.search(self.target.code).rows()
        if len(found) != 1 or not found[0].get("id"):
            raise Failed("count", call="POST giftcards/_search", found=len(found), expected=1)
        return str(found[0]["id"])

    # --- What VTEX asks for ---

    def search(self, code: str | None, **changes: Any) -> Answer:
        """`_search` for a code or, with None, for the shopper's own cards."""
        headers, note = changes.pop("headers", None), changes.pop("note", "")
        body = {"client": self.client(), "cart": self.cart(code)} | changes
        return self.wire.call("POST", "giftcards/_search", body, headers=headers, note=note)

    def client(self) -> dict[str, Any]:
        """The shopper, as far as one was named."""
        return {
            "id": None,
            "email": self.target.email or None,
            "document": self.target.document or None,
        }

    def cart(self, code: str | None) -> dict[str, Any]:
        """A cart of its own each time, so that no limit of wrong codes is reached."""
        return {
            "id": secrets.token_hex(16),
            "redemptionCode": code,
            "relationName": None,
            "grandTotal": Decimal("182.5"),
            "discounts": Decimal("-7.5"),
            "shipping": Decimal("5.92"),
            "taxes": 0,
            "itemsTotal": Decimal("184.08"),
            "items": [
                {
                    "productId": "1",
                    "id": "2",
                    "refId": None,
                    "name": None,
                    "price": Decimal("92.04"),
                    "quantity": 2,
                }
            ],
        }

    def debit_body(self, value: object, request_id: str = "", **changes: Any) -> dict[str, Any]:
        """A Debit as the gateway sends it; the order says that nobody bought anything."""
        body = {
            "operation": "Debit",
            "value": value,
            "description": "GiftCardHub",
            "redemptionToken": self.card.token or None,
            "redemptionCode": "",
            "requestId": request_id or self.new_id(),
            "orderInfo": {
                "orderId": f"self-check-{self.run_id}",
                "sequence": None,
                "cart": {"grandTotal": 0, "discounts": None, "items": []},
                "clientProfile": self.client(),
                "shipping": None,
            },
        }
        return body | changes

    def new_id(self) -> str:
        """A requestId that nobody has used: 32 upper-case hexadecimal digits, as a payment's."""
        return secrets.token_hex(16).upper()

    def post_debit(self, body: object, *, card_id: str = "", note: str = "") -> Answer:
        """The Debit; one that was accepted is given back when the check is over."""
        path = f"giftcards/{card_id or self.card.id}/transactions"
        return self.wire.call("POST", path, body, note=note)

    def balance(self) -> Decimal:
        """What the provider says that the card holds now."""
        answer = self.wire.call("GET", f"giftcards/{self.card.id}")
        return number(answer, answer.object(), "balance")

    # --- Purchases that are undone ---

    @contextmanager
    def debit(self, value: Decimal, **changes: Any) -> Iterator["Purchase"]:
        """A purchase, for the length of a block."""
        answer = self.post_debit(self.debit_body(value, **changes)).accepted()
        purchase = Purchase(self, transaction_id(answer), value)
        with self.undone(purchase):
            yield purchase

    @contextmanager
    def undone(self, *purchases: "Purchase") -> Iterator[None]:
        """Give back what these hold or have spent, whatever happens in the block."""
        try:
            yield
        finally:
            for purchase in purchases:
                self._undo(purchase)

    def settle_accounts(self, answers: Sequence[Answer], value: Decimal) -> list["Purchase"]:
        """The purchases that came of several answers, one for each transaction."""
        ids = dict.fromkeys(transaction_id(each) for each in answers if each.is_ok)
        return [Purchase(self, each, value) for each in ids]

    def _undo(self, purchase: "Purchase") -> None:
        try:
            rest = purchase.value - purchase.sum("cancellations")
            if rest > 0:
                purchase.cancel(rest).accepted()
        except Failed:
            self.left[purchase.id] = purchase.value

    # --- Looking twice ---

    @contextmanager
    def moves(self, by: Decimal | int, call: str) -> Iterator[None]:
        """What is done inside changes the balance by exactly this."""
        before = self.balance()
        yield
        self.expect_balance(before + by, call)

    def expect_balance(self, expected: Decimal, call: str) -> None:
        """The balance is this now."""
        found = self.balance()
        if found != expected:
            raise Failed("balance", call=call, found=found, expected=expected)

    def at_once(self, call: Callable[[int], Answer], times: int = AT_ONCE) -> list[Answer]:
        """The answers to calls that start at the same moment."""
        barrier = Barrier(times)

        def waiting(index: int) -> Answer:
            barrier.wait(timeout=10)
            return call(index)

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(waiting, range(times)))


@dataclass(frozen=True, slots=True)
class Purchase:
    """A Debit that was accepted."""

    checkout: Checkout
    id: str
    value: Decimal

    @property
    def path(self) -> str:
        """Of the transaction."""
        return f"giftcards/{self.checkout.card.id}/transactions/{self.id}"

    def get(self, part: str = "") -> Answer:
        """The transaction, or a part of it."""
        return self.checkout.wire.call("GET", f"{self.path}/{part}" if part else self.path)

    def settle(self, value: object, request_id: str = "") -> Answer:
        """A settlement."""
        return self._step("settlements", value, request_id)

    def cancel(self, value: object, request_id: str = "") -> Answer:
        """A cancellation: release before the settlement, refund after it."""
        return self._step("cancellations", value, request_id)

    def sum(self, kind: str) -> Decimal:
        """What the Hub adds up before it posts another one."""
        answer = self.get(kind)
        return sum((number(answer, row, "value") for row in answer.rows()), Decimal(0))

    def expect_sum(self, kind: str, expected: Decimal) -> None:
        """The values of the list add up to this."""
        found = self.sum(kind)
        if found != expected:
            call = f"GET giftcards/{{id}}/transactions/{{tid}}/{kind}"
            raise Failed("sum", call=call, found=found, expected=expected)

    def _step(self, kind: str, value: object, request_id: str) -> Answer:
        body = {"value": value, "requestId": request_id or self.checkout.new_id()}
        return self.checkout.wire.call("POST", f"{self.path}/{kind}", body)


def number(answer: Answer, row: Mapping[str, Any], name: str) -> Decimal:
    """A field that is a JSON number. Raises `Failed`."""
    value = filled(answer, row, name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Failed("kind", call=answer.call, name=name, expected="number")
    return Decimal(value)


def filled(answer: Answer, row: Mapping[str, Any], name: str) -> Any:
    """A field that is there. Raises `Failed`."""
    if row.get(name) is None:
        raise Failed("missing", call=answer.call, name=name)
    return row[name]


def equals(answer: Answer, row: Mapping[str, Any], name: str, expected: object) -> None:
    """A field that is exactly this. Raises `Failed`."""
    found = filled(answer, row, name)
    if found != expected:
        raise Failed("value", call=answer.call, name=name, found=found, expected=expected)


def transaction_id(answer: Answer) -> str:
    """The id of a transaction that was accepted. Raises `Failed` when it is empty."""
    found = filled(answer, answer.object(), "id")
    if not str(found).strip():
        raise Failed("empty", call=answer.call, name="id")
    return str(found)


def _digits(currency: str) -> int:
    try:
        return exponent_of(currency)
    except UnknownCurrency:
        return _USUAL_DIGITS
