"""POST /giftcards/_search: the cards that the shopper may use now, and never an error."""

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import simplejson
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from loyalty.models import Customer, GiftCard, Program, Store
from tests.builders import (
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_customer,
    make_expired_card,
    make_hold,
    make_program,
    make_purchase,
    make_wallet,
    unchanged,
)
from tests.giftcard_provider.conftest import Answer, Protocol
from tests.giftcard_provider.payloads import SEARCH_BY_CODE, SEARCH_OF_LOYALTY, Body, search
from tests.giftcard_provider.strategies import JSON, TEXTS, property_test

NOW = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
CPF, CNPJ = "52998224725", "11222333000181"
ODD_VALUES: list[Any] = [None, "", " ", 0, 1, -1, 0.5, True, False, [], {}, [None], {"a": {}}, "x"]


@pytest.fixture
def ana(store: Store) -> Customer:
    return make_customer(store, profile_id="3b1abc17", email="ana@example.com", document=CPF)


def ids(answer: Answer) -> list[str]:
    """The cards of an answer, in its order."""
    return [found["id"] for found in answer.data]


def find(protocol: Protocol, body: object) -> list[str]:
    """The cards that a search finds."""
    return ids(protocol.post("giftcards/_search", body))


def test_answers_with_the_card_of_a_typed_code(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=590)

    answer = protocol.post("giftcards/_search", search(card.code))

    assert answer.data == [
        {
            "id": card.public_id,
            "provider": "ourcredit",
            "balance": Decimal("5.90"),
            "_self": {"href": f"giftcards/{card.public_id}"},
        }
    ]


def test_answers_with_caption_and_relation_when_there_are_any(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=590, caption="Vale-presente", relation_name="loyalty-program")

    [found] = protocol.post("giftcards/_search", search(card.code)).data

    assert (found["caption"], found["relationName"]) == ("Vale-presente", "loyalty-program")


@pytest.mark.parametrize("body", [SEARCH_BY_CODE, SEARCH_OF_LOYALTY], ids=["2019", "2022"])
def test_the_examples_of_the_documentation_find_their_card(
    protocol: Protocol, program: Program, body: Body
) -> None:
    code = body["cart"]["redemptionCode"]
    card = make_card(program, balance=590, imported_code=code)

    assert find(protocol, body) == [card.public_id]


@pytest.mark.parametrize("body", [SEARCH_BY_CODE, SEARCH_OF_LOYALTY], ids=["2019", "2022"])
def test_the_examples_of_the_documentation_find_nothing_without_a_card(
    protocol: Protocol, body: Body
) -> None:
    assert find(protocol, body) == []


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: code,
        lambda code: code.lower(),
        lambda code: f"  {code}\t",
        lambda code: f"{code[:4]}-{code[4:8]}-{code[8:12]}-{code[12:]}",
        lambda code: f"{code[:4]} {code[4:8]} {code[8:12]} {code[12:]}".lower(),
        "-".join,
        lambda code: f"{code[:8]}\u00a0{code[8:]}",
    ],
    ids=["exact", "lower", "padded", "hyphens", "spaces", "all hyphens", "no-break space"],
)
def test_a_code_of_ours_is_found_however_it_is_typed(
    protocol: Protocol, program: Program, typed: Callable[[str], str]
) -> None:
    card = make_card(program, balance=100)

    assert find(protocol, search(typed(card.code))) == [card.public_id]


def test_an_imported_code_is_found_to_the_letter(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100, imported_code="480030010012.Ab+/=-cD")

    found = [
        find(protocol, search(typed))
        for typed in (
            "480030010012.Ab+/=-cD",
            " 480030010012.Ab+/=-cD ",
            "480030010012.AB+/=-CD",
            "480030010012.Ab+/=cD",
            "4800 30010012.Ab+/=-cD",
        )
    ]

    assert found == [[card.public_id], [card.public_id], [], [], []]


def test_two_imported_codes_may_differ_by_case_alone(protocol: Protocol, program: Program) -> None:
    lower, upper = (make_card(program, balance=1, imported_code=code) for code in ("abcd", "ABCD"))

    assert find(protocol, search("abcd")) == [lower.public_id]
    assert find(protocol, search("ABCD")) == [upper.public_id]


@pytest.mark.parametrize("part", [lambda code: code[:-1], lambda code: f"{code}A", lambda _: "%"])
def test_a_code_that_is_not_whole_finds_nothing(
    protocol: Protocol, program: Program, part: Callable[[str], str]
) -> None:
    card = make_card(program, balance=100)

    assert find(protocol, search(part(card.code))) == []


def test_a_typed_code_finds_one_card_and_not_the_owners_others(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    make_card(program, balance=100, owner=ana)
    bearer = make_card(program, balance=100)
    client = {"email": ana.email, "document": CPF}

    assert find(protocol, search(bearer.code, client)) == [bearer.public_id]
    assert find(protocol, search("wrong-code", client)) == []


def test_a_relation_does_not_matter_when_a_code_is_typed(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=100)

    assert find(protocol, search(card.code, relationName="loyalty-program")) == [card.public_id]


UNUSABLE: dict[str, Callable[[Program, Customer], GiftCard]] = {
    "empty": lambda program, owner: make_card(program, owner=owner),
    "blocked": lambda program, owner: make_blocked_card(program, balance=100, owner=owner),
    "closed": lambda program, owner: make_closed_card(program, balance=100, owner=owner),
    "expired": lambda program, owner: make_expired_card(program, balance=100, owner=owner),
    "not yet valid": lambda program, owner: make_card(
        program, balance=100, owner=owner, valid_from=NOW + datetime.timedelta(days=1)
    ),
    "of another currency": lambda program, owner: make_card(
        program, balance=100, owner=owner, currency="USD"
    ),
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_a_card_that_cannot_pay_is_not_found(
    protocol: Protocol, program: Program, ana: Customer, make: Callable[..., GiftCard]
) -> None:
    with time_machine.travel(NOW, tick=False):
        card = make(program, ana)

        with unchanged(card):
            by_code = find(protocol, search(card.code))
            by_owner = find(protocol, search(None, {"document": CPF}))

    assert (by_code, by_owner) == ([], [])


def test_a_card_whose_money_is_all_held_is_not_found(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    card = make_card(program, balance=100, owner=ana)
    make_hold(card, 100)

    assert find(protocol, search(card.code)) == []
    assert find(protocol, search(None, {"document": CPF})) == []


def test_only_what_is_usable_now_counts(protocol: Protocol, program: Program) -> None:
    card = make_wallet(program)
    with time_machine.travel(NOW, tick=False):
        make_credit(card, 100, valid_from=NOW - datetime.timedelta(days=1))
        make_credit(card, 20, valid_from=NOW + datetime.timedelta(days=1))
        make_credit(
            card,
            3,
            valid_from=NOW - datetime.timedelta(days=9),
            expires_at=NOW - datetime.timedelta(seconds=1),
        )
    GiftCard.objects.filter(pk=card.pk).update(valid_from=NOW - datetime.timedelta(days=9))

    with time_machine.travel(NOW, tick=False):
        [found] = protocol.post("giftcards/_search", search(card.code)).data

    assert found["balance"] == Decimal("1.00")


@pytest.mark.parametrize("spend", [make_hold, make_purchase], ids=["held", "settled"])
def test_a_single_use_card_that_had_its_purchase_is_not_found(
    protocol: Protocol, program: Program, ana: Customer, spend: Callable[..., Any]
) -> None:
    card = make_card(program, balance=1_000, is_reusable=False, owner=ana)
    spend(card, 400)

    assert find(protocol, search(card.code)) == []
    assert find(protocol, search(None, {"document": CPF})) == []


def test_the_last_instant_of_a_card_is_its_last(protocol: Protocol, program: Program) -> None:
    """A card is usable to the end of the store's day, not to midnight UTC (issue 378436)."""
    end = program.store.last_instant(datetime.date(2026, 3, 10))
    with time_machine.travel(NOW, tick=False):
        card = make_card(program, balance=100, expires_at=end)

    with time_machine.travel(end - datetime.timedelta(microseconds=1), tick=False):
        before = find(protocol, search(card.code))
    with time_machine.travel(end, tick=False):
        after = find(protocol, search(card.code))

    assert end.astimezone(datetime.UTC).isoformat() == "2026-03-11T02:59:59.999999+00:00"
    assert (before, after) == ([card.public_id], [])


BY_IDENTITY: dict[str, Body] = {
    "profile id": {"id": "3b1abc17"},
    "e-mail": {"email": "ana@example.com"},
    "e-mail in other case": {"email": " ANA@Example.COM "},
    "CPF": {"document": CPF},
    "CPF with punctuation": {"document": "529.982.247-25"},
    "CPF as a number": {"document": 52998224725},
    "CPF in the company's field": {"corporateDocument": "529.982.247-25"},
    "CPF and an unknown profile": {"document": CPF, "id": "somebody-else"},
    "e-mail, with a masked CPF": {"email": "ana@example.com", "document": "***.982.247-**"},
    "everything": {"id": "3b1abc17", "email": "ana@example.com", "document": CPF},
}


@pytest.mark.parametrize("client", BY_IDENTITY.values(), ids=BY_IDENTITY)
def test_an_owner_is_found_by_whatever_is_known(
    protocol: Protocol, program: Program, ana: Customer, client: Body
) -> None:
    card = make_card(program, balance=100, owner=ana)

    assert find(protocol, search(None, client)) == [card.public_id]


SOMEBODY_ELSE: dict[str, Body | None] = {
    "nobody": None,
    "another profile": {"id": "3b1abc18"},
    "another e-mail": {"email": "eva@example.com"},
    "another CPF": {"document": "11144477735"},
    "the e-mail, but another CPF": {"email": "ana@example.com", "document": "11144477735"},
    "a part of the e-mail": {"email": "na@example.com"},
    "a pattern": {"email": "%@example.com", "document": "%"},
    "a masked CPF": {"document": "***.982.247-**"},
    "a masked e-mail": {"email": "a*a@example.com"},
    "a CPF cut short": {"document": CPF[:-1]},
}


@pytest.mark.parametrize("client", SOMEBODY_ELSE.values(), ids=SOMEBODY_ELSE)
def test_somebody_else_finds_nothing(
    protocol: Protocol, program: Program, ana: Customer, client: Body | None
) -> None:
    make_card(program, balance=100, owner=ana)

    assert find(protocol, search(None, client)) == []


def test_a_bearer_card_is_never_found_by_identity(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    make_card(program, balance=100)

    for client in (None, {}, {"id": "", "email": "", "document": ""}, {"document": CPF}):
        assert find(protocol, search(None, client)) == []


def test_a_person_and_their_company_are_searched_together(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    """VTEX's own cards hide a person's from who also sends a CNPJ (issue 1335218)."""
    company = make_customer(
        program.store, email="", document="", corporate_document="11.222.333/0001-81"
    )
    cards = [make_card(program, balance=100, owner=owner) for owner in (ana, company)]
    client = {"email": ana.email, "document": "529.982.247-25", "corporateDocument": CNPJ}

    found = find(protocol, search(None, client))

    assert found == [card.public_id for card in cards]


def test_each_card_is_found_once_however_many_ways_lead_to_it(
    protocol: Protocol, program: Program
) -> None:
    owner = make_customer(
        program.store, email="ana@example.com", document=CPF, corporate_document=CNPJ
    )
    card = make_card(program, balance=100, owner=owner)
    client = {"email": owner.email, "document": CPF, "corporateDocument": CNPJ}

    assert find(protocol, search(None, client | {"id": owner.profile_id})) == [card.public_id]


def test_a_company_is_found_by_a_cnpj_in_either_field(protocol: Protocol, program: Program) -> None:
    company = make_customer(program.store, email="", document="", corporate_document=CNPJ)
    card = make_card(program, balance=100, owner=company)

    found = [
        find(protocol, search(None, {field: "11.222.333/0001-81"}))
        for field in ("document", "corporateDocument")
    ]

    assert found == [[card.public_id], [card.public_id]]


def test_fourteen_digits_that_are_no_cnpj_are_a_personal_document(
    protocol: Protocol, program: Program
) -> None:
    foreigner = make_customer(program.store, email="", document="11222333000182")
    card = make_card(program, balance=100, owner=foreigner)

    assert find(protocol, search(None, {"document": "11.222.333/0001-82"})) == [card.public_id]


def test_the_card_that_expires_soonest_comes_first(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    with time_machine.travel(NOW, tick=False):
        cards = [
            make_card(
                program,
                balance=100,
                owner=ana,
                expires_at=NOW + datetime.timedelta(days=days) if days else None,
            )
            for days in (0, 30, 10, 20)
        ]
        found = find(protocol, search(None, {"document": CPF}))

    assert found == [cards[index].public_id for index in (2, 3, 1, 0)]


def test_a_restricted_card_is_found_by_code_for_its_owner_only(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    card = make_card(program, balance=100, owner=ana, is_restricted=True)

    found = [
        find(protocol, search(card.code, client))
        for client in ({"document": "529.982.247-25"}, {"email": "eva@example.com"}, {}, None)
    ]

    assert found == [[card.public_id], [], [], []]


def test_a_restricted_card_is_found_by_its_owner_without_a_code(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    card = make_card(program, balance=100, owner=ana, is_restricted=True)

    assert find(protocol, search(None, {"email": "ana@example.com"})) == [card.public_id]


@pytest.mark.parametrize("code", ["", " ", "\t\n", None, 0, [], {}, True, 12345678])
def test_what_is_no_typed_code_is_a_search_by_owner(
    protocol: Protocol, program: Program, ana: Customer, code: object
) -> None:
    card = make_card(program, balance=100, owner=ana)

    assert find(protocol, search(code, {"document": CPF})) == [card.public_id]


def test_neither_code_nor_token_is_in_the_answer(
    protocol: Protocol, program: Program, ana: Customer
) -> None:
    card = make_card(program, balance=100, owner=ana)

    answers = [
        protocol.post("giftcards/_search", body)
        for body in (search(card.code), search(None, {"document": CPF}))
    ]

    for answer in answers:
        assert ids(answer) == [card.public_id]
        assert card.code.encode() not in answer.body
        assert card.code[-4:].encode() not in answer.body.replace(card.public_id.encode(), b"")
        assert card.token.encode() not in answer.body


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
@pytest.mark.parametrize(
    "path",
    [
        ("client",),
        ("client", "id"),
        ("client", "email"),
        ("client", "document"),
        ("client", "corporateDocument"),
        ("cart",),
        ("cart", "id"),
        ("cart", "redemptionCode"),
        ("cart", "relationName"),
        ("cart", "grandTotal"),
        ("cart", "items"),
    ],
    ids=".".join,
)
def test_any_field_may_be_anything(
    protocol: Protocol, path: tuple[str, ...], value: object
) -> None:
    body = json.loads(json.dumps(SEARCH_BY_CODE))
    *parents, last = path
    target = body
    for parent in parents:
        target = target[parent]
    target[last] = value

    assert find(protocol, body) == []


@pytest.mark.parametrize("missing", ["client", "cart"])
def test_any_part_may_be_missing(protocol: Protocol, missing: str) -> None:
    body = {name: part for name, part in SEARCH_BY_CODE.items() if name != missing}

    assert find(protocol, body) == []


@pytest.mark.parametrize(
    "body", [b"{}", b'{"cart":{"id":1e9999999999999999999}}', b'{"cart":' + b"9" * 9_999 + b"}"]
)
def test_any_object_will_do(protocol: Protocol, body: bytes) -> None:
    assert find(protocol, body) == []


CLIENT = st.dictionaries(
    st.sampled_from(["id", "email", "document", "corporateDocument"]) | TEXTS, JSON, max_size=5
)
CART = st.dictionaries(
    st.sampled_from(["id", "redemptionCode", "relationName", "items"]) | TEXTS, JSON, max_size=5
)
SEARCHES = st.fixed_dictionaries({}, optional={"client": CLIENT | JSON, "cart": CART | JSON})


@property_test
@given(body=SEARCHES | st.dictionaries(TEXTS, JSON, max_size=4))
def test_any_json_object_is_answered_with_an_array(protocol: Protocol, body: object) -> None:
    content = simplejson.dumps(body, use_decimal=True).encode()

    answer = protocol.post("giftcards/_search", content)

    assert (answer.status, answer.data) == (200, [])


def test_a_search_writes_nothing(protocol: Protocol, program: Program, ana: Customer) -> None:
    card = make_card(program, balance=100, owner=ana)

    with unchanged(card):
        find(protocol, search(card.code, {"email": "new@example.com", "id": "unknown"}))
        find(protocol, search(None, {"email": "ana@example.com", "id": "unknown"}))

    assert Customer.objects.count() == 1


def test_a_search_by_code_is_one_statement(
    protocol: Protocol, program: Program, statements: Callable[..., list[str]]
) -> None:
    card = make_card(program, balance=100)

    sent = statements(lambda: protocol.post("giftcards/_search", search(card.code)))

    assert len(sent) == 1


def test_a_search_by_owner_is_two_statements(
    protocol: Protocol, program: Program, ana: Customer, statements: Callable[..., list[str]]
) -> None:
    for _ in range(3):
        make_card(program, balance=100, owner=ana)

    sent = statements(lambda: protocol.post("giftcards/_search", search(None, {"document": CPF})))

    assert len(sent) == 2


def test_a_search_for_nobody_is_no_statement(
    protocol: Protocol, statements: Callable[..., list[str]]
) -> None:
    sent = statements(lambda: protocol.post("giftcards/_search", search()))

    assert sent == []


def test_a_card_of_two_programs_owners_is_not_confused(
    protocol: Protocol, store: Store, ana: Customer
) -> None:
    eva = make_customer(store, email="eva@example.com", document="11144477735")
    cards = {
        owner.email: make_card(make_program(store), balance=100, owner=owner)
        for owner in (ana, eva)
    }

    for email, card in cards.items():
        assert find(protocol, search(None, {"email": email})) == [card.public_id]
