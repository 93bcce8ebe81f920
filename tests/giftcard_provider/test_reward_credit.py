"""POST /giftcards/{id}/transactions, Credit: the reward of an order, on the customer's wallet."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from loyalty.models import Customer, GiftCard, Program
from tests.builders import (
    buckets,
    fresh,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_customer,
    make_expired_card,
    make_hold,
    make_wallet,
    unchanged,
)
from tests.giftcard_provider.conftest import Answer, Protocol
from tests.giftcard_provider.payloads import (
    CREATE_CARD,
    CREDIT,
    Body,
    changed,
    credit,
    search,
    step,
)


def reward(protocol: Protocol, card: GiftCard, body: Body) -> Answer:
    """Post a transaction."""
    return protocol.post(f"giftcards/{card.public_id}/transactions", body)


@pytest.fixture
def wallet(protocol: Protocol) -> GiftCard:
    """A wallet as VTEX opens it: of its owner only the profile is known."""
    answer = protocol.post("giftcards", CREATE_CARD | {"currencyCode": "BRL"})
    return GiftCard.objects.get(public_id=answer.data["id"])


def owner_of(card: GiftCard) -> Customer:
    owner = fresh(card).owner
    assert owner is not None
    return owner


def test_the_reward_of_an_order_is_there_at_once(protocol: Protocol, wallet: GiftCard) -> None:
    answer = reward(protocol, wallet, credit(Decimal("28.4")))

    made = wallet.transactions.get()
    assert answer.status == 200
    assert answer.data["id"] == made.public_id
    assert (made.kind, made.amount, made.order_id) == ("credit", 2_840, "v2915869org-01")
    assert buckets(wallet) == {"credited": 2_840, "available": 2_840}


def test_the_grant_is_a_reward_of_the_programs_funding(
    protocol: Protocol, wallet: GiftCard
) -> None:
    reward(protocol, wallet, credit(10))

    grant = wallet.grants.get()
    assert (grant.origin, grant.funding, grant.amount) == ("reward", "promotional", 1_000)


def test_the_example_of_the_documentation_is_accepted_whatever_its_token(
    protocol: Protocol, wallet: GiftCard
) -> None:
    """A credit takes nothing from anybody: its token is not asked for."""
    assert reward(protocol, wallet, CREDIT).status == 200


def test_rewards_add_up_on_one_wallet(protocol: Protocol, wallet: GiftCard) -> None:
    for number in range(3):
        reward(protocol, wallet, credit(Decimal("0.10"), f"order-{number}"))

    assert buckets(wallet) == {"credited": 30, "available": 30}


def test_a_credit_without_an_order_is_accepted(protocol: Protocol, wallet: GiftCard) -> None:
    body = credit(10)
    del body["orderInfo"], body["redemptionToken"], body["redemptionCode"], body["description"]

    assert reward(protocol, wallet, body).status == 200
    assert owner_of(wallet).email == ""


def test_the_owner_is_learned_from_the_credit(protocol: Protocol, wallet: GiftCard) -> None:
    reward(protocol, wallet, credit(10))

    owner = owner_of(wallet)
    assert (owner.email, owner.document, owner.name) == (
        "email@domain.com",
        "10617764093",
        "John Smith",
    )
    assert owner.profile_id == CREATE_CARD["profileId"]


@pytest.mark.parametrize(
    "client",
    [
        {"email": "Email@Domain.com"},
        {"document": "106.177.640-93"},
        {"id": CREATE_CARD["profileId"]},
    ],
    ids=["e-mail", "CPF", "profile"],
)
def test_the_owner_finds_the_wallet_afterwards(
    protocol: Protocol, wallet: GiftCard, client: Body
) -> None:
    reward(protocol, wallet, credit(10))

    answer = protocol.post("giftcards/_search", search(None, client))

    assert [(found["id"], found["balance"]) for found in answer.data] == [
        (wallet.public_id, Decimal("10.00"))
    ]


def test_what_is_known_of_an_owner_is_not_overwritten(protocol: Protocol, wallet: GiftCard) -> None:
    reward(protocol, wallet, credit(10, "order-1"))
    other = changed(
        CREDIT["orderInfo"], clientProfile={"email": "eva@example.com", "document": "11144477735"}
    )

    answer = reward(protocol, wallet, credit(10, "order-2", orderInfo=other))

    assert answer.status == 200
    assert (owner_of(wallet).email, owner_of(wallet).document) == (
        "email@domain.com",
        "10617764093",
    )


def test_nothing_is_learned_from_the_order_of_somebody_else(
    protocol: Protocol, program: Program
) -> None:
    """Or else somebody else's document would open this owner's cards."""
    owner = make_customer(program.store, email="ana@example.com", document="")
    card = make_wallet(program, owner=owner)

    answer = reward(protocol, card, credit(10))

    assert answer.status == 200
    assert (owner_of(card).email, owner_of(card).document) == ("ana@example.com", "")


def test_a_card_of_nobody_stays_of_nobody(protocol: Protocol, program: Program) -> None:
    card = make_wallet(program)

    reward(protocol, card, credit(10))

    assert fresh(card).owner is None
    assert Customer.objects.count() == 0


def test_masked_data_of_the_owner_is_not_learned(protocol: Protocol, wallet: GiftCard) -> None:
    profile = {"email": "e***@domain.com", "document": "***.177.640-**", "firstName": None}
    order = changed(CREDIT["orderInfo"], clientProfile=profile)

    reward(protocol, wallet, credit(10, orderInfo=order))

    assert (owner_of(wallet).email, owner_of(wallet).document) == ("", "")


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800b", "x" * 5_000, 7, ["x"]], ids=type)
def test_an_odd_name_does_not_stop_a_reward(
    protocol: Protocol, wallet: GiftCard, name: object
) -> None:
    profile = {"email": "email@domain.com", "firstName": name, "lastName": name}
    order = changed(CREDIT["orderInfo"], clientProfile=profile)

    answer = reward(protocol, wallet, credit(10, orderInfo=order))

    assert answer.status == 200
    assert owner_of(wallet).email == "email@domain.com"


def test_a_repeated_credit_is_given_once(protocol: Protocol, wallet: GiftCard) -> None:
    """ "Credited although VTEX got a 500" (issue 760896): the repeat must not credit again."""
    first = reward(protocol, wallet, credit(10))

    with unchanged(wallet):
        second = reward(protocol, wallet, credit(10))

    assert second.data == first.data


def test_a_repeated_credit_still_tells_who_the_owner_is(
    protocol: Protocol, wallet: GiftCard
) -> None:
    reward(protocol, wallet, credit(10, orderInfo=None))
    reward(protocol, wallet, credit(10))

    assert owner_of(wallet).email == "email@domain.com"


def test_the_same_order_with_another_reward_is_a_conflict(
    protocol: Protocol, wallet: GiftCard
) -> None:
    reward(protocol, wallet, credit(10))

    with unchanged(wallet):
        answer = reward(protocol, wallet, credit(11))

    assert answer.refusal == (409, "request_conflict")


def test_a_credit_with_the_id_of_a_debit_is_a_conflict(
    protocol: Protocol, program: Program
) -> None:
    card = make_wallet(program, balance=1_000)
    make_hold(card, 1_000, request_id="reward-1")

    with unchanged(card):
        answer = reward(protocol, card, credit(10))

    assert answer.refusal == (409, "request_conflict")


REFUSING: dict[str, tuple[Callable[[Program], GiftCard], str]] = {
    "blocked": (lambda program: make_blocked_card(program, is_reloadable=True), "card_blocked"),
    "closed": (lambda program: make_closed_card(program, is_reloadable=True), "card_closed"),
    "expired": (lambda program: make_expired_card(program, is_reloadable=True), "card_expired"),
    "not reloadable": (lambda program: make_card(program, balance=100), "not_reloadable"),
}


@pytest.mark.parametrize(("make", "code"), REFUSING.values(), ids=REFUSING)
def test_a_card_that_takes_no_credit_refuses(
    protocol: Protocol, program: Program, make: Callable[[Program], GiftCard], code: str
) -> None:
    card = make(program)

    with unchanged(card, declined=code):
        answer = reward(protocol, card, credit(10))

    assert answer.refusal == (422, code)


def test_the_first_credit_of_a_card_that_cannot_be_reloaded_is_allowed(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program)

    assert reward(protocol, card, credit(10)).status == 200


def test_an_unknown_card_is_not_found(protocol: Protocol) -> None:
    answer = protocol.post(f"giftcards/{'0' * 32}/transactions", credit(1))

    assert answer.refusal == (404, "unknown_card")


def test_a_reward_is_taken_back(protocol: Protocol, wallet: GiftCard) -> None:
    path = reward(protocol, wallet, credit(10)).data["_self"]["href"]

    answer = protocol.post(f"{path}/cancellations", step(4))

    assert answer.data["value"] == Decimal("4.00")
    assert buckets(wallet) == {"credited": 1_000, "available": 600, "removed": 400}


def test_a_reward_partly_spent_is_not_taken_back(protocol: Protocol, wallet: GiftCard) -> None:
    path = reward(protocol, wallet, credit(10)).data["_self"]["href"]
    make_hold(wallet, 300)

    with unchanged(wallet, declined="credit_spent"):
        answer = protocol.post(f"{path}/cancellations", step(10))

    assert answer.refusal == (422, "credit_spent")
    assert protocol.get(f"{path}/cancellations").data == []


def test_what_is_left_of_a_reward_is_taken_back(protocol: Protocol, wallet: GiftCard) -> None:
    path = reward(protocol, wallet, credit(10)).data["_self"]["href"]
    make_hold(wallet, 300)

    answer = protocol.post(f"{path}/cancellations", step(7))

    assert answer.status == 200
    assert buckets(wallet) == {"credited": 1_000, "held": 300, "removed": 700}


def test_more_than_the_reward_is_not_taken_back(protocol: Protocol, wallet: GiftCard) -> None:
    path = reward(protocol, wallet, credit(10)).data["_self"]["href"]
    make_credit(wallet, 5_000)

    with unchanged(wallet, declined="exceeds_transaction"):
        answer = protocol.post(f"{path}/cancellations", step(11))

    assert answer.refusal == (422, "exceeds_transaction")


def test_a_reward_is_settled_from_the_start(protocol: Protocol, wallet: GiftCard) -> None:
    path = reward(protocol, wallet, credit(10)).data["_self"]["href"]

    with unchanged(wallet):
        answer = protocol.post(f"{path}/settlements", step(10))

    assert (answer.status, answer.data["value"]) == (200, Decimal("10.00"))
    assert protocol.get(f"{path}/settlements").data == []


def test_more_than_the_reward_is_not_settled(protocol: Protocol, wallet: GiftCard) -> None:
    path = reward(protocol, wallet, credit(10)).data["_self"]["href"]

    with unchanged(wallet):
        answer = protocol.post(f"{path}/settlements", step(11))

    assert answer.refusal == (422, "exceeds_hold")
