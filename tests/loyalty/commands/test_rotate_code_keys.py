"""`manage.py rotate_code_keys`: every code under the current key, and found all the while."""

import base64
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from loyalty import codes
from loyalty.exceptions import DuplicateCode
from loyalty.identity import Identity
from loyalty.lookup import card_by_code
from loyalty.models import GiftCard
from tests.builders import history, make_card, make_hold, make_program, unchanged

pytestmark = pytest.mark.django_db

OLD, NEW, GONE = (
    base64.b64encode(bytes(range(start, start + 32))).decode() for start in (1, 101, 201)
)


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.LOYALTY_CODE_KEYS = [OLD]


@pytest.fixture
def cards() -> dict[str, GiftCard]:
    """Five cards of one store by their code: two of ours, three imported."""
    program = make_program()
    imported = ("Vale-2019 x", "vale-2019 X", "0001")
    made = [
        *(make_card(program, balance=100) for _ in range(2)),
        *(make_card(program, balance=100, imported_code=code) for code in imported),
    ]
    return {card.code: card for card in made}


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_code_keys", *arguments, stdout=out)
    return out.getvalue().strip()


def assert_found(cards: dict[str, GiftCard]) -> None:
    """Each code finds its card, and each card knows its code."""
    for code, card in cards.items():
        view = card_by_code(card.store_id, code, Identity())
        assert view is not None
        assert view.public_id == card.public_id
        assert GiftCard.objects.get(pk=card.pk).code == code


def current() -> int:
    sealed = GiftCard.objects.values_list("code_sealed", flat=True)
    return sum(codes.is_current(bytes(value)) for value in sealed)


def test_finds_every_code_before_and_after(settings: Settings, cards: dict[str, GiftCard]) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]
    assert_found(cards)

    printed = rotate()

    assert printed == "5 codes, 5 of them renewed."
    assert_found(cards)
    settings.LOYALTY_CODE_KEYS = [NEW]
    assert_found(cards)


@pytest.mark.parametrize("batch", [1, 2, 4, 5, 6])
def test_renews_every_card_whatever_the_batch(
    settings: Settings, cards: dict[str, GiftCard], batch: int
) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]

    printed = rotate("--batch", str(batch))

    assert printed == "5 codes, 5 of them renewed."
    settings.LOYALTY_CODE_KEYS = [NEW]
    assert_found(cards)


def test_can_be_repeated(settings: Settings, cards: dict[str, GiftCard]) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]
    rotate()
    rows = list(GiftCard.objects.order_by("pk").values())

    printed = rotate()

    assert printed == "5 codes, 0 of them renewed."
    assert list(GiftCard.objects.order_by("pk").values()) == rows


def test_goes_on_where_it_was_interrupted(
    settings: Settings, cards: dict[str, GiftCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]
    seal = codes.seal
    sealed: list[str] = []

    def seal_three(code: str, *, card_public_id: str) -> bytes:
        if len(sealed) == 3:
            raise KeyboardInterrupt
        sealed.append(code)
        return seal(code, card_public_id=card_public_id)

    monkeypatch.setattr(codes, "seal", seal_three)
    with pytest.raises(KeyboardInterrupt):
        rotate("--batch", "2")
    monkeypatch.setattr(codes, "seal", seal)
    assert current() == 2  # the batch that was interrupted left no trace
    assert_found(cards)
    printed = rotate("--batch", "2")

    assert printed == "5 codes, 3 of them renewed."
    settings.LOYALTY_CODE_KEYS = [NEW]
    assert_found(cards)


def test_takes_cards_of_both_keys(settings: Settings, cards: dict[str, GiftCard]) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]
    newer = make_card(cards["0001"].program, balance=100)

    printed = rotate()

    assert printed == "6 codes, 5 of them renewed."
    assert_found(cards | {newer.code: newer})


def test_changes_nothing_else(settings: Settings, cards: dict[str, GiftCard]) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]
    card = cards["0001"]
    make_hold(card, 30)
    before = history(card)

    rotate()

    after = history(card)
    [old], [new] = before.pop("card"), after.pop("card")
    assert after == before
    assert {name for name in old if old[name] != new[name]} == {"code_digest", "code_sealed"}


def test_accepts_the_token_of_either_key(settings: Settings, cards: dict[str, GiftCard]) -> None:
    card = cards["0001"]
    old_token = card.token
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]

    rotate()

    make_hold(card, 10, token=old_token)
    make_hold(card, 10, token=card.token)
    assert card.token != old_token


def test_has_nothing_to_do_with_one_key(cards: dict[str, GiftCard]) -> None:
    assert rotate() == "5 codes, 0 of them renewed."


def test_has_nothing_to_do_without_cards() -> None:
    assert rotate() == "0 codes, 0 of them renewed."


def test_an_imported_code_is_a_duplicate_also_under_the_previous_key(
    settings: Settings, cards: dict[str, GiftCard]
) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]

    with unchanged(cards["0001"]), pytest.raises(DuplicateCode):
        make_card(cards["0001"].program, imported_code="0001")

    assert GiftCard.objects.count() == 5


def test_names_the_cards_whose_key_is_gone_and_renews_the_others(
    settings: Settings, cards: dict[str, GiftCard]
) -> None:
    settings.LOYALTY_CODE_KEYS = [GONE]
    lost = make_card(cards["0001"].program)
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]

    with pytest.raises(CommandError) as failed:
        rotate()

    assert str(failed.value) == (
        "Keep the previous key."
        f" Not renewed: 1 that no key of LOYALTY_CODE_KEYS opens ({lost.public_id})."
    )
    assert failed.value.returncode == 1
    assert current() == 5
    assert_found(cards)


def test_names_the_cards_whose_code_another_card_has_and_renews_the_others(
    settings: Settings, cards: dict[str, GiftCard]
) -> None:
    settings.LOYALTY_CODE_KEYS = [NEW]  # a process that was not told the previous key
    make_card(cards["0001"].program, imported_code="0001")
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]

    with pytest.raises(CommandError, match=cards["0001"].public_id):
        rotate()

    assert current() == 5
    del cards["0001"]
    assert_found(cards)
