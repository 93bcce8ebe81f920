import pytest

from loyalty.ledger import invariants
from loyalty.models import Customer, Entry, GiftCard
from tests.bench.prepare import add_cards, credential
from tests.builders import buckets


@pytest.mark.django_db(transaction=True)
def test_the_books_of_a_measurement_are_right() -> None:
    credential()

    add_cards(1, 4, searchable=[3])

    cards = list(GiftCard.objects.order_by("pk"))
    assert [buckets(card) for card in cards] == [
        {"credited": 9_000_000, "available": 8_999_000, "held": 500, "spent": 500}
    ] * 4
    assert [card.owner_id for card in cards] == [1, 1, 2, 2]
    assert (Customer.objects.count(), Entry.objects.count()) == (2, 12)
    assert invariants.violations() == []
