"""A body is JSON whatever its Content-Type says, and nothing in it breaks anything."""

import gzip
import json

import pytest
import simplejson
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from loyalty.models import Customer, GiftCard, Program, Store, Transaction
from tests.builders import buckets, make_card, make_hold, make_program, make_wallet, unchanged
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import Body, credit, debit, search, step
from tests.giftcard_provider.routes import POSTS, Route, each_money_post, each_post
from tests.giftcard_provider.strategies import JSON, TEXTS, property_test

CONTENT_TYPES = {
    "as today": "application/vnd.vtex.giftcards.v1+json",
    "with charset": "application/vnd.vtex.giftcards.v1+json; charset=utf-8",
    "as until 2026": "application/vnd.vtex.giftcardproviders.v1+json",
    "plain JSON": "application/json",
    "JSON with charset": "application/json; charset=UTF-8",
    "text": "text/plain",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "multipart without a boundary": "multipart/form-data",
    "another charset": "application/json; charset=utf-16",
    "an unknown charset": "application/json; charset=klingon",
    "XML": "text/xml",
    "not a media type": "JSON",
    "empty": "",
    "none": None,
}
ACCEPTS = ["*/*", "text/html", "application/xml", "image/png;q=0.5", "nonsense", "", None]
BROKEN = {
    "a lone brace": b"{",
    "a trailing comma": b'{"value": 1,}',
    "single quotes": b"{'value': 1}",
    "two objects": b"{}{}",
    "text": b"value=1&requestId=2",
    "spaces only": b"   ",
    "an array": b"[]",
    "a string": b'"{}"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"value": NaN}',
    "Infinity": b'{"value": Infinity}',
    "minus Infinity": b'{"value": -Infinity}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "100,000 closed brackets": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a NUL byte": b'{"requestId": "a\x00b"}',
    "a line break in a string": b'{"requestId": "a\nb"}',
    "not UTF-8": b'{"requestId": "\xff"}',
    "UTF-16": '{"requestId": "1"}'.encode("utf-16"),
    "a surrogate in UTF-8": b'{"requestId": "\xed\xa0\x80"}',
    "compressed": gzip.compress(b"{}"),
    "a leading zero": b'{"value": 01}',
    "a hexadecimal number": b'{"value": 0x10}',
}
# Strings that text in PostgreSQL, a log line or a header could not hold.
ODD_TEXTS = {
    "NUL": "a\x00b",
    "lone surrogate": "a\ud800b",
    "line break": "a\nb",
    "escape": "\x1b[31m",
    "129 characters": "x" * 129,
    "100,000 characters": "x" * 100_000,
}
each_odd_text = pytest.mark.parametrize("odd", ODD_TEXTS.values(), ids=ODD_TEXTS)


@pytest.fixture
def card(program: Program) -> GiftCard:
    return make_card(program, balance=10_000)


@pytest.fixture
def hold(card: GiftCard) -> Transaction:
    return make_hold(card)


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES)
def test_every_content_type_is_read_as_json(
    protocol: Protocol, card: GiftCard, content_type: str | None
) -> None:
    path = f"giftcards/{card.public_id}/transactions"

    answer = protocol.post(path, debit(1), content_type=content_type)

    assert answer.status == 200


@each_post
def test_every_operation_does_without_a_content_type(
    protocol: Protocol, card: GiftCard, hold: Transaction, route: Route
) -> None:
    answer = protocol.post(route.path(card, hold), route.body, content_type=None)

    assert answer.status == 200


def test_a_debit_with_the_media_type_of_a_form_moves_its_amount(
    protocol: Protocol, card: GiftCard
) -> None:
    protocol.post(
        f"giftcards/{card.public_id}/transactions",
        debit(25),
        content_type="application/x-www-form-urlencoded",
    )

    assert buckets(card) == {"credited": 10_000, "available": 7_500, "held": 2_500}


@pytest.mark.parametrize("accept", ACCEPTS)
def test_every_accept_is_answered_with_json(
    protocol: Protocol, card: GiftCard, accept: str | None
) -> None:
    answer = protocol.get(f"giftcards/{card.public_id}", accept=accept)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_vtex_debug_id": ""},
        {"x_vtex_debug_id": None, "x_vtex_operation_id": None, "traceparent": None},
        {"traceparent": "garbage", "baggage": "a=b,,=;"},
        {"x_unheard_of": "1", "cookie": "sessionid=1; csrftoken=2", "origin": "https://evil"},
        {"accept_encoding": "gzip"},
        {"accept_encoding": "identity;q=0"},
        {"accept_language": "pt-BR"},
        {"x_forwarded_proto": "http"},
        {"if_none_match": "*", "if_modified_since": "Sat, 01 Jan 2050 00:00:00 GMT"},
        {"expect": "100-continue"},
        {"x_http_method_override": "DELETE"},
    ],
    ids=", ".join,
)
def test_no_other_header_matters(
    protocol: Protocol, card: GiftCard, headers: dict[str, str | None]
) -> None:
    plain = protocol.get(f"giftcards/{card.public_id}")

    answer = protocol.get(f"giftcards/{card.public_id}", **headers)

    assert (answer.status, answer.body) == (200, plain.body)


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_not_a_json_object_is_malformed(
    protocol: Protocol, card: GiftCard, body: bytes
) -> None:
    with unchanged(card):
        answers = [
            protocol.post(f"giftcards/{card.public_id}/transactions", body),
            protocol.post("giftcards/_search", body),
        ]

    assert [answer.refusal for answer in answers] == [(400, "malformed_json")] * 2


@each_post
def test_every_operation_refuses_broken_json(
    protocol: Protocol, card: GiftCard, hold: Transaction, route: Route
) -> None:
    with unchanged(card):
        answer = protocol.post(route.path(card, hold), b'{"requestId": "1", "value": 1')

    assert answer.refusal == (400, "malformed_json")


@each_money_post
def test_an_empty_body_moves_nothing(
    protocol: Protocol, card: GiftCard, hold: Transaction, route: Route
) -> None:
    with unchanged(card):
        answer = protocol.post(route.path(card, hold), b"")

    assert answer.status == 400


def test_an_empty_body_searches_for_nothing(protocol: Protocol) -> None:
    answer = protocol.post("giftcards/_search", b"")

    assert answer.data == []


def test_an_empty_form_searches_for_nothing(protocol: Protocol) -> None:
    answer = protocol.post(
        "giftcards/_search", b"", content_type="application/x-www-form-urlencoded"
    )

    assert answer.data == []


def test_a_byte_order_mark_is_skipped(protocol: Protocol, card: GiftCard) -> None:
    body = json.dumps(debit(1)).encode("utf-8-sig")

    answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.status == 200


def test_a_body_of_exactly_the_limit_is_read(protocol: Protocol, card: GiftCard) -> None:
    body = json.dumps(debit(25)).encode().ljust(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert len(body) == 1024 * 1024
    assert answer.status == 200


@each_post
def test_a_body_over_the_limit_is_too_large(
    protocol: Protocol, card: GiftCard, hold: Transaction, route: Route
) -> None:
    body = json.dumps(route.body).encode().ljust(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)

    with unchanged(card):
        answer = protocol.post(route.path(card, hold), body)

    assert answer.refusal == (413, "body_too_large")


def test_a_cart_of_thousands_of_items_is_read(protocol: Protocol, card: GiftCard) -> None:
    body = debit(25)
    body["orderInfo"]["cart"]["items"] *= 2_000

    answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"value": 1, "requestId": "a", "value": 100}',
        b'{"requestId": "a", "value": 1, "requestId": "b"}',
        b'{"requestId": "a", "value": 1, "more": {"x": 1, "x": 1}}',
    ],
)
@each_money_post
def test_a_repeated_key_is_malformed_where_money_moves(
    protocol: Protocol, card: GiftCard, hold: Transaction, route: Route, body: bytes
) -> None:
    with unchanged(card):
        answer = protocol.post(route.path(card, hold), body)

    assert answer.refusal == (400, "malformed_json")


def test_of_a_repeated_key_in_a_search_the_last_counts(protocol: Protocol, card: GiftCard) -> None:
    code = json.dumps(card.code)
    body = f'{{"cart": {{"redemptionCode": "none", "redemptionCode": {code}}}}}'.encode()

    answer = protocol.post("giftcards/_search", body)

    assert [found["id"] for found in answer.data] == [card.public_id]


@each_odd_text
@pytest.mark.parametrize("kind", ["settlements", "cancellations"])
def test_a_request_id_that_cannot_be_kept_is_invalid(
    protocol: Protocol, card: GiftCard, hold: Transaction, kind: str, odd: str
) -> None:
    path = f"giftcards/{card.public_id}/transactions"

    with unchanged(card):
        answers = [
            protocol.post(path, debit(1, odd)),
            protocol.post(f"{path}/{hold.public_id}/{kind}", step(1, odd)),
        ]

    assert [answer.refusal for answer in answers] == [(400, "invalid_field")] * 2


@pytest.mark.parametrize("request_id", [None, "   ", {}, True, -(2**64)])
@each_money_post
def test_a_request_id_is_needed(
    protocol: Protocol, card: GiftCard, hold: Transaction, route: Route, request_id: object
) -> None:
    body: Body = json.loads(json.dumps(route.body)) | {"requestId": request_id}

    with unchanged(card):
        answer = protocol.post(route.path(card, hold), body)

    assert answer.refusal == (400, "invalid_field")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x" * 128, "x" * 128),
        (" B56CBE23 ", "B56CBE23"),
        (42, "42"),
        ("pedido nº 1 — ação", "pedido nº 1 — ação"),
        ("🎁", "🎁"),
    ],
)
def test_any_printable_request_id_is_kept(
    protocol: Protocol, card: GiftCard, sent: object, kept: str
) -> None:
    body = debit(1) | {"requestId": sent}

    protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert card.transactions.get().request_id == kept


@pytest.mark.parametrize("field", ["value", "requestId", "operation"])
def test_a_debit_without_one_of_its_fields_is_malformed(
    protocol: Protocol, card: GiftCard, field: str
) -> None:
    body = debit(1)
    del body[field]

    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.status == 400


@pytest.mark.parametrize("operation", ["", "Refund", None, 1, ["Debit"], "Débito", "Debit\x00"])
def test_an_operation_is_debit_or_credit(
    protocol: Protocol, card: GiftCard, operation: object
) -> None:
    body = debit(1, operation=operation)

    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.refusal == (400, "invalid_field")


@pytest.mark.parametrize("operation", ["Debit", "debit", "DEBIT", " Debit "])
def test_an_operation_is_read_whatever_its_case(
    protocol: Protocol, card: GiftCard, operation: str
) -> None:
    protocol.post(f"giftcards/{card.public_id}/transactions", debit(1, operation=operation))

    assert buckets(card)["held"] == 100


@each_odd_text
def test_an_order_id_that_cannot_be_kept_is_invalid(
    protocol: Protocol, card: GiftCard, odd: str
) -> None:
    body = debit(1)
    body["orderInfo"]["orderId"] = odd

    with unchanged(card):
        answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.refusal == (400, "invalid_field")


@each_odd_text
def test_odd_personal_data_does_not_stop_a_purchase(
    protocol: Protocol, card: GiftCard, odd: str
) -> None:
    body = debit(1)
    body["orderInfo"]["clientProfile"] = {
        "email": f"{odd}@example.com",
        "document": odd,
        "firstName": odd,
        "lastName": odd,
        "profileId": odd,
    }

    answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.status == 200


@each_odd_text
def test_odd_texts_find_nothing(protocol: Protocol, odd: str) -> None:
    client = {"id": odd, "email": f"{odd}@example.com", "document": odd, "corporateDocument": odd}

    by_code = protocol.post("giftcards/_search", search(odd, client, id=odd))
    by_client = protocol.post("giftcards/_search", search(None, client, id=odd))

    assert (by_code.data, by_client.data) == ([], [])


@each_odd_text
def test_odd_names_of_a_wallet_are_invalid(protocol: Protocol, odd: str) -> None:
    answers = [
        protocol.post("giftcards", {"relationName": odd, "profileId": "p"}),
        protocol.post("giftcards", {"relationName": "r", "caption": odd, "profileId": "p"}),
    ]

    assert [answer.refusal for answer in answers] == [(400, "invalid_field")] * 2
    assert GiftCard.objects.count() == 0


def test_what_is_not_named_by_the_protocol_is_ignored(protocol: Protocol, card: GiftCard) -> None:
    body = debit(1, balance=0, store="other", card={"id": "x"}, orderInfo=None, paymentData=[1])

    answer = protocol.post(f"giftcards/{card.public_id}/transactions", body)

    assert answer.status == 200


@pytest.mark.parametrize("order", [None, {}, [], "v1", 7, {"clientProfile": []}, {"orderId": None}])
def test_the_order_may_be_missing_or_anything(
    protocol: Protocol, card: GiftCard, order: object
) -> None:
    answer = protocol.post(f"giftcards/{card.public_id}/transactions", debit(1, orderInfo=order))

    assert answer.status == 200
    assert card.transactions.get().order_id == ""


@pytest.mark.parametrize("sequence", [5006128, "5006128"])
def test_the_sequence_is_a_number_or_text(
    protocol: Protocol, card: GiftCard, sequence: object
) -> None:
    body = debit(1, orderInfo={"orderId": "v5006128str", "sequence": sequence})

    protocol.post(f"giftcards/{card.public_id}/transactions", body)

    stored = card.transactions.get()
    assert (stored.order_id, stored.order_sequence) == ("v5006128str", "5006128")


def test_steps_need_no_more_than_value_and_request_id(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    path = f"giftcards/{card.public_id}/transactions/{hold.public_id}"

    answers = [
        protocol.post(f"{path}/{kind}", step(1)) for kind in ("settlements", "cancellations")
    ]

    assert [answer.status for answer in answers] == [200, 200]


def fields(**known: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """An object in which any of these fields may be missing, right, or anything at all."""
    return st.fixed_dictionaries({}, optional={name: each | JSON for name, each in known.items()})


VALUES = st.sampled_from([1, "1.00", -1, 10**30, 0.01, "1e5"])
IDS = st.integers(-(10**30), 10**30) | TEXTS
PERSON = fields(
    email=TEXTS.map(lambda text: f"{text}@example.com"),
    document=IDS,
    corporateDocument=IDS,
    profileId=IDS,
    firstName=TEXTS,
    lastName=TEXTS,
)
ANY_BODY = fields(
    operation=st.sampled_from(["Debit", "Credit"]),
    value=VALUES,
    requestId=IDS,
    redemptionToken=st.none() | TEXTS,
    redemptionCode=TEXTS,
    orderInfo=fields(orderId=IDS, sequence=IDS, clientProfile=PERSON),
    relationName=TEXTS,
    caption=TEXTS,
    profileId=IDS,
    expiringDate=st.datetimes().map(str),
    currencyCode=st.sampled_from(["BRL", "usd", "XXX"]),
    restrictedToOwner=st.booleans(),
)


@property_test
@given(body=ANY_BODY)
def test_no_object_is_an_error_of_ours(
    protocol: Protocol, card: GiftCard, hold: Transaction, body: object
) -> None:
    content = simplejson.dumps(body, use_decimal=True).encode()

    statuses = {
        protocol.post(route.path(card, hold), content).status
        for route in POSTS
        if route.name != "search"
    }

    assert statuses <= {200, 400, 409, 422}


@property_test
@given(profile=PERSON)
def test_no_owner_is_an_error_of_ours(protocol: Protocol, store: Store, profile: object) -> None:
    owner = Customer.objects.create(store=store)
    card = make_wallet(make_program(store), owner=owner)
    body = credit(1, orderInfo={"clientProfile": profile})

    answer = protocol.post(
        f"giftcards/{card.public_id}/transactions",
        simplejson.dumps(body, use_decimal=True).encode(),
    )

    assert answer.status == 200


@pytest.mark.parametrize(
    "document", [10**4_000, "ß" * 254, "1" * 255, 52998224725.0, -1], ids=lambda each: str(each)[:9]
)
def test_a_document_too_long_to_keep_does_not_stop_a_reward(
    protocol: Protocol, store: Store, document: object
) -> None:
    card = make_wallet(make_program(store), owner=Customer.objects.create(store=store))
    profile = {"document": document, "email": "\u0130" * 200 + "@example.com"}

    answer = protocol.post(
        f"giftcards/{card.public_id}/transactions", credit(1, orderInfo={"clientProfile": profile})
    )

    assert answer.status == 200


@pytest.mark.parametrize("depth", range(100, 1_100, 50))
def test_a_search_survives_any_depth(protocol: Protocol, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = f'{{"cart": {{"redemptionCode": "x", "id": {nested}}}, "client": {nested}}}'

    answer = protocol.post("giftcards/_search", body.encode())

    assert answer.status in {200, 400}
