"""GET /giftcards/{id}: the card as it is now, in one statement."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine

from loyalty.models import GiftCard, Program
from tests.builders import (
    make_blocked_card,
    make_cancellation,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_purchase,
    make_wallet,
    unchanged,
)
from tests.giftcard_provider.conftest import Protocol

NOW = datetime.datetime(2026, 3, 10, 15, 0, 0, 123456, tzinfo=datetime.UTC)


def balance(protocol: Protocol, card: GiftCard) -> Decimal:
    """What the card shows."""
    shown = protocol.get(f"giftcards/{card.public_id}").data["balance"]
    assert isinstance(shown, Decimal)
    return shown


def test_answers_with_the_whole_card(protocol: Protocol, program: Program) -> None:
    with time_machine.travel(NOW, tick=False):
        end = program.store.last_instant(datetime.date(2026, 12, 31))
        card = make_card(program, balance=87_000, expires_at=end)

        answer = protocol.get(f"giftcards/{card.public_id}")

    link = {"href": f"giftcards/{card.public_id}/transactions"}
    assert answer.data == {
        "id": card.public_id,
        "provider": "ourcredit",
        "redemptionToken": card.token,
        "redemptionCode": f"************{card.code[-4:]}",
        "balance": Decimal("870.00"),
        "emissionDate": "2026-03-10T15:00:00.123",
        "expiringDate": "2027-01-01T02:59:59.999",
        "currencyCode": "BRL",
        "discount": False,
        "transaction": link,
        "transactions": link,
    }


def test_a_card_that_never_expires_has_a_far_date(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100)

    answer = protocol.get(f"giftcards/{card.public_id}")

    assert answer.data["expiringDate"] == "2099-12-31T00:00:00.000"


def test_labels_are_there_when_the_card_has_them(protocol: Protocol, program: Program) -> None:
    card = make_card(program, caption="Vale-presente", relation_name="loyalty-program")

    answer = protocol.get(f"giftcards/{card.public_id}")

    assert answer.data["caption"] == "Vale-presente"
    assert answer.data["relationName"] == "loyalty-program"


def test_the_code_stays_secret(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100)

    answer = protocol.get(f"giftcards/{card.public_id}")

    assert card.code.encode() not in answer.body
    assert card.code[:-4].encode() not in answer.body
    assert card.token not in {card.code, card.public_id}


def test_the_balance_is_what_is_not_held_or_spent(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=10_000)
    make_purchase(card, 2_500)
    hold = make_hold(card, 1_000)

    assert balance(protocol, card) == Decimal("65.00")

    make_cancellation(hold, 400)

    assert balance(protocol, card) == Decimal("69.00")


UNUSABLE: dict[str, Callable[[Program], GiftCard]] = {
    "empty": make_card,
    "blocked": lambda program: make_blocked_card(program, balance=100),
    "closed": lambda program: make_closed_card(program, balance=100),
    "expired": lambda program: make_expired_card(program, balance=100),
    "of another currency": lambda program: make_card(program, balance=100, currency="USD"),
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_a_card_that_cannot_pay_shows_nothing_and_is_still_known(
    protocol: Protocol, program: Program, make: Callable[[Program], GiftCard]
) -> None:
    card = make(program)

    with unchanged(card):
        answer = protocol.get(f"giftcards/{card.public_id}")

    assert (answer.status, answer.data["balance"]) == (200, Decimal("0.00"))


def test_a_card_shows_nothing_before_its_first_instant(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=100, valid_from=NOW)

    with time_machine.travel(NOW - datetime.timedelta(microseconds=1), tick=False):
        before = balance(protocol, card)
    with time_machine.travel(NOW, tick=False):
        after = balance(protocol, card)

    assert (before, after) == (Decimal("0.00"), Decimal("1.00"))


def test_credit_shows_within_its_own_dates_only(protocol: Protocol, program: Program) -> None:
    with time_machine.travel(NOW, tick=False):
        card = make_wallet(program, balance=100)
        make_credit(card, 20, expires_at=NOW + datetime.timedelta(days=1))
        make_credit(card, 3, valid_from=NOW + datetime.timedelta(days=2))

    shown = []
    for days in (0, 1, 2):
        with time_machine.travel(NOW + datetime.timedelta(days=days), tick=False):
            shown.append(balance(protocol, card))

    assert shown == [Decimal("1.20"), Decimal("1.00"), Decimal("1.03")]


def test_a_single_use_card_shows_nothing_after_its_purchase(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=1_000, is_reusable=False)
    hold = make_hold(card, 400)

    assert balance(protocol, card) == Decimal("0.00")

    make_cancellation(hold, 400)

    assert balance(protocol, card) == Decimal("10.00")


def test_a_card_of_another_currency_names_its_own(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100, currency="USD")

    answer = protocol.get(f"giftcards/{card.public_id}")

    assert answer.data["currencyCode"] == "USD"


def test_an_unknown_card_is_not_found(protocol: Protocol) -> None:
    answer = protocol.get(f"giftcards/{'0' * 32}")

    assert answer.refusal == (404, "unknown_card")


def test_a_card_is_not_found_by_its_code(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100)

    answer = protocol.get(f"giftcards/{card.code}")

    assert answer.refusal == (404, "unknown_card")


def test_costs_one_statement(
    protocol: Protocol, program: Program, statements: Callable[..., list[str]]
) -> None:
    card = make_wallet(program, balance=100)
    for _ in range(3):
        make_credit(card, 100)

    sent = statements(lambda: protocol.get(f"giftcards/{card.public_id}"))

    assert len(sent) == 1
