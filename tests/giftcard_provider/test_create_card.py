"""POST /giftcards: the wallet that VTEX opens for a reward, once per customer and relation."""

import datetime
from decimal import Decimal

import pytest
import time_machine

from loyalty import ledger
from loyalty.models import Customer, GiftCard, Program, Store
from tests.builders import (
    buckets,
    make_customer,
    make_expired_card,
    make_program,
    unchanged,
)
from tests.giftcard_provider.conftest import Protocol, at_once
from tests.giftcard_provider.payloads import CREATE_CARD, Body, credit, search

NOW = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
PROFILE = CREATE_CARD["profileId"]
WALLET = CREATE_CARD | {"currencyCode": "BRL"}


def made(answer_id: str) -> GiftCard:
    """The card of an answer."""
    return GiftCard.objects.get(public_id=answer_id)


def test_the_example_of_the_documentation_opens_a_wallet(protocol: Protocol) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = protocol.post("giftcards", CREATE_CARD)

    card = GiftCard.objects.get()
    link = {"href": f"giftcards/{card.public_id}/transactions"}
    assert answer.status == 200
    assert answer.data == {
        "id": card.public_id,
        "provider": "ourcredit",
        "redemptionToken": card.token,
        "redemptionCode": f"************{card.code[-4:]}",
        "balance": Decimal("0.00"),
        "relationName": "loyalty-program",
        "caption": "Loyalty Program",
        "emissionDate": "2026-03-10T15:00:00.000",
        "expiringDate": "2099-12-31T00:00:00.000",
        "restrictedToOwner": True,
        "multipleRedemptions": True,
        "multipleCredits": True,
        "profileId": PROFILE,
        "currencyCode": "USD",
        "discount": False,
        "transaction": link,
        "transactions": link,
    }


def test_the_wallet_belongs_to_the_profile(protocol: Protocol) -> None:
    card = made(protocol.post("giftcards", WALLET).data["id"])

    assert card.owner is not None
    assert (card.owner.profile_id, card.owner.email, card.owner.document) == (PROFILE, "", "")
    assert (card.is_restricted, card.is_reloadable, card.is_reusable) == (True, True, True)


def test_a_repeated_call_answers_with_the_same_wallet(protocol: Protocol) -> None:
    first = protocol.post("giftcards", WALLET)
    card = made(first.data["id"])

    with unchanged(card):
        second = protocol.post("giftcards", WALLET)

    assert second.data == first.data
    assert (GiftCard.objects.count(), Customer.objects.count()) == (1, 1)


def test_another_caption_or_date_is_still_the_same_wallet(protocol: Protocol) -> None:
    first = protocol.post("giftcards", WALLET)

    second = protocol.post(
        "giftcards", WALLET | {"caption": "Other", "expiringDate": "2090-01-01T00:00:00"}
    )

    assert second.data == first.data


def test_a_closed_wallet_is_followed_by_a_new_one(protocol: Protocol) -> None:
    closed = made(protocol.post("giftcards", WALLET).data["id"])
    ledger.close(closed.pk, request_id="CLOSE", actor="staff:7", reason="fraud")

    with unchanged(closed):
        second = protocol.post("giftcards", WALLET)
        third = protocol.post("giftcards", WALLET)

    assert second.data["id"] != closed.public_id
    assert third.data == second.data
    assert GiftCard.objects.count() == 2
    assert Customer.objects.count() == 1


def test_a_blocked_wallet_stays_the_one_wallet(protocol: Protocol) -> None:
    blocked = made(protocol.post("giftcards", WALLET).data["id"])
    ledger.block(blocked.pk, request_id="BLOCK", actor="staff:7")

    with unchanged(blocked):
        answer = protocol.post("giftcards", WALLET)

    assert answer.data["id"] == blocked.public_id
    assert GiftCard.objects.get().status == "blocked"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2027-12-31T23:59:59", "2027-12-31T23:59:59.000"),
        ("2020-02-04T17:02:19.17", "2099-12-31T00:00:00.000"),
        (None, "2099-12-31T00:00:00.000"),
    ],
)
def test_an_expired_wallet_gets_the_end_now_asked_for_and_takes_rewards_again(
    protocol: Protocol, asked: str | None, answered: str
) -> None:
    with time_machine.travel(NOW, tick=False):
        first = protocol.post("giftcards", WALLET | {"expiringDate": "2026-04-01T00:00:00"})
        protocol.post(f"giftcards/{first.data['id']}/transactions", credit(5, "reward-1"))

    with time_machine.travel(NOW + datetime.timedelta(days=90), tick=False):
        again = protocol.post("giftcards", WALLET | {"expiringDate": asked})
        protocol.post(f"giftcards/{again.data['id']}/transactions", credit(7, "reward-2"))
        shown = protocol.get(f"giftcards/{again.data['id']}")

    # What has expired with the wallet stays so.
    assert again.data == first.data | {"expiringDate": answered}
    assert shown.data["balance"] == Decimal("7.00")
    assert buckets(made(first.data["id"])) == {"credited": 1200, "expired": 500, "available": 700}
    assert GiftCard.objects.get().operations.filter(kind="renew").count() == 1


def test_a_wallet_is_renewed_as_often_as_it_expires(protocol: Protocol) -> None:
    ends = []
    for year in (2026, 2027, 2028):
        with time_machine.travel(NOW.replace(year=year), tick=False):
            asked = {"expiringDate": f"{year}-04-01T00:00:00"}
            answers = [protocol.post("giftcards", WALLET | asked) for _ in range(2)]
            ends += [answer.data["expiringDate"] for answer in answers]

    assert ends == [f"{year}-04-01T00:00:00.000" for year in (2026, 2026, 2027, 2027, 2028, 2028)]
    assert GiftCard.objects.get().operations.filter(kind="renew").count() == 2


@pytest.mark.django_db(transaction=True)
def test_four_calls_at_once_renew_one_wallet_once(protocol: Protocol, store: Store) -> None:
    program = make_program(store, kind=Program.Kind.LOYALTY)
    owner = make_customer(store, profile_id=PROFILE)
    wallet = make_expired_card(
        program, balance=500, owner=owner, relation_name="loyalty-program", is_reloadable=True
    )

    answers = at_once(protocol, "giftcards", [WALLET] * 4)

    assert {answer.data["id"] for answer in answers} == {wallet.public_id}
    assert {answer.data["expiringDate"] for answer in answers} == {"2099-12-31T00:00:00.000"}
    assert wallet.operations.filter(kind="renew").count() == 1
    assert buckets(wallet) == {"credited": 500, "expired": 500}


def test_another_relation_is_another_wallet(protocol: Protocol) -> None:
    ids = {
        protocol.post("giftcards", WALLET | {"relationName": name}).data["id"]
        for name in ("loyalty-program", "cashback", "loyalty-program")
    }

    assert len(ids) == 2


def test_another_profile_has_its_own_wallet(protocol: Protocol) -> None:
    ids = {
        protocol.post("giftcards", WALLET | {"profileId": profile}).data["id"]
        for profile in ("ana", "eva", "ana")
    }

    assert len(ids) == 2


@pytest.mark.django_db(transaction=True)
def test_four_calls_at_once_open_one_wallet(protocol: Protocol) -> None:
    ids = {answer.data["id"] for answer in at_once(protocol, "giftcards", [WALLET] * 4)}

    assert ids == {GiftCard.objects.get().public_id}
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("name", ["profileId", "userProfileId"])
def test_the_profile_comes_under_either_name(protocol: Protocol, name: str) -> None:
    body = {"relationName": "loyalty-program", name: "ana"}

    answer = protocol.post("giftcards", body)

    assert answer.data["profileId"] == "ana"


def test_a_profile_that_is_an_email_is_known_by_it(protocol: Protocol) -> None:
    """The documentation allows "the customer's registered email" as a profile id."""
    answer = protocol.post("giftcards", WALLET | {"profileId": "Ana@Example.com"})
    protocol.post(f"giftcards/{answer.data['id']}/transactions", credit(5, orderInfo=None))

    found = protocol.post("giftcards/_search", search(None, {"email": "ana@example.com"}))

    assert [card["id"] for card in found.data] == [answer.data["id"]]


def test_a_customer_who_is_known_gets_the_wallet(protocol: Protocol, store: Store) -> None:
    known = make_customer(store, profile_id=PROFILE, email="ana@example.com")

    card = made(protocol.post("giftcards", WALLET).data["id"])

    assert card.owner == known


@pytest.mark.parametrize(
    "body",
    [
        {"relationName": "loyalty-program"},
        {"caption": "Loyalty Program"},
        {"relationName": "r", "caption": None, "profileId": None, "currencyCode": None},
        {"relationName": "r", "profileId": "", "restrictedToOwner": None},
        {"relationName": "r", "profileId": 7},
    ],
)
def test_a_relation_or_a_caption_is_enough(protocol: Protocol, body: Body) -> None:
    answer = protocol.post("giftcards", body)

    assert (answer.status, answer.data["profileId"]) == (200, None)


def test_without_a_profile_every_call_makes_a_card(protocol: Protocol) -> None:
    body = {"relationName": "loyalty-program", "caption": "Loyalty Program"}

    ids = {protocol.post("giftcards", body).data["id"] for _ in range(2)}

    assert len(ids) == 2


MALFORMED: dict[str, Body] = {
    "nothing": {},
    "neither relation nor caption": {"profileId": "ana"},
    "both empty": {"relationName": "", "caption": " ", "profileId": "ana"},
    "a relation that is no text": {"relationName": ["x"], "profileId": "ana"},
    "a relation of 101 characters": {"relationName": "x" * 101, "profileId": "ana"},
    "a caption of 101 characters": {"relationName": "r", "caption": "x" * 101},
    "a currency that is no text": {"relationName": "r", "currencyCode": True},
    "a currency of four letters": {"relationName": "r", "currencyCode": "REAL"},
    "a flag that is text": {"relationName": "r", "restrictedToOwner": "true"},
    "a flag that is a number": {"relationName": "r", "multipleCredits": 1},
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_wallet_is_not_opened(protocol: Protocol, body: Body) -> None:
    answer = protocol.post("giftcards", body)

    assert answer.refusal == (400, "invalid_field")
    assert (GiftCard.objects.count(), Customer.objects.count()) == (0, 0)


def test_a_currency_that_is_none_is_refused(protocol: Protocol) -> None:
    answer = protocol.post("giftcards", WALLET | {"currencyCode": "XXX"})

    assert answer.refusal == (400, "unknown_currency")
    assert GiftCard.objects.count() == 0


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2030-06-30T23:59:59", "2030-06-30T23:59:59.000"),
        ("2030-06-30T23:59:59.1234567Z", "2030-06-30T23:59:59.123"),
        ("2030-06-30T23:59:59.5-03:00", "2030-07-01T02:59:59.500"),
        ("0001-01-01T00:00:00", "2099-12-31T00:00:00.000"),
        ("2020-02-04T17:02:19.17", "2099-12-31T00:00:00.000"),
        ("soon", "2099-12-31T00:00:00.000"),
        ("2030-02-30T00:00:00", "2099-12-31T00:00:00.000"),
        ("", "2099-12-31T00:00:00.000"),
        (None, "2099-12-31T00:00:00.000"),
        (1893456000, "2099-12-31T00:00:00.000"),
        ("9999-12-31T23:59:59.9999999", "2099-12-31T00:00:00.000"),
        ("9999-12-31T23:59:59-12:00", "2099-12-31T00:00:00.000"),
    ],
)
def test_the_expiry_is_read_in_every_form_of_vtex(
    protocol: Protocol, asked: object, answered: str
) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = protocol.post("giftcards", WALLET | {"expiringDate": asked})

    assert answer.data["expiringDate"] == answered


def test_what_is_not_asked_for_comes_from_the_program(protocol: Protocol, store: Store) -> None:
    make_program(
        store,
        kind=Program.Kind.LOYALTY,
        relation_name="loyalty-program",
        caption="Cashback",
        validity_days=10,
        is_reloadable=True,
        is_restricted=True,
    )
    body = {"relationName": "loyalty-program", "profileId": "ana"}

    with time_machine.travel(NOW, tick=False):
        answer = protocol.post("giftcards", body)

    assert answer.data["caption"] == "Cashback"
    # The ten days are those of each reward.
    assert answer.data["expiringDate"] == "2099-12-31T00:00:00.000"
    assert (answer.data["restrictedToOwner"], answer.data["multipleCredits"]) == (True, True)
    assert answer.data["currencyCode"] == "BRL"


def test_the_first_wallet_makes_the_loyalty_program(protocol: Protocol, store: Store) -> None:
    protocol.post("giftcards", {"relationName": "loyalty-program", "profileId": "ana"})

    program = store.programs.get()
    assert (program.name, program.kind) == ("Loyalty", Program.Kind.LOYALTY)
    assert (program.funding, program.is_reloadable) == ("promotional", True)


def test_an_empty_wallet_is_not_found_by_search(protocol: Protocol) -> None:
    protocol.post("giftcards", WALLET)

    answer = protocol.post("giftcards/_search", search(None, {"id": PROFILE}))

    assert answer.data == []


def test_a_gift_card_program_of_that_name_catches_no_rewards(
    protocol: Protocol, store: Store
) -> None:
    make_program(store, name="Loyalty", kind=Program.Kind.GIFT_CARD)

    card = made(protocol.post("giftcards", WALLET).data["id"])

    assert (card.program.name, card.program.kind) == ("Loyalty", Program.Kind.LOYALTY)
    assert card.program.funding == "promotional"
    assert store.programs.count() == 2
