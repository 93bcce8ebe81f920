"""Every invariant finds what it is there for: damage done by raw SQL, behind the ledger's back."""

# ruff: noqa: S608 - the damage is SQL, put together from constants

import datetime
import threading
from collections.abc import Sequence

import pytest
import time_machine
from django.db import IntegrityError, connection, connections

from loyalty import ledger
from loyalty.exceptions import InsufficientBalance
from loyalty.ledger.invariants import violations
from loyalty.ledger.links import Invariant
from loyalty.ledger.promises import INVARIANTS
from loyalty.models import CustomerMerge, GiftCard
from tests import builders

NOW = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)

SETTLE = "(SELECT min(id) FROM loyalty_operation WHERE kind = 'settle')"
AUTHORIZE = "(SELECT min(id) FROM loyalty_operation WHERE kind = 'authorize')"
ISSUE_GRANT = "(SELECT id FROM loyalty_grant WHERE origin = 'issue')"
CREDIT_GRANT = "(SELECT id FROM loyalty_grant WHERE origin = 'credit')"
REFUND_GRANT = "(SELECT id FROM loyalty_grant WHERE origin = 'refund')"
DEBIT = "(SELECT min(id) FROM loyalty_transaction WHERE kind = 'debit')"
OPEN_DEBIT = "(SELECT max(id) FROM loyalty_transaction WHERE kind = 'debit')"

# Constraints that would stop the damage; a database without them is what the invariants are for.
CONSTRAINTS = {
    "loyalty_balance": ["balance_never_negative", "balance_conserves_credit"],
    "loyalty_grant": ["grant_remaining_within_amount", "grant_amount_positive"],
    "loyalty_transaction": ["transaction_within_amount"],
    "loyalty_operation": ["operation_applies_at_most_amount", "operation_declined_moves_nothing"],
    "loyalty_entry": ["entry_moves_something", "entry_number_on_card"],
}

# name of the damage: (the SQL that does it, the invariants that must say so and no other)
DAMAGE: dict[str, tuple[str, set[str]]] = {
    "money from nowhere": (
        "UPDATE loyalty_balance SET available = available + 1",
        {"I1", "I2", "I10", "I12"},
    ),
    "money from nowhere, well hidden": (
        "UPDATE loyalty_balance SET available = available + 1, credited = credited + 1",
        {"I2", "I10", "I12"},
    ),
    "a card without a balance": ("DELETE FROM loyalty_balance", {"I1"}),
    "a negative bucket": (
        "UPDATE loyalty_balance SET expired = -1, available = available + expired + 1",
        {"I1", "I2", "I12"},
    ),
    "two buckets exchanged": (
        "UPDATE loyalty_balance SET expired = removed, removed = expired",
        {"I2"},
    ),
    "a version ahead of the entries": (
        "UPDATE loyalty_balance SET version = version + 1",
        {"I3"},
    ),
    "a gap in the numbers": (
        (
            "UPDATE loyalty_entry SET seq = seq + 1 WHERE seq >= 5;"
            "UPDATE loyalty_balance SET version = version + 1"
        ),
        {"I3"},
    ),
    # Not of the entry next to it: either order of the two breaks the chain.
    "a number given twice": ("UPDATE loyalty_entry SET seq = 3 WHERE seq = 5", {"I3", "I4"}),
    "an entry with the wrong amount left": (
        "UPDATE loyalty_entry SET available_after = available_after + 1 WHERE seq = 5",
        {"I4"},
    ),
    "an entry with the wrong amount held": (
        "UPDATE loyalty_entry SET held_after = held_after - 1 WHERE seq = 5",
        {"I4"},
    ),
    "an entry that vanished": (
        (
            f"DELETE FROM loyalty_entry WHERE operation_id = {SETTLE} AND seq = "
            f"(SELECT max(seq) FROM loyalty_entry WHERE operation_id = {SETTLE})"
        ),
        {"I2", "I3", "I4", "I7", "I8", "I13"},
    ),
    "an entry with another amount": (
        f"UPDATE loyalty_entry SET amount = amount + 1 WHERE operation_id = {SETTLE}",
        {"I2", "I4", "I7", "I8", "I13"},
    ),
    "a debit settled above its amount": (
        f"UPDATE loyalty_transaction SET settled = amount + 1 WHERE id = {DEBIT}",
        {"I5", "I6", "I7"},
    ),
    "a debit refunded above what was settled": (
        f"UPDATE loyalty_transaction SET refunded = settled + 1 WHERE id = {DEBIT}",
        {"I5", "I6", "I7"},
    ),
    "a credit that was settled": (
        "UPDATE loyalty_transaction SET settled = 1 WHERE kind = 'credit'",
        {"I5", "I7"},
    ),
    "a hold forgotten": (
        f"UPDATE loyalty_transaction SET released = released + 1 WHERE id = {OPEN_DEBIT}",
        {"I6", "I7"},
    ),
    "a transaction that nobody asked for": (
        (
            "INSERT INTO loyalty_transaction (public_id, card_id, kind, amount, settled, released,"
            " refunded, request_id, order_id, order_sequence, created_at) SELECT 'x', card_id,"
            " 'credit', 1, 0, 0, 0, 'x', '', '', created_at FROM loyalty_transaction LIMIT 1"
        ),
        {"I7"},
    ),
    "released told as refunded": (
        (
            f"UPDATE loyalty_transaction SET released = released - 1, refunded = refunded + 1,"
            f" settled = settled + 1 WHERE id = {DEBIT}"
        ),
        {"I7"},
    ),
    "an operation that says more than it moved": (
        (
            "UPDATE loyalty_operation SET amount = amount + 1, applied = applied + 1"
            " WHERE kind = 'expire'"
        ),
        {"I8"},
    ),
    "an operation applied in part": (
        "UPDATE loyalty_operation SET amount = amount + 1 WHERE kind = 'adjust'",
        {"I8"},
    ),
    "a declined operation that moved": (
        (
            "UPDATE loyalty_operation SET outcome = 'declined', decline_code = 'x'"
            " WHERE kind = 'adjust'"
        ),
        {"I8", "I15"},
    ),
    "an entry of another verb": (
        "UPDATE loyalty_operation SET kind = 'settle' WHERE kind = 'adjust'",
        {"I8", "I15"},
    ),
    "an entry on another transaction than its operation": (
        (
            "UPDATE loyalty_entry SET transaction_id = NULL WHERE operation_id = "
            "(SELECT min(id) FROM loyalty_operation WHERE kind = 'credit')"
        ),
        {"I8"},
    ),
    "a decline recorded twice": (
        (
            "INSERT INTO loyalty_operation (oid, card_id, transaction_id, kind, request_id, amount,"
            " applied, outcome, decline_code, actor, reason, note, created_at)"
            " SELECT 'copy', card_id, transaction_id, kind, request_id, amount, applied, outcome,"
            " decline_code, actor, reason, note, created_at FROM loyalty_operation"
            " WHERE outcome = 'declined'"
        ),
        {"I9"},
    ),
    "a debit and a credit of one request id": (
        (
            "UPDATE loyalty_operation SET request_id = 'same' WHERE kind IN ('authorize', 'credit')"
            " AND outcome = 'ok'"
        ),
        {"I9"},
    ),
    "a debit before the card was valid": (
        "UPDATE loyalty_giftcard SET valid_from = valid_from + interval '1 day'",
        {"I11"},
    ),
    "a debit at the card's last instant": (
        (
            "UPDATE loyalty_giftcard SET valid_from = valid_from - interval '1 day', expires_at ="
            f" (SELECT created_at FROM loyalty_operation WHERE id = {AUTHORIZE})"
        ),
        {"I11"},
    ),
    "a debit from an expired grant": (
        (
            "UPDATE loyalty_grant SET valid_from = valid_from - interval '1 day', expires_at ="
            f" (SELECT created_at FROM loyalty_operation WHERE id = {AUTHORIZE})"
            f" WHERE id = {CREDIT_GRANT}"
        ),
        {"I11"},
    ),
    "a debit on a blocked card": (
        (
            "UPDATE loyalty_operation SET id = 0 WHERE kind = 'block';"
            "UPDATE loyalty_operation SET kind = 'block' WHERE kind = 'unblock';"
            "UPDATE loyalty_giftcard SET status = 'blocked'"
        ),
        {"I11"},
    ),
    "expired credit that came back to die": (
        f"UPDATE loyalty_grant SET expires_at = '{NOW + DAY}' WHERE origin = 'reward'",
        {"I11"},
    ),
    "expired credit that came back to a dead card": (
        f"UPDATE loyalty_giftcard SET expires_at = '{NOW + 2 * DAY}'",
        {"I11"},
    ),
    "a card blocked by nobody": ("UPDATE loyalty_giftcard SET status = 'blocked'", {"I11"}),
    "a grant with more left than the card": (
        f"UPDATE loyalty_grant SET remaining = remaining + 1 WHERE id = {CREDIT_GRANT}",
        {"I12", "I13"},
    ),
    "money moved from one grant to another": (
        (
            f"UPDATE loyalty_grant SET remaining = remaining + 1 WHERE id = {CREDIT_GRANT};"
            f"UPDATE loyalty_grant SET remaining = remaining - 1 WHERE id = {REFUND_GRANT}"
        ),
        {"I13"},
    ),
    "money settled from a grant that did not hold it": (
        f"UPDATE loyalty_entry SET grant_id = {ISSUE_GRANT} WHERE operation_id = {SETTLE}",
        {"I13"},
    ),
    "a grant of more than came in": (
        "UPDATE loyalty_grant SET amount = amount + 1 WHERE origin = 'issue'",
        {"I10", "I14"},
    ),
    "a refund of more than came back": (
        f"UPDATE loyalty_grant SET amount = amount + 1 WHERE id = {REFUND_GRANT}",
        {"I14"},
    ),
    "a grant that another operation opened": (
        f"UPDATE loyalty_grant SET operation_id = {SETTLE} WHERE id = {CREDIT_GRANT}",
        {"I14"},
    ),
    "promotional money refunded as paid": (
        f"UPDATE loyalty_grant SET funding = 'paid' WHERE id = {REFUND_GRANT}",
        {"I14"},
    ),
    "a landing that is not a refund": (
        f"UPDATE loyalty_entry SET source = 'outside' WHERE landing_grant_id = {REFUND_GRANT}",
        {"I2", "I4", "I7", "I8", "I14"},
    ),
    "an adjustment reversed twice": (
        (
            "UPDATE loyalty_operation SET reverses_id = (SELECT min(id) FROM loyalty_operation"
            " WHERE kind = 'adjust' AND amount = 7) WHERE kind = 'reverse' AND amount = 7"
        ),
        {"I15"},
    ),
    "a reversal of what is no adjustment": (
        (
            "UPDATE loyalty_operation SET reverses_id = (SELECT id FROM loyalty_operation"
            " WHERE kind = 'issue') WHERE kind = 'reverse' AND amount = 25"
        ),
        {"I15"},
    ),
    "a reversal of another amount": (
        (
            "UPDATE loyalty_operation SET reverses_id = (SELECT id FROM loyalty_operation"
            " WHERE kind = 'adjust' AND amount = 5) WHERE kind = 'reverse' AND amount = 25"
        ),
        {"I15"},
    ),
    "an adjustment put back into another grant": (
        f"UPDATE loyalty_entry SET grant_id = {ISSUE_GRANT} WHERE source = 'removed'",
        {"I13", "I15"},
    ),
}


@pytest.fixture
def card() -> GiftCard:
    """A card to which everything has happened once, in an order in which it can."""
    with time_machine.travel(NOW, tick=False) as clock:
        tomorrow = NOW + datetime.timedelta(days=1)
        card = builders.make_wallet(balance=1000)
        credit = builders.make_credit(card, 500, funding="promotional", expires_at=tomorrow)
        ledger.cancel(credit, amount=20, request_id="take back", actor="test")
        with pytest.raises(InsufficientBalance):
            builders.make_hold(card, 9999)
        ledger.block(card.pk, request_id="block", actor="test")
        ledger.unblock(card.pk, request_id="unblock", actor="test")
        debit = builders.make_hold(card, 900)
        builders.make_settlement(debit, 400)
        builders.make_cancellation(debit, 100)
        builders.make_credit(card, 50, expires_at=tomorrow, origin="reward")
        clock.shift(datetime.timedelta(days=2))
        ledger.expire(card.pk, actor="test")
        builders.make_cancellation(debit, 450)
        builders.make_hold(card, 30)
        taken = builders.make_adjustment(card, -25)
        builders.make_reversal(taken)
        for _ in range(2):
            builders.make_reversal(builders.make_adjustment(card, 7))
        builders.make_adjustment(card, -5)
        builders.make_extension(card, card.grants.get(origin="reward"))
    return card


def damage(sql: str) -> None:
    """Run SQL as if the database had neither triggers nor constraints."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")  # PostgreSQL may be vacuuming the table
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, names in CONSTRAINTS.items():
            for name in names:
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        cursor.execute("DROP INDEX operation_happens_once, operation_reversed_once")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        assert cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")


def broken(card_ids: Sequence[int] | None = None, *, store_id: int | None = None) -> set[str]:
    """The names of the invariants that do not hold."""
    return {violation.invariant.name for violation in violations(card_ids, store_id=store_id)}


@pytest.mark.django_db
def test_books_kept_by_the_verbs_break_none(card: GiftCard) -> None:
    assert violations() == []
    assert card.entries.values("source", "target").distinct().count() == 9  # every movement


@pytest.mark.django_db
@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_by_the_invariants_that_it_breaks(card: GiftCard, name: str) -> None:
    sql, expected = DAMAGE[name]

    damage(sql)

    assert broken() == expected
    assert broken([card.pk]) == expected
    assert broken(store_id=card.store_id) == expected


def test_each_invariant_is_broken_by_some_damage() -> None:
    of_one_card = set().union(*(names for _, names in DAMAGE.values()))
    of_two = set().union(*(names for _, names in DAMAGE_TO_TRANSFERS.values()))
    assert of_one_card | of_two | {"I16"} == {invariant.name for invariant in INVARIANTS}
    assert [invariant.name for invariant in INVARIANTS] == [f"I{n}" for n in range(1, 18)]


SENT = "(SELECT id FROM loyalty_operation WHERE kind = 'transfer' AND counterpart_id IS NULL)"
RECEIVED = "(SELECT id FROM loyalty_operation WHERE counterpart_id IS NOT NULL)"
ARRIVED = "(SELECT max(id) FROM loyalty_grant WHERE came_from_id IS NOT NULL)"

# As above, to two cards of which one sent money to the other.
DAMAGE_TO_TRANSFERS: dict[str, tuple[str, set[str]]] = {
    "more received than was sent, the card's own books in order": (
        (
            f"UPDATE loyalty_operation SET amount = amount + 1, applied = applied + 1"
            f" WHERE id = {RECEIVED};"
            f"UPDATE loyalty_entry SET amount = amount + 1, available_after = available_after + 1"
            f" WHERE grant_id = {ARRIVED};"
            f"UPDATE loyalty_grant SET amount = amount + 1, remaining = remaining + 1"
            f" WHERE id = {ARRIVED};"
            "UPDATE loyalty_balance SET available = available + 1, credited = credited + 1"
            f" WHERE card_id = (SELECT card_id FROM loyalty_grant WHERE id = {ARRIVED})"
        ),
        {"I17"},
    ),
    "sent, and received by nobody": (
        f"UPDATE loyalty_operation SET counterpart_id = NULL WHERE id = {RECEIVED}",
        {"I17"},
    ),
    "received from what is no transfer": (
        (
            "UPDATE loyalty_operation SET counterpart_id = (SELECT min(id) FROM loyalty_operation)"
            f" WHERE id = {RECEIVED}"
        ),
        {"I17"},
    ),
    "promotional money that became paid on the way": (
        f"UPDATE loyalty_grant SET funding = 'paid' WHERE id = {ARRIVED}",
        {"I17"},
    ),
    "money of one grant that arrived as another's": (
        (
            "UPDATE loyalty_grant SET came_from_id = (SELECT min(id) FROM loyalty_grant)"
            f" WHERE id = {ARRIVED}"
        ),
        {"I17"},
    ),
    "money that came from nowhere on the way": (
        f"UPDATE loyalty_grant SET came_from_id = NULL WHERE id = {ARRIVED}",
        {"I17"},
    ),
    "a transfer with its direction turned round": (
        f"UPDATE loyalty_entry SET source = target, target = source WHERE operation_id = {SENT}",
        {"I2", "I4", "I10", "I13", "I17"},
    ),
}


@pytest.fixture
def two_cards() -> list[GiftCard]:
    """A wallet that sent what it had to another; each grant arrived."""
    program = builders.make_program(relation_name="loyalty-program", is_reloadable=True)
    owner, stays = (
        builders.make_customer(program.store, profile_id="", document="") for _ in range(2)
    )
    source = builders.make_wallet(program, balance=100, owner=owner)
    builders.make_credit(source, 50, funding="promotional")
    target = builders.make_wallet(program, balance=7, owner=stays)
    builders.make_merge(owner, stays)
    return [source, target]


@pytest.mark.django_db
@pytest.mark.parametrize("name", DAMAGE_TO_TRANSFERS)
def test_damage_to_a_transfer_is_found(two_cards: list[GiftCard], name: str) -> None:
    sql, expected = DAMAGE_TO_TRANSFERS[name]

    damage(sql)

    assert broken() == expected
    assert broken(store_id=two_cards[0].store_id) == expected
    assert "I17" in {each for card in two_cards for each in broken([card.pk])}


@pytest.mark.django_db
def test_a_transfer_of_which_one_leg_was_reversed_is_found(two_cards: list[GiftCard]) -> None:
    source, target = two_cards
    made = CustomerMerge.objects.get()
    builders.make_unmerge(made)
    assert violations() == []

    damage(
        "UPDATE loyalty_operation SET reverses_id = (SELECT min(id) FROM loyalty_operation)"
        f" WHERE kind = 'reverse' AND card_id = {target.pk}"
    )

    assert broken([source.pk]) == {"I17"}
    assert {"I15", "I17"} <= broken()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("entry", "operation_id", "operation"),
        ("entry", "grant_id", "grant"),
        ("entry", "landing_grant_id", "grant"),
        ("entry", "transaction_id", "transaction"),
        ("operation", "transaction_id", "transaction"),
        ("grant", "operation_id", "operation"),
    ],
)
def test_a_row_that_names_another_cards_is_found_from_its_own_card(
    card: GiftCard, table: str, column: str, parent: str
) -> None:
    other = builders.make_card(balance=100)
    builders.make_hold(other, 50)

    damage(
        f"UPDATE loyalty_{table} SET {column} ="
        f" (SELECT min(id) FROM loyalty_{parent} WHERE card_id = {other.pk})"
        f" WHERE id = (SELECT min(id) FROM loyalty_{table}"
        f" WHERE card_id = {card.pk} AND {column} IS NOT NULL)"
    )

    assert "I16" in broken([card.pk])
    assert "I16" in broken()
    assert "I16" not in broken([other.pk])


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["authorize", "credit", "settle", "cancel", "adjust"])
def test_the_database_itself_refuses_a_request_that_happened(card: GiftCard, kind: str) -> None:
    """Also a debit or credit, whose repetition would open another transaction."""
    *_, happened = card.operations.filter(kind=kind)
    *_, other = card.transactions.exclude(operations=happened)
    happened.pk, happened.oid = None, "another"
    if kind in {"authorize", "credit"}:
        happened.transaction = other

    with pytest.raises(IntegrityError, match="operation_happens_once"):
        happened.save(force_insert=True)


@pytest.mark.django_db
def test_a_violation_names_the_row_and_both_figures(card: GiftCard) -> None:
    damage("UPDATE loyalty_balance SET version = version + 1")

    [violation] = violations()

    version = card.entries.count()
    assert violation.row == {
        "card_id": card.pk,
        "version": version + 1,
        "entries": version,
        "first": 1,
        "last": version,
    }
    assert str(violation) == (
        f"I3: card_id {card.pk}, version {version + 1}, entries {version}, first 1, last {version}"
    )


@pytest.mark.django_db
def test_only_the_cards_and_the_store_in_question_are_looked_at(card: GiftCard) -> None:
    other = builders.make_card(balance=1)

    damage(f"UPDATE loyalty_balance SET version = version + 1 WHERE card_id = {card.pk}")

    assert broken([card.pk]) == broken([card.pk, other.pk]) == {"I3"}
    assert broken(store_id=card.store_id) == {"I3"}
    assert broken([other.pk]) == broken([]) == broken(store_id=other.store_id) == set()
    assert broken([card.pk], store_id=other.store_id) == set()


@pytest.mark.django_db
def test_a_thousand_broken_rows_do_not_flood_the_report() -> None:
    program = builders.make_program()
    for _ in range(5):
        builders.make_card(program, balance=1)
    damage("UPDATE loyalty_balance SET version = version + 1")

    assert len(violations(max_rows=3)) == 3
    assert len(violations()) == 5


@pytest.mark.django_db(transaction=True)
def test_money_in_flight_is_never_half_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    card = builders.make_wallet(balance=1000)
    first, *rest = INVARIANTS

    def spend() -> None:
        builders.make_purchase(card, 10)
        connections.close_all()

    class SpendsMeanwhile(str):
        """A query that is only asked after somebody else has spent."""

        __slots__ = ()

        def __format__(self, _spec: str) -> str:
            meanwhile = threading.Thread(target=spend)
            meanwhile.start()
            meanwhile.join()
            return str(self)

    slow = Invariant(first.name, first.meaning, SpendsMeanwhile(first.sql))
    monkeypatch.setattr("loyalty.ledger.invariants.INVARIANTS", [first, slow, *rest])

    found = violations()

    assert found == []
    assert builders.buckets(card)["spent"] == 10
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
