"""What `unmerge` owes to requests of others; most of the verb is in the tests of `merge`."""

import pytest

from loyalty import wallets
from loyalty.exceptions import RequestConflict
from loyalty.models import Customer, CustomerMerge, Program, Store
from tests.builders import (
    buckets,
    fresh,
    make_customer,
    make_merge,
    make_program,
    make_store,
    make_unmerge,
    make_wallet,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


@pytest.fixture
def store() -> Store:
    return make_store()


@pytest.fixture
def loyalty(store: Store) -> Program:
    return make_program(store, is_reloadable=True, relation_name="loyalty-program")


def make_guest(store: Store) -> Customer:
    """Somebody of whom only an e-mail is known."""
    return make_customer(store, profile_id="", document="")


def make_merged(store: Store, loyalty: Program, *, balance: int) -> CustomerMerge:
    """A guest with a wallet, merged into another guest with one."""
    one, other = make_guest(store), make_guest(store)
    make_wallet(loyalty, owner=one, balance=balance)
    make_wallet(loyalty, owner=other)
    return make_merge(one, other)


@pytest.mark.parametrize("same_cards", [False, True])
def test_the_id_of_an_undoing_serves_for_no_other(
    store: Store, loyalty: Program, same_cards: bool
) -> None:
    first = make_merged(store, loyalty, balance=100)
    make_unmerge(first, request_id="U")
    if same_cards:
        second = make_merge(first.customer, first.into)
    else:
        second = make_merged(store, loyalty, balance=100)
    wallet = second.into.cards.order_by("pk").last()
    assert wallet is not None

    with pytest.raises(RequestConflict):
        make_unmerge(second, request_id="U")

    assert fresh(second).undone_at is None
    assert buckets(wallet)["available"] == 100


def test_each_is_found_by_their_own_again_though_others_were_merged_before(store: Store) -> None:
    one, other, third = make_guest(store), make_guest(store), make_customer(store)
    make_merge(one, other)
    made = make_merge(third, other)

    make_unmerge(made)

    for customer, person in ((one, other), (other, other), (third, third)):
        assert wallets.customer_of(store, customer.identity) == person
    assert fresh(one).document == fresh(other).document == ""


def test_who_was_merged_before_forgets_the_one_who_stays_too(store: Store) -> None:
    one, other, third = make_guest(store), make_guest(store), make_customer(store)
    make_merge(one, other)
    made = make_merge(other, third)

    make_unmerge(made)

    for customer, person in ((one, other), (other, other), (third, third)):
        assert wallets.customer_of(store, customer.identity) == person
    assert fresh(one).document == fresh(other).document == ""
