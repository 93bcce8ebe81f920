"""Orders arrive: by the feed, by the lists, read one by one, and earn."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from giftcard_provider.vtex.feed import VtexFeed
from loyalty import earning, jobs
from loyalty.earning import catching_up, reading
from loyalty.exceptions import LedgerBusy
from loyalty.models import Earning, Job, OrderListening, ShopOrder, Store
from loyalty.order_sources import SourceUnavailable
from loyalty.shop_orders import Order
from tests.loyalty.earning.builders import make_earning_program, make_rule, points
from tests.vtex import Line, Payment, Purchase, StandIn

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


def a_purchase(group: str = "v1str", **fields: Any) -> Purchase:
    """Goods of R$ 100.00, paid an hour ago by card."""
    card = Payment(100_00, group="creditCard", system="2", name="Visa", provider=None)
    defaults: dict[str, Any] = {"lines": [Line("10", 100_00)]}
    return Purchase(group, timezone.now() - HOUR, [card], **defaults | fields)


@pytest.fixture
def program(store: Store, pauses: list[float]) -> Any:
    program = make_earning_program(store, usable_after_days=0)
    make_rule(program)
    return program


def test_what_the_feed_tells_is_read_and_earns(program: Any, vtex: StandIn) -> None:
    purchase = a_purchase()
    vtex.scenario.add(purchase)
    vtex.scenario.announce(purchase)

    heard = earning.listen()
    read = earning.read_due()

    assert (heard, read) == (1, 1)
    assert points(program) == {"due": 100, "pending": 100}
    assert vtex.scenario.feed == []
    row = ShopOrder.objects.get()
    assert (row.order_id, row.state, row.read_after) == ("v1str-01", "paid", None)
    assert OrderListening.objects.get().heard_at is not None


def test_each_change_is_taken_as_it_comes(program: Any, vtex: StandIn) -> None:
    purchase = a_purchase()
    vtex.scenario.add(purchase)
    vtex.scenario.announce(purchase, purchase)
    earning.listen()
    earning.read_due()

    purchase.status, purchase.invoiced = "invoiced", timezone.now()
    vtex.scenario.announce(purchase)
    earning.listen()
    earning.read_due()

    assert points(program) == {"due": 100, "credited": 100}
    assert vtex.calls["order"] == 2


def test_nothing_is_committed_that_is_not_kept(
    program: Any, vtex: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    def crash(*_: object) -> int:
        raise Crash

    purchase = a_purchase()
    vtex.scenario.add(purchase)
    vtex.scenario.announce(purchase)
    monkeypatch.setattr(reading, "announce", crash)
    with pytest.raises(Crash):
        earning.listen()
    monkeypatch.undo()

    assert (vtex.calls["commit"], len(vtex.scenario.feed or [])) == (0, 1)
    assert not ShopOrder.objects.exists()


def test_takes_lot_after_lot(program: Any, vtex: StandIn) -> None:
    purchases = [a_purchase(f"v{number}str") for number in range(23)]
    vtex.scenario.announce(*purchases)

    assert earning.listen() == 23
    assert ShopOrder.objects.filter(state="announced").count() == 23


def test_says_when_there_is_no_feed(program: Any, vtex: StandIn) -> None:
    vtex.scenario.feed = None

    earning.listen()

    assert OrderListening.objects.get().problem.startswith("VTEX has no feed for these keys.")


def test_an_order_that_cannot_be_read_waits_and_stops_no_other(program: Any, vtex: StandIn) -> None:
    odd, good = a_purchase("v1odd"), a_purchase("v2good")
    vtex.scenario.add(odd, good)
    vtex.scenario.announce(odd, good)
    vtex.trouble("v1odd", change=lambda order: order | {"items": "none"})
    earning.listen()

    earning.read_due()

    row = ShopOrder.objects.get(order_id="v1odd-01")
    assert (row.failures, row.state, row.problem) == (1, "announced", "VTEX sent no items.")
    assert row.read_after is not None
    assert row.read_after > timezone.now()
    assert Earning.objects.get().order.order_id == "v2good-01"


def test_an_order_that_is_locked_just_now_is_read_again_and_stops_no_other(
    program: Any, vtex: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchases = [a_purchase("v1str"), a_purchase("v2str")]
    vtex.scenario.add(*purchases)
    vtex.scenario.announce(*purchases)
    earning.listen()

    def locked(store: Store, order: Order) -> ShopOrder:
        if order.order_id.startswith("v1str"):
            raise LedgerBusy
        return earning.record(store, order)

    monkeypatch.setattr(reading, "record", locked)
    earning.read_due()

    first, second = ShopOrder.objects.order_by("order_id")
    assert (first.version, second.version, second.read_after) == (0, 1, None)
    assert first.read_after is not None
    monkeypatch.undo()
    ShopOrder.objects.filter(pk=first.pk).update(read_after=timezone.now())
    earning.read_due()
    assert points(program)["due"] == 200


def test_an_order_that_is_unknown_waits(program: Any, vtex: StandIn) -> None:
    earning.announce(program.store, ["v9-01"])

    earning.read_due()

    assert ShopOrder.objects.get().problem == "The store does not know this order."


def test_what_is_announced_while_it_is_read_is_read_again(program: Any, vtex: StandIn) -> None:
    purchase = a_purchase()
    vtex.scenario.add(purchase)
    earning.announce(program.store, ["v1str-01"])
    before = vtex.calls["order"]

    feed = VtexFeed(program.store)
    [row] = reading._claim(program.store)
    order = feed.order(row.order_id)
    feed.close()
    assert order is not None
    earning.announce(program.store, ["v1str-01"])
    earning.record(program.store, order)
    earning.read_due()

    assert vtex.calls["order"] == before + 2


def test_a_store_that_is_not_reached_is_tried_again(program: Any, vtex: StandIn) -> None:
    vtex.trouble("orders", times=99, status=503)
    earning.announce(program.store, ["v1str-01"])

    earning.read_due()

    row = ShopOrder.objects.get()
    assert row.failures == 0
    assert row.read_after is not None
    assert "503" in OrderListening.objects.get().problem


def test_the_lists_make_up_for_what_the_feed_missed(program: Any, vtex: StandIn) -> None:
    vtex.scenario.add(
        a_purchase("v1new"),
        a_purchase("v2old", invoiced=timezone.now() - HOUR, status="invoiced"),
    )
    vtex.scenario.purchases[1].authorized = timezone.now() - 20 * DAY

    announced = earning.catch_up()

    assert announced == 2
    reached = OrderListening.objects.get().caught_up_until
    assert reached is not None
    assert timezone.now() - reached < HOUR


def test_goes_on_where_it_was_and_a_day_at_a_time(program: Any, vtex: StandIn) -> None:
    now = timezone.now()
    OrderListening.objects.create(store=program.store, caught_up_until=now - 3 * DAY)

    earning.catch_up()

    reached = OrderListening.objects.get().caught_up_until
    assert reached == now - 2 * DAY


def test_what_was_not_reached_is_not_passed_over(program: Any, vtex: StandIn) -> None:
    vtex.trouble("orders", times=99, status=503)

    earning.catch_up()

    listening = OrderListening.objects.get()
    assert listening.caught_up_until is None
    assert "503" in listening.problem


def test_a_window_is_announced_again_by_a_job(program: Any, vtex: StandIn) -> None:
    vtex.scenario.add(a_purchase())
    today = timezone.localdate(timezone=program.store.zone)
    job = Job.objects.create(
        kind=Job.Kind.CATCH_UP_ORDERS,
        parameters={"store": program.store.pk, "first": (today - DAY).isoformat()},
        total=2,
    )

    assert jobs.run_next({Job.Kind.CATCH_UP_ORDERS: catching_up.chunk})

    job.refresh_from_db()
    assert (job.status, job.done, job.parameters["announced"]) == ("done", 2, 1)
    assert ShopOrder.objects.get().order_id == "v1str-01"


def test_a_window_that_cannot_be_listed_says_so(program: Any, vtex: StandIn) -> None:
    vtex.trouble("orders", times=99, status=503)

    with pytest.raises(SourceUnavailable):
        earning.announce_window(program.store, timezone.now() - DAY, timezone.now())
