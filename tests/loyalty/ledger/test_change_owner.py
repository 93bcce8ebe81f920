import datetime
from collections.abc import Callable

import pytest
from django.db import IntegrityError
from django.utils import timezone

from loyalty import ledger
from loyalty.exceptions import (
    CardClosed,
    InvalidRequestId,
    ReasonRequired,
    UnknownCard,
    UnknownCustomer,
    WalletExists,
    WrongOwner,
)
from loyalty.models import Customer, GiftCard, Operation, Store
from tests.builders import (
    buckets,
    fresh,
    history,
    make_blocked_card,
    make_card,
    make_change_of_owner,
    make_closed_card,
    make_customer,
    make_expired_card,
    make_hold,
    make_program,
    make_settlement,
    make_store,
    moves,
    refuses,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


@pytest.fixture
def store() -> Store:
    return make_store()


@pytest.fixture
def ana(store: Store) -> Customer:
    return make_customer(store)


@pytest.fixture
def bia(store: Store) -> Customer:
    return make_customer(store)


def make_erased_customer(store: Store) -> Customer:
    fields = ("profile_id", "email", "document", "corporate_document", "name")
    return make_customer(store, **dict.fromkeys(fields, ""), erased_at=timezone.now())


def owner_of(card: GiftCard) -> Customer | None:
    return fresh(card).owner


def test_gives_the_card_to_another_customer_and_moves_nothing(
    store: Store, ana: Customer, bia: Customer
) -> None:
    end = timezone.now() + datetime.timedelta(days=30)
    card = make_card(make_program(store), balance=1000, owner=ana, expires_at=end)
    make_hold(card, 300)
    before = history(card)

    operation = make_change_of_owner(card, bia)

    after = history(card)
    [old], [new] = before.pop("card"), after.pop("card")
    assert {**old, "owner_id": bia.pk} == new
    assert after == before
    assert moves(operation) == []
    assert (operation.amount, operation.applied) == (0, 0)


def test_gives_a_bearers_card_an_owner(store: Store, ana: Customer) -> None:
    card = make_card(make_program(store), balance=1000)

    make_change_of_owner(card, ana)

    assert owner_of(card) == ana


def test_takes_the_owner_away(store: Store, ana: Customer) -> None:
    card = make_card(make_program(store), balance=1000, owner=ana)

    make_change_of_owner(card, None)

    assert owner_of(card) is None


def test_is_recorded_and_changes_nothing_when_it_is_theirs_already(
    store: Store, ana: Customer
) -> None:
    card = make_card(make_program(store), balance=1000, owner=ana)
    before = history(card)

    operation = make_change_of_owner(card, ana)

    assert history(card) == before
    assert (operation.outcome, operation.applied) == ("ok", 0)


def test_from_then_on_a_restricted_card_pays_for_the_new_owner_only(
    store: Store, ana: Customer, bia: Customer
) -> None:
    card = make_card(make_program(store), balance=1000, owner=ana, is_restricted=True)
    hold = make_hold(card, 100, buyer=ana.identity)

    make_change_of_owner(card, bia)

    make_hold(card, 200, buyer=bia.identity)
    with refuses(card, WrongOwner):
        make_hold(card, 1, buyer=ana.identity)
    make_settlement(hold, 100)  # what was accepted before goes its way
    assert buckets(card) == {"credited": 1000, "available": 700, "held": 200, "spent": 100}


@pytest.mark.parametrize("make", [make_blocked_card, make_expired_card])
def test_takes_any_card_that_is_not_closed(
    store: Store, ana: Customer, make: Callable[..., GiftCard]
) -> None:
    card = make(make_program(store), balance=1000)

    make_change_of_owner(card, ana)

    assert owner_of(card) == ana


def test_answers_with_the_operation_as_it_is_stored(store: Store, ana: Customer) -> None:
    card = make_card(make_program(store), balance=1000)

    operation = make_change_of_owner(
        card, ana, request_id="O1", actor="staff:7", note="Was a gift."
    )

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("owner", "ok", "staff:7")
    assert (stored.request_id, stored.reason) == ("O1", "correction")
    assert (stored.note, stored.transaction) == ("Was a gift.", None)


@pytest.mark.parametrize("whose", ["the same", "another"])
def test_answers_a_repeated_request_as_before_whoever_the_owner(
    store: Store, ana: Customer, bia: Customer, whose: str
) -> None:
    card = make_card(make_program(store), balance=1000)
    first = make_change_of_owner(card, ana, request_id="O1")
    make_change_of_owner(card, None, request_id="O2")

    with unchanged(card):
        again = make_change_of_owner(card, ana if whose == "the same" else bia, request_id="O1")

    assert again.oid == first.oid
    assert owner_of(card) is None


@pytest.mark.parametrize("who", ["of another store", "erased", "gone"])
def test_refuses_a_customer_that_is_not_the_stores(store: Store, ana: Customer, who: str) -> None:
    card = make_card(make_program(store), balance=1000, owner=ana)
    if who == "gone":
        customer = make_customer(store)
        Customer.objects.filter(pk=customer.pk).delete()
    else:
        customer = make_customer() if who == "of another store" else make_erased_customer(store)

    with refuses(card, UnknownCustomer):
        make_change_of_owner(card, customer)


def test_refuses_a_customer_who_was_erased_since_the_caller_looked(
    store: Store, ana: Customer
) -> None:
    card = make_card(make_program(store), balance=1000)
    fields = ("profile_id", "email", "document", "corporate_document", "name")
    Customer.objects.filter(pk=ana.pk).update(**dict.fromkeys(fields, ""), erased_at=timezone.now())

    with refuses(card, UnknownCustomer):
        make_change_of_owner(card, ana)


def test_refuses_a_second_wallet_of_a_relation(store: Store, ana: Customer, bia: Customer) -> None:
    program = make_program(store, relation_name="loyalty-program")
    card = make_card(program, balance=1000, owner=ana)
    other = make_card(program, balance=500, owner=bia)

    with unchanged(other), refuses(card, WalletExists):
        make_change_of_owner(card, bia, request_id="O1")

    ledger.close(other.pk, request_id="CLOSE", actor="test", reason="other")
    make_change_of_owner(card, bia, request_id="O1")  # nothing was recorded: it may succeed later
    assert owner_of(card) == bia


def test_does_not_disguise_what_else_the_database_refuses(
    store: Store, ana: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card(make_program(store), balance=1000)

    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("card_status")

    monkeypatch.setattr("loyalty.ledger.states.post", fail)

    with unchanged(card), pytest.raises(IntegrityError, match="card_status"):
        make_change_of_owner(card, ana)


def test_is_refused_by_a_closed_card_for_good(store: Store, ana: Customer) -> None:
    card = make_closed_card(make_program(store), balance=1000)

    with refuses(card, CardClosed):
        make_change_of_owner(card, ana, request_id="O1")
    with unchanged(card), pytest.raises(CardClosed):
        make_change_of_owner(card, ana, request_id="O1")


@pytest.mark.parametrize("reason", ["", "because"])
def test_needs_a_reason_of_the_list(store: Store, ana: Customer, reason: str) -> None:
    card = make_card(make_program(store))

    with refuses(card, ReasonRequired):
        make_change_of_owner(card, ana, reason=reason)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(store: Store, ana: Customer, request_id: str) -> None:
    card = make_card(make_program(store))

    with refuses(card, InvalidRequestId):
        make_change_of_owner(card, ana, request_id=request_id)


def test_refuses_a_card_that_does_not_exist(ana: Customer) -> None:
    with pytest.raises(UnknownCard):
        ledger.change_owner(0, owner=ana, request_id="O1", actor="staff:7", reason="other")

    assert not Operation.objects.exists()
