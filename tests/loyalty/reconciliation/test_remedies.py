"""What puts a difference right: proposed by a run, done by a person, gone by the next run."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from loyalty import approvals, reconciliation
from loyalty.actions.remedies import remedy_of
from loyalty.audit import Actor
from loyalty.exceptions import DifferenceOutdated
from loyalty.models import AuditEvent, Discrepancy, GiftCard, Operation, Reason, Store
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
from tests.loyalty.staff import make_staff


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

    with unchanged(card), pytest.raises(DifferenceOutdated):
        remedy_of(difference)


def test_there_is_none_for_what_only_people_can_judge(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    with time_machine.travel(NOON, tick=False):
        make_cancellation(debit, 500)
    records.add(make_purchase(payment_of(debit)))

    assert remedy_of(find(store, records)) is None


def short_refund(card: GiftCard, store: Store, records: Records) -> Discrepancy:
    """VTEX gave 3.00 back, and none of it came."""
    records.add(make_purchase(payment_of(make_debit(card), returned=Decimal("3.00"))))
    return find(store, records)


def test_two_people_at_once_put_it_right_once(
    store: Store, card: GiftCard, records: Records, admin_user: User
) -> None:
    difference = short_refund(card, store, records)
    first, second = remedy_of(difference), remedy_of(difference)
    other = User.objects.create_superuser("other")
    assert first is not None
    assert second is not None

    approvals.carry_out(first, actor=Actor(admin_user), token="form")
    approvals.carry_out(second, actor=Actor(other), token="another form")

    assert buckets(card) == {"credited": 100_000, "available": 99_300, "spent": 700}


def test_two_approvals_of_the_same_put_it_right_once(
    store: Store, card: GiftCard, records: Records, admin_user: User
) -> None:
    difference = short_refund(card, store, records)
    waiting = []
    for note in ("one", "another"):
        action = remedy_of(difference, note=note)
        assert action is not None
        asking = Actor(make_staff("cancel_transaction", per_action=100))
        waiting.append(approvals.carry_out(action, actor=asking, token="form").approval)

    with time_machine.travel(LATER + datetime.timedelta(minutes=1), tick=False):
        ended = [approvals.approve(each, actor=Actor(admin_user)) for each in waiting if each]

    assert [each.status for each in ended] == ["done", "done"]
    assert Operation.objects.filter(reason=Reason.RECONCILIATION).count() == 1
    assert buckets(card) == {"credited": 100_000, "available": 99_300, "spent": 700}


def test_an_approval_comes_too_late_once_the_store_itself_gave_it_back(
    store: Store, card: GiftCard, records: Records, admin_user: User
) -> None:
    difference = short_refund(card, store, records)
    action = remedy_of(difference)
    assert action is not None
    asking = Actor(make_staff("cancel_transaction", per_action=100))
    approval = approvals.carry_out(action, actor=asking, token="form").approval
    assert approval is not None
    with time_machine.travel(LATER + datetime.timedelta(minutes=1), tick=False):
        make_cancellation(action.transaction, 300)

        with unchanged(card):
            ended = approvals.approve(approval, actor=Actor(admin_user))

    assert (ended.status, ended.failure) == ("failed", "difference_outdated")


def test_what_moved_while_it_was_being_compared_is_seen_by_its_figures(
    store: Store, card: GiftCard, records: Records
) -> None:
    difference = short_refund(card, store, records)
    make_cancellation(difference.transaction, 100)  # type: ignore[arg-type]
    Discrepancy.objects.update(last_seen=LATER + datetime.timedelta(minutes=1))

    with unchanged(card), pytest.raises(DifferenceOutdated):
        remedy_of(Discrepancy.objects.get())


def test_the_next_swallowed_refund_of_the_same_amount_is_another_one(
    store: Store, card: GiftCard, records: Records, admin_user: User
) -> None:
    debit = make_debit(card)
    for day, returned in ((0, "3.00"), (1, "6.00")):
        with time_machine.travel(LATER + datetime.timedelta(days=day), tick=False):
            records.add(make_purchase(payment_of(debit, returned=Decimal(returned))))
            action = remedy_of(find(store, records))
            assert action is not None
            approvals.carry_out(action, actor=Actor(admin_user), token="form")

    assert buckets(card) == {"credited": 100_000, "available": 99_600, "spent": 400}


def test_the_audit_trail_leads_to_the_difference(
    store: Store, card: GiftCard, records: Records, admin_user: User
) -> None:
    difference = short_refund(card, store, records)
    action = remedy_of(difference)
    assert action is not None

    approvals.carry_out(action, actor=Actor(admin_user), token="form")

    event = AuditEvent.objects.get(action="cancel_difference")
    assert (event.subject, event.amount) == (f"loyalty.discrepancy:{difference.pk}", 300)
    assert (event.before, event.after) == (
        {"available": 99_000, "spent": 1000},
        {"available": 99_300, "spent": 700},
    )
