"""Claim, send, mark: at most once, whatever dies in between or happens at the same moment."""

import datetime
from unittest.mock import patch

import pytest
import time_machine
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from loyalty import notifications
from loyalty.models import AuditEvent, Customer, Notification, Program
from loyalty.notifications import delivery
from loyalty.notifications.delivery import BACKOFF, INTERRUPTED, claim, deliver
from loyalty.notifications.mailer import Mailer
from tests.builders import make_change_of_owner, make_closed_card, make_customer, make_wallet
from tests.loyalty.ledger.race import errors, race
from tests.loyalty.notifications.builders import (
    make_announced_card,
    make_announced_wallet,
    make_writing_program,
)
from tests.loyalty.notifications.mail_server import MailServer

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """As SIGKILL: nothing after it runs."""


def row() -> Notification:
    return Notification.objects.get()


def due(row: Notification) -> datetime.datetime:
    return row.next_attempt_at + datetime.timedelta(seconds=1)


# --- Sent ----------------------------------------------------------------------------------------


def test_a_message_is_sent_once(server: MailServer) -> None:
    card = make_announced_card()

    first, second = notifications.send_due(), notifications.send_due()

    assert (first, second) == ({"sent": 1}, {})
    [message] = server.messages
    assert card.owner is not None
    assert message["To"] == card.owner.email
    assert message["From"] == "Casa Aurora <credit@store.example>"
    assert message["Subject"] == "You have R$50.00 to spend at Casa Aurora"
    sent = row()
    assert (sent.status, sent.attempts, sent.language, sent.error) == ("sent", 1, "en", "")
    assert sent.sent_at is not None
    assert message["Message-ID"] == f"<message-{sent.pk}@store.example>"


def test_a_run_sends_all_by_one_connection(server: MailServer) -> None:
    program = make_writing_program()
    for _ in range(5):
        make_announced_card(program)

    assert notifications.send_due() == {"sent": 5}

    assert len(server.accepted) == 5
    assert server.connections == 1


def test_without_a_mail_server_everything_waits(settings: Settings) -> None:
    make_announced_card()
    settings.EMAIL_IS_SET_UP = False

    assert notifications.send_due() == {}

    assert (row().status, row().attempts) == ("waiting", 0)


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_send_each_message_once(server: MailServer) -> None:
    program = make_writing_program()
    for _ in range(20):
        make_announced_card(program)

    found = race([notifications.send_due] * 4)

    assert errors(found) == []
    assert sum(each["sent"] for each in found) == 20
    assert sorted(each["To"] for each in server.messages) == sorted(
        Customer.objects.values_list("email", flat=True)
    )


# --- Killed --------------------------------------------------------------------------------------


def test_killed_between_claim_and_send_it_is_never_sent_by_itself(server: MailServer) -> None:
    make_announced_card()
    with patch.object(Mailer, "send", side_effect=Killed), pytest.raises(Killed):
        notifications.send_due()

    assert row().status == "sending"
    assert notifications.send_due() == {}
    with time_machine.travel(timezone.now() + INTERRUPTED * 2, tick=False):
        assert notifications.send_due() == {}

    assert (row().status, server.accepted) == ("unknown", [])


def test_killed_between_send_and_mark_it_is_not_sent_twice(server: MailServer) -> None:
    make_announced_card()
    with patch.object(delivery, "_mark", side_effect=Killed), pytest.raises(Killed):
        notifications.send_due()

    assert len(server.accepted) == 1
    with time_machine.travel(timezone.now() + INTERRUPTED * 2, tick=False):
        notifications.send_due()
        notifications.send_due()

    assert (row().status, len(server.accepted)) == ("unknown", 1)


def test_a_worker_that_was_taken_for_dead_still_says_what_it_knows(server: MailServer) -> None:
    make_announced_card()
    claimed = claim()
    assert claimed is not None
    Notification.objects.update(status="unknown")

    with Mailer() as mailer:
        deliver(claimed, mailer)

    assert (row().status, len(server.accepted)) == ("sent", 1)


# --- Refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_refused_for_now_it_is_sent_later(server: MailServer, command: str) -> None:
    make_announced_card()
    server.refusals[command] = ["450 not now"]

    assert notifications.send_due() == {"waiting": 1}
    first = row()
    assert (first.status, first.error) == ("waiting", "450 not now")
    assert first.claimed_at is not None
    assert first.next_attempt_at >= first.claimed_at + datetime.timedelta(minutes=BACKOFF[0])
    assert notifications.send_due() == {}

    with time_machine.travel(due(first), tick=False):
        assert notifications.send_due() == {"sent": 1}
    assert (row().status, row().attempts, row().error) == ("sent", 2, "")
    assert len(server.accepted) == 1


@pytest.mark.parametrize("command", ["RCPT", "."])
def test_refused_for_good_it_has_failed(server: MailServer, command: str) -> None:
    card = make_announced_card()
    assert card.owner is not None
    server.refusals[command] = [f"550 <{card.owner.email}> is nobody here"]

    assert notifications.send_due() == {"failed": 1}

    assert (row().status, row().error) == ("failed", "550 … is nobody here")
    with time_machine.travel(timezone.now() + datetime.timedelta(days=9), tick=False):
        assert notifications.send_due() == {}


def test_refused_again_and_again_it_has_failed(server: MailServer) -> None:
    make_announced_card()
    server.refusals["RCPT"] = ["450 not now"] * 20
    waits = []

    while row().status == "waiting":
        before = due(row())
        with time_machine.travel(before, tick=False):
            notifications.send_due()
            waits.append(round((row().next_attempt_at - before).total_seconds() / 60))

    assert row().status == "failed"
    assert tuple(waits[:-1]) == BACKOFF
    assert row().attempts == len(BACKOFF) + 1


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT"])
def test_cut_off_before_the_text_it_is_sent_later(server: MailServer, command: str) -> None:
    program = make_writing_program()
    first, _second = make_announced_card(program), make_announced_card(program)
    # Who is hung up on after EHLO tries HELO.
    server.refusals[command] = ["cut"]

    assert notifications.send_due() == {"waiting": 1}

    tried = Notification.objects.get(card=first)
    assert (tried.status, tried.attempts) == ("waiting", 1)
    with time_machine.travel(due(tried), tick=False):
        assert notifications.send_due() == {"sent": 2}
    assert len(server.accepted) == 2


@pytest.mark.parametrize("answer", ["cut", "taken and cut"])
def test_cut_off_after_the_text_nobody_knows(server: MailServer, answer: str) -> None:
    program = make_writing_program()
    first, _second = make_announced_card(program), make_announced_card(program)
    server.refusals["."] = [answer]

    assert notifications.send_due() == {"unknown": 1, "sent": 1}

    with time_machine.travel(timezone.now() + datetime.timedelta(days=9), tick=False):
        assert notifications.send_due() == {}
    assert Notification.objects.get(card=first).status == "unknown"
    assert len(server.accepted) == (2 if answer == "taken and cut" else 1)


def test_an_answer_that_means_nothing_is_unknown(server: MailServer) -> None:
    make_announced_card()
    server.refusals["."] = ["hello?"]

    assert notifications.send_due() == {"unknown": 1}


def test_nobody_there_is_tried_later_and_the_others_wait(
    server: MailServer, settings: Settings
) -> None:
    program = make_writing_program()
    first, second = make_announced_card(program), make_announced_card(program)
    settings.EMAIL_PORT = 9  # nobody listens

    assert notifications.send_due() == {"waiting": 1}

    assert Notification.objects.get(card=first).attempts == 1
    assert Notification.objects.get(card=second).attempts == 0


# --- Not sent after all --------------------------------------------------------------------------


def assert_skipped(reason: str) -> None:
    assert notifications.send_due() == {"skipped": 1}
    assert (row().status, row().skipped, row().sent_at) == ("skipped", reason, None)
    assert mail.outbox == []


def test_without_an_address() -> None:
    program = make_writing_program()
    make_announced_card(program, make_customer(program.store, email=""))

    assert_skipped("no_address")


def test_with_something_else_than_an_address() -> None:
    program = make_writing_program()
    owner = make_customer(program.store, email="ana@nowhere\nBcc: eve@example.com")
    make_announced_card(program, owner)

    assert_skipped("no_address")


def test_switched_off_meanwhile() -> None:
    make_announced_card()
    Program.objects.update(announces_issue=False)

    assert_skipped("switched_off")


def test_a_card_that_went_to_somebody_else() -> None:
    card = make_announced_card()
    make_change_of_owner(card, make_customer(card.store))

    assert_skipped("other_owner")


def test_a_card_that_was_closed() -> None:
    program = make_writing_program()
    make_closed_card(program, balance=100, owner=make_customer(program.store))

    assert_skipped("nothing_left")


def test_the_same_cause_to_the_same_address_under_another_name() -> None:
    """Two customers, one address: one cause writes to it once."""
    card = make_announced_card()
    notifications.send_due()
    sent = row()
    assert card.owner is not None
    twin = make_customer(card.store, email=card.owner.email)
    make_change_of_owner(card, twin)
    again = Notification.objects.create(
        kind="issued",
        cause=sent.cause,
        store=sent.store,
        program=sent.program,
        customer=twin,
        card=card,
        created_at=timezone.now(),
        next_attempt_at=timezone.now(),
    )

    assert notifications.send_due() == {"skipped": 1}

    again.refresh_from_db()
    assert again.skipped == "same_address"
    assert len(mail.outbox) == 1


def test_a_code_whose_key_is_gone_fails_with_its_reason(settings: Settings) -> None:
    make_announced_card(make_writing_program(code_in_message="code"))
    settings.LOYALTY_CODE_KEYS = ["QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="]

    assert notifications.send_due() == {"failed": 1}

    assert "LOYALTY_CODE_KEYS" in row().error
    assert mail.outbox == []


# --- Codes ---------------------------------------------------------------------------------------


def test_a_code_that_is_sent_is_in_the_trail_once(server: MailServer) -> None:
    card = make_announced_card(make_writing_program(code_in_message="code"))
    server.refusals["."] = ["450 not now"]
    notifications.send_due()

    with time_machine.travel(due(row()), tick=False):
        notifications.send_due()

    event = AuditEvent.objects.get(action="code_mailed")
    assert (event.card, event.customer, event.user) == (card, card.owner, None)
    assert card.code not in str(event.__dict__)


def test_a_link_is_no_code(server: MailServer) -> None:
    card = make_announced_card()

    notifications.send_due()

    assert not AuditEvent.objects.filter(action="code_mailed").exists()
    [raw] = server.accepted
    assert card.code.encode() not in raw


def test_what_is_due_comes_in_turn() -> None:
    wallet = make_announced_wallet()
    make_wallet(wallet.program, balance=5_00, owner=wallet.owner)
    first = Notification.objects.get()
    Notification.objects.update(next_attempt_at=timezone.now() - datetime.timedelta(hours=1))
    make_announced_card(wallet.program)

    assert claim() == first
