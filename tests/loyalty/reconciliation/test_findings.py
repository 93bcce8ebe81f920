"""Each kind of difference, found; and what is no difference."""

import dataclasses
import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from loyalty import reconciliation
from loyalty.models import Discrepancy, GiftCard, Store, Transaction
from loyalty.order_sources import Purchase, Window
from tests.builders import (
    make_cancellation,
    make_card,
    make_credit,
    make_points_program,
    make_wallet,
    unchanged,
)
from tests.loyalty.reconciliation.records import (
    CANCELED,
    LATER,
    NOON,
    OPEN,
    WEEK,
    Records,
    make_debit,
    make_purchase,
    payment_of,
)

Kind, Remedy, Severity = Discrepancy.Kind, Discrepancy.Remedy, Discrepancy.Severity

Expected = tuple[str, str, int, int]


def found(store: Store, records: Records) -> list[Expected]:
    """Kind, remedy, its units, amount at risk."""
    reconciliation.run(store, WEEK, records)
    rows = Discrepancy.objects.filter(store=store).order_by("pk")
    return list(rows.values_list("kind", "remedy", "remedy_units", "amount"))


def give_back(debit: Transaction, amount: int) -> None:
    with time_machine.travel(NOON + datetime.timedelta(minutes=5), tick=False):
        make_cancellation(debit, amount)


def test_what_agrees_is_no_difference_and_costs_no_further_question(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    records.add(make_purchase(payment_of(debit)))

    assert found(store, records) == []
    assert records.details == 0
    run = store.reconciliation_runs.get()
    assert run.status == "done"
    assert (run.counts["purchases"], run.counts["payments"]) == (1, 1)
    assert "looked_up" not in run.counts


@pytest.mark.parametrize(
    ("fields", "settled", "order", "expected"),
    [
        # 1: VTEX kept no id of the debit
        ({"tid": ""}, 1000, {}, [("payment_without_debit", "none", 0, 1000)]),
        # 3: canceled there, held or spent here
        ({"status": CANCELED}, 0, {}, [("canceled_but_held", "release", 1000, 1000)]),
        ({"status": CANCELED}, 1000, {}, [("canceled_but_held", "refund", 1000, 1000)]),
        # 4: more given back there
        ({"returned": Decimal("3.00")}, 1000, {}, [("refund", "refund", 300, 300)]),
        # 5: invoiced there, held here; settled there, held here; settled here only
        (
            {"status": OPEN, "settled": Decimal(0)},
            0,
            {},
            [("settlement", "settle", 1000, 1000)],
        ),
        ({}, 0, {}, [("settlement", "settle", 1000, 1000)]),
        ({"settled": Decimal("4.00")}, 0, {}, [("settlement", "settle", 400, 400)]),
        (
            {"status": OPEN, "settled": Decimal(0)},
            1000,
            {"is_invoiced": False},
            [("settlement", "none", 0, 1000)],
        ),
        ({"settled": Decimal("4.00")}, 400, {}, [("settlement", "release", 600, 600)]),
        # 6: figures
        (
            {"amount": Decimal("9.99"), "settled": Decimal(10)},
            1000,
            {},
            [("figures", "none", 0, 1)],
        ),
        ({"currency": "USD"}, 1000, {}, [("figures", "none", 0, 0)]),
        ({"card_id": "another"}, 1000, {}, [("figures", "none", 0, 0)]),
        ({"tid": "another"}, 1000, {}, [("figures", "none", 0, 0)]),
        ({"payment_id": "ANOTHER"}, 1000, {}, [("figures", "none", 0, 0)]),
        # no difference: open on both sides
        ({"status": OPEN, "settled": Decimal(0)}, 0, {"is_invoiced": False}, []),
    ],
)
def test_finds_what_differs_and_moves_nothing(
    store: Store,
    card: GiftCard,
    records: Records,
    fields: dict[str, Any],
    settled: int,
    order: dict[str, Any],
    expected: list[Expected],
) -> None:
    debit = make_debit(card, settled=settled)
    records.add(make_purchase(payment_of(debit, **fields), **order))

    with unchanged(card):
        assert found(store, records) == expected


def test_1_a_payment_without_a_debit(store: Store, card: GiftCard, records: Records) -> None:
    debit = make_debit(card)
    payment = dataclasses.replace(payment_of(debit), payment_id="P9", tid="unknown")
    records.add(make_purchase(payment_of(debit)))
    records.add(make_purchase(payment, group="v2str"))

    assert found(store, records) == [("payment_without_debit", "none", 0, 1000)]
    difference = Discrepancy.objects.get()
    assert (difference.key, difference.order_group) == ("P9", "v2str")
    assert difference.theirs["amount"] == "10"
    assert difference.evidence["orders"] == ["v2str-01"]


@pytest.mark.parametrize("change", [{"status": CANCELED}, {"provider": ""}])
def test_a_payment_that_was_refused_or_is_of_other_cards_is_no_difference(
    store: Store, card: GiftCard, records: Records, change: dict[str, Any]
) -> None:
    payment = dataclasses.replace(payment_of(make_debit(card)), payment_id="P9", tid="x", **change)
    records.add(make_purchase(payment_of(Transaction.objects.get())))
    records.add(make_purchase(payment, group="v2str"))

    assert found(store, records) == []


@pytest.mark.parametrize(("settled", "remedy"), [(0, "release"), (1000, "refund")])
def test_2_a_debit_without_an_order(
    store: Store, card: GiftCard, records: Records, settled: int, remedy: str
) -> None:
    make_debit(card, settled=settled)

    assert found(store, records) == [("debit_without_order", remedy, 1000, 1000)]
    assert Discrepancy.objects.get().evidence["reason"] == "no_order"
    assert store.reconciliation_runs.get().counts["looked_up"] == 1


def test_2_not_before_a_day_has_passed(store: Store, card: GiftCard, records: Records) -> None:
    make_debit(card, settled=0, at=LATER - datetime.timedelta(hours=25))
    make_debit(card, settled=0, at=LATER - datetime.timedelta(hours=23), group="v2str")
    window = dataclasses.replace(WEEK, until=LATER)

    reconciliation.run(store, window, records)

    assert [row.order_group for row in Discrepancy.objects.all()] == ["v1str"]
    assert store.reconciliation_runs.get().counts["moving"] == 1


def test_2_a_debit_whose_order_is_of_another_day_is_looked_up(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    records.add(make_purchase(payment_of(debit)), at=NOON - datetime.timedelta(days=30))

    assert found(store, records) == []
    assert store.reconciliation_runs.get().counts["looked_up"] == 1


def test_2_what_was_given_back_needs_no_order(
    store: Store, card: GiftCard, records: Records
) -> None:
    give_back(make_debit(card, settled=0), 1000)

    assert found(store, records) == []


def test_4_the_second_of_two_equal_refunds_was_swallowed(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    give_back(debit, 300)
    records.add(make_purchase(payment_of(debit, returned=Decimal("6.00"))))

    assert found(store, records) == [("refund", "refund", 300, 300)]
    difference = Discrepancy.objects.get()
    assert (difference.ours["refunded"], difference.theirs["returned"]) == ("3", "6")


def test_4_more_was_given_back_here(store: Store, card: GiftCard, records: Records) -> None:
    debit = make_debit(card)
    give_back(debit, 600)
    records.add(make_purchase(payment_of(debit, returned=Decimal("3.00"))))

    assert found(store, records) == [("refund", "none", 0, 300)]


def test_4_is_not_judged_without_the_sums(store: Store, card: GiftCard, records: Records) -> None:
    debit = make_debit(card)
    give_back(debit, 600)
    records.add(make_purchase(payment_of(debit, returned=Decimal("3.00"))))
    reconciliation.run(store, WEEK, records)
    records.add(make_purchase(payment_of(debit, returned=None)))

    reconciliation.run(store, WEEK, records)

    assert Discrepancy.objects.get().status == "open"


def test_7_two_debits_for_one_order_and_card(
    store: Store, card: GiftCard, records: Records
) -> None:
    first = make_debit(card)
    second = make_debit(card, settled=0)
    records.add(
        make_purchase(payment_of(second, status=OPEN, settled=Decimal(0)), is_invoiced=False)
    )

    assert found(store, records) == [("double_debit", "refund", 1000, 1000)]
    assert Discrepancy.objects.get().transaction == first


def test_7_two_cards_on_one_order_are_no_difference(
    store: Store, card: GiftCard, records: Records
) -> None:
    other = make_wallet(card.program, balance=1000, valid_from=NOON)
    first, second = make_debit(card), make_debit(other)
    records.add(make_purchase(payment_of(first), payment_of(second)))

    assert found(store, records) == []


def test_8_a_reward_is_missing_or_given_twice(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    wallet = make_wallet(card.program, relation_name="loyalty-program", balance=0)
    rewards = tuple((f"v1str-{number:02}", Decimal("2.50")) for number in (1, 2, 3))
    with time_machine.travel(NOON, tick=False):
        make_credit(wallet, 250, request_id="v1str-01", order_id="v1str-01")
        make_credit(wallet, 250, request_id="v1str-02", order_id="v1str-02")
        again = make_credit(wallet, 250, request_id="again", order_id="v1str-02")
    order_ids = tuple(order_id for order_id, _ in rewards)
    records.add(make_purchase(payment_of(debit), rewards=rewards, order_ids=order_ids))

    assert sorted(found(store, records)) == [
        ("reward", "none", 0, 250),
        ("reward", "take_back", 250, 250),
    ]
    assert Discrepancy.objects.get(remedy="take_back").transaction == again
    assert Discrepancy.objects.get(remedy="none").key == "v1str-03"


def test_points_are_compared_to_the_unit(store: Store, records: Records) -> None:
    card = make_card(make_points_program(store), balance=10_0000, valid_from=NOON)
    debit = make_debit(card, 1_2300)
    records.add(make_purchase(payment_of(debit, returned=Decimal("1.00"))))

    assert found(store, records) == [("refund", "refund", 1_0000, 100)]


def test_what_moved_there_within_the_hour_is_left_alone(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card, settled=0)
    a_moment_ago = LATER - datetime.timedelta(minutes=30)
    records.add(make_purchase(payment_of(debit), changed_at=a_moment_ago))

    assert found(store, records) == []
    assert store.reconciliation_runs.get().counts["moving"] == 1


def test_what_moved_here_within_the_hour_is_left_alone(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    with time_machine.travel(LATER - datetime.timedelta(minutes=30), tick=False):
        make_cancellation(debit, 300)
    records.add(make_purchase(payment_of(debit)))

    assert found(store, records) == []
    assert store.reconciliation_runs.get().counts["moving"] == 1


def test_another_stores_purchases_are_not_ours(
    store: Store, card: GiftCard, records: Records
) -> None:
    foreign = make_wallet(balance=1000, valid_from=NOON)
    make_debit(foreign, settled=0, group="v7str")

    assert found(store, records) == []
    assert Discrepancy.objects.count() == 0


def test_refunds_that_are_not_known_are_asked_for(
    store: Store, card: GiftCard, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchase = make_purchase(payment_of(make_debit(card), returned=Decimal("3.00")))
    [payment] = purchase.payments
    untold = dataclasses.replace(payment, settled=None, returned=None, transaction_refunds=None)
    plain = dataclasses.replace(purchase, payments=(untold,), is_detailed=False)
    records.add(purchase)

    def purchases(_self: Records, window: Window) -> Iterator[Purchase]:
        yield from [plain] if window.since <= NOON < window.until else []

    monkeypatch.setattr(Records, "purchases", purchases)

    assert found(store, records) == [("refund", "refund", 300, 300)]
    assert records.details == 1
