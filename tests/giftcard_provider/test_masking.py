"""What is kept of a body: what the call was about, never who it was for or which code it had."""

import json
from typing import Any

import pytest

from giftcard_provider.masking import MAX_BODY, masked_body, masked_path, scrubbed
from tests.giftcard_provider.payloads import (
    CREATE_CARD,
    CREDIT,
    DEBIT,
    SEARCH_BY_CODE,
    SEARCH_OF_LOYALTY,
)

# Every string of VTEX's documented payloads that says who somebody is, or is a code or token.
CLEAR = ("email", "document", "id", "firstName", "lastName", "phone", "receiverName", "street",
         "postalCode", "city", "neighborhood", "redemptionCode", "redemptionToken", "profileId",
         "birthDate", "documentType", "name")  # fmt: skip


def masked(body: object) -> str:
    return masked_body(json.dumps(body).encode())


def personal(value: Any, *, name: str = "", is_item: bool = False) -> list[str]:
    """What of a payload may not be read any more."""
    match value:
        case dict():
            return [
                found
                for key, each in value.items()
                for found in personal(each, name=key, is_item=name == "items")
            ]
        case list():
            return [found for each in value for found in personal(each, name=name)]
        case str() if value and name in CLEAR and not (is_item and name == "id"):
            return [value]
        case _:
            return []


@pytest.mark.parametrize("body", [DEBIT, CREDIT, SEARCH_BY_CODE, SEARCH_OF_LOYALTY, CREATE_CARD])
def test_nothing_of_a_documented_payload_says_who_or_which_code(body: dict[str, Any]) -> None:
    hidden = personal(body)

    shown = masked(body)

    assert hidden
    assert [each for each in hidden if f'"{each}"' in shown] == []


def test_what_a_debit_was_about_is_kept_with_its_numbers_as_they_were_sent() -> None:
    shown = json.loads(masked(DEBIT), parse_float=str, parse_int=str)

    assert shown["operation"] == "Debit"
    assert shown["value"] == "3"
    assert shown["requestId"] == "B56CBE231DEE4E1A859183C1030CE926"
    order = shown["orderInfo"]
    assert (order["orderId"], order["sequence"]) == ("v5006128str", "5006128")
    [item] = order["cart"]["items"]
    assert (item["id"], item["productId"], item["price"]) == ("2001023", "2000492", "14.99")
    assert order["clientProfile"]["email"] == "***(27)"
    assert order["shipping"]["city"] == "***(14)"


@pytest.mark.parametrize(
    "text",
    [
        "ana@example.com",
        "de ana.souza+loja@example.com.br, hoje",
        "529.982.247-25",
        "52998224725",
        "CPF 529 982 247 25",
        "11.222.333/0001-81",
        "11222333000181",
        "12.ABC.345/01DE-35",
        "+55 21 99999-8888",
        "(21) 99999-8888",
        "K3M9-Q2RT-7WXY-4ZAB",
        "K3M9Q2RT7WXY4ZAB",
    ],
)
@pytest.mark.parametrize("name", ["caption", "orderId", "requestId"])
def test_a_harmless_field_that_holds_a_person_or_a_code_is_masked_by_pattern(
    name: str, text: str
) -> None:
    shown = json.loads(masked({name: text}))[name]

    assert "***" in shown
    assert not [part for part in text.split() if len(part) > 4 and part in shown]


@pytest.mark.parametrize(
    "text",
    [
        "1402310500123-01",
        "v5006128str-02",
        "B56CBE231DEE4E1A859183C1030CE926",
        "2000492",
        "loyalty-program",
        "2020-02-04T17:02:19.17",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
    ],
)
def test_ids_of_orders_payments_and_products_stay_readable(text: str) -> None:
    assert scrubbed(text) == text


def test_a_document_that_is_sent_as_a_number_is_hidden_too() -> None:
    shown = masked({"client": {"document": 52998224725}, "value": 52998224725})

    assert "52998224725" not in shown
    assert json.loads(shown)["client"]["document"] == "***(11)"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"email": "ana@example.com", "value": 12', '{"xxxxx": "xxx@xxxxxxx.xxx", "xxxxx": 00'),
        ("Não é JSON 42".encode(), "xxx x xxxx 00"),
        (b"\xff\x00\xfe", "\ufffd\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_of_what_is_no_json_only_the_form_is_kept(body: bytes, shown: str) -> None:
    assert masked_body(body) == shown


def test_keys_are_searched_as_well() -> None:
    assert "ana@" not in masked({"ana@example.com": 1})


def test_what_postgresql_cannot_hold_is_taken_out() -> None:
    shown = masked({"caption": "a\x00b\ud800c"})

    shown.encode()
    assert "\x00" not in shown


def test_long_bodies_are_cut_and_deep_ones_do_not_end_in_an_error() -> None:
    deep: object = "end"
    for _ in range(50):
        deep = {"cart": deep}

    assert "…" in masked(deep)
    assert len(masked({f"field{number}": "x" * 500 for number in range(500)})) <= MAX_BODY
    assert len(masked({"items": [{"id": str(number)} for number in range(500)]})) < 500
    assert len(masked_body(b"{" * 100_000)) == MAX_BODY


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("giftcards/_search", "giftcards/_search"),
        (f"giftcards/{'a1' * 16}/transactions", f"giftcards/{'a1' * 16}/transactions"),
        ("giftcards/K3M9-Q2RT-7WXY-4ZAB", "giftcards/***(19)"),
        ("ana@example.com", "***(15)"),
    ],
)
def test_a_path_shows_ids_of_ours_and_words_of_the_protocol(path: str, shown: str) -> None:
    assert masked_path(path) == shown
