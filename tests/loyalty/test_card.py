import datetime

import pytest
from django.db import models

from loyalty import codes
from loyalty.models import GiftCard
from tests.builders import make_card

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def test_has_no_money_columns() -> None:
    """Amounts live in Balance and Grant, which only the ledger writes."""
    money = [field for field in GiftCard._meta.fields if isinstance(field, models.BigIntegerField)]

    assert [field.name for field in money] == ["id"]


@pytest.mark.django_db
def test_is_called_by_the_end_of_its_code() -> None:
    card = make_card(imported_code="VALE-2019-XYZ")

    assert str(card) == "************-XYZ"


@pytest.mark.django_db
def test_knows_its_code_and_token() -> None:
    card = make_card(imported_code="VALE-2019-XYZ")

    stored = GiftCard.objects.get(pk=card.pk)
    assert stored.code == "VALE-2019-XYZ"
    assert stored.token == codes.token(card.public_id)


@pytest.mark.django_db
def test_says_nothing_of_its_code_in_the_database() -> None:
    card = make_card(imported_code="VALE-2019-XYZ")

    row = GiftCard.objects.values().get(pk=card.pk)
    text = " ".join(
        bytes(value).decode("latin-1") if isinstance(value, memoryview) else str(value)
        for value in row.values()
    )
    assert "VALE" not in text
    assert "2019" not in text.replace(str(card.created_at), "")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(NOON - INSTANT, False, id="before the first instant"),
        pytest.param(NOON, True, id="first instant"),
        pytest.param(NOON + DAY - INSTANT, True, id="last instant"),
        pytest.param(NOON + DAY, False, id="after the last instant"),
    ],
)
def test_is_valid_within_its_dates(at: datetime.datetime, *, expected: bool) -> None:
    card = GiftCard(valid_from=NOON, expires_at=NOON + DAY)

    assert card.is_valid_at(at) is expected


def test_is_valid_for_ever_without_an_end() -> None:
    assert GiftCard(valid_from=NOON).is_valid_at(NOON + 36_500 * DAY)


@pytest.mark.parametrize("status", ["blocked", "closed"])
def test_is_not_valid_when(status: str) -> None:
    assert not GiftCard(valid_from=NOON, status=status).is_valid_at(NOON)
