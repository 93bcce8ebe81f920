"""Raw SQL against the database's own rules: a row in every table, and ways to attack it."""

# ruff: noqa: S608 - the attacks are SQL, put together from constants

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import audit
from loyalty.models import (
    Approval,
    AuditAction,
    Batch,
    BatchOwner,
    Customer,
    ImportFile,
    Job,
    Spending,
    SpendingLimit,
)
from tests.builders import (
    make_adjustment,
    make_cancellation,
    make_card,
    make_credit,
    make_customer,
    make_merge,
    make_points_program,
    make_purchase,
    make_reversal,
    make_wallet,
)

MODELS = {model._meta.db_table: model for model in apps.get_app_config("loyalty").get_models()}

Contents = dict[str, list[object]]


def make_books() -> Contents:
    """Cards of one customer with a row in every table of money; what is in all tables then."""
    owner = make_customer(profile_id="P1")
    make_customer(owner.store, profile_id="P2")
    program = make_points_program(owner.store, name="First")
    card = make_wallet(program, balance=100, owner=owner, relation_name="loyalty-program")
    make_credit(card, 200)
    debit = make_purchase(card, 150)
    make_cancellation(debit, 50)
    make_reversal(make_adjustment(card, -10))
    make_wallet(make_points_program(owner.store, name="Second"), balance=10, owner=owner)
    make_wallet(make_points_program(), balance=10)
    twin = make_customer(owner.store, profile_id="", document="", email="twin@example.com")
    make_wallet(program, balance=30, owner=twin, relation_name="loyalty-program")
    make_merge(twin, owner)
    make_back_office(owner)
    run("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE would be refused for pending checks
    return contents()


def make_back_office(customer: Customer) -> None:
    """A row in every table of the back office."""
    program = customer.store.programs.get(name="First")
    maker = User.objects.create(username="maker")
    other = User.objects.create(username="other")
    batch = Batch.objects.create(
        program=program, name="Natal", amount=5, count=2, total=10, created_by=maker
    )
    BatchOwner.objects.create(batch=batch, number=1, customer=customer)
    BatchOwner.objects.create(batch=batch, number=2, customer=customer)
    make_card(program, balance=5, batch=batch, batch_number=1, relation_name="")
    ImportFile.objects.create(batch=batch, name="cards.csv", digest="0", content=b"")
    Job.objects.create(kind=Job.Kind.ISSUE_BATCH, total=2, done=1, failed=1)
    Approval.objects.create(
        action=AuditAction.ADJUST,
        parameters={},
        request_id="approval",
        store=customer.store,
        currency="BRL",
        exponent=2,
        amount=1,
        status=Approval.Status.DONE,
        requested_by=maker,
        requested_at=timezone.now(),
        expires_at=timezone.now(),
        decided_by=other,
        decided_at=timezone.now(),
    )
    audit.record(AuditAction.ADJUST, audit.Actor(maker, "192.0.2.1"), request_id="approval")
    SpendingLimit.objects.create(
        group=Group.objects.create(name="Helpers"), currency="BRL", per_action=1, per_day=1
    )
    SpendingLimit.objects.create(user=maker, currency="BRL", per_action=1, per_day=1)
    Spending.objects.create(
        user=maker, currency="BRL", day=timezone.now().date(), amount=1, request_id="approval"
    )


def contents() -> Contents:
    """Every row of every table."""
    return {
        table: list(model._default_manager.order_by("pk").values())
        for table, model in MODELS.items()
    }


def run(sql: str) -> None:
    """In a savepoint, so that the test goes on."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def copy(table: str, where: str = "true", **changes: str) -> str:
    """SQL that inserts the table's first row again, but for some columns."""
    fields = MODELS[table]._meta.local_concrete_fields
    columns = [field.column for field in fields if field.get_internal_type() != "BigAutoField"]
    values = [changes.get(column, f'"{column}"') for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {', '.join(values)}"
        f" FROM {table} WHERE {where} ORDER BY id LIMIT 1"
    )


def update(table: str, changes: str, which: str = "min") -> str:
    """SQL that changes the table's first (or last) row."""
    primary = MODELS[table]._meta.pk
    assert primary is not None
    key = primary.column
    return f"UPDATE {table} SET {changes} WHERE {key} = (SELECT {which}({key}) FROM {table})"


def constraints(tables: tuple[str, ...]) -> set[str]:
    """The names of every check and every unique index of these tables."""
    checks = _names(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text IN %s",
        tables,
    )
    unique = _names(
        "SELECT indexrelid::regclass::text FROM pg_index"
        " WHERE indisunique AND NOT indisprimary AND indrelid::regclass::text IN %s",
        tables,
    )
    return checks | unique


def triggers(tables: tuple[str, ...]) -> set[str]:
    """The names of every trigger of these tables."""
    return _names(
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text IN %s",
        tables,
    )


def _names(sql: str, tables: tuple[str, ...]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [tables])
        return {name for (name,) in cursor.fetchall()}
