"""Credit for many customers: who gets it, given once to each, taken back while unspent."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User

from loyalty import batches, jobs, ledger
from loyalty.batches import Selection, crediting, undoing
from loyalty.exceptions import BatchUsed, InvalidAmount, LedgerBusy
from loyalty.identity import Identity
from loyalty.models import (
    Batch,
    BatchOwner,
    Customer,
    GiftCard,
    Job,
    JobKind,
    Notification,
    Operation,
    Origin,
    Program,
    TierStanding,
    Transaction,
)
from loyalty.tasks import HANDLERS
from tests.builders import (
    buckets,
    make_card,
    make_credit,
    make_customer,
    make_points_program,
    make_purchase,
    make_store,
    make_wallet,
)
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    make_earning_program,
    take,
)
from tests.loyalty.ledger.race import errors, race
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

State = Batch.Status


@pytest.fixture
def maker() -> User:
    return make_staff("add_batch")


@pytest.fixture
def program() -> Program:
    """Points of R$ 0.0025."""
    return make_points_program(relation_name="loyalty-program", is_restricted=True)


def drafted(
    program: Program, maker: User, *wanted: tuple[Customer, int], own: str = "", **fields: Any
) -> Batch:
    """A draft for these customers with their units."""
    recipients = batches.survey(
        program, [(customer.pk, units) for customer, units in wanted], own=Identity.of(email=own)
    )
    plan = batches.Plan(
        program=program,
        name="Sorry",
        source=Batch.Source.CREDIT,
        recipients=list(recipients),
        reason="customer_service",
        note="The shop was down",
        **fields,
    )
    return batches.draft(plan, created_by=maker)


def given(program: Program, maker: User, *wanted: tuple[Customer, int], **fields: Any) -> Batch:
    batch = drafted(program, maker, *wanted, **fields)
    batches.start(batch, requested_by=maker)
    run()
    return fresh(batch)


def people(program: Program, count: int) -> list[Customer]:
    return [make_customer(program.store) for _ in range(count)]


def run() -> None:
    while jobs.run_next(HANDLERS):
        pass


def fresh(batch: Batch) -> Batch:
    return Batch.objects.get(pk=batch.pk)


def rows(batch: Batch) -> list[tuple[int, int, int, str]]:
    """Number, customer, units and problem of each."""
    found = batch.owners.order_by("number")
    return list(found.values_list("number", "customer_id", "amount", "problem"))  # type: ignore[arg-type]


def units_of(customer: Customer) -> int:
    return sum(card.balance.available for card in customer.cards.select_related("balance"))


# --- Who gets it ---------------------------------------------------------------------------------


def test_a_draft_has_everybody_and_who_is_left_out_last(program: Program, maker: User) -> None:
    store = program.store
    ana, bia = people(program, 2)
    me = make_customer(store, email="me@store.example")
    blocked, other, full = people(program, 3)
    make_wallet(program, owner=blocked)
    GiftCard.objects.update(status=GiftCard.Status.BLOCKED)
    elsewhere = make_points_program(store, name="Other", relation_name="loyalty-program")
    make_wallet(elsewhere, owner=other)
    make_card(program, owner=full, balance=1, is_reloadable=False)

    batch = drafted(
        program,
        maker,
        *((me, 50), (ana, 100), (blocked, 1), (bia, 250), (ana, 7), (other, 1), (full, 1)),
        own="me@store.example",
    )

    assert rows(batch) == [
        (1, ana.pk, 100, ""),
        (2, bia.pk, 250, ""),
        (3, me.pk, 50, "own"),
        (4, blocked.pk, 1, "card_blocked"),
        (5, ana.pk, 7, "repeated"),
        (6, other.pk, 1, "other_program"),
        (7, full.pk, 1, "not_reloadable"),
    ]
    assert (batch.count, batch.total, batch.status) == (2, 350, "draft")
    assert batches.outcome(batch) == batches.Outcome(0, 0, 5, 0, 0)
    assert not Transaction.objects.filter(card__owner=ana).exists()


def test_sent_twice_it_is_the_same_draft(program: Program, maker: User) -> None:
    ana, bia = people(program, 2)

    first = drafted(program, maker, (ana, 100), (bia, 100))
    again = drafted(program, maker, (ana, 100), (bia, 100))
    other = drafted(program, maker, (ana, 100), (bia, 101))

    assert first == again != other
    assert BatchOwner.objects.count() == 4


def test_more_than_can_be_counted_is_refused(program: Program, maker: User) -> None:
    ana, bia = people(program, 2)

    with pytest.raises(InvalidAmount):
        drafted(program, maker, (ana, 2**62), (bia, 2**62))

    assert not Batch.objects.exists()


# --- Giving --------------------------------------------------------------------------------------


def test_each_gets_their_own_amount_into_their_wallet(program: Program, maker: User) -> None:
    ana, bia = people(program, 2)
    wallet = make_wallet(program, owner=ana, balance=25)
    end = program.store.last_instant(datetime.date(2099, 12, 31))

    batch = given(program, maker, (ana, 100), (bia, 250), expires_at=end)

    assert batch.status == State.ISSUED
    assert (units_of(ana), units_of(bia)) == (125, 250)
    assert GiftCard.objects.get(owner=bia).program == program
    row = batch.owners.get(number=1)
    assert row.card == wallet
    assert row.credit is not None
    [grant] = row.credit.grants.all()
    assert (grant.origin, grant.funding, grant.expires_at) == (Origin.CREDIT, "promotional", end)
    assert grant.reference == f"batch {batch.pk}"
    operation = row.credit.operations.get()
    assert (operation.actor, operation.reason, operation.note) == (
        f"staff:{maker.pk}",
        "customer_service",
        "The shop was down",
    )
    assert batches.outcome(batch) == batches.Outcome(2, 0, 0, 350, 350)


def test_the_wallets_of_a_chunk_are_opened_together(program: Program, maker: User) -> None:
    old, ana, bia = people(program, 3)
    known = make_wallet(program, owner=old)
    gone = make_customer(program.store)
    batch = drafted(program, maker, *((each, 100) for each in (old, ana, gone, bia)))
    Customer.objects.filter(pk=gone.pk).update(
        erased_at=START, profile_id="", email="", document="", corporate_document="", name=""
    )

    batches.start(batch, requested_by=maker)
    run()

    opened = Operation.objects.filter(kind=Operation.Kind.ISSUE).exclude(card=known)
    assert opened.values_list("card__owner", flat=True).count() == 2
    assert opened.values("created_at").distinct().count() == 1
    assert [units_of(each) for each in (old, ana, gone, bia)] == [100, 100, 0, 100]


def test_a_wallet_that_another_opens_meanwhile_is_the_one(
    program: Program, maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, bia = people(program, 2)
    issue_many = ledger.issue_many

    def late(*args: Any, **kwargs: Any) -> list[GiftCard]:
        monkeypatch.setattr(ledger, "issue_many", issue_many)
        make_wallet(program, owner=bia)
        return issue_many(*args, **kwargs)

    monkeypatch.setattr(ledger, "issue_many", late)
    given(program, maker, (ana, 100), (bia, 200))

    assert [each.cards.count() for each in (ana, bia)] == [1, 1]
    assert [units_of(each) for each in (ana, bia)] == [100, 200]


def test_who_is_left_out_gets_nothing(program: Program, maker: User) -> None:
    ana = make_customer(program.store)
    me = make_customer(program.store, email="me@store.example")

    batch = given(program, maker, (me, 100), (ana, 100), own="me@store.example")

    assert (units_of(ana), units_of(me)) == (100, 0)
    job = Job.objects.get(kind=JobKind.CREDIT_BATCH)
    assert (job.done, job.failed, job.total, job.status) == (1, 0, 1, "done")
    assert batches.outcome(batch) == batches.Outcome(1, 0, 1, 100, 100)


def test_a_chunk_done_twice_gives_nothing_twice(
    program: Program, maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crediting, "CHUNK", 2)
    some = people(program, 5)
    batch = drafted(program, maker, *((each, 100) for each in some))
    job = batches.start(batch, requested_by=maker)
    batches.credit_chunk(Job.objects.get(pk=job.pk))

    run()

    assert [units_of(each) for each in some] == [100] * 5
    assert Transaction.objects.count() == 5
    assert Job.objects.get(pk=job.pk).done == 5


def test_killed_after_the_credit_it_is_not_given_again(program: Program, maker: User) -> None:
    """Not even into another wallet, when the first was closed meanwhile."""
    ana = make_customer(program.store)
    batch = drafted(program, maker, (ana, 100))
    job = batches.start(batch, requested_by=maker)
    with (
        patch.object(BatchOwner, "save", autospec=True, side_effect=_dies_with_the_credit),
        pytest.raises(KeyboardInterrupt),
    ):
        batches.credit_chunk(Job.objects.get(pk=job.pk))
    assert units_of(ana) == 100
    wallet = GiftCard.objects.get()
    make_purchase(wallet, 100)
    ledger.cancel(
        Transaction.objects.get(kind="debit"), amount=100, request_id="back", actor="test"
    )
    ledger.close(wallet.pk, request_id="close", actor="test", reason="lost")

    run()

    assert units_of(ana) == 0
    assert GiftCard.objects.get() == wallet
    row = batch.owners.get()
    assert (row.credit, row.problem) == (Transaction.objects.get(kind="credit"), "")


def _dies_with_the_credit(row: BatchOwner, update_fields: Sequence[str]) -> None:
    if "credit" in update_fields:
        raise KeyboardInterrupt
    BatchOwner.objects.filter(pk=row.pk).update(card=row.card)


def test_two_workers_at_once_give_each_once(
    program: Program, maker: User, transactional_db: None
) -> None:
    some = people(program, 6)
    batch = drafted(program, maker, *((each, 100) for each in some))
    job = batches.start(batch, requested_by=maker)

    def work() -> object:
        try:
            return batches.credit_chunk(Job.objects.get(pk=job.pk))
        except LedgerBusy:
            return None

    found = race([work] * 3)
    run()

    assert errors(found) == []
    assert [units_of(each) for each in some] == [100] * 6
    assert Transaction.objects.count() == 6
    assert fresh(batch).status == State.ISSUED


@pytest.mark.parametrize(
    ("happens", "problem"),
    [
        (lambda who: GiftCard.objects.filter(owner=who).update(status="blocked"), "card_blocked"),
        (
            lambda who: Customer.objects.filter(pk=who.pk).update(
                erased_at=START, email="", document="", profile_id="", name=""
            ),
            "unknown_customer",
        ),
    ],
)
def test_what_changed_meanwhile_keeps_no_other_from_getting_theirs(
    happens: Callable[[Customer], object], problem: str, program: Program, maker: User
) -> None:
    ana, bia = people(program, 2)
    make_wallet(program, owner=ana)
    batch = drafted(program, maker, (ana, 100), (bia, 100))
    happens(ana)

    batches.start(batch, requested_by=maker)
    run()

    assert (units_of(ana), units_of(bia)) == (0, 100)
    assert rows(batch)[0] == (1, ana.pk, 100, problem)
    job = Job.objects.get(kind=JobKind.CREDIT_BATCH)
    assert (job.done, job.failed, job.parameters["refused"]) == (2, 1, [[1, problem]])
    assert batches.outcome(batch) == batches.Outcome(1, 1, 0, 100, 100)


def test_each_credit_is_one_message_if_the_program_says_so(program: Program, maker: User) -> None:
    program.announces_credit = program.announces_issue = True
    program.save()
    some = people(program, 3)

    given(program, maker, *((each, 100) for each in some))

    # A wallet without credit is no news; its first credit is.
    told = Notification.objects.order_by("pk").values_list("kind", "customer_id")
    assert [each for each in told if each[0] == "credited"] == [
        ("credited", each.pk) for each in some
    ]


# --- Taking back ---------------------------------------------------------------------------------


def undone(batch: Batch, maker: User) -> Job:
    job = batches.start_undo(batch, requested_by=maker, note="wrong list")
    run()
    return Job.objects.get(pk=job.pk)


def test_unspent_it_is_taken_back_as_a_whole(program: Program, maker: User) -> None:
    ana, bia = people(program, 2)
    wallet = make_wallet(program, owner=ana, balance=25)
    batch = given(program, maker, (ana, 100), (bia, 250))

    job = undone(batch, maker)

    assert fresh(batch).status == State.UNDONE
    assert (job.done, job.failed) == (2, 0)
    assert buckets(wallet) == {"credited": 125, "available": 25, "removed": 100}
    assert (units_of(ana), units_of(bia)) == (25, 0)
    assert batches.outcome(batch).unspent == 0


def test_once_something_was_spent_it_is_not_taken_back(program: Program, maker: User) -> None:
    ana, bia = people(program, 2)
    batch = given(program, maker, (ana, 100), (bia, 250))
    make_purchase(GiftCard.objects.get(owner=ana), 1)

    with pytest.raises(BatchUsed):
        batches.start_undo(batch, requested_by=maker)

    assert (units_of(ana), units_of(bia)) == (99, 250)
    assert fresh(batch).status == State.ISSUED


def test_what_is_spent_in_between_stays_and_no_other_credit_is_touched(
    program: Program, maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crediting, "CHUNK", 1)
    ana, bia = people(program, 2)
    batch = given(program, maker, (ana, 100), (bia, 100))
    wallet = GiftCard.objects.get(owner=bia)
    make_credit(wallet, 500)
    job = batches.start_undo(batch, requested_by=maker)
    undoing.undo_chunk(Job.objects.get(pk=job.pk))
    make_purchase(wallet, 60)

    run()

    assert (units_of(ana), units_of(bia)) == (0, 540)
    assert fresh(batch).status == State.ISSUED
    job = Job.objects.get(pk=job.pk)
    assert (job.failed, job.parameters["refused"]) == (1, [[2, "credit_spent"]])


def test_a_chunk_undone_twice_takes_nothing_twice(program: Program, maker: User) -> None:
    [ana] = people(program, 1)
    make_wallet(program, owner=ana, balance=300)
    batch = given(program, maker, (ana, 100))
    job = batches.start_undo(batch, requested_by=maker)
    undoing.undo_chunk(Job.objects.get(pk=job.pk))

    run()

    assert units_of(ana) == 300


# --- Chosen by what is known of them -------------------------------------------------------------


def buyer(program: Program, number: int, *orders: Any) -> Customer:
    """A customer who bought; an order is (value, days after the start)."""
    email = f"buyer{number}@example.com"
    for value, day in orders:
        paid = START + day * DAY
        take(program.store, an_order(value, paid=paid, buyer=Identity.of(email=email)))
    known = Customer.objects.filter(store=program.store, email=email).first()
    return known or make_customer(program.store, email=email)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"members": True}, [1, 4]),
        ({"members": False}, [1, 2, 3, 4]),
        ({"members": True, "tier": "Gold"}, [4]),
        ({"members": False, "bought_at_least": 150_00}, [1, 2]),
        ({"members": False, "bought_from": 5}, [1, 3]),
        ({"members": False, "bought_from": 5, "bought_at_least": 80_00}, [1]),
        ({"members": False, "bought_until": 4}, [1, 2]),
        ({"members": False, "not_bought_since": 5}, [2, 4]),
        ({"members": False, "not_bought_since": 40}, [1, 2, 3, 4]),
        ({"members": True, "not_bought_since": 5, "tier": "Silver"}, []),
    ],
)
def test_chosen_by(asked: dict[str, Any], expected: list[int]) -> None:
    program = make_earning_program()
    first = START.astimezone(program.store.zone).date()
    known = [
        buyer(program, 1, (100_00, 0), (90_00, 10)),
        buyer(program, 2, (200_00, 0)),
        buyer(program, 3, (50_00, 6)),
        buyer(program, 4),
    ]
    order = an_order(900_00, paid=START + 8 * DAY, buyer=Identity.of(email="buyer4@example.com"))
    take(program.store, canceled(order))
    gone = make_customer(program.store)
    Customer.objects.filter(pk=gone.pk).update(
        erased_at=START, email="", document="", profile_id="", name=""
    )
    make_customer(make_store(account="other"))
    make_wallet(program, owner=known[0])
    make_wallet(program, owner=known[3])
    TierStanding.objects.create(
        customer=known[3], program=program, tier="Gold", since=START, judged_at=START
    )
    days = {"bought_from", "bought_until", "not_bought_since"}
    selection = Selection(
        **{name: first + value * DAY if name in days else value for name, value in asked.items()}
    )

    found = batches.chosen(program, selection)

    assert [known.index(each) + 1 for each in found] == expected
    assert Selection.of(selection.kept()) == selection


def test_a_closed_wallet_makes_no_member(program: Program) -> None:
    wallet = make_wallet(program, owner=make_customer(program.store))
    ledger.close(wallet.pk, request_id="c", actor="test", reason="lost")

    assert not batches.chosen(program, Selection()).exists()
