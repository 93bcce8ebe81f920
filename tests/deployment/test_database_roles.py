"""The application's own role in the database: enough for a day, too little to rewrite history."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, connection

from loyalty import audit
from loyalty.models import AuditAction, AuditEvent, Entry, Operation
from tests.builders import (
    buckets,
    make_cancellation,
    make_card,
    make_hold,
    make_program,
    make_settlement,
    make_store,
)

ROOT = Path(__file__).resolve().parent.parent.parent
APPEND_ONLY = ("loyalty_entry", "loyalty_operation", "loyalty_auditevent", "loyalty_monthclosing")
KEPT = (*APPEND_ONLY, "loyalty_giftcard", "loyalty_balance", "loyalty_transaction", "loyalty_grant")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def application() -> Iterator[str]:
    """Be the application, as deploy/grants.sql has it, until the test is over."""
    role = f"giftcards_app_{secrets.token_hex(4)}"
    grants = (ROOT / "deploy" / "grants.sql").read_text().replace("giftcards_app", role)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}")
        cursor.execute(grants)
        cursor.execute(f"SET ROLE {role}")
    yield role
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(f"DROP OWNED BY {role}")
        cursor.execute(f"DROP ROLE {role}")


def privileges(role: str, table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT privilege FROM unnest(%s) privilege"
            " WHERE has_table_privilege(%s, %s, privilege)",
            [["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"], role, table],
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.usefixtures("application")
def test_money_moves_and_is_audited() -> None:
    card = make_card(make_program(make_store()), balance=1000)
    hold = make_hold(card, amount=600)

    make_settlement(hold, amount=400)
    make_cancellation(hold, amount=200)
    audit.record(AuditAction.EXPORT, None, card=card)

    assert buckets(card)["available"] == 600
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_history_is_read_and_added_to(application: str, table: str) -> None:
    assert privileges(application, table) == {"SELECT", "INSERT"}


@pytest.mark.parametrize("table", sorted(set(KEPT) - set(APPEND_ONLY)))
def test_what_is_money_is_never_deleted(application: str, table: str) -> None:
    assert privileges(application, table) == {"SELECT", "INSERT", "UPDATE"}


def test_people_can_be_changed_and_sessions_end(application: str) -> None:
    assert privileges(application, "auth_user") >= {"SELECT", "INSERT", "UPDATE"}
    assert "DELETE" in privileges(application, "django_session")


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE loyalty_entry SET amount = amount + 1",
        "DELETE FROM loyalty_operation",
        "TRUNCATE loyalty_auditevent",
        "ALTER TABLE loyalty_entry DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DROP TABLE loyalty_entry",
    ],
)
def test_history_cannot_be_rewritten(statement: str) -> None:
    make_card(make_program(make_store()), balance=1000)
    entries, operations = list(Entry.objects.values()), list(Operation.objects.values())

    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute(statement)

    assert list(Entry.objects.values()) == entries
    assert list(Operation.objects.values()) == operations


@pytest.mark.usefixtures("application")
def test_a_person_signs_in() -> None:
    User.objects.create_user("ana", password="a long password", is_staff=True)

    assert User.objects.get(username="ana").check_password("a long password")
