"""Amounts are exact from the first byte to the last."""

import re
from decimal import Decimal

import pytest

from loyalty.models import GiftCard, Program
from tests.builders import (
    buckets,
    make_card,
    make_credit,
    make_points_program,
    make_program,
    make_store,
    unchanged,
)
from tests.giftcard_provider.conftest import Protocol, make_protocol
from tests.giftcard_provider.payloads import step

# As the Hub writes it: (the bytes of the number, centavos).
AMOUNTS = {
    b"0.01": 1,
    b"0.1": 10,
    b"1": 100,
    b"3": 300,
    b"3.0": 300,
    b"3.00": 300,
    b"3.0000": 300,
    b"28.4": 2840,
    b"5.92": 592,
    b"380.0000": 38000,
    b"14.99": 1499,
    b"0.29": 29,
    b"1.1": 110,
    b"1.15": 115,
    b"19.99": 1999,
    b"4.35": 435,
    b"1e2": 10000,
    b"1.5E+1": 1500,
    b"250e-2": 250,
    b"14.990000000000002": 1499,
    b"14.989999999999998": 1499,
    b"0.30000000000000004": 30,
    b"0.29999999999999999": 30,
    b"100.00999999999999": 10001,
    b"9999999.99": 999999999,
    b"90071992547409.91": 9007199254740991,
    b"90071992547409.92": 9007199254740992,
    b"90071992547409.93": 9007199254740993,
    b"92233720368547758.07": 2**63 - 1,
    b'"3.00"': 300,
    b'"3"': 300,
    b'" 28.4 "': 2840,
    b'"1e1"': 1000,
    b'"+5"': 500,
}
REFUSED = {
    "zero": b"0",
    "zero with decimals": b"0.00",
    "minus zero": b"-0",
    "minus zero with decimals": b"-0.0",
    "negative": b"-1",
    "negative cents": b"-0.01",
    "half a centavo": b"0.005",
    "three digits": b"10.001",
    "noise above the limit": b"14.9900001",
    "almost nothing": b"0.0000000000001",
    "beyond BIGINT": b"92233720368547758.08",
    "far beyond BIGINT": b"1e30",
    "1e400": b"1e400",
    "1e-400": b"1e-400",
    "an exponent of nine digits": b"1e999999999",
    "an exponent that no Decimal has": b"1e9999999999999999999",
    "a small exponent that no Decimal has": b"1e-9999999999999999999",
    "ten thousand digits": b"9" * 10_000,
    "a hundred thousand decimals": b"0." + b"1" * 100_000,
    "null": b"null",
    "true": b"true",
    "an object": b'{"value": 1}',
    "an array": b"[1]",
    "empty text": b'""',
    "a word": b'"three"',
    "a comma": b'"1,00"',
    "a thousands separator": b'"1,000.00"',
    "a Brazilian amount": b'"1.000,00"',
    "a currency": b'"R$ 1.00"',
    "underscores": b'"1_000"',
    "inner space": b'"1 000"',
    "NaN as text": b'"NaN"',
    "Infinity as text": b'"Infinity"',
    "1e400 as text": b'"1e400"',
    "hexadecimal text": b'"0x10"',
    "a point without digits": b'"1."',
    "digits after a bare point": b'".5"',
    "Arabic digits": b'"\\u0663"',
    "Devanagari digits": b'"\\u0969.\\u0966"',
    "fullwidth digits": b'"\\uff13"',
    "a superscript": b'"\\u00b2"',
    "a NUL": b'"1\\u0000"',
    "a lone surrogate": b'"\\ud8001"',
}


def raw(value: bytes, operation: str = "Debit") -> bytes:
    """A body with the number as these very bytes."""
    head = f'{{"operation": "{operation}", "requestId": "payment-1", "value": '
    return head.encode() + value + b"}"


def balance_bytes(body: bytes) -> bytes:
    """The digits of the balance as they were sent."""
    [digits] = re.findall(rb'"balance":([^,]+),', body)
    return bytes(digits)


@pytest.mark.parametrize(("value", "units"), AMOUNTS.items(), ids=str)
def test_a_debit_holds_the_exact_amount(
    protocol: Protocol, program: Program, value: bytes, units: int
) -> None:
    card = make_card(program, balance=2**63 - 1)

    answer = protocol.post(f"giftcards/{card.public_id}/transactions", raw(value))

    assert answer.status == 200
    assert buckets(card)["held"] == units


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_a_debit_of_no_amount_is_refused(
    protocol: Protocol, program: Program, value: bytes
) -> None:
    card = make_card(program, balance=2**63 - 1)

    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", raw(value))

    assert answer.refusal == (400, "invalid_amount")


@pytest.mark.parametrize("kind", ["settlements", "cancellations"])
def test_a_step_of_no_amount_is_refused(protocol: Protocol, program: Program, kind: str) -> None:
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"
    path = f"{path}/{protocol.post(path, raw(b'100')).data['id']}/{kind}"

    with unchanged(card):
        refusals = {protocol.post(path, raw(value)).refusal for value in REFUSED.values()}

    assert refusals == {(400, "invalid_amount")}


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        (0, b"0.00"),
        (1, b"0.01"),
        (10, b"0.10"),
        (100, b"1.00"),
        (2840, b"28.40"),
        (87000, b"870.00"),
        (9007199254740991, b"90071992547409.91"),
        (9007199254740993, b"90071992547409.93"),
        (2**63 - 1, b"92233720368547758.07"),
    ],
)
def test_a_balance_is_a_number_of_exactly_its_digits(
    protocol: Protocol, program: Program, units: int, shown: bytes
) -> None:
    card = make_card(program, balance=units)

    seen = protocol.get(f"giftcards/{card.public_id}")

    assert balance_bytes(seen.body) == shown


def test_a_found_balance_is_exact_too(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=9007199254740993)

    found = protocol.post("giftcards/_search", {"cart": {"redemptionCode": card.code}})

    assert balance_bytes(found.body) == b"90071992547409.93"


@pytest.mark.parametrize(
    "value", [b"0.01", b"14.99", b"90071992547409.91", b"90071992547409.93", b"28.40"]
)
def test_a_value_comes_back_in_every_answer_as_it_was_sent(
    protocol: Protocol, program: Program, value: bytes
) -> None:
    card = make_card(program, balance=2**63 - 1)
    path = f"giftcards/{card.public_id}/transactions"
    path = f"{path}/{protocol.post(path, raw(value)).data['id']}"

    answers = [
        protocol.get(path),
        protocol.get(f"{path}/authorization"),
        protocol.post(f"{path}/settlements", raw(value)),
        protocol.get(f"{path}/settlements"),
        protocol.post(f"{path}/cancellations", raw(value)),
        protocol.get(f"{path}/cancellations"),
    ]

    assert [re.findall(rb'"value":([^,]+),', answer.body) for answer in answers] == [[value]] * 6


def test_a_thousand_of_the_smallest_amount_add_up(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=10)
    path = f"giftcards/{card.public_id}/transactions"

    for number in range(10):
        body = {"operation": "Debit", "value": Decimal("0.01"), "requestId": f"payment-{number}"}
        assert protocol.post(path, body).status == 200

    assert balance_bytes(protocol.get(f"giftcards/{card.public_id}").body) == b"0.00"
    assert buckets(card) == {"credited": 10, "held": 10}


def test_a_tenth_and_two_tenths_are_three_tenths(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=30)
    path = f"giftcards/{card.public_id}/transactions"

    debited = protocol.post(path, raw(repr(0.1 + 0.2).encode()))

    assert protocol.get(f"{path}/{debited.data['id']}").data["value"] == Decimal("0.30")
    assert buckets(card) == {"credited": 30, "held": 30}


def test_noise_is_the_same_amount_when_a_request_is_repeated(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"

    answers = [
        protocol.post(path, raw(value))
        for value in (b"14.99", b"14.990000000000002", b'"14.990"', b"1499e-2")
    ]

    assert [answer.data for answer in answers] == [answers[0].data] * 4
    assert buckets(card)["held"] == 1_499


def test_a_credit_may_fill_a_card_to_the_last_unit(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=2**63 - 2, is_reloadable=True)
    path = f"giftcards/{card.public_id}/transactions"

    answer = protocol.post(path, raw(b"0.01", "Credit"))

    assert answer.status == 200
    assert buckets(card) == {"credited": 2**63 - 1, "available": 2**63 - 1}


def test_a_credit_beyond_what_can_be_counted_is_refused(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=2**63 - 1, is_reloadable=True)

    with unchanged(card, declined="balance_limit_exceeded"):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", raw(b"0.01", "Credit"))

    assert answer.refusal == (422, "balance_limit_exceeded")


@pytest.fixture
def chilean(db: None) -> Protocol:
    """A store whose currency has no cents."""
    return make_protocol(make_store(currency="CLP", time_zone="America/Santiago"))


@pytest.fixture
def chilean_card(chilean: Protocol) -> GiftCard:
    return make_card(make_program(chilean.credential.store), balance=15_000)


@pytest.mark.parametrize("value", [b"100", b"100.0", b"100.00", b'"100.00"', b"1e2"])
def test_pesos_may_come_with_empty_decimals(
    chilean: Protocol, chilean_card: GiftCard, value: bytes
) -> None:
    answer = chilean.post(f"giftcards/{chilean_card.public_id}/transactions", raw(value))

    assert answer.status == 200
    assert buckets(chilean_card)["held"] == 100


@pytest.mark.parametrize("value", [b"100.5", b"0.01", b'"100.50"', b"99.99"])
def test_pesos_have_no_cents(chilean: Protocol, chilean_card: GiftCard, value: bytes) -> None:
    with unchanged(chilean_card):
        answer = chilean.post(f"giftcards/{chilean_card.public_id}/transactions", raw(value))

    assert answer.refusal == (400, "invalid_amount")


def test_pesos_are_shown_without_decimals(chilean: Protocol, chilean_card: GiftCard) -> None:
    seen = chilean.get(f"giftcards/{chilean_card.public_id}")

    assert balance_bytes(seen.body) == b"15000"
    assert seen.data["currencyCode"] == "CLP"


@pytest.mark.parametrize(
    ("currency", "units", "shown"), [("JPY", 500, b"500"), ("KWD", 1234, b"1.234")]
)
def test_a_balance_has_the_digits_of_its_currency(
    db: None, currency: str, units: int, shown: bytes
) -> None:
    store = make_store(currency=currency)
    card = make_card(make_program(store), balance=units)

    seen = make_protocol(store).get(f"giftcards/{card.public_id}")

    assert balance_bytes(seen.body) == shown


@pytest.mark.parametrize(
    ("units", "shown"), [(99, b"0.00"), (100, b"0.01"), (12_349, b"1.23"), (12_399, b"1.23")]
)
def test_points_are_shown_rounded_down(protocol: Protocol, units: int, shown: bytes) -> None:
    card = make_card(make_points_program(protocol.credential.store), balance=units)

    seen = protocol.get(f"giftcards/{card.public_id}")

    assert balance_bytes(seen.body) == shown


def test_points_worth_less_than_a_cent_are_not_found(protocol: Protocol) -> None:
    card = make_card(make_points_program(protocol.credential.store), balance=99)

    found = protocol.post("giftcards/_search", {"cart": {"redemptionCode": card.code}})

    assert found.data == []


def test_all_that_is_shown_of_points_can_be_spent_and_settled(protocol: Protocol) -> None:
    card = make_card(make_points_program(protocol.credential.store), balance=12_399)
    path = f"giftcards/{card.public_id}/transactions"

    debited = protocol.post(path, raw(b"1.23"))
    settled = protocol.post(f"{path}/{debited.data['id']}/settlements", step(Decimal("1.23")))

    assert settled.data["value"] == Decimal("1.23")
    assert buckets(card) == {"credited": 12_399, "available": 99, "spent": 12_300}


def test_points_finer_than_a_cent_cannot_be_asked_for(protocol: Protocol) -> None:
    card = make_card(make_points_program(protocol.credential.store), balance=12_399)

    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", raw(b"1.2399"))

    assert answer.refusal == (400, "invalid_amount")


def test_points_from_two_credits_add_up_before_they_are_rounded(protocol: Protocol) -> None:
    card = make_card(make_points_program(protocol.credential.store), balance=50)
    make_credit(card, 75)

    seen = protocol.get(f"giftcards/{card.public_id}")

    assert balance_bytes(seen.body) == b"0.01"
