"""An order of VTEX read into what earning is decided from."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from giftcard_provider.stand_in import scenario as shapes
from giftcard_provider.vtex.shop_orders import shop_order
from loyalty.identity import Identity
from loyalty.models import Store
from loyalty.order_sources import SourceUnreadable
from loyalty.shop_orders import Line as Goods
from loyalty.shop_orders import Order, OrderState, Tender
from tests.builders import make_store
from tests.vtex import Line, Payment, Purchase

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def a_purchase(**fields: Any) -> Purchase:
    """Three shirts of R$ 50.00 with R$ 0.01 off, and a sock; paid by card, in part with credit."""
    defaults: dict[str, Any] = {
        "lines": [Line("10", 50_00, 3, total=149_99, reward=5), Line("20", 9_90, brand="8")],
        "shipping": 12_00,
        "channel": "3",
    }
    card = Payment(121_89, group="creditCard", system="2", name="Visa", provider=None)
    return Purchase("v1str", NOON, [card, Payment(50_00)], **defaults | fields)


def read(purchase: Purchase, store: Store | None = None, **changes: Any) -> Order:
    found = shapes.order(purchase, "v1str-01") | changes
    return shop_order(json.loads(json.dumps(found)), store=store or make_store(), digits=2)


def sold(**fields: Any) -> dict[str, Any]:
    return {"type": "Output", "issuanceDate": shapes.iso(NOON + DAY)} | fields


def returns(*items: tuple[int, int], **fields: Any) -> dict[str, Any]:
    named = [{"itemIndex": index, "quantity": quantity} for index, quantity in items]
    return {"type": "Input", "items": named} | fields


def test_everything_that_counts() -> None:
    order = read(a_purchase())

    assert (order.order_id, order.state, order.status) == (
        "v1str-01",
        OrderState.PAID,
        "ready-for-handling",
    )
    assert (order.placed_at, order.paid_at, order.invoiced_at) == (NOON, NOON, None)
    assert (order.channel, order.currency, order.shipping) == ("3", "BRL", 12_00)
    assert order.lines == (
        Goods(sku="10", value=149_99, reward=5, brand="7", categories=("3", "31")),
        Goods(sku="20", value=9_90, brand="8", categories=("3", "31")),
    )
    assert order.tenders == (
        Tender(system="2", amount=121_89),
        Tender(system="16", amount=50_00, is_credit=True),
    )
    assert order.buyer == Identity.of(email="ana@example.com", document="12345678909")


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"status": "payment-pending", "authorizedDate": None}, OrderState.PLACED),
        ({"status": "cancellation-requested"}, OrderState.PAID),
        ({"status": "invoiced"}, OrderState.INVOICED),
        ({"status": "canceled"}, OrderState.CANCELED),
    ],
)
def test_states(fields: dict[str, Any], state: OrderState) -> None:
    assert read(a_purchase(), **fields).state == state


def test_is_delivered_when_its_last_package_is() -> None:
    first = sold(courierStatus={"finished": True, "deliveredDate": shapes.iso(NOON + 3 * DAY)})
    last = sold(courierStatus={"finished": True, "deliveredDate": shapes.iso(NOON + 5 * DAY)})
    on_its_way = sold(courierStatus={"finished": False, "deliveredDate": None})
    facts = {"status": "invoiced", "invoiced": NOON + DAY}

    assert read(a_purchase(packages=[first, last], **facts)).delivered_at == NOON + 5 * DAY
    assert read(a_purchase(packages=[first, on_its_way], **facts)).delivered_at is None
    assert read(a_purchase(**facts)).delivered_at is None


def test_the_invoice_is_that_of_the_order_or_its_last_package() -> None:
    assert read(a_purchase(status="invoiced", packages=[sold()])).invoiced_at == NOON + DAY


def test_returned_pieces_are_their_part_of_the_line() -> None:
    order = read(a_purchase(packages=[sold(), returns((0, 1)), returns((0, 1), (1, 1))]))

    assert [line.returned for line in order.lines] == [99_99, 9_90]
    assert order.kept == 50_00


def test_no_more_comes_back_than_was_bought() -> None:
    order = read(a_purchase(packages=[returns((0, 2)), returns((0, 2))]))

    assert [line.kept for line in order.lines] == [0, 9_90]


def test_a_return_that_names_no_items_is_spread_over_all() -> None:
    order = read(a_purchase(packages=[returns(invoiceValue=80_00)]))

    assert [line.returned for line in order.lines] == [75_05, 4_96]


def test_what_a_change_took_out_is_not_kept() -> None:
    removed = {"itemsRemoved": [{"id": "10", "quantity": 2, "price": 50_00}], "itemsAdded": []}
    totals = [{"id": "Items", "value": 59_90}, {"id": "Discounts", "value": -1}]

    order = read(a_purchase(changes=[removed]), totals=totals)
    already = read(a_purchase(lines=[Line("10", 50_00)], changes=[removed]))

    assert [line.kept for line in order.lines] == [50_00, 9_90]
    assert [line.kept for line in already.lines] == [50_00]


def test_the_alias_of_an_e_mail_is_taken_off() -> None:
    profile = {"email": "Ana@Example.com-9814872b.ct.vtex.com.br", "userProfileId": "P1"}

    buyer = read(a_purchase(buyer=profile)).buyer

    assert buyer == Identity(profile_id="P1", email="ana@example.com")


def test_a_company_has_its_name() -> None:
    profile = {
        "isCorporate": True,
        "corporateName": "Casa Ltda",
        "firstName": "Ana",
        "corporateDocument": "11.222.333/0001-81",
    }

    order = read(a_purchase(buyer=profile))

    assert (order.buyer_name, order.buyer.corporate_document) == ("Casa Ltda", "11222333000181")


def test_the_buyers_language_is_that_of_the_checkout() -> None:
    assert read(a_purchase(locale="es-CL")).buyer_language == "es-CL"
    assert read(a_purchase(), clientPreferencesData=None).buyer_language == ""
    assert read(a_purchase(), clientPreferencesData=[]).buyer_language == ""


def test_an_order_of_another_marketplace_has_no_buyer_of_ours() -> None:
    assert not read(a_purchase(), origin="Fulfillment").buyer


def test_a_transaction_that_was_given_up_pays_nothing() -> None:
    assert read(a_purchase(is_active=False)).tenders == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"orderId": ""},
        {"creationDate": None},
        {"items": "none"},
        {"items": [{"id": "1", "quantity": "x"}]},
        {"items": [{"id": "1", "priceDefinition": {"total": 1.5}}]},
        {"paymentData": [1]},
    ],
)
def test_refuses_what_is_not_as_specified(changes: dict[str, Any]) -> None:
    with pytest.raises(SourceUnreadable):
        read(a_purchase(), **changes)


def test_amounts_of_other_digits_than_the_currency() -> None:
    store = make_store(currency="CLP")

    order = read(a_purchase(currency="CLP"), store)

    assert [line.value for line in order.lines] == [149, 9]


def test_the_example_of_the_specification() -> None:
    path = Path(__file__).parent / "order_example.json"

    order = shop_order(json.loads(path.read_text()), store=make_store(), digits=2)

    assert (order.order_id, order.state) == ("1172452900788-01", OrderState.PAID)
    assert [(line.sku, line.value, line.returned) for line in order.lines] == [("18", 990, 990)]
    assert order.buyer == Identity.of(
        profile_id="5660c55f-714d-4b14-88a7-b03e9bfbdd2y",
        email="rodrigo.smith@email.com",
        document="84513427019",
    )
