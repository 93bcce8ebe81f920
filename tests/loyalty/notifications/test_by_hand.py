"""What people ask for: once for each form, in the trail, and never for somebody who is nobody."""

import pytest
from django.core import mail
from django.utils import timezone

from loyalty import notifications, privacy
from loyalty.models import AuditEvent, Customer, Notification
from loyalty.notifications import CannotSend
from tests.builders import make_customer
from tests.loyalty.notifications.builders import make_announced_card, make_writing_program
from tests.loyalty.staff import acting, make_staff

pytestmark = pytest.mark.django_db


def test_a_statement_is_asked_for_once_with_each_form() -> None:
    customer, actor = make_customer(), acting(make_staff())

    first, again = (
        notifications.request_statement(customer, token="a", actor=actor) for _ in range(2)
    )
    other = notifications.request_statement(customer, token="b", actor=actor)

    assert first == again != other
    assert Notification.objects.count() == 2
    events = AuditEvent.objects.filter(action="statement_sent", customer=customer)
    assert [each.user for each in events] == [actor.user] * 2


def test_a_statement_of_nothing_is_not_sent() -> None:
    notifications.request_statement(make_customer(), token="a", actor=acting(make_staff()))

    assert notifications.send_due() == {"skipped": 1}


def test_a_message_goes_out_again_as_a_row_of_its_own() -> None:
    make_announced_card()
    notifications.send_due()
    first, actor = Notification.objects.get(), acting(make_staff())

    again = notifications.resend(first, token="a", actor=actor)
    twice = notifications.resend(first, token="a", actor=actor)

    assert again == twice != first
    assert (again.resend_of, again.kind, again.card, again.status) == (
        first,
        first.kind,
        first.card,
        "waiting",
    )
    assert notifications.send_due() == {"sent": 1}
    assert len(mail.outbox) == 2
    assert mail.outbox[0].to == mail.outbox[1].to
    first.refresh_from_db()
    assert first.status == "sent"
    event = AuditEvent.objects.get(action="message_resent")
    assert (event.user, event.card) == (actor.user, first.card)


def test_sent_again_by_hand_the_program_is_not_asked() -> None:
    card = make_announced_card()
    card.program.announces_issue = False
    card.program.save(update_fields=["announces_issue"])
    assert notifications.send_due() == {"skipped": 1}

    notifications.resend(Notification.objects.get(), token="a", actor=acting(make_staff()))

    assert notifications.send_due() == {"sent": 1}


@pytest.mark.parametrize("status", ["waiting", "sending"])
def test_what_is_not_over_is_not_sent_again(status: str) -> None:
    make_announced_card()
    Notification.objects.update(status=status)

    with pytest.raises(CannotSend) as refusal:
        notifications.resend(Notification.objects.get(), token="a", actor=acting(make_staff()))

    assert refusal.value.reason == "not_over"
    assert Notification.objects.count() == 1


def test_what_is_unknown_is_sent_again_by_hand() -> None:
    make_announced_card()
    Notification.objects.update(status="unknown")

    notifications.resend(Notification.objects.get(), token="a", actor=acting(make_staff()))

    assert notifications.send_due() == {"sent": 1}


def test_nothing_goes_to_an_erased_person_and_no_trace_of_the_address_stays() -> None:
    sent, waits = make_announced_card(), make_announced_card()
    actor = acting(make_staff())
    Notification.objects.filter(card=waits).update(status="failed")
    notifications.send_due()
    Notification.objects.filter(card=waits).update(status="waiting")
    for card in (sent, waits):
        assert card.owner
        privacy.erase(card.owner, reason="asked", actor=actor)

    assert notifications.send_due() == {}

    rows = {row.card: row for row in Notification.objects.all()}
    assert (rows[waits].status, rows[waits].skipped) == ("skipped", "erased")
    assert rows[sent].status == "sent"
    assert {bytes(row.address_digest) for row in rows.values()} == {b""}
    nobody = rows[sent].customer
    assert nobody
    with pytest.raises(CannotSend, match="erased"):
        notifications.resend(rows[sent], token="a", actor=actor)
    with pytest.raises(CannotSend, match="erased"):
        notifications.request_statement(nobody, token="a", actor=actor)
    assert len(mail.outbox) == 1


def test_erased_between_claim_and_send() -> None:
    make_announced_card()
    Customer.objects.update(erased_at=timezone.now(), email="", document="", profile_id="", name="")

    assert notifications.send_due() == {"skipped": 1}

    assert Notification.objects.get().skipped == "erased"


def test_a_test_goes_to_whoever_asks_with_made_up_figures() -> None:
    program = make_writing_program(code_in_message="code")
    actor = acting(make_staff(email="ines@store.example"))

    for _ in range(2):
        notifications.request_test(program, "issued", "es", token="a", actor=actor)

    assert notifications.send_due() == {"sent": 1}
    [email] = mail.outbox
    assert email.to == ["ines@store.example"]
    assert email.subject == "Tienes R$100,00 para gastar en Casa Aurora"
    assert "XXXX-XXXX-XXXX-XXXX" in str(email.body)
    assert AuditEvent.objects.filter(action="message_tested").count() == 1
    assert not AuditEvent.objects.filter(action="code_mailed").exists()


def test_a_test_needs_an_address_of_ones_own() -> None:
    with pytest.raises(CannotSend) as refusal:
        notifications.request_test(
            make_writing_program(), "issued", "es", token="a", actor=acting(make_staff())
        )

    assert refusal.value.reason == "own_address"
    assert not Notification.objects.exists()


def test_reminders_stop_and_resume_and_each_is_in_the_trail() -> None:
    customer, actor = make_customer(), acting(make_staff())

    done = [
        notifications.stop_reminders(customer, actor=actor),
        notifications.stop_reminders(customer),
        notifications.resume_reminders(customer),
        notifications.resume_reminders(customer, actor=actor),
    ]

    assert done == [True, False, True, False]
    events = AuditEvent.objects.filter(customer=customer).order_by("pk")
    assert [(each.action, each.user) for each in events] == [
        ("reminders_stopped", actor.user),
        ("reminders_resumed", None),
    ]
    assert "@" not in str(list(events.values()))
