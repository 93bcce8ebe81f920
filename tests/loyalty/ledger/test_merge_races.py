"""Merges at the same moment as purchases, rewards, earnings, other merges, and a crash."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError

from loyalty import earning, ledger, wallets
from loyalty.exceptions import (
    AlreadyMerged,
    InsufficientBalance,
    LedgerBusy,
    MergeTouched,
    UnknownCustomer,
)
from loyalty.identity import Identity
from loyalty.ledger import merging
from loyalty.ledger.invariants import violations
from loyalty.models import Customer, CustomerMerge, Earning, GiftCard, Program, Transaction
from tests.builders import (
    ACTOR,
    buckets,
    fresh,
    history,
    make_card,
    make_customer,
    make_hold,
    make_merge,
    make_program,
    make_store,
    make_unmerge,
    make_wallet,
)
from tests.loyalty.earning.builders import an_order, invoiced, make_earning_program, make_rule
from tests.loyalty.ledger.race import done, errors, race

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("concurrency"),
]

MAIL = Identity(email="ana@example.com")


@pytest.fixture(autouse=True)
def books_are_right_afterwards() -> Iterator[None]:
    yield
    assert violations() == []


@pytest.fixture
def loyalty() -> Program:
    return make_program(
        make_store(), kind=Program.Kind.LOYALTY, is_reloadable=True, relation_name="loyalty-program"
    )


@pytest.fixture
def ana(loyalty: Program) -> Customer:
    return make_customer(loyalty.store, document="", email=MAIL.email)


@pytest.fixture
def twin(loyalty: Program) -> Customer:
    return make_customer(loyalty.store, profile_id="")


def merge(customer: Customer, into: Customer, request_id: str = "M") -> Any:
    return partial(make_merge, customer, into, request_id=request_id)


def test_purchases_on_either_wallet_are_paid_once_or_refused(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    source = make_wallet(loyalty, owner=ana, balance=1000)
    target = make_wallet(loyalty, owner=twin, balance=500)
    holds = [partial(make_hold, card, 100) for card in (source, target) * 6]

    merged, *debits = race([merge(ana, twin), *holds])

    assert isinstance(merged, CustomerMerge)
    assert set(errors(debits)) <= {InsufficientBalance}
    held = 100 * len(done(debits))
    both = Counter(buckets(source)) + Counter(buckets(target))
    assert both == Counter({"credited": 1500, "available": 1500 - held, "held": held})
    assert buckets(source).get("available", 0) == 0


def test_two_merges_in_opposite_directions_end_in_one(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    cards = [make_wallet(loyalty, owner=owner, balance=100) for owner in (ana, twin)]

    results = race([merge(ana, twin, "there"), merge(twin, ana, "back")])

    [made] = done(results)
    assert errors(results) == [AlreadyMerged]
    assert {fresh(card).owner for card in cards} == {made.into}
    assert sorted(buckets(card).get("available", 0) for card in cards) == [0, 200]


def test_a_card_that_is_given_while_the_others_are_locked_goes_along(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    gifts, lock = make_program(loyalty.store), merging._lock
    given: list[GiftCard] = []

    def late(*asked: Any) -> Any:
        if not given:
            given.extend(race([partial(make_card, gifts, balance=9, owner=ana)]))
        return lock(*asked)

    with patch.object(merging, "_lock", late):
        merged = make_merge(ana, twin)

    assert fresh(given[0]).owner == twin
    assert merged.cards == {str(given[0].pk): None}


def test_merges_of_a_ring_of_customers_end_without_a_circle(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    third = make_customer(loyalty.store, profile_id="", document="")
    cards = [make_wallet(loyalty, owner=owner, balance=100) for owner in (ana, twin, third)]

    results = race([merge(ana, twin, "1"), merge(twin, third, "2"), merge(third, ana, "3")])

    assert set(errors(results)) <= {AlreadyMerged, LedgerBusy}
    assert done(results)
    assert sum(buckets(card).get("available", 0) for card in cards) == 300
    for each in Customer.objects.filter(merged_into__isnull=False).select_related("merged_into"):
        assert each.person.merged_into is None


def test_one_request_sent_six_times_at_once_merges_once(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    source = make_wallet(loyalty, owner=ana, balance=100)
    make_wallet(loyalty, owner=twin)

    results = race([merge(ana, twin)] * 6)

    assert errors(results) == []
    assert {made.pk for made in done(results)} == {CustomerMerge.objects.get().pk}
    assert source.operations.filter(kind="transfer").count() == 1


def test_no_wallet_is_opened_for_who_is_being_merged(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    wanted = wallets.WalletRequest("loyalty-program", "", MAIL)
    opening = partial(wallets.open_wallet, loyalty.store, wanted, actor=ACTOR)

    merged, *opened = race([merge(ana, twin), *[opening] * 6])

    assert isinstance(merged, CustomerMerge)
    assert errors(opened) == []
    assert {fresh(card).owner for card in done(opened)} == {twin}
    assert GiftCard.objects.filter(owner=ana).count() == 0
    assert GiftCard.objects.filter(merged_into=None).count() == 1


def test_cards_that_are_issued_meanwhile_come_along_or_are_refused(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    gifts = make_program(loyalty.store)

    merged, *issued = race(
        [merge(ana, twin), *[partial(make_card, gifts, owner=ana, balance=10)] * 6]
    )

    assert isinstance(merged, CustomerMerge | LedgerBusy)
    if isinstance(merged, LedgerBusy):
        make_merge(ana, twin)
    assert set(errors(issued)) <= {UnknownCustomer}
    assert {fresh(card).owner for card in done(issued)} <= {twin}


def test_an_order_that_is_settled_meanwhile_earns_for_who_stays() -> None:
    program = make_earning_program()
    make_rule(program)
    store = program.store
    ana, twin = (
        make_customer(store, document="", email=MAIL.email),
        make_customer(store, profile_id=""),
    )
    make_wallet(program, owner=twin)
    orders = [earning.record(store, invoiced(an_order(100_00))) for _ in range(3)]

    merged, *settled = race(
        [merge(ana, twin), *(partial(earning.settle, order) for order in orders)]
    )

    assert isinstance(merged, CustomerMerge)
    assert set(errors(settled)) <= {LedgerBusy}
    for order in orders:
        order.refresh_from_db()
        earning.settle(order)
    assert [each.state for each in Earning.objects.all()] == ["credited"] * 3
    cards = GiftCard.objects.filter(balance__credited__gt=0)
    assert {card.owner for card in cards} == {twin}
    assert sum(card.balance.credited for card in cards) == 3 * 100 * 25


def test_a_merge_is_undone_or_its_money_is_held_but_not_both(
    loyalty: Program, ana: Customer, twin: Customer
) -> None:
    source = make_wallet(loyalty, owner=ana, balance=100)
    target = make_wallet(loyalty, owner=twin)
    for _ in range(4):
        made = make_merge(ana, twin)

        undone, held = race([partial(make_unmerge, made), partial(make_hold, target, 100)])

        assert (type(undone), type(held)) in {
            (CustomerMerge, InsufficientBalance),
            (MergeTouched, Transaction),
        }
        if isinstance(held, Transaction):
            ledger.cancel(held, amount=100, request_id="back", actor=ACTOR)
            make_unmerge(made)
        assert (buckets(source), buckets(target)) == ({"credited": 100, "available": 100}, {})


@pytest.mark.parametrize("verb", ["merge", "unmerge"])
def test_broken_off_at_any_step_it_leaves_everything_as_it_was(
    loyalty: Program,
    ana: Customer,
    twin: Customer,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    cards = [
        make_wallet(loyalty, owner=ana, balance=100),
        make_wallet(loyalty, owner=twin, balance=5),
        make_card(make_program(loyalty.store), owner=ana, balance=30),
    ]
    made = make_merge(ana, twin) if verb == "unmerge" else None
    people = Customer.objects.order_by("pk")
    before = [*map(history, cards), list(people.values())]
    steps = ["_bring_together", "_become_one", "_become_two", "_take_apart", "_give_orders", "post"]

    for name in steps:
        with monkeypatch.context() as patched:
            whole = getattr(merging, name)

            def breaks(*args: Any, whole: Any = whole, **options: Any) -> None:
                whole(*args, **options)
                raise OperationalError("the server was killed")

            patched.setattr(merging, name, breaks)
            if made and name not in {"_bring_together", "_become_one"}:
                with pytest.raises(LedgerBusy):
                    make_unmerge(made, request_id="again")
            elif not made and name not in {"_become_two", "_take_apart"}:
                with pytest.raises(LedgerBusy):
                    make_merge(ana, twin, request_id="again")
        assert [*map(history, cards), list(people.values())] == before

    if made:
        assert make_unmerge(made, request_id="again").undone_at
    else:
        assert make_merge(ana, twin, request_id="again").into == twin
