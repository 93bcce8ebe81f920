"""What puts a difference right: proposed by a run, done by a person, gone by the next run."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from loyalty import approvals, reconciliation
from loyalty.actions.remedies import Outdated, remedy_of
from loyalty.audit import Actor
from loyalty.models import Discrepancy, GiftCard, Operation, Reason, Store
from tests.builders import buckets, make_cancellation, make_settlement, unchanged
from tests.loyalty.reconciliation.records import (
    CANCELED,
    LATER,
    NOON,
    WEEK,
    Records,
    make_debit,
    make_purchase,
    payment_of,
)


def find(store: Store, records: Records) -> Discrepancy:
    reconciliation.run(store, WEEK, records)
    return Discrepancy.objects.get()


@pytest.mark.parametrize(
    ("fields", "settled", "after"),
    [
        ({"status": CANCELED}, 0, {"available": 100_000}),
        ({"status": CANCELED}, 1000, {"available": 100_000}),
        ({}, 0, {"available": 99_000, "spent": 1000}),
        ({"returned": Decimal("3.00")}, 1000, {"available": 99_300, "spent": 700}),
    ],
    ids=["release", "refund of all", "settle", "refund of a part"],
)
def test_a_person_carries_it_out_and_the_next_run_finds_it_gone(
    store: Store,
    card: GiftCard,
    records: Records,
    admin_user: User,
    fields: dict[str, Any],
    settled: int,
    after: dict[str, int],
) -> None:
    debit = make_debit(card, settled=settled)
    records.add(make_purchase(payment_of(debit, **fields)))
    difference = find(store, records)

    action = remedy_of(difference, note="As VTEX has it.")
    assert action is not None
    approvals.carry_out(action, actor=Actor(admin_user), token="form")
    approvals.carry_out(action, actor=Actor(admin_user), token="form")

    assert buckets(card) == {"credited": 100_000, **after}
    operation = Operation.objects.order_by("-pk")[0]
    assert (operation.reason, operation.actor) == (
        Reason.RECONCILIATION,
        f"staff:{admin_user.pk}",
    )
    with time_machine.travel(LATER + datetime.timedelta(days=1), tick=False):
        assert find(store, records).status == "closed"


def test_nobody_without_the_permission_carries_it_out(
    store: Store, card: GiftCard, records: Records, django_user_model: type[User]
) -> None:
    records.add(make_purchase(payment_of(make_debit(card, settled=0))))
    action = remedy_of(find(store, records))
    somebody = django_user_model.objects.create_user("somebody")

    assert action is not None
    with unchanged(card), pytest.raises(PermissionDenied):
        approvals.carry_out(action, actor=Actor(somebody), token="form")


def test_is_outdated_once_the_purchase_has_moved(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card, settled=0)
    records.add(make_purchase(payment_of(debit, status=CANCELED)))
    difference = find(store, records)
    with time_machine.travel(LATER + datetime.timedelta(minutes=1), tick=False):
        make_settlement(debit, 1000)

    with unchanged(card), pytest.raises(Outdated):
        remedy_of(difference)


def test_there_is_none_for_what_only_people_can_judge(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    with time_machine.travel(NOON, tick=False):
        make_cancellation(debit, 500)
    records.add(make_purchase(payment_of(debit)))

    assert remedy_of(find(store, records)) is None
