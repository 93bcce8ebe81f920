"""What the database refuses of the delivery log."""

import pytest
from django.db import IntegrityError

from loyalty.models import Notification
from tests.loyalty.guards import constraints, copy, run, triggers, update
from tests.loyalty.notifications.builders import make_announced_card

pytestmark = pytest.mark.django_db

LOG = "loyalty_notification"

REFUSED: list[tuple[str, str, str]] = [
    ("notification_once_for_person", "a cause twice", copy(LOG)),
    (
        "notification_once_for_address",
        "an address twice",
        copy(LOG, customer_id="NULL", card_id="NULL", requested_by_id="1"),
    ),
    ("notification_to_somebody", "to nobody", copy(LOG, customer_id="NULL", cause="'other'")),
    *(
        ("notification_choices", words, update(LOG, changes))
        for words, changes in (
            ("in no state", "status = 'maybe'"),
            ("skipped for something", "status = 'skipped', skipped = 'mood'"),
        )
    ),
    ("notification_choices", "of no kind", copy(LOG, kind="'other'")),
    *(
        ("notification_names_its_news", words, copy(LOG, kind=kind))
        for words, kind in (
            ("earned by no order", "'earned'"),
            ("usable of no order", "'usable'"),
            ("a tier by no change", "'tier_reached'"),
        )
    ),
    *(
        ("notification_skipped_for_a_reason", words, update(LOG, changes))
        for words, changes in (
            ("skipped for nothing", "status = 'skipped'"),
            ("sent and skipped", "skipped = 'erased'"),
        )
    ),
    *(
        ("notification_sent_at_a_time", words, update(LOG, changes))
        for words, changes in (
            ("sent at no time", "status = 'sent'"),
            ("waiting and sent", "sent_at = created_at"),
        )
    ),
    ("loyalty_notification_attempts_check", "tried less than never", update(LOG, "attempts = -1")),
]


@pytest.fixture(autouse=True)
def row() -> Notification:
    make_announced_card()
    Notification.objects.update(address_digest=b"x" * 32)
    run("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE would be refused for pending checks
    return Notification.objects.get()


@pytest.mark.parametrize(
    ("constraint", "sql"),
    [pytest.param(name, sql, id=f"{name}: {words}") for name, words, sql in REFUSED],
)
def test_refuses_what_breaks(constraint: str, sql: str) -> None:
    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        run(sql)


def test_has_no_constraint_that_is_not_tried_here() -> None:
    assert constraints((LOG,)) == {name for name, _, _ in REFUSED}


@pytest.mark.parametrize(
    ("operation", "sql"),
    [
        ("DELETE", "DELETE FROM loyalty_notification"),
        ("TRUNCATE", "TRUNCATE loyalty_notification CASCADE"),
        *(
            ("UPDATE", update(LOG, changes))
            for changes in (
                "kind = 'credited'",
                "cause = 'other'",
                "store_id = 0",
                "program_id = NULL",
                "customer_id = NULL",
                "card_id = NULL",
                "credit_id = 0",
                "order_id = 0",
                "tier_change_id = 0",
                "ends_at = now()",
                "resend_of_id = id",
                "requested_by_id = 0",
                "created_at = now() - interval '1 day'",
            )
        ),
    ],
)
def test_nothing_goes_by_and_a_message_stays_what_it_is(operation: str, sql: str) -> None:
    with pytest.raises(IntegrityError, match=rf"{operation} of loyalty_\w+ is not allowed"):
        run(sql)


def test_has_no_trigger_that_is_not_tried_here() -> None:
    assert triggers((LOG,)) == {f"{LOG}_{name}" for name in ("no_delete", "no_truncate", "fixed")}
