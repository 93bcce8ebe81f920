"""What the database refuses by itself, whatever code talks to it: raw SQL, a real history."""

import pytest
from django.db import IntegrityError
from django.db.models import Model
from django.db.transaction import atomic

from loyalty.models import Balance, Entry, GiftCard, Grant, Operation, Reason, Transaction
from tests.loyalty.guards import (
    MODELS,
    Contents,
    constraints,
    contents,
    copy,
    make_books,
    run,
    triggers,
    update,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def books() -> Contents:
    """What was in the tables before the attack."""
    return make_books()


# The tables of money. Those of the back office move none: see test_back_office_guards.py.
HISTORY = ("loyalty_entry", "loyalty_operation")
PERMANENT = (
    "loyalty_balance",
    "loyalty_giftcard",
    "loyalty_grant",
    "loyalty_program",
    "loyalty_store",
    "loyalty_transaction",
)
TABLES = (*HISTORY, *PERMANENT, "loyalty_customer")

NEW_OPERATION = {"oid": "'new'", "request_id": "'new'"}
PERSONAL = ("profile_id", "email", "document", "corporate_document", "name")
BUCKETS = ("available", "held", "spent", "expired", "removed")

# The constraint, the attempt in words, and its SQL.
REFUSED: list[tuple[str, str, str]] = [
    *(
        ("balance_conserves_credit", f"{bucket} from nowhere", f"{bucket} = {bucket} + 1")
        for bucket in ("credited", *BUCKETS)
    ),
    *(
        (
            "balance_never_negative",
            f"negative {bucket}",
            f"{bucket} = -1, credited = credited - {bucket} - 1",
        )
        for bucket in BUCKETS
    ),
    ("balance_never_negative", "negative version", "version = -1"),
]
REFUSED = [(name, words, update("loyalty_balance", sql)) for name, words, sql in REFUSED]
REFUSED += [
    (
        "entry_moves_something",
        words,
        copy("loyalty_entry", **{"seq": "seq + 100", **changes}),
    )
    for words, changes in (
        ("amount of zero", {"amount": "0"}),
        ("negative amount", {"amount": "-amount"}),
        ("to where it came from", {"target": "source"}),
        ("negative available", {"available_after": "-1"}),
        ("negative held", {"held_after": "-1"}),
    )
]
REFUSED += [
    (
        "entry_buckets",
        f"{side} is no bucket",
        copy("loyalty_entry", seq="seq + 100", **{side: "'pocket'"}),
    )
    for side in ("source", "target")
]
REFUSED += [
    *(
        (
            "operation_choices",
            f"{column} of {value}",
            copy("loyalty_operation", **NEW_OPERATION, **{column: value}),
        )
        for column, value in (("kind", "'gift'"), ("kind", "''"), ("reason", "'because'"))
    ),
    (
        "transaction_kind",
        "neither debit nor credit",
        copy("loyalty_transaction", public_id="'new'", kind="'loan'"),
    ),
    *(
        (
            "grant_choices",
            f"{column} of {value}",
            copy("loyalty_grant", **{column: value}),
        )
        for column, value in (
            ("origin", "'thin air'"),
            ("origin", "''"),
            ("funding", "'borrowed'"),
            ("funding", "''"),
        )
    ),
    *(
        ("card_status", f"status of {value}", update("loyalty_giftcard", f"status = {value}"))
        for value in ("'stolen'", "''")
    ),
    ("entry_number_on_card", "a number twice", copy("loyalty_entry")),
    (
        "operation_applies_at_most_amount",
        "negative amount",
        copy("loyalty_operation", **NEW_OPERATION, amount="-1", applied="-1"),
    ),
    (
        "operation_applies_at_most_amount",
        "negative applied",
        copy("loyalty_operation", **NEW_OPERATION, applied="-1"),
    ),
    (
        "operation_applies_at_most_amount",
        "more applied than asked for",
        copy("loyalty_operation", **NEW_OPERATION, applied="amount + 1"),
    ),
    (
        "operation_declined_moves_nothing",
        "declined but applied",
        copy("loyalty_operation", **NEW_OPERATION, outcome="'declined'", decline_code="'x'"),
    ),
    (
        "operation_declined_moves_nothing",
        "declined without a code",
        copy("loyalty_operation", **NEW_OPERATION, outcome="'declined'", applied="0"),
    ),
    (
        "operation_declined_moves_nothing",
        "accepted with a code",
        copy("loyalty_operation", **NEW_OPERATION, decline_code="'x'"),
    ),
    (
        "operation_declined_moves_nothing",
        "neither accepted nor declined",
        copy("loyalty_operation", **NEW_OPERATION, outcome="'maybe'"),
    ),
    (
        "loyalty_operation_oid_key",
        "an operation id twice",
        copy("loyalty_operation", request_id="'new'"),
    ),
    *(
        (
            "operation_happens_once",
            f"{kind} twice, {words}",
            copy("loyalty_operation", f"kind = '{kind}'", oid="'new'", **changes),
        )
        for kind, words, changes in (
            ("authorize", "the same", {}),
            ("authorize", "another amount", {"amount": "amount + 1"}),
            ("authorize", "another transaction", {"transaction_id": "NULL"}),
            ("credit", "another amount", {"amount": "amount + 1"}),
            ("settle", "the same", {}),
            ("cancel", "the same", {}),
            ("issue", "the same", {}),
        )
    ),
    (
        "operation_reversed_once",
        "a second reversal",
        copy("loyalty_operation", "kind = 'reverse'", **NEW_OPERATION),
    ),
    (
        "operation_received_once",
        "received twice",
        copy("loyalty_operation", "counterpart_id IS NOT NULL", **NEW_OPERATION),
    ),
    (
        "operation_received_is_transfer",
        "a credit that was sent",
        copy("loyalty_operation", "kind = 'credit'", **NEW_OPERATION, counterpart_id="id"),
    ),
    (
        "operation_reverses_another",
        "a reversal of nothing",
        copy("loyalty_operation", "kind = 'reverse'", **NEW_OPERATION, reverses_id="NULL"),
    ),
    (
        "operation_reverses_another",
        "a credit that reverses",
        copy("loyalty_operation", "kind = 'credit'", **NEW_OPERATION, reverses_id="id"),
    ),
    *(
        (
            "transaction_within_amount",
            words,
            update("loyalty_transaction", changes, which="max"),
        )
        for words, changes in (
            ("more settled than asked for", "settled = amount + 1"),
            ("more released than asked for", "settled = 0, refunded = 0, released = amount + 1"),
            ("more settled and released", "settled = amount, released = 1"),
            ("more refunded than settled", "refunded = settled + 1"),
            ("negative settled", "settled = -1, refunded = -1"),
            ("negative released", "released = -1"),
            ("negative refunded", "refunded = -1"),
        )
    ),
    (
        "transaction_within_amount",
        "amount of zero",
        copy("loyalty_transaction", public_id="'new'", amount="0", settled="0", refunded="0"),
    ),
    (
        "loyalty_transaction_public_id_key",
        "a transaction id twice",
        copy("loyalty_transaction"),
    ),
    (
        "grant_amount_positive",
        "amount of zero",
        copy("loyalty_grant", amount="0", remaining="0"),
    ),
    (
        "grant_remaining_within_amount",
        "more than was given",
        update("loyalty_grant", "remaining = amount + 1"),
    ),
    ("grant_remaining_within_amount", "negative", update("loyalty_grant", "remaining = -1")),
    (
        "grant_expires_after_start",
        "over at once",
        update("loyalty_grant", "expires_at = valid_from"),
    ),
    (
        "card_expires_after_start",
        "over at once",
        update("loyalty_giftcard", "expires_at = valid_from"),
    ),
    (
        "loyalty_giftcard_exponent_check",
        "negative digits",
        copy("loyalty_giftcard", "owner_id IS NULL", public_id="'new'", exponent="-1"),
    ),
    (
        "card_code_in_store",
        "a code twice",
        copy("loyalty_giftcard", "owner_id IS NULL", public_id="'new'"),
    ),
    (
        "loyalty_giftcard_public_id_key",
        "a card id twice",
        copy("loyalty_giftcard", "owner_id IS NULL", code_digest="'new'"),
    ),
    (
        "card_wallet_of_owner",
        "a second wallet",
        copy("loyalty_giftcard", public_id="'new'", code_digest="'new'"),
    ),
    (
        "card_number_in_batch",
        "a number twice",
        copy("loyalty_giftcard", "batch_id IS NOT NULL", public_id="'new'", code_digest="'new'"),
    ),
    *(
        (
            "card_batch_and_number",
            words,
            copy(
                "loyalty_giftcard",
                "batch_id IS NOT NULL",
                public_id="'new'",
                code_digest="'new'",
                **{column: "NULL"},
            ),
        )
        for column, words in (
            ("batch_id", "a number of no batch"),
            ("batch_number", "a batch without a number"),
        )
    ),
    (
        "loyalty_giftcard_batch_number_check",
        "a negative number",
        copy(
            "loyalty_giftcard",
            "batch_id IS NOT NULL",
            public_id="'new'",
            code_digest="'new'",
            batch_number="-1",
        ),
    ),
    *(
        (
            "customer_erased_is_nobody",
            f"erased but for the {column}",
            update(
                "loyalty_customer",
                "erased_at = now(), "
                + ", ".join(f"{other} = ''" for other in PERSONAL if other != column)
                + f", {column} = 'x'",
            ),
        )
        for column in PERSONAL
    ),
    (
        "customer_profile_in_store",
        "a profile twice",
        update("loyalty_customer", "profile_id = 'P2'"),
    ),
    (
        "customer_merged_into_another",
        "merged into themselves",
        update("loyalty_customer", "merged_into_id = id"),
    ),
    ("program_name_in_store", "a name twice", update("loyalty_program", "name = 'Second'")),
    ("program_finer_digits", "five digits finer", update("loyalty_program", "finer_digits = 5")),
    (
        "loyalty_program_finer_digits_check",
        "coarser than the currency",
        update("loyalty_program", "finer_digits = -1"),
    ),
    (
        "program_point_is_worth_something",
        "worthless points",
        update("loyalty_program", "point_units = 0"),
    ),
    (
        "loyalty_program_point_units_check",
        "points of debt",
        update("loyalty_program", "point_units = -1"),
    ),
    (
        "program_announces_earned_since",
        "news of earnings since no time",
        update("loyalty_program", "announces_earned = true"),
    ),
    (
        "program_announces_usable_since",
        "news that are off since a time",
        update("loyalty_program", "announces_usable_since = now()"),
    ),
    (
        "loyalty_program_point_units_before_check",
        "points that were debt",
        update("loyalty_program", "point_units_before = -1"),
    ),
    (
        "loyalty_program_validity_days_check",
        "over before it begins",
        update("loyalty_program", "validity_days = -1"),
    ),
    ("loyalty_store_account_key", "an account twice", copy("loyalty_store")),
    (
        "loyalty_store_refund_grace_days_check",
        "negative grace",
        update("loyalty_store", "refund_grace_days = -1"),
    ),
    (
        "loyalty_store_open_hold_alert_days_check",
        "negative patience",
        update("loyalty_store", "open_hold_alert_days = -1"),
    ),
]


@pytest.mark.parametrize(
    ("constraint", "sql"),
    [pytest.param(name, sql, id=f"{name}: {words}") for name, words, sql in REFUSED],
)
def test_refuses_what_breaks(constraint: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        run(sql)

    assert contents() == books


def test_lets_a_closed_wallet_be_followed_by_another(books: Contents) -> None:
    run(update("loyalty_giftcard", "status = 'closed'"))

    run(copy("loyalty_giftcard", public_id="'new'", code_digest="'new'", status="'active'"))

    assert len(contents()["loyalty_giftcard"]) == len(books["loyalty_giftcard"]) + 1


def test_lets_programs_of_two_kinds_have_one_name(books: Contents) -> None:
    run(copy("loyalty_program", kind="'gift_card'"))

    assert len(contents()["loyalty_program"]) == len(books["loyalty_program"]) + 1


@pytest.mark.parametrize("reason", ["", *Reason.values])
def test_takes_an_operation_for_each_reason_of_the_list(reason: str) -> None:
    run(copy("loyalty_operation", **NEW_OPERATION, reason=f"'{reason}'"))

    assert Operation.objects.filter(oid="new", reason=reason).count() == 1


def test_has_no_constraint_that_is_not_tried_here() -> None:
    assert constraints(TABLES) == {name for name, _, _ in REFUSED}


# Another value for every column that says what a row is about.
FIXED = {
    "loyalty_store": {"currency": "'USD'"},
    "loyalty_program": {"store_id": "store_id + 1", "kind": "'promotion'"},
    "loyalty_giftcard": {
        "public_id": "'new'",
        "store_id": "store_id + 1",
        "program_id": "program_id + 1",
        "currency": "'USD'",
        "exponent": "exponent + 1",
        "created_at": "created_at - interval '1 day'",
        "batch_id": "NULL, batch_number = NULL",
        "batch_number": "batch_number + 1",
    },
    "loyalty_balance": {"card_id": "card_id + 1000"},
    "loyalty_grant": {
        "card_id": "card_id + 1",
        "operation_id": "operation_id + 1",
        "transaction_id": "0",
        "origin": "'refund'",
        "funding": "'paid'",
        "amount": "amount + 1",
        "came_from_id": "id",
        "created_at": "created_at - interval '1 day'",
    },
    "loyalty_transaction": {
        "public_id": "'new'",
        "card_id": "card_id + 1",
        "kind": "'debit'",
        "amount": "amount + 1",
        "request_id": "'new'",
        "order_id": "'v1'",
        "order_sequence": "'501'",
        "created_at": "created_at - interval '1 day'",
    },
}


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize(
    ("operation", "sql"),
    [
        pytest.param("UPDATE", "UPDATE {} SET amount = amount + 1", id="changing"),
        pytest.param("UPDATE", "UPDATE {} SET amount = amount", id="changing nothing"),
        pytest.param("DELETE", "DELETE FROM {}", id="deleting"),
        pytest.param("TRUNCATE", "TRUNCATE {} CASCADE", id="emptying"),
    ],
)
def test_history_refuses(table: str, operation: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=rf"{operation} of loyalty_\w+ is not allowed"):
        run(sql.format(table))

    assert contents() == books


@pytest.mark.parametrize("table", PERMANENT)
@pytest.mark.parametrize(
    ("operation", "sql"),
    [
        pytest.param("DELETE", "DELETE FROM {}", id="deleting"),
        pytest.param("TRUNCATE", "TRUNCATE {} CASCADE", id="emptying"),
    ],
)
def test_nothing_goes_by(table: str, operation: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=rf"{operation} of loyalty_\w+ is not allowed"):
        run(sql.format(table))

    assert contents() == books


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [(table, column, value) for table, values in FIXED.items() for column, value in values.items()],
)
def test_does_not_change(table: str, column: str, value: str, books: Contents) -> None:
    which = "max" if column.startswith("batch") else "min"  # the card of a batch is the last one
    with pytest.raises(IntegrityError, match=f"UPDATE of {table} is not allowed"):
        run(update(table, f"{column} = {value}", which))

    assert contents() == books


@pytest.mark.parametrize("table", FIXED)
def test_may_be_saved_again_as_it_is(table: str) -> None:
    for row in MODELS[table]._default_manager.all():
        row.save()


def test_has_no_trigger_that_is_not_tried_here() -> None:
    assert triggers(TABLES) == {
        *(f"{table}_append_only" for table in HISTORY),
        *(f"{table}_no_truncate" for table in (*HISTORY, *PERMANENT)),
        *(f"{table}_no_delete" for table in PERMANENT),
        *(f"{table}_fixed" for table in FIXED),
        "loyalty_giftcard_fixed_too",
        "loyalty_program_point_value",  # tests/loyalty/test_point_value_guards.py
        "loyalty_grant_fixed_too",
        "loyalty_giftcard_owner_not_merged",
    }


@pytest.mark.parametrize("change", ["given", "issued"])
def test_a_card_is_not_given_to_who_was_merged(change: str, books: Contents) -> None:
    merged = "(SELECT id FROM loyalty_customer WHERE merged_into_id IS NOT NULL)"
    sql = (
        update("loyalty_giftcard", f"owner_id = {merged}")
        if change == "given"
        else copy("loyalty_giftcard", public_id="'new'", code_digest="'new'", owner_id=merged)
    )

    with pytest.raises(IntegrityError, match="card_owner_not_merged"):
        run(sql)

    assert contents() == books


@pytest.mark.parametrize("model", [Balance, Entry, GiftCard, Grant, Operation, Transaction])
def test_deletes_nothing_through_the_models_either(model: type[Model], books: Contents) -> None:
    with pytest.raises(IntegrityError), atomic():
        model._default_manager.all()._raw_delete("default")

    assert contents() == books
