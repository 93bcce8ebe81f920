import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loyalty import codes, ledger
from loyalty.exceptions import (
    BatchNumberTaken,
    DuplicateCode,
    InvalidAmount,
    InvalidCode,
    InvalidDates,
    LedgerError,
    UnknownCustomer,
    WalletExists,
)
from loyalty.ledger import NewCard
from loyalty.models import Batch, GiftCard, Operation, Program
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    fresh,
    history,
    make_card,
    make_cards,
    make_customer,
    make_hold,
    make_points_program,
    make_program,
    moves,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
CODE = "VALE-2026-0001"


def make_batch(program: Program, count: int = 100) -> Batch:
    user, _ = get_user_model().objects.get_or_create(username="maker")
    return Batch.objects.create(
        program=program, name="Natal", amount=100, count=count, total=100 * count, created_by=user
    )


def numbered(batch: Batch, *numbers: int) -> list[NewCard]:
    return [NewCard(100, batch=batch, batch_number=number) for number in numbers]


def without_identity(card: GiftCard) -> dict[str, list[dict[str, object]]]:
    """A card's rows but for what no two cards have in common."""
    own = {"id", "card_id", "public_id", "code_digest", "code_sealed", "code_last4"}
    own |= {"operation_id", "grant_id"}
    return {
        table: [{name: value for name, value in row.items() if name not in own} for row in rows]
        for table, rows in history(card).items()
    }


@pytest.mark.parametrize("amount", [0, 1, 10_000, MAX_UNITS])
def test_makes_each_card_as_issue_does(amount: int) -> None:
    program = make_program(validity_days=90, relation_name="loyalty-program", caption="Vale")
    owners = [make_customer(program.store) for _ in range(2)]
    start = NOON + DAY

    with time_machine.travel(NOON, tick=False):
        alone = make_card(
            program, balance=amount, owner=owners[0], valid_from=start, reference="row 1"
        )
        [together] = make_cards(
            program, NewCard(amount, owner=owners[1], valid_from=start, reference="row 1")
        )

    expected = without_identity(alone)
    expected["card"][0]["owner_id"] = owners[1].pk
    assert without_identity(together) == expected
    for name in ("kind", "amount", "applied", "outcome", "actor", "reason", "note", "created_at"):
        assert getattr(together.operations.get(), name) == getattr(alone.operations.get(), name)


def test_gives_the_cards_in_the_order_in_which_they_were_asked_for() -> None:
    program = make_program()
    wanted = [NewCard(amount) for amount in (300, 0, 100, 200)]

    cards = make_cards(program, *wanted, reason="campaign", note="Natal", actor="staff:7")

    assert [buckets(card) for card in cards] == [
        {"credited": 300, "available": 300},
        {},
        {"credited": 100, "available": 100},
        {"credited": 200, "available": 200},
    ]
    assert len({card.code for card in cards}) == 4
    for card, new in zip(cards, wanted, strict=True):
        operation = card.operations.get()
        assert operation.request_id == f"issue:{card.public_id}"
        assert (operation.amount, operation.applied) == (new.amount, new.amount)
        assert (operation.actor, operation.reason) == ("staff:7", "campaign")
        assert (operation.note, operation.outcome) == ("Natal", "ok")
        assert moves(operation) == ([("outside", "available", new.amount)] if new.amount else [])


def test_keeps_what_each_card_has_of_its_own() -> None:
    program = make_points_program()
    owner, batch = make_customer(program.store), make_batch(program)

    with time_machine.travel(NOON, tick=False):
        [plain, own] = make_cards(
            program,
            NewCard(100),
            NewCard(
                250,
                owner=owner,
                imported_code=CODE,
                valid_from=NOON + DAY,
                expires_at=NOON + 9 * DAY,
                batch=batch,
                batch_number=7,
                reference="line 3",
            ),
        )

    assert (own.owner, own.code, own.is_imported) == (owner, CODE, True)
    assert (own.valid_from, own.expires_at) == (NOON + DAY, NOON + 9 * DAY)
    assert (own.batch, own.batch_number, own.exponent) == (batch, 7, 4)
    grant = own.grants.get()
    assert (grant.valid_from, grant.expires_at) == (NOON + DAY, NOON + 9 * DAY)
    assert (grant.origin, grant.funding, grant.reference) == ("issue", "promotional", "line 3")
    assert (plain.owner, plain.is_imported, plain.batch) == (None, False, None)
    assert (plain.valid_from, plain.expires_at) == (NOON, None)
    assert plain.grants.get().reference == ""


def test_the_cards_are_used_like_any_other() -> None:
    [card, _] = make_cards(None, NewCard(100), NewCard(100))

    make_hold(card, 60)

    assert buckets(card) == {"credited": 100, "available": 40, "held": 60}


def test_makes_none_of_none() -> None:
    assert make_cards() == []


def test_takes_as_many_statements_for_a_hundred_as_for_one() -> None:
    program = make_program()

    def statements(count: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            make_cards(program, *[NewCard(100)] * count)
        return len(queries)

    assert statements(1) == statements(100)


@pytest.mark.parametrize("taken", [CODE, f" {CODE}"])
def test_tells_which_codes_the_store_has(taken: str) -> None:
    program = make_program()
    card = make_card(program, balance=100, imported_code=CODE)
    cards = [NewCard(100), NewCard(100, imported_code=taken), NewCard(100, imported_code="other")]

    with unchanged(card), pytest.raises(DuplicateCode) as refused:
        make_cards(program, *cards, NewCard(1, imported_code=taken))

    assert refused.value.positions == (1, 3)
    assert GiftCard.objects.count() == 1


def test_tells_which_codes_came_before_among_the_same() -> None:
    cards = [NewCard(100, imported_code=code) for code in (CODE, "second", CODE, "second", CODE)]

    with pytest.raises(DuplicateCode) as refused:
        make_cards(None, *cards)

    assert refused.value.positions == (2, 3, 4)
    assert not GiftCard.objects.exists()


def test_tells_a_code_that_somebody_would_type_as_one_that_we_made() -> None:
    program = make_program()
    ours = make_card(program)

    with pytest.raises(DuplicateCode) as refused:
        make_cards(
            program, NewCard(100), NewCard(100, imported_code=codes.grouped(ours.code).lower())
        )

    assert refused.value.positions == (1,)


def test_codes_made_elsewhere_may_differ_in_case_alone() -> None:
    cards = make_cards(None, *(NewCard(1, imported_code=code) for code in ("abcd", "ABCD", "Abcd")))

    assert [card.code for card in cards] == ["abcd", "ABCD", "Abcd"]


def test_another_store_may_have_the_code() -> None:
    make_card(imported_code=CODE)

    [card] = make_cards(None, NewCard(100, imported_code=CODE))

    assert card.code == CODE


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        pytest.param(InvalidAmount, NewCard(-1), id="negative"),
        pytest.param(InvalidAmount, NewCard(MAX_UNITS + 1), id="beyond BIGINT"),
        pytest.param(InvalidCode, NewCard(1, imported_code="abc"), id="short code"),
        pytest.param(
            InvalidDates, NewCard(1, valid_from=NOON, expires_at=NOON), id="empty validity"
        ),
    ],
)
def test_tells_which_is_malformed_and_makes_none(error: type[LedgerError], wrong: NewCard) -> None:
    with pytest.raises(error) as refused:
        make_cards(None, NewCard(100), NewCard(100), wrong, NewCard(100))

    assert refused.value.positions == (2,)
    assert not GiftCard.objects.exists()
    assert not Operation.objects.exists()


def test_tells_whose_card_would_be_a_strangers() -> None:
    program = make_program()
    fields = ("profile_id", "email", "document", "corporate_document", "name")
    erased = make_customer(program.store, **dict.fromkeys(fields, ""), erased_at=timezone.now())

    for stranger in (make_customer(), erased):
        with pytest.raises(UnknownCustomer) as refused:
            make_cards(program, NewCard(100), NewCard(100, owner=stranger))
        assert refused.value.positions == (1,)

    assert not GiftCard.objects.exists()


def test_refuses_a_second_wallet_of_a_customer() -> None:
    program = make_program(relation_name="loyalty-program")
    owner = make_customer(program.store)

    with pytest.raises(WalletExists):
        make_cards(program, NewCard(100, owner=owner), NewCard(100, owner=owner))

    assert not GiftCard.objects.exists()


@pytest.mark.parametrize("numbers", [(3, 4), (4, 3), (5, 5)])
def test_a_number_of_a_batch_is_issued_once(numbers: tuple[int, int]) -> None:
    program = make_program()
    batch = make_batch(program)
    [known] = make_cards(program, *numbered(batch, 3))

    with unchanged(known), pytest.raises(BatchNumberTaken):
        make_cards(program, *numbered(batch, *numbers))

    assert list(batch.cards.values_list("batch_number", flat=True)) == [3]


def test_another_batch_has_numbers_of_its_own() -> None:
    program = make_program()

    for batch in (make_batch(program), make_batch(program)):
        make_cards(program, *numbered(batch, 1, 2))

    assert GiftCard.objects.filter(batch_number=2).count() == 2


def test_does_not_disguise_what_else_the_database_refuses() -> None:
    with pytest.raises(IntegrityError, match="card_batch_and_number"):
        make_cards(None, NewCard(100), NewCard(100, batch_number=1))

    assert not GiftCard.objects.exists()


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_leaves_nothing_behind_when_it_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.ledger.issuance.post_issues", fail)

    with pytest.raises(ZeroDivisionError):
        make_cards(None, NewCard(100), NewCard(100))

    assert not GiftCard.objects.exists()


def issue_once_more(program: Program, **options: Any) -> GiftCard:
    defaults: dict[str, Any] = {"balance": 100, "public_id": "f" * 32}
    return make_card(program, **defaults | options)


@pytest.mark.parametrize(
    "happens",
    [
        lambda _card: None,
        lambda card: make_hold(card, 100),
        lambda card: ledger.close(card.pk, request_id="C1", actor="test", reason="lost"),
    ],
    ids=["nothing", "spent", "closed"],
)
def test_issue_answers_with_the_card_that_has_the_id(happens: Callable[[GiftCard], object]) -> None:
    program = make_program()
    with time_machine.travel(NOON, tick=False):
        first = issue_once_more(program, imported_code=CODE, expires_at=NOON + DAY)
        happens(first)

    with time_machine.travel(NOON + 2 * DAY, tick=False), unchanged(first):
        again = issue_once_more(program, imported_code=CODE, expires_at=NOON + DAY)

    assert (again.pk, again.public_id) == (first.pk, "f" * 32)
    assert GiftCard.objects.count() == 1


@pytest.mark.parametrize("what", ["amount", "program", "store"])
def test_issue_refuses_the_id_of_another_card(what: str) -> None:
    program = make_program()
    first = issue_once_more(program)
    other = {"amount": program, "program": make_program(program.store), "store": make_program()}
    amount = {"balance": 101} if what == "amount" else {}

    with unchanged(first), pytest.raises(LedgerError, match="already used"):
        issue_once_more(other[what], **amount)

    assert GiftCard.objects.count() == 1


@pytest.mark.parametrize("code", ["", CODE])
def test_issue_finds_the_card_that_an_equal_request_made_in_between(
    monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    program = make_program()
    first = issue_once_more(program, imported_code=code)
    found = iter([None, first])
    monkeypatch.setattr("loyalty.ledger.issuance._issued_before", lambda *_: next(found))

    again = issue_once_more(program, imported_code=code)

    assert again.pk == first.pk
    assert fresh(first).operations.count() == 1
