"""The purchases of VTEX's guide as stories, with the Hub's own sums; amounts in reais."""

from decimal import Decimal

import pytest

from loyalty.models import GiftCard, Program
from tests.builders import buckets, make_card, make_customer, unchanged
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.hub import Purchase

CPF = "52998224725"


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=10_000)


@pytest.fixture
def purchase(protocol: Protocol, card: GiftCard) -> Purchase:
    """An order of 60 that holds its amount."""
    started = Purchase(protocol)
    started.choose(code=card.code)
    started.place(60)
    return started


def test_a_purchase_by_code_from_search_to_refund(protocol: Protocol, card: GiftCard) -> None:
    purchase = Purchase(protocol)

    [found] = purchase.choose(code=card.code.lower())
    assert found["balance"] == Decimal(100)
    assert purchase.use()["balance"] == Decimal(100)

    purchase.place(60)
    assert purchase.use()["balance"] == Decimal(40)
    assert buckets(card) == {"credited": 10_000, "available": 4_000, "held": 6_000}

    assert purchase.settled() == Decimal(0)
    purchase.settle(60)
    assert purchase.settled() == Decimal(60)
    assert purchase.use()["balance"] == Decimal(40)
    assert buckets(card) == {"credited": 10_000, "available": 4_000, "spent": 6_000}

    assert purchase.canceled() == Decimal(0)
    purchase.cancel(60)
    assert purchase.canceled() == Decimal(60)
    assert purchase.use()["balance"] == Decimal(100)
    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_a_purchase_by_identity(protocol: Protocol, program: Program) -> None:
    owner = make_customer(program.store, email="ana@example.com", document=CPF)
    card = make_card(program, balance=10_000, owner=owner, is_restricted=True)
    purchase = Purchase(protocol)
    client = {"email": "ana@example.com", "document": "529.982.247-25"}

    [found] = purchase.choose(client=client)
    purchase.place(100, orderInfo={"orderId": "v1", "clientProfile": client})
    purchase.settle(100)

    assert found["balance"] == Decimal(100)
    assert purchase.choose(client=client) == []
    assert buckets(card) == {"credited": 10_000, "spent": 10_000}


def test_an_order_invoiced_in_parts(purchase: Purchase, card: GiftCard) -> None:
    for value, request_id, total in ((15, "invoice-1", 15), (40, "invoice-2", 55)):
        purchase.settle(value, request_id)
        assert purchase.settled() == total

    assert buckets(card) == {"credited": 10_000, "available": 4_000, "held": 500, "spent": 5_500}


def test_two_invoices_of_the_same_value(purchase: Purchase, card: GiftCard) -> None:
    purchase.settle(20, "invoice-1")
    purchase.settle(20, "invoice-2")

    assert purchase.settled() == Decimal(40)
    assert buckets(card)["spent"] == 4_000


def test_nothing_is_posted_once_all_is_settled(purchase: Purchase) -> None:
    purchase.settle(60)

    assert purchase.settle(60, "again") is None


def test_an_order_canceled_before_it_is_invoiced(purchase: Purchase, card: GiftCard) -> None:
    purchase.cancel(60)

    assert purchase.canceled() == Decimal(60)
    assert purchase.cancel(60, "again") is None
    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_a_part_is_released_and_the_rest_settled(purchase: Purchase, card: GiftCard) -> None:
    purchase.cancel(Decimal("19.99"))
    purchase.settle(Decimal("40.01"))

    assert (purchase.settled(), purchase.canceled()) == (Decimal("40.01"), Decimal("19.99"))
    assert buckets(card) == {"credited": 10_000, "available": 5_999, "spent": 4_001}


def test_a_part_is_settled_and_the_rest_released(purchase: Purchase, card: GiftCard) -> None:
    purchase.settle(40)
    purchase.cancel(20)

    assert (purchase.settled(), purchase.canceled()) == (Decimal(40), Decimal(20))
    assert buckets(card) == {"credited": 10_000, "available": 6_000, "spent": 4_000}


def test_refunds_in_parts_after_settlement(purchase: Purchase, card: GiftCard) -> None:
    purchase.settle(60)
    for value, request_id, total in ((10, "return-1", 10), (20, "return-2", 30)):
        purchase.cancel(value, request_id)
        assert purchase.canceled() == total

    assert purchase.use()["balance"] == Decimal(70)
    assert buckets(card) == {"credited": 10_000, "available": 7_000, "spent": 3_000}


def test_two_refunds_of_the_same_value(purchase: Purchase, card: GiftCard) -> None:
    """Were it not swallowed on the way (issue 1118560), the second one counts."""
    purchase.settle(60)
    purchase.cancel(10, "return-1")
    purchase.cancel(10, "return-2")

    assert purchase.canceled() == Decimal(20)
    assert buckets(card)["available"] == 6_000


def test_a_refund_of_more_than_was_settled_releases_first(
    purchase: Purchase, card: GiftCard
) -> None:
    purchase.settle(40)
    purchase.cancel(50)

    assert purchase.canceled() == Decimal(50)
    assert buckets(card) == {"credited": 10_000, "available": 9_000, "spent": 1_000}


def test_a_partial_cancellation_followed_by_the_whole(purchase: Purchase, card: GiftCard) -> None:
    """VTEX posts the whole amount after a part of it (issue 309117): what is left is applied."""
    purchase.cancel(20, "return-1")
    answer = purchase.cancel(60, "return-2")

    assert answer is not None
    assert (answer.status, answer.data["value"]) == (200, Decimal("40.00"))
    assert purchase.canceled() == Decimal(60)
    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_a_whole_invoice_after_a_partial_cancellation(purchase: Purchase, card: GiftCard) -> None:
    """The cap stands (issue 1201336): what was released cannot be captured."""
    purchase.cancel(20)

    with unchanged(card, declined="exceeds_hold"):
        answer = purchase.settle(60)

    assert answer is not None
    assert answer.refusal == (422, "exceeds_hold")


def test_a_card_used_for_two_orders_at_the_same_time(protocol: Protocol, card: GiftCard) -> None:
    first, second = Purchase(protocol, "payment-1"), Purchase(protocol, "payment-2")
    for purchase in (first, second):
        purchase.choose(code=card.code)
        purchase.place(50)

    first.settle(50)
    second.cancel(50)

    assert (first.settled(), first.canceled()) == (Decimal(50), Decimal(0))
    assert (second.settled(), second.canceled()) == (Decimal(0), Decimal(50))
    assert buckets(card) == {"credited": 10_000, "available": 5_000, "spent": 5_000}


def test_the_answer_to_every_step_was_lost_once(protocol: Protocol, card: GiftCard) -> None:
    """VTEX repeats whatever it has no answer to; each step happens once."""
    purchase = Purchase(protocol)
    purchase.choose(code=card.code)

    placed = [purchase.place(60).data for _ in range(2)]
    path = purchase.path
    steps = [
        [protocol.post(f"{path}/{kind}", {"value": 60, "requestId": "1"}).data for _ in range(2)]
        for kind in ("settlements", "cancellations")
    ]

    assert placed[0] == placed[1]
    assert [first == second for first, second in steps] == [True, True]
    assert (purchase.settled(), purchase.canceled()) == (Decimal(60), Decimal(60))
    assert buckets(card) == {"credited": 10_000, "available": 10_000}
