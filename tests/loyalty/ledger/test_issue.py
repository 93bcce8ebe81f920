import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import IntegrityError

from loyalty import codes, ledger
from loyalty.exceptions import (
    DuplicateCode,
    InvalidAmount,
    InvalidCode,
    InvalidDates,
    LedgerError,
    UnknownCurrency,
    WalletExists,
)
from loyalty.models import GiftCard, Operation, Program
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    fresh,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_customer,
    make_points_program,
    make_program,
    make_store,
    moves,
    remaining,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def test_makes_an_empty_card_without_a_grant() -> None:
    program = make_program()

    card = ledger.issue(program, actor="staff:1")

    assert buckets(card) == {}
    assert remaining(card) == []
    operation = card.operations.get()
    assert (operation.kind, operation.amount, operation.applied) == ("issue", 0, 0)
    assert moves(operation) == []


@pytest.mark.parametrize("amount", [1, 10_000, 9_007_199_254_740_991, MAX_UNITS])
def test_puts_the_first_amount_on_the_card(amount: int) -> None:
    program = make_program()

    card = ledger.issue(program, actor="staff:1", amount=amount)

    assert buckets(card) == {"credited": amount, "available": amount}
    assert moves(card.operations.get()) == [("outside", "available", amount)]
    assert (card.balance.available, card.balance.version) == (amount, 1)


@time_machine.travel(NOON, tick=False)
def test_opens_a_grant_with_the_dates_and_funding_of_the_program() -> None:
    program = make_program(funding="promotional", validity_days=30)

    card = ledger.issue(program, actor="staff:1", amount=500)

    grant = card.grants.get()
    assert (grant.origin, grant.funding) == ("issue", "promotional")
    assert (grant.amount, grant.remaining) == (500, 500)
    assert (grant.valid_from, grant.expires_at) == (NOON, card.expires_at)
    assert (grant.operation, grant.transaction) == (card.operations.get(), None)


@time_machine.travel("2026-03-11T01:30:00Z", tick=False)
def test_expires_at_the_last_instant_of_a_day_of_the_store() -> None:
    program = make_program(validity_days=30)

    card = ledger.issue(program, actor="staff:1")

    # In São Paulo it is still the tenth.
    assert card.expires_at == datetime.datetime(2026, 4, 9, 23, 59, 59, 999999, tzinfo=SAO_PAULO)


@time_machine.travel(NOON, tick=False)
def test_a_reloadable_card_outlives_the_validity_of_its_credit() -> None:
    program = make_program(validity_days=30, is_reloadable=True)

    card = ledger.issue(program, actor="staff:1", amount=500)
    credit = make_credit(card, 200)

    end = datetime.datetime(2026, 4, 9, 23, 59, 59, 999999, tzinfo=SAO_PAULO)
    assert fresh(card).expires_at is None
    assert card.grants.get(origin="issue").expires_at == end
    assert credit.grants.get().expires_at == end


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize("is_reloadable", [True, False])
def test_ends_when_it_is_told_to(*, is_reloadable: bool) -> None:
    program = make_program(validity_days=30, is_reloadable=is_reloadable)

    card = ledger.issue(program, actor="staff:1", amount=500, expires_at=NOON + 90 * DAY)

    assert fresh(card).expires_at == NOON + 90 * DAY
    assert card.grants.get().expires_at == NOON + 90 * DAY


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    ("is_reloadable", "end"),
    [
        (True, None),
        (False, datetime.datetime(2026, 4, 9, 23, 59, 59, 999999, tzinfo=SAO_PAULO)),
    ],
)
def test_the_flag_of_the_card_says_whose_the_validity_is(
    *, is_reloadable: bool, end: datetime.datetime | None
) -> None:
    program = make_program(validity_days=30, is_reloadable=not is_reloadable)

    card = ledger.issue(program, actor="staff:1", is_reloadable=is_reloadable)

    assert fresh(card).expires_at == end


def test_never_expires_when_the_program_says_so() -> None:
    program = make_program(validity_days=None)

    card = ledger.issue(program, actor="staff:1")

    assert card.expires_at is None


@pytest.mark.parametrize("flag", ["is_restricted", "is_reloadable", "is_reusable"])
@pytest.mark.parametrize("default", [True, False])
def test_takes_a_flag_from_the_program_unless_told_otherwise(flag: str, *, default: bool) -> None:
    usual: dict[str, Any] = {flag: default}
    unusual: dict[str, Any] = {flag: not default}
    program = make_program(**usual)

    plain, special = make_card(program), make_card(program, **unusual)

    assert getattr(plain, flag) is default
    assert getattr(special, flag) is not default


def test_takes_texts_from_the_program_unless_told_otherwise() -> None:
    program = make_program(
        caption="Vale", relation_name="loyalty-program", terms="Valid once.", terms_version="3"
    )

    plain = make_card(program)
    special = make_card(program, caption="Parabéns", relation_name="")

    assert (plain.caption, plain.relation_name) == ("Vale", "loyalty-program")
    assert (special.caption, special.relation_name) == ("Parabéns", "")
    assert plain.terms_version == special.terms_version == "3"


def test_counts_in_the_units_of_the_program() -> None:
    money, points = make_program(), make_points_program()

    assert (make_card(money).currency, make_card(money).exponent) == ("BRL", 2)
    assert (make_card(points).currency, make_card(points).exponent) == ("BRL", 4)


@pytest.mark.parametrize(("currency", "exponent"), [("CLP", 0), ("USD", 2), ("KWD", 3)])
def test_counts_a_foreign_card_in_its_own_currency(currency: str, exponent: int) -> None:
    card = make_card(make_points_program(), currency=currency)

    assert (card.currency, card.exponent) == (currency, exponent)


def test_makes_ids_and_codes_that_can_not_be_guessed() -> None:
    card, other = make_card(), make_card()

    assert len(card.public_id) == 32
    assert set(card.public_id) <= set("0123456789abcdef")
    assert len(card.code) == codes.LENGTH
    assert set(card.code) <= set(codes.ALPHABET)
    assert len({card.public_id, other.public_id}) == len({card.code, other.code}) == 2


def test_keeps_an_imported_code_to_the_letter() -> None:
    card = make_card(imported_code=" vale-2019 aB ")

    assert card.code == "vale-2019 aB"
    assert card.code_last4 == "9 aB"
    assert card.is_imported


@pytest.mark.parametrize(
    ("code", "shown"), [("VALE-1", "E-1"), ("VALE1", "E1"), ("1234", "34"), ("VALE-001", "-001")]
)
def test_keeps_at_most_half_of_a_short_code_readable(code: str, shown: str) -> None:
    card = make_card(imported_code=code)

    assert (card.code, card.code_last4) == (code, shown)


def test_belongs_to_the_given_owner() -> None:
    owner = make_customer()

    assert make_card(make_program(owner.store), owner=owner).owner == owner
    assert make_card().owner is None


def test_records_who_issued_it_and_why() -> None:
    card = make_card(balance=5, actor="staff:7", reason="customer_service", note="Lost parcel.")

    operation = card.operations.get()
    assert operation.request_id == f"issue:{card.public_id}"
    assert (operation.actor, operation.reason) == ("staff:7", "customer_service")
    assert (operation.note, operation.outcome) == ("Lost parcel.", "ok")
    assert operation.created_at == card.created_at


def test_refuses_an_imported_code_that_the_store_already_has() -> None:
    program = make_program()
    make_card(program, imported_code="VALE-1")

    with pytest.raises(DuplicateCode):
        make_card(make_program(program.store), balance=100, imported_code="VALE-1")

    assert GiftCard.objects.count() == Operation.objects.count() == 1


def test_refuses_an_imported_code_that_is_the_code_of_a_card_of_ours() -> None:
    program = make_program()
    code = make_card(program).code

    with pytest.raises(DuplicateCode):
        make_card(program, imported_code=codes.grouped(code).lower())

    assert GiftCard.objects.count() == Operation.objects.count() == 1


def test_lets_two_imported_codes_differ_by_their_case() -> None:
    program = make_program()

    cards = [make_card(program, imported_code=code) for code in ("vale", "VALE")]

    assert [card.code for card in cards] == ["vale", "VALE"]


def test_lets_two_stores_have_the_same_code() -> None:
    cards = [make_card(imported_code="VALE-1") for _ in range(2)]

    assert [card.code for card in cards] == ["VALE-1", "VALE-1"]


def test_refuses_an_owner_a_second_wallet_of_one_relation() -> None:
    owner = make_customer()
    program = make_program(owner.store)
    make_card(program, owner=owner, relation_name="loyalty-program")

    with pytest.raises(WalletExists):
        make_card(program, balance=100, owner=owner, relation_name="loyalty-program")

    assert GiftCard.objects.count() == Operation.objects.count() == 1


def test_lets_an_owner_have_a_wallet_again_when_the_first_was_closed() -> None:
    owner = make_customer()
    program = make_program(owner.store)
    closed = make_closed_card(program, owner=owner, relation_name="loyalty-program")

    card = make_card(program, owner=owner, relation_name="loyalty-program")

    assert [other.pk for other in owner.cards.order_by("id")] == [closed.pk, card.pk]


def test_a_blocked_wallet_is_still_the_wallet() -> None:
    owner = make_customer()
    program = make_program(owner.store)
    wallet = make_blocked_card(program, owner=owner, relation_name="loyalty-program")

    with unchanged(wallet), pytest.raises(WalletExists):
        make_card(program, balance=100, owner=owner, relation_name="loyalty-program")

    assert GiftCard.objects.count() == 1


def test_lets_an_owner_have_any_number_of_cards_without_a_relation() -> None:
    owner = make_customer()
    program = make_program(owner.store)

    cards = [make_card(program, owner=owner) for _ in range(2)]

    assert [card.owner for card in cards] == [owner, owner]


def test_does_not_disguise_what_else_the_database_refuses() -> None:
    card = make_card(balance=100)

    with unchanged(card), pytest.raises(IntegrityError, match="card_batch_and_number"):
        make_card(card.program, balance=100, batch_number=1)

    assert GiftCard.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "options"),
    [
        pytest.param(InvalidAmount, {"amount": -1}, id="negative"),
        pytest.param(InvalidAmount, {"amount": MAX_UNITS + 1}, id="beyond BIGINT"),
        pytest.param(InvalidCode, {"imported_code": "abc"}, id="short code"),
        pytest.param(InvalidCode, {"imported_code": "a\x00bcd"}, id="code with a NUL"),
        pytest.param(UnknownCurrency, {"currency": "XXX"}, id="no such currency"),
        pytest.param(InvalidDates, {"valid_from": NOON, "expires_at": NOON}, id="empty validity"),
    ],
)
def test_refuses_what_is_malformed(error: type[LedgerError], options: dict[str, Any]) -> None:
    program = make_program()

    with pytest.raises(error):
        make_card(program, **options)

    assert not GiftCard.objects.exists()
    assert not Operation.objects.exists()


def test_changes_no_card_when_the_program_changes() -> None:
    card = make_card(make_program(make_store(), caption="Vale", is_reloadable=True))

    Program.objects.update(caption="Outro", is_reloadable=False)

    card.refresh_from_db()
    assert (card.caption, card.is_reloadable) == ("Vale", True)
