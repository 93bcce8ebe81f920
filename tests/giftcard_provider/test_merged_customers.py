"""What VTEX meets of two customers who were merged: one wallet, found by whatever it sends."""

from decimal import Decimal

import pytest

from loyalty.models import Customer, GiftCard, Program, Store
from tests.builders import buckets, make_credit, make_customer, make_hold, make_merge, make_wallet
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import CREATE_CARD, search

RELATION = CREATE_CARD["relationName"]


@pytest.fixture
def loyalty(store: Store) -> Program:
    return Program.objects.create(
        store=store,
        kind=Program.Kind.LOYALTY,
        name="Club",
        relation_name=RELATION,
        is_reloadable=True,
        is_restricted=True,
    )


@pytest.fixture
def by_profile(store: Store) -> Customer:
    """Known by the profile id of VTEX and an e-mail."""
    return make_customer(
        store, document="", profile_id=CREATE_CARD["profileId"], email="old@example.com"
    )


@pytest.fixture
def by_cpf(store: Store) -> Customer:
    return make_customer(store, profile_id="", email="new@example.com", document="52998224725")


@pytest.fixture
def wallets(loyalty: Program, by_profile: Customer, by_cpf: Customer) -> tuple[GiftCard, GiftCard]:
    """The wallet from before the merge, and the one that stays."""
    source = make_wallet(loyalty, owner=by_profile, balance=50_00)
    target = make_wallet(loyalty, owner=by_cpf, balance=7_00)
    return source, target


@pytest.mark.parametrize(
    "client",
    [
        {"email": "old@example.com"},
        {"email": "new@example.com"},
        {"document": "529.982.247-25"},
        {"id": CREATE_CARD["profileId"]},
    ],
)
def test_search_finds_the_wallet_that_stays(
    protocol: Protocol,
    wallets: tuple[GiftCard, GiftCard],
    by_profile: Customer,
    by_cpf: Customer,
    client: dict[str, str],
) -> None:
    make_merge(by_profile, by_cpf)

    found = protocol.post("giftcards/_search", search(client=client)).data

    assert [(card["id"], card["balance"]) for card in found] == [
        (wallets[1].public_id, Decimal("57.00"))
    ]


def test_a_reward_goes_to_the_wallet_that_stays(
    protocol: Protocol,
    wallets: tuple[GiftCard, GiftCard],
    by_profile: Customer,
    by_cpf: Customer,
) -> None:
    make_merge(by_profile, by_cpf)

    opened = protocol.post("giftcards", CREATE_CARD | {"currencyCode": "BRL"}).data

    assert opened["id"] == wallets[1].public_id


def test_the_wallet_from_before_answers_for_what_is_under_way(
    protocol: Protocol,
    wallets: tuple[GiftCard, GiftCard],
    by_profile: Customer,
    by_cpf: Customer,
) -> None:
    source, target = wallets
    held = make_hold(source, 20_00)
    reward = make_credit(source, 5_00, origin="reward")
    make_merge(by_profile, by_cpf)
    base = f"giftcards/{source.public_id}/transactions"

    shown = protocol.get(f"giftcards/{source.public_id}")
    settled = protocol.post(
        f"{base}/{held.public_id}/settlements", {"value": 20, "requestId": "S1"}
    )
    refunded = protocol.post(
        f"{base}/{held.public_id}/cancellations", {"value": 8, "requestId": "C1"}
    )
    taken = protocol.post(
        f"{base}/{reward.public_id}/cancellations", {"value": 5, "requestId": "C2"}
    )

    assert (shown.status, shown.data["balance"]) == (200, Decimal("0.00"))
    assert [each.status for each in (settled, refunded, taken)] == [200, 200, 200]
    assert buckets(source) == {
        "credited": 25_00,
        "available": 8_00,
        "spent": 12_00,
        "removed": 5_00,
    }
    assert buckets(target) == {"credited": 37_00, "available": 37_00}
