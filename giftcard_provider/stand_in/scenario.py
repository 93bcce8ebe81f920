"""What VTEX knows, in plain data, and how its APIs write it. Amounts are integers, as there."""

import datetime
from dataclasses import dataclass, field
from itertools import count
from typing import Any

UTC = datetime.UTC
Json = dict[str, Any]

_numbers = count(1)


def _hex_id() -> str:
    return f"{next(_numbers):032X}"


@dataclass
class Payment:
    """A payment of a transaction; `settled`, `refunded` and `canceled` are its sums so far."""

    value: int
    tid: str = ""
    card_id: str | None = None
    id: str = field(default_factory=_hex_id)
    provider: str | None = "ourcredit"
    group: str = "giftCard"
    system: str = "16"
    name: str = "Vale"
    settled: int = 0
    refunded: int = 0
    canceled: int = 0


@dataclass
class Line:
    """Some pieces of a SKU, at a price each; `total` is what they cost after discounts."""

    sku: str
    price: int
    quantity: int = 1
    total: int | None = None
    brand: str = "7"
    categories: str = "/3/31/"
    reward: int = 0


@dataclass
class Purchase:
    """An order group: its orders (`parts` of them) and the one transaction that pays them."""

    group: str
    authorized: datetime.datetime | None
    payments: list[Payment]
    created: datetime.datetime | None = None
    invoiced: datetime.datetime | None = None
    changed: datetime.datetime | None = None
    status: str = "ready-for-handling"
    payment_status: str = "Authorized"
    is_active: bool = True
    parts: int = 1
    currency: str = "BRL"
    reward: int = 0
    shown_cards: list[str] = field(default_factory=list)
    transaction_id: str = field(default_factory=_hex_id)
    lines: list[Line] = field(default_factory=list)
    shipping: int = 0
    packages: list[Json] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)
    channel: str = "1"
    buyer: Json = field(
        default_factory=lambda: {"email": "ana@example.com", "document": "12345678909"}
    )
    locale: str = "pt-BR"
    is_indexed: bool = True

    @property
    def order_ids(self) -> list[str]:
        """The ids of its orders: the group's with a number each."""
        return [f"{self.group}-{part:02}" for part in range(1, self.parts + 1)]

    @property
    def total(self) -> int:
        """What all payments pay together."""
        return sum(payment.value for payment in self.payments)

    def date(self, name: str) -> datetime.datetime | None:
        """The date that a filter is about."""
        dates = {
            "creationDate": self.created or self.authorized,
            "authorizedDate": self.authorized,
            "invoicedDate": self.invoiced,
        }
        return dates[name]


@dataclass
class Scenario:
    """All purchases of an account, and what its feed of orders has not been told to forget.

    Without a feed (None) there is none configured for the keys.
    """

    purchases: list[Purchase] = field(default_factory=list)
    feed: list[Json] | None = field(default_factory=list)

    def add(self, *purchases: Purchase) -> None:
        """Let the account have these too."""
        self.purchases.extend(purchases)

    def announce(self, *purchases: Purchase) -> None:
        """Put the orders of these into the feed, as when they change."""
        if self.feed is not None:
            self.feed += [
                notice(each, order_id) for each in purchases for order_id in each.order_ids
            ]

    def by_order(self, order_id: str) -> Purchase | None:
        """The purchase with this order, if there is one."""
        return next((each for each in self.purchases if order_id in each.order_ids), None)

    def by_group(self, group: str) -> Purchase | None:
        """The purchase of this order group."""
        return next((each for each in self.purchases if each.group == group), None)

    def by_transaction(self, transaction_id: str) -> Purchase | None:
        """The purchase that this transaction of the gateway pays."""
        found = (each for each in self.purchases if each.transaction_id == transaction_id)
        return next(found, None)


def iso(moment: datetime.datetime | None) -> str | None:
    """Seven fraction digits, as VTEX writes them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00") if moment else None


def notice(purchase: Purchase, order_id: str) -> Json:
    """An item of the feed."""
    return {
        "eventId": _hex_id(),
        "handle": f"handle-{_hex_id()}",
        "domain": "Fulfillment",
        "state": purchase.status,
        "lastState": "window-to-cancel",
        "orderId": order_id,
        "lastChange": iso(purchase.authorized),
        "currentChange": iso(purchase.changed or purchase.invoiced or purchase.authorized),
    }


def summary(purchase: Purchase, order_id: str) -> Json:
    """A row of the list of orders."""
    return {
        "orderId": order_id,
        "creationDate": iso(purchase.created or purchase.authorized),
        "clientName": "Ana Souza",
        "items": None,
        "totalValue": purchase.total,
        "paymentNames": ",".join(sorted({payment.name for payment in purchase.payments})),
        "status": purchase.status,
        "sequence": order_id[:6],
        "authorizedDate": iso(purchase.authorized),
        "currencyCode": purchase.currency,
        "orderIsComplete": True,
    }


def order(purchase: Purchase, order_id: str) -> Json:
    """An order in full, with a shopper in it who must not be kept anywhere."""
    return {
        "orderId": order_id,
        "sequence": order_id[:6],
        "status": purchase.status,
        "value": purchase.total,
        "creationDate": iso(purchase.created or purchase.authorized),
        "lastChange": iso(purchase.changed or purchase.invoiced or purchase.authorized),
        "orderGroup": purchase.group,
        "authorizedDate": iso(purchase.authorized),
        "invoicedDate": iso(purchase.invoiced),
        "salesChannel": purchase.channel,
        "clientProfileData": purchase.buyer,
        "clientPreferencesData": {"locale": purchase.locale, "optinNewsLetter": False},
        "storePreferencesData": {"currencyCode": purchase.currency},
        "items": [_item(line) for line in purchase.lines]
        or [{"quantity": 1, "rewardValue": purchase.reward}],
        "totals": [
            {"id": "Items", "value": sum(line.price * line.quantity for line in purchase.lines)},
            {"id": "Discounts", "value": sum(_discount(line) for line in purchase.lines)},
            {"id": "Shipping", "value": purchase.shipping},
        ],
        "packageAttachment": {"packages": purchase.packages},
        "changesAttachment": {"id": "changeAttachment", "changesData": purchase.changes},
        "paymentData": {
            "giftCards": [
                {"id": card, "inUse": False, "value": 0, "provider": "ourcredit"}
                for card in purchase.shown_cards
            ],
            "transactions": [
                {
                    "isActive": purchase.is_active,
                    "transactionId": purchase.transaction_id,
                    "merchantName": "STORE",
                    "payments": [_payment_of_order(payment) for payment in purchase.payments],
                }
            ],
        },
    }


def _item(line: Line) -> Json:
    return {
        "id": line.sku,
        "quantity": line.quantity,
        "price": line.price,
        "sellingPrice": line.price,
        "priceDefinition": {"total": _cost(line)},
        "rewardValue": line.reward,
        "additionalInfo": {"brandId": line.brand, "categoriesIds": line.categories},
    }


def _cost(line: Line) -> int:
    return line.price * line.quantity if line.total is None else line.total


def _discount(line: Line) -> int:
    return _cost(line) - line.price * line.quantity


def _payment_of_order(payment: Payment) -> Json:
    is_card = payment.group == "giftCard"
    return {
        "id": payment.id,
        "paymentSystem": payment.system,
        "paymentSystemName": payment.name,
        "value": payment.value,
        "installments": 1,
        "giftCardId": payment.card_id,
        "redemptionCode": "WGNG-VG**-****-EYVJ" if is_card else None,
        "group": payment.group,
        "tid": payment.tid,
        "connectorResponses": {},
        "giftCardProvider": payment.provider,
        "giftCardAsDiscount": False,
    }


def payment_transaction(purchase: Purchase) -> Json:
    """The payments of an order by the Orders API."""
    return {
        "status": purchase.payment_status,
        "isActive": purchase.is_active,
        "transactionId": purchase.transaction_id,
        "merchantName": "STORE",
        "payments": [_payment_of_order(payment) for payment in purchase.payments],
    }


def gateway_transaction(purchase: Purchase) -> Json:
    """A transaction of the gateway."""
    base = f"/api/pvt/transactions/{purchase.transaction_id}"
    links = ("interactions", "settlements", "payments", "refunds", "cancellations")
    return {
        "id": purchase.transaction_id,
        "transactionId": purchase.transaction_id,
        "referenceKey": purchase.group,
        **{name: {"href": f"{base}/{name}"} for name in links},
        "totalRefunds": sum(payment.refunded for payment in purchase.payments),
        "status": purchase.payment_status,
        "value": purchase.total,
        "authorizationDate": iso(purchase.authorized),
        "commitmentDate": iso(purchase.invoiced),
        "cancelationDate": (
            iso(purchase.changed or purchase.authorized)
            if any(payment.canceled for payment in purchase.payments)
            else None
        ),
        "fields": [{"name": "ip", "value": "192.0.2.7"}],
    }


def gateway_payment(purchase: Purchase, payment: Payment) -> Json:
    """A payment of the gateway; there its system is a number."""
    return {
        "id": payment.id,
        "paymentSystem": int(payment.system),
        "paymentSystemName": payment.name,
        "group": payment.group,
        "tid": payment.tid,
        "status": purchase.payment_status,
        "connector": "Vtex.PaymentGateway.Connectors.GiftCardHub",
        "value": payment.value,
        "currencyCode": purchase.currency,
        "provider": payment.provider,
        "fields": [],
    }


def actions(purchase: Purchase, kind: str) -> Json:
    """Settlements, refunds or cancellations: those asked for, and what each payment did."""
    sums = {
        "settlements": ("auto-settlement", "settled"),
        "refunds": ("refund", "refunded"),
        "cancellations": ("cancellation", "canceled"),
    }
    action, name = sums[kind]
    done = [(payment, getattr(payment, name)) for payment in purchase.payments]
    base = f"/api/pvt/transactions/{purchase.transaction_id}/payments"
    date = iso(purchase.changed or purchase.invoiced or purchase.authorized)
    return {
        "requests": [
            {"id": _hex_id(), "date": date, "value": value} for _payment, value in done if value
        ],
        "actions": [
            {
                "paymentId": payment.id,
                "payment": {"href": f"{base}/{payment.id}"},
                "date": date,
                "type": action,
                "value": value,
                "connectorResponse": None,
            }
            for payment, value in done
            if value
        ],
    }
