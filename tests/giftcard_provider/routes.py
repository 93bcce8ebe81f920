"""The eleven operations of the protocol, with a body that each would accept."""

from dataclasses import dataclass

import pytest

from loyalty.models import GiftCard, Transaction
from tests.giftcard_provider.payloads import CREATE_CARD, Body, debit, search, step


@dataclass(frozen=True)
class Route:
    """One operation."""

    name: str
    method: str
    template: str
    body: Body | bytes = b""

    def path(self, card: GiftCard | str, transaction: Transaction | str = "0" * 32) -> str:
        """The path for a card and transaction, or for any ids."""
        return self.template.format(
            card=card if isinstance(card, str) else card.public_id,
            transaction=transaction if isinstance(transaction, str) else transaction.public_id,
        )


_TRANSACTION = "giftcards/{card}/transactions/{transaction}"
ROUTES = [
    Route("search", "POST", "giftcards/_search", search("ABCD-EFGH-JKLM-NPQR")),
    Route("create card", "POST", "giftcards", CREATE_CARD),
    Route("get card", "GET", "giftcards/{card}"),
    Route("transactions list", "GET", "giftcards/{card}/transactions"),
    Route("transaction", "POST", "giftcards/{card}/transactions", debit(1)),
    Route("transaction get", "GET", _TRANSACTION),
    Route("authorization", "GET", f"{_TRANSACTION}/authorization"),
    Route("settlements", "GET", f"{_TRANSACTION}/settlements"),
    Route("settlement", "POST", f"{_TRANSACTION}/settlements", step(1)),
    Route("cancellations", "GET", f"{_TRANSACTION}/cancellations"),
    Route("cancellation", "POST", f"{_TRANSACTION}/cancellations", step(1)),
]
OF_A_CARD = [route for route in ROUTES if "{card}" in route.template]
OF_A_TRANSACTION = [route for route in ROUTES if "{transaction}" in route.template]
POSTS = [route for route in ROUTES if route.method == "POST"]
MONEY_POSTS = [route for route in POSTS if "{card}" in route.template]

each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
each_route_of_a_card = pytest.mark.parametrize("route", OF_A_CARD, ids=lambda route: route.name)
each_route_of_a_transaction = pytest.mark.parametrize(
    "route", OF_A_TRANSACTION, ids=lambda route: route.name
)
each_post = pytest.mark.parametrize("route", POSTS, ids=lambda route: route.name)
each_money_post = pytest.mark.parametrize("route", MONEY_POSTS, ids=lambda route: route.name)
