"""Each verdict by its name, and all of them beside what checkout is shown."""

import datetime

import pytest
from django.db import connection
from django.utils import timezone

from loyalty import lookup
from loyalty.identity import Identity
from loyalty.models import Customer, GiftCard, Program, Store
from loyalty.verdicts import Inquiry, Reason, inquire
from tests.builders import (
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_customer,
    make_expired_card,
    make_hold,
    make_points_program,
    make_program,
    make_store,
    make_wallet,
)

CPF, CNPJ = "12345678909", "11222333000181"


@pytest.fixture
def store(db: None) -> Store:
    return make_store()


@pytest.fixture
def program(store: Store) -> Program:
    return make_program(store)


@pytest.fixture
def ana(store: Store) -> Customer:
    return make_customer(store, email="ana@example.com", document=CPF)


def reasons(inquiry: Inquiry) -> dict[GiftCard, list[Reason]]:
    return {verdict.card: list(verdict.reasons) for verdict in inquiry.verdicts}


def in_days(days: int) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(days=days)


def every_state(program: Program, owner: Customer) -> dict[GiftCard, list[Reason]]:
    """A card of the owner in each state that keeps it away, and one that appears."""
    held = make_card(program, balance=100, owner=owner)
    make_hold(held, 100)
    had = make_card(program, balance=100, owner=owner, is_reusable=False)
    make_hold(had, 10)
    ended = make_wallet(program, owner=owner)
    make_credit(ended, 100, valid_from=in_days(-9), expires_at=in_days(-1))
    later = make_wallet(program, owner=owner)
    make_credit(later, 100, valid_from=in_days(3))
    points = make_points_program(program.store)
    return {
        make_card(program, balance=100, owner=owner): [],
        make_blocked_card(program, balance=100, owner=owner): [Reason.BLOCKED],
        make_closed_card(program, owner=owner): [Reason.CLOSED, Reason.EMPTY],
        make_expired_card(program, balance=100, owner=owner): [
            Reason.EXPIRED,
            Reason.CREDIT_EXPIRED,
        ],
        make_card(program, balance=100, owner=owner, valid_from=in_days(3)): [
            Reason.NOT_YET_VALID,
            Reason.CREDIT_LATER,
        ],
        make_card(program, balance=0, owner=owner): [Reason.EMPTY],
        make_card(points, balance=99, owner=owner): [Reason.BELOW_CENT],
        held: [Reason.ALL_HELD],
        had: [Reason.PURCHASE_HAD],
        ended: [Reason.CREDIT_EXPIRED],
        later: [Reason.CREDIT_LATER],
    }


def test_each_rule_is_named_and_agrees_with_checkout(
    store: Store, program: Program, ana: Customer
) -> None:
    expected = every_state(program, ana)

    found = inquire(store, ana.identity)

    assert reasons(found) == expected
    shown = {view.public_id for view in lookup.cards_of(store.pk, ana.identity) if view.balance}
    assert {each.card.public_id for each in found.verdicts if each.appears} == shown


def test_by_code_it_agrees_with_checkout_too(store: Store, program: Program, ana: Customer) -> None:
    stranger = Identity.of(email="bruno@example.com")
    for card, expected in every_state(program, ana).items():
        view = lookup.card_by_code(store.pk, card.code, stranger)

        (verdict,) = inquire(store, stranger, card.code).verdicts

        assert list(verdict.reasons) == expected
        assert verdict.appears is bool(view and view.balance), expected


def test_a_restricted_card_is_only_for_its_owner(store: Store, ana: Customer) -> None:
    program = make_program(store, is_restricted=True)
    card = make_card(program, balance=100, owner=ana)
    bruno = make_customer(store, email="bruno@example.com", document="98765432100")

    assert reasons(inquire(store, ana.identity, card.code)) == {card: []}
    assert reasons(inquire(store, bruno.identity, card.code)) == {card: [Reason.OTHER_OWNER]}
    assert lookup.card_by_code(store.pk, card.code, bruno.identity) is None


def test_the_same_e_mail_with_another_document_is_said_to_be_that(
    store: Store, program: Program, ana: Customer
) -> None:
    card = make_card(program, balance=100, owner=ana)
    other = Identity.of(email="ana@example.com", document="98765432100")

    found = inquire(store, other)

    assert reasons(found) == {card: [Reason.OTHER_DOCUMENT]}
    assert (found.customers, found.similar) == ([], [ana])
    assert lookup.cards_of(store.pk, other) == []


def test_a_company_is_not_the_person_with_its_e_mail(store: Store, program: Program) -> None:
    company = make_customer(
        store, email="ana@example.com", document="", corporate_document=CNPJ, profile_id=""
    )
    card = make_card(program, balance=100, owner=company)
    by_cpf = Identity.of(document=CPF)
    by_cnpj = Identity.of(corporate_document="11.222.333/0001-81")

    assert reasons(inquire(store, by_cnpj)) == {card: []}
    assert reasons(inquire(store, by_cpf)) == {}
    assert lookup.cards_of(store.pk, by_cpf) == []


def test_a_card_of_another_store_is_said_to_be_there(store: Store, ana: Customer) -> None:
    other = make_program(make_store())
    twin = make_customer(other.store, email="ana@example.com", document=CPF)
    card = make_card(other, balance=100, owner=twin)

    assert reasons(inquire(store, ana.identity)) == {card: [Reason.OTHER_STORE]}
    assert reasons(inquire(store, Identity(), card.code)) == {card: [Reason.OTHER_STORE]}
    assert lookup.cards_of(store.pk, ana.identity) == []


def test_a_store_that_sells_in_another_currency_is_not_shown_the_card(
    store: Store, program: Program, ana: Customer
) -> None:
    card = make_card(program, balance=100, owner=ana)
    with connection.cursor() as cursor:  # a card never changes its currency, nor its store
        cursor.execute("SET LOCAL session_replication_role = replica")
        GiftCard.objects.filter(pk=card.pk).update(currency="USD")
        cursor.execute("SET LOCAL session_replication_role = origin")

    assert reasons(inquire(store, ana.identity)) == {card: [Reason.CURRENCY]}
    assert lookup.cards_of(store.pk, ana.identity) == []


def test_nobody_and_nothing_find_nothing(store: Store) -> None:
    assert inquire(store, Identity()).verdicts == ()
    assert inquire(store, Identity(), "no such code").verdicts == []


def test_of_many_cards_the_newest_are_judged(
    store: Store, program: Program, ana: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.verdicts.LIMIT", 2)
    _old, *newer = (make_card(program, balance=100, owner=ana) for _ in range(3))

    found = inquire(store, ana.identity)

    assert set(reasons(found)) == set(newer)
    assert found.more
