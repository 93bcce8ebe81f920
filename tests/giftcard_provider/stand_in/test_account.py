"""The demo's stores beside their accounts: one difference of each kind, and no other."""

import dataclasses
import datetime

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from giftcard_provider.models import VtexKeys
from giftcard_provider.stand_in import StandIn
from giftcard_provider.stand_in.account import scenario_of
from loyalty import approvals, demo, reconciliation
from loyalty.actions.remedies import remedy_of
from loyalty.audit import Actor
from loyalty.demo.clock import stopped
from loyalty.demo.shop import BRAZIL, CHILE
from loyalty.models import Discrepancy, DiscrepancyKind, Store
from loyalty.order_sources import Window, WindowKind
from tests.builders import make_card, make_hold, make_program
from tests.giftcard_provider.vtex.conftest import make_keys


@pytest.fixture
def stores(db: None, monkeypatch: pytest.MonkeyPatch) -> list[Store]:
    """A demo of a few cards."""
    for name, plan in (("BRAZIL", BRAZIL), ("CHILE", CHILE)):
        small = dataclasses.replace(plan, cards=dict.fromkeys(plan.cards, 2))
        monkeypatch.setattr(demo, name, small)
    demo.seed()
    return list(demo.stores())


def compare(store: Store) -> None:
    """The month that `make run` compares, read from the stand-in."""
    now = timezone.now()
    month = Window(WindowKind.AUTHORIZED, now - datetime.timedelta(days=30), now)
    VtexKeys.objects.filter(store=store).delete()
    with StandIn(scenario_of(store)) as vtex:
        make_keys(store, vtex)
        reconciliation.run(store, month)


def open_kinds(store: Store) -> list[str]:
    rows = Discrepancy.objects.filter(store=store, status="open")
    return sorted(rows.values_list("kind", flat=True))


def test_each_store_of_the_demo_has_one_difference_of_each_kind(stores: list[Store]) -> None:
    for store in stores:
        compare(store)

    assert [store.currency for store in stores] == ["BRL", "CLP"]
    for store in stores:
        assert open_kinds(store) == sorted(DiscrepancyKind)


def test_what_is_put_right_is_gone_from_the_next_comparison(
    stores: list[Store], admin_user: User
) -> None:
    store = stores[0]
    compare(store)

    for difference in Discrepancy.objects.filter(store=store):
        if action := remedy_of(difference):
            approvals.carry_out(action, actor=Actor(admin_user), token=str(difference.pk))
    with stopped(timezone.now() + datetime.timedelta(hours=2)):  # past what may still be moving
        compare(store)

    assert open_kinds(store) == ["figures", "payment_without_debit"]


def test_what_is_bought_meanwhile_has_its_order(stores: list[Store]) -> None:
    store = stores[0]
    hold = make_hold(make_card(make_program(store), balance=1000), 1000, order_id="v1str")

    order = scenario_of(store).by_group("v1str")

    assert order is not None
    assert (order.order_ids, order.status) == (["v1str-01"], "ready-for-handling")
    assert [(each.tid, each.value) for each in order.payments] == [(hold.public_id, 1000)]
