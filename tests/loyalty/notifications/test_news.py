"""News of a loyalty program: orders that earn, what becomes usable, tiers; one message each."""

import datetime
from collections.abc import Callable, Iterator

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from loyalty import earning, notifications
from loyalty.models import (
    Customer,
    Earning,
    EarningMovement,
    GiftCard,
    Notification,
    Program,
    TierChange,
)
from tests.builders import make_blocked_card, make_credit, make_purchase
from tests.loyalty.earning.builders import (
    DAY,
    HOUR,
    START,
    an_order,
    canceled,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    make_scheme,
    returned,
    take,
)
from tests.loyalty.ledger.race import errors, race
from tests.loyalty.notifications.builders import make_telling_program, waiting

pytestmark = pytest.mark.django_db

USABLE_AT = START + 8 * DAY


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """A day before the orders of these tests are paid."""
    with time_machine.travel(START - DAY, tick=False) as clock:
        yield clock


@pytest.fixture
def program(clock: time_machine.Traveller) -> Program:
    """Switched on a day before the orders; then the day on which they are paid."""
    program = make_telling_program()
    clock.move_to(START)
    return program


def kinds() -> list[str]:
    return [kind for kind, _status in waiting()]


def sent() -> list[tuple[str, str]]:
    """The subject and text of each message, sent now, with plain spaces."""
    mail.outbox.clear()
    notifications.send_due()
    return [
        tuple(text.replace("\u00a0", " ") for text in (email.subject, str(email.body)))  # type: ignore[misc]
        for email in mail.outbox
    ]


# --- Earned --------------------------------------------------------------------------------------


def test_an_order_that_earns_is_told_when_it_is_paid(program: Program) -> None:
    order = an_order(120_00)
    take(program.store, order)

    row = Notification.objects.get()
    assert (row.kind, row.status, row.program) == ("earned", "waiting", program)
    assert row.order is not None
    assert row.order.order_id == order.order_id
    [(subject, text)] = sent()
    assert subject == "You earned 120 pontos (R$0.30) at Casa Aurora"
    assert (
        f"Your order {order.order_id} earned 120 pontos (R$0.30) in Clube, usable 7 days after the"
        " invoice.\n"
    ) in text
    assert "You get this because you take part in Clube." in text


def test_one_order_is_one_message_whatever_it_earns_by(program: Program) -> None:
    make_rule(program)
    make_campaign(program)
    order = an_order(100_00)

    take(program.store, order, invoiced(order), order, returned(order, 10_00))

    assert Earning.objects.count() == 4
    assert kinds() == ["earned"]


def test_it_says_what_is_due_by_now_and_from_when(program: Program) -> None:
    order = an_order(100_00)
    take(program.store, order, returned(order, 40_00))

    [(subject, text)] = sent()

    assert subject == "You earned 60 pontos (R$0.15) at Casa Aurora"
    assert "usable from March 10, 2026 on." in text


def test_delivery_and_todays_use_are_said_in_words(clock: time_machine.Traveller) -> None:
    by_delivery = make_telling_program(usable_from="delivery", usable_after_days=1)
    at_once = make_telling_program(usable_after_days=0)
    clock.move_to(START + 2 * DAY)

    take(by_delivery.store, an_order())
    take(at_once.store, invoiced(an_order()))

    first, second = sent()
    assert "usable 1 day after the delivery." in first[1]
    assert "usable now." in second[1]


def test_an_order_that_is_canceled_by_then_is_not_told(program: Program) -> None:
    order = an_order()
    take(program.store, order, canceled(order))

    assert sent() == []
    assert Notification.objects.get().skipped == "nothing_left"


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(lambda: an_order(0), id="an order that earns nothing"),
        pytest.param(lambda: canceled(an_order()), id="an order that was canceled"),
        pytest.param(lambda: an_order(paid=None), id="an order that is not paid"),
        pytest.param(lambda: an_order(paid=START - 2 * DAY), id="one paid before it was on"),
    ],
)
def test_nothing_is_earned_by(silent: Callable[[], object], program: Program) -> None:
    take(program.store, silent())  # type: ignore[arg-type]

    assert kinds() == []


def test_programs_are_silent_until_somebody_switches_them_on() -> None:
    program = make_earning_program()
    make_rule(program)
    make_scheme(program)

    take(program.store, invoiced(an_order(300_00)))

    assert (notifications.announce_usable(), kinds()) == (0, [])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"reminders_stopped_at": START}, id="who wants no such messages"),
        pytest.param({"email": "", "document": "52998224725"}, id="who has no e-mail"),
    ],
)
def test_nobody_is_told(
    change: dict[str, object], program: Program, clock: time_machine.Traveller
) -> None:
    make_scheme(program)
    take(program.store, an_order(1_00))
    Notification.objects.update(status="failed")
    Customer.objects.update(**change)
    customer = Customer.objects.get()

    take(program.store, invoiced(an_order(300_00, buyer=customer.identity)))
    clock.move_to(USABLE_AT)
    notifications.announce_usable()

    assert TierChange.objects.get().after == "Gold"
    assert waiting() == [("earned", "failed")]


def test_who_stops_them_meanwhile_gets_none(program: Program) -> None:
    take(program.store, an_order())
    notifications.stop_reminders(Customer.objects.get())

    assert sent() == []
    assert Notification.objects.get().skipped == "unsubscribed"


def test_without_the_message_there_is_no_earning(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("loyalty.earning.deciding.announce_earned", broken)
    with pytest.raises(RuntimeError):
        take(program.store, an_order())

    assert not Earning.objects.exists()


def test_the_link_that_stops_them_is_in_the_message(program: Program) -> None:
    take(program.store, an_order())
    notifications.send_due()

    [email] = mail.outbox
    link = email.extra_headers["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://credit.example/messages/no-reminders/")
    assert link in str(email.body)


def test_credit_of_an_order_is_no_credit_received(clock: time_machine.Traveller) -> None:
    program = make_telling_program(announces_credit=True)
    take(program.store, invoiced(an_order()))

    make_credit(GiftCard.objects.get(), 25)

    assert kinds() == ["earned", "credited"]


# --- Usable --------------------------------------------------------------------------------------


def test_what_became_usable_is_told_once(program: Program, clock: time_machine.Traveller) -> None:
    order = invoiced(an_order(120_00))
    take(program.store, order)
    sent()

    made: dict[datetime.datetime, int] = {}
    for instant in (USABLE_AT - HOUR, USABLE_AT, USABLE_AT, USABLE_AT + DAY):
        clock.move_to(instant)
        made[instant] = made.get(instant, 0) + notifications.announce_usable()

    assert made == {USABLE_AT - HOUR: 0, USABLE_AT: 1, USABLE_AT + DAY: 0}
    [(subject, text)] = sent()
    assert subject == "You can now use 120 pontos (R$0.30) at Casa Aurora"
    assert (
        f"what your order {order.order_id} earned can be used now: 120 pontos (R$0.30), valid"
        " until March 10, 2027.\n\nWith it, 120 pontos (R$0.30) of your Clube are waiting for you"
    ) in text


def test_rules_and_campaigns_of_one_order_are_one_message(
    program: Program, clock: time_machine.Traveller
) -> None:
    make_rule(program)
    make_campaign(program)
    take(program.store, invoiced(an_order(100_00)))
    clock.move_to(USABLE_AT)

    made = notifications.announce_usable(chunk=3)

    assert EarningMovement.objects.filter(kind="credit").count() == 4
    assert made == 1
    assert sent()[-1][0] == "You can now use 400 pontos (R$1.00) at Casa Aurora"


def test_what_was_taken_back_before_is_not_told(
    program: Program, clock: time_machine.Traveller
) -> None:
    order = invoiced(an_order(100_00))
    take(program.store, order, canceled(order))
    clock.move_to(USABLE_AT)

    assert notifications.announce_usable() == 0


def test_what_was_taken_back_in_part_is_told_as_it_is(
    program: Program, clock: time_machine.Traveller
) -> None:
    order = invoiced(an_order(100_00))
    take(program.store, order, returned(order, 40_00, after=DAY))
    clock.move_to(USABLE_AT)
    notifications.announce_usable()

    assert sent()[-1][0] == "You can now use 60 pontos (R$0.15) at Casa Aurora"


def test_taken_back_or_spent_before_it_is_sent_it_is_not_sent(
    program: Program, clock: time_machine.Traveller
) -> None:
    first, second = invoiced(an_order()), invoiced(an_order(buyer=an_order().buyer))
    take(program.store, first, second)
    sent()
    clock.move_to(USABLE_AT)
    assert notifications.announce_usable() == 2
    take(program.store, canceled(first))
    make_purchase(GiftCard.objects.get(), 2500)

    assert sent() == []
    rows = Notification.objects.filter(kind="usable")
    assert {row.skipped for row in rows} == {"nothing_left"}


def test_what_became_usable_before_it_was_on_stays_untold(
    program: Program, clock: time_machine.Traveller
) -> None:
    """Nobody looked between: what matters is when it became usable, not when the task ran."""
    program.announces_usable = False
    program.save()
    take(program.store, invoiced(an_order(100_00)))
    clock.move_to(USABLE_AT + HOUR)
    program.announces_usable = True
    program.save(update_fields=["announces_usable"])
    take(program.store, invoiced(an_order(50_00), at=START + DAY + 2 * HOUR))
    clock.move_to(USABLE_AT + DAY)

    assert notifications.announce_usable() == 1
    assert sent()[-1][0] == "You can now use 50 pontos (R$0.12) at Casa Aurora"


def test_usable_at_once_counts_from_its_credit(clock: time_machine.Traveller) -> None:
    program = make_telling_program(usable_after_days=0)
    clock.move_to(START + 5 * DAY)

    take(program.store, invoiced(an_order()))

    assert notifications.announce_usable() == 1


def test_a_blocked_wallet_has_no_such_news(program: Program, clock: time_machine.Traveller) -> None:
    take(program.store, invoiced(an_order()))
    GiftCard.objects.update(status=make_blocked_card(balance=1).status)
    clock.move_to(USABLE_AT)

    assert notifications.announce_usable() == 0


def test_another_owner_is_not_told_what_the_first_one_earned(
    program: Program, clock: time_machine.Traveller
) -> None:
    take(program.store, invoiced(an_order()))
    sent()
    clock.move_to(USABLE_AT)
    notifications.announce_usable()
    GiftCard.objects.update(owner=None)

    assert sent() == []
    assert Notification.objects.get(kind="usable").skipped == "other_owner"


def test_many_are_found_chunk_by_chunk(program: Program, clock: time_machine.Traveller) -> None:
    take(program.store, *(invoiced(an_order()) for _ in range(5)))
    clock.move_to(USABLE_AT)

    with CaptureQueriesContext(connection) as queries:
        made = notifications.announce_usable(chunk=2)

    assert made == 5
    assert sum("INSERT INTO loyalty_notification" in each["sql"] for each in queries) == 3


@pytest.mark.django_db(transaction=True)
def test_several_at_once_leave_each_message_once(
    program: Program, clock: time_machine.Traveller
) -> None:
    take(program.store, *(invoiced(an_order()) for _ in range(6)))
    clock.move_to(USABLE_AT)

    found = race([lambda: notifications.announce_usable(chunk=2)] * 4)
    # Who met only claimed rows has nothing to do; the next run finds what is left.
    found.append(notifications.announce_usable())

    assert errors(found) == []
    assert sum(found) == 6
    assert kinds().count("usable") == 6


def test_since_when_is_kept_with_the_switch() -> None:
    program = make_telling_program()
    assert program.announces_usable_since == START - DAY

    with pytest.raises(IntegrityError, match="program_announces_usable_since"):
        Program.objects.update(announces_usable=False)


# --- Tiers ---------------------------------------------------------------------------------------


def test_a_higher_tier_is_told_with_what_it_gives(program: Program) -> None:
    make_scheme(program)
    take(program.store, an_order(300_00))

    tier = Notification.objects.get(kind="tier_reached")
    assert tier.tier_change == TierChange.objects.get()
    texts = dict(sent())
    text = texts["You have reached Gold at Casa Aurora"]
    assert "you are now Gold in Clube." in text
    assert (
        "Tier: Gold\nYour orders earn: 2 times the usual\nWhat they earn is valid for: 730 days\n"
    ) in text


def test_each_step_up_is_told_once_and_no_step_down(program: Program) -> None:
    make_scheme(program)
    first, second = an_order(100_00), an_order(200_00, paid=START + HOUR)

    take(program.store, first, second, second, canceled(second), canceled(first))

    steps = TierChange.objects.order_by("pk").values_list("after", flat=True)
    assert list(steps) == ["Silver", "Gold", "Silver", ""]
    assert kinds().count("tier_reached") == 2


def test_a_tier_that_is_another_one_by_now_is_not_told(program: Program) -> None:
    make_scheme(program)
    take(program.store, an_order(100_00), an_order(200_00, paid=START + HOUR))

    subjects = [subject for subject, _text in sent()]

    assert [each for each in subjects if "reached" in each] == [
        "You have reached Gold at Casa Aurora"
    ]


# --- Languages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "subjects"),
    [
        (
            "pt-br",
            [
                "Você ganhou 1.200 pontos (R$ 3,00) em Casa Aurora",
                "Você chegou ao nível Gold em Casa Aurora",
                "Você já pode usar 1.200 pontos (R$ 3,00) em Casa Aurora",
            ],
        ),
        (
            "es",
            [
                "Ganaste 1.200 pontos (R$3,00) en Casa Aurora",
                "Alcanzaste el nivel Gold en Casa Aurora",
                "Ya puedes usar 1.200 pontos (R$3,00) en Casa Aurora",
            ],
        ),
    ],
)
def test_in_the_customers_language(
    language: str, subjects: list[str], program: Program, clock: time_machine.Traveller
) -> None:
    make_scheme(program)
    order = invoiced(an_order(1200_00))
    earning.record(program.store, order)
    Customer.objects.update(language=language)
    take(program.store, order)
    clock.move_to(USABLE_AT)
    notifications.announce_usable()

    found = [subject for subject, _text in sent()]

    assert sorted(found) == sorted(subjects)


def test_a_reminder_speaks_of_points(clock: time_machine.Traveller) -> None:
    program = make_telling_program(reminds_30_days=True)
    notifications.schedule_reminders()
    take(program.store, invoiced(an_order()))
    clock.move_to(datetime.datetime(2027, 2, 20, tzinfo=datetime.UTC))
    Notification.objects.update(status="failed")
    notifications.schedule_reminders()

    assert [subject for subject, _text in sent()] == [
        "100 pontos (R$0.25) at Casa Aurora expire on March 10, 2027"
    ]
