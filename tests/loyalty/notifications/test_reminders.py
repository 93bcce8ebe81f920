"""Reminders of credit that ends soon: each once, for those who want them, late if need be."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import notifications
from loyalty.models import Customer, GiftCard, Notification, Program, ReminderProgress
from tests.builders import (
    make_blocked_card,
    make_card,
    make_credit,
    make_customer,
    make_extension,
    make_hold,
    make_merge,
    make_program,
    make_wallet,
)
from tests.loyalty.ledger.race import errors, race
from tests.loyalty.notifications.builders import make_writing_program, waiting

pytestmark = pytest.mark.django_db

START = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Noon of the first day, on which the installation looked for the first time."""
    with time_machine.travel(START, tick=False) as clock:
        notifications.schedule_reminders()
        yield clock


@pytest.fixture
def program() -> Program:
    return make_writing_program(announces_issue=False, announces_credit=False)


def make_ending_card(program: Program, *, days: int = 60, **options: Any) -> GiftCard:
    """A card of 50.00 that ends on the last instant of a day."""
    defaults: dict[str, Any] = {
        "balance": 50_00,
        "owner": make_customer(program.store),
        "expires_at": program.store.last_instant((START + days * DAY).date()),
    }
    return make_card(program, **defaults | options)


def on(clock: time_machine.Traveller, day: int) -> int:
    """Look for credit that ends soon, so many days later; how many messages it left."""
    clock.move_to(START + day * DAY)
    return notifications.schedule_reminders()


def test_each_card_is_reminded_of_thirty_and_of_seven_days_before(
    program: Program, clock: time_machine.Traveller
) -> None:
    card = make_ending_card(program, days=60)

    made = {day: count for day in range(62) if (count := on(clock, day))}

    # The end is late in the evening: at noon of day 31 it is less than 30 days away.
    assert made == {31: 1, 54: 1}
    assert waiting(card=card) == [("expiring_30", "waiting"), ("expiring_7", "waiting")]
    assert {row.ends_at for row in Notification.objects.all()} == {card.expires_at}


def test_the_message_says_how_much_until_when(
    program: Program, clock: time_machine.Traveller
) -> None:
    card = make_ending_card(program, days=60)
    on(clock, 31)

    notifications.send_due()

    [email] = mail.outbox
    assert email.subject == "R$50.00 at Casa Aurora expire on April 30, 2026"
    link = email.extra_headers["List-Unsubscribe"]
    assert link.startswith("<https://credit.example/messages/no-reminders/")
    assert email.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link.strip("<>") in str(email.body)
    assert card.code not in str(email.body)


def test_run_twice_or_late_it_reminds_once(program: Program, clock: time_machine.Traveller) -> None:
    make_ending_card(program, days=60)

    assert [on(clock, day) for day in (45, 45, 46)] == [1, 0, 0]


def test_what_ends_on_one_day_of_one_card_is_one_message(
    program: Program, clock: time_machine.Traveller
) -> None:
    wallet = make_wallet(program, owner=make_customer(program.store))
    end = program.store.last_instant((START + 60 * DAY).date())
    make_credit(wallet, 10_00, expires_at=end)
    make_credit(wallet, 5_00, expires_at=end - datetime.timedelta(hours=3))
    make_credit(wallet, 99_00, expires_at=end + DAY)
    on(clock, 31)

    notifications.send_due()

    assert [email.subject for email in mail.outbox] == [
        "R$15.00 at Casa Aurora expire on April 30, 2026"
    ]


def test_what_was_within_reach_before_is_left_alone(
    program: Program, clock: time_machine.Traveller
) -> None:
    end = START + 20 * DAY
    make_ending_card(program, expires_at=end, valid_from=START - 90 * DAY)

    assert [on(clock, day) for day in (0, 5, 12, 14)] == [0, 0, 0, 1]
    assert waiting() == [("expiring_7", "waiting")]


def test_credit_that_never_lives_that_long_has_no_such_reminder(
    program: Program, clock: time_machine.Traveller
) -> None:
    clock.move_to(START + 10 * DAY)
    make_ending_card(program, expires_at=START + 31 * DAY)

    made = sum(on(clock, day) for day in range(11, 32))

    assert (made, waiting()) == (1, [("expiring_7", "waiting")])


def test_nobody_is_reminded_of(program: Program, clock: time_machine.Traveller) -> None:
    """Cards of nobody, of people without an address or without wish, blocked or empty ones."""
    store = program.store
    end = store.last_instant((START + 60 * DAY).date())
    make_ending_card(program, owner=None)
    make_ending_card(program, owner=make_customer(store, email=""))
    make_ending_card(program, balance=0)
    make_blocked_card(program, balance=1, owner=make_customer(store), expires_at=end)
    make_hold(make_ending_card(program), 50_00)
    make_ending_card(make_program(store))
    unwilling = make_ending_card(program).owner
    erased = make_ending_card(program).owner
    assert unwilling
    assert erased
    notifications.stop_reminders(unwilling)
    Customer.objects.filter(pk=erased.pk).update(
        erased_at=START, email="", document="", profile_id="", name=""
    )

    assert [on(clock, day) for day in (31, 54)] == [0, 0]


def test_spent_meanwhile_it_is_not_sent(program: Program, clock: time_machine.Traveller) -> None:
    card = make_ending_card(program)
    on(clock, 31)
    make_hold(card, 50_00)

    assert notifications.send_due() == {"skipped": 1}

    assert Notification.objects.get().skipped == "nothing_left"


def test_extended_meanwhile_it_is_not_sent_and_the_new_end_has_its_own(
    program: Program, clock: time_machine.Traveller
) -> None:
    card = make_ending_card(program)
    on(clock, 31)
    make_extension(card, expires_at=program.store.last_instant((START + 90 * DAY).date()))

    assert notifications.send_due() == {"skipped": 1}

    assert on(clock, 61) == 1
    assert notifications.send_due() == {"sent": 1}
    assert "expire on May 30, 2026" in mail.outbox[0].subject


def test_stopped_meanwhile_it_is_not_sent(program: Program, clock: time_machine.Traveller) -> None:
    card = make_ending_card(program)
    on(clock, 31)
    assert card.owner
    notifications.stop_reminders(card.owner)

    assert notifications.send_due() == {"skipped": 1}

    assert Notification.objects.get().skipped == "unsubscribed"


def test_many_are_found_chunk_by_chunk_also_when_all_end_at_once(
    program: Program, clock: time_machine.Traveller
) -> None:
    for _ in range(7):
        make_ending_card(program)
    clock.move_to(START + 31 * DAY)

    with CaptureQueriesContext(connection) as queries:
        made = notifications.schedule_reminders(chunk=3)

    assert made == 7
    chunks = [each for each in queries if "INSERT INTO loyalty_notification" in each["sql"]]
    assert len(chunks) == 3 + 1  # and one for the reminders of 7 days
    assert ReminderProgress.objects.get(days=30).after_id != 0


@pytest.mark.django_db(transaction=True)
def test_several_at_once_leave_each_message_once(
    program: Program, clock: time_machine.Traveller
) -> None:
    for _ in range(10):
        make_ending_card(program)
    clock.move_to(START + 31 * DAY)

    found = race([lambda: notifications.schedule_reminders(chunk=2)] * 4)

    assert errors(found) == []
    assert sum(found) == 10
    assert waiting() == [("expiring_30", "waiting")] * 10


def two_who_are_one(program: Program, *, own: int = 0) -> tuple[Customer, Customer]:
    """A guest with a wallet of 50.00, and a customer who may have something of the same day too."""
    guest = make_customer(program.store, profile_id="", document="")
    customer = make_customer(program.store)
    guests, wallet = make_wallet(program, owner=guest), make_wallet(program, owner=customer)
    end = program.store.last_instant((START + 60 * DAY).date())
    make_credit(guests, 50_00, expires_at=end)
    if own:
        make_credit(wallet, own, expires_at=end)
    return guest, customer


@pytest.fixture
def wallets() -> Program:
    return make_writing_program(
        announces_issue=False, announces_credit=False, relation_name="loyalty-program"
    )


def told() -> list[tuple[list[str], str]]:
    return [(email.to, email.subject.split(" at ")[0]) for email in mail.outbox]


@pytest.mark.parametrize("days", [30, 31], ids=["before", "when it was told"])
def test_what_a_merge_brings_to_another_wallet_is_told_once_and_to_who_stays(
    wallets: Program, clock: time_machine.Traveller, days: int
) -> None:
    guest, customer = two_who_are_one(wallets)
    on(clock, days)
    notifications.send_due()
    make_merge(guest, customer)

    for day in (31, 32, 54, 55):
        on(clock, day)
        notifications.send_due()

    first = guest if days == 31 else customer
    assert told() == [([first.email], "R$50.00"), ([customer.email], "Last days: R$50.00")]


@pytest.mark.parametrize("own", [0, 7_00], ids=["alone", "beside their own"])
def test_a_reminder_that_waits_goes_to_who_stays_with_the_credit(
    wallets: Program, clock: time_machine.Traveller, own: int
) -> None:
    guest, customer = two_who_are_one(wallets, own=own)
    assert on(clock, 31) == 1 + bool(own)
    make_merge(guest, customer)

    for day in (31, 32):
        on(clock, day)
        notifications.send_due()

    assert told() == [([customer.email], "R$57.00" if own else "R$50.00")]


def test_a_reminder_that_waits_goes_with_a_card_that_changes_its_owner(
    wallets: Program, clock: time_machine.Traveller
) -> None:
    guest = make_customer(wallets.store, profile_id="", document="")
    customer = make_customer(wallets.store)
    make_ending_card(wallets, owner=guest)
    on(clock, 31)
    make_merge(guest, customer)

    for day in (31, 32):
        on(clock, day)
        notifications.send_due()

    assert told() == [([customer.email], "R$50.00")]
