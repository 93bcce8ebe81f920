"""VTEX's orders as a source for the reconciliation: lists in slices, orders one by one."""

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import quote

from django.db.models import QuerySet

from giftcard_provider.models import VtexKeys
from giftcard_provider.vtex import payments as gateway
from giftcard_provider.vtex.client import Client
from giftcard_provider.vtex.fields import amount, mapping, moment, rows, stamp, text, word
from loyalty.models import Store
from loyalty.order_sources import (
    OrderSource,
    Payment,
    PaymentStatus,
    Purchase,
    SourceRefused,
    SourceUnreadable,
    Window,
    WindowKind,
)

PER_PAGE, MOST_PAGES = 100, 30
# The list ends at page 30: a slice keeps away from it, since orders may come in while it is read.
MOST_ORDERS = PER_PAGE * (MOST_PAGES - 1)
SHORTEST_SLICE = datetime.timedelta(seconds=1)
PASSES = 3
AT_ONCE, THREADS = 48, 4
KEPT_REASONS = 20

_CARD_GROUPS = {"giftcard", "giftcardpaymentgroup"}
_CARD_SYSTEM = "16"
# The list has no filter for the last change; what is invoiced changes by that.
FILTER = {WindowKind.AUTHORIZED: "authorizedDate", WindowKind.CHANGED: "invoicedDate"}
ORDERS = "/api/oms/pvt/orders"


class VtexOrders(OrderSource):
    """A VTEX account. Read only; a few threads share its calls."""

    # The list is indexed about four minutes late.
    lag = datetime.timedelta(minutes=10)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        keys = VtexKeys.objects.filter(store=store, is_active=True).first()
        if keys is None:
            raise SourceRefused(
                f"There are no VTEX keys for {store}. Set them: manage.py set_vtex_keys"
                f" --store {store.account}"
            )
        self._client = Client(keys)
        self._digits = keys.digits
        self._payment_name = keys.payment_name
        self._pool = ThreadPoolExecutor(THREADS)

    @classmethod
    def stores(cls) -> QuerySet[Store]:
        """Those with keys in use."""
        return Store.objects.filter(vtex_keys__is_active=True)

    @property
    def calls(self) -> int:
        """Requests sent so far, repeated ones included."""
        return self._client.calls

    def close(self) -> None:
        """Let the threads and connections go."""
        self._pool.shutdown()
        self._client.close()

    def purchases(self, window: Window) -> Iterator[Purchase]:
        """The purchases with a gift card whose date is in the window, both ends included."""
        for order_ids in self._listed(FILTER[window.kind], window.since, window.until):
            groups = [list(each) for _, each in groupby(sorted(order_ids), key=_group_of)]
            for start in range(0, len(groups), AT_ONCE):
                found = self._pool.map(self._read, groups[start : start + AT_ONCE])
                yield from (purchase for purchase in found if purchase)

    def look_up(self, *, order_id: str, tid: str) -> Purchase | None:
        """By the order group; without one by the list's search for a transaction id."""
        if order_id:
            group = _group_of(order_id)
            found = self._group(group)
            # A group may itself end like an order.
            return found if found or group == order_id else self._group(order_id)
        listed = self._page({"searchField": "tid", "tid": tid}, 1)[0]
        return self._read(listed) if listed else None

    def detailed(self, purchase: Purchase) -> Purchase:
        """With what was settled and given back, payment by payment."""
        sums: dict[str, gateway.Sums] = {}
        for transaction_id in {payment.transaction_id for payment in purchase.payments}:
            ids = [
                payment.payment_id
                for payment in purchase.payments
                if payment.transaction_id == transaction_id
            ]
            sums |= gateway.sums(self._client, transaction_id, ids, digits=self._digits)
        payments = tuple(
            dataclasses.replace(
                payment,
                settled=sums[payment.payment_id].settled,
                returned=sums[payment.payment_id].returned,
            )
            for payment in purchase.payments
        )
        return dataclasses.replace(purchase, payments=payments, is_detailed=True)

    # --- The list ---

    def _listed(
        self, name: str, since: datetime.datetime, until: datetime.datetime
    ) -> Iterator[list[str]]:
        """The ids of the orders in slices that the list gives in full."""
        query = {
            f"f_{name}": f"{name}:[{stamp(since)} TO {stamp(until)}]",
            "orderBy": "creationDate,asc",
        }
        if self._payment_name:
            query["f_paymentNames"] = self._payment_name
        first, total = self._page(query, 1)
        if total <= MOST_ORDERS:
            yield self._paged(query, first, total)
            return
        if until - since <= SHORTEST_SLICE:
            raise SourceUnreadable(f"VTEX has more than {MOST_ORDERS} orders in one second.")
        middle = since + (until - since) / 2
        yield from self._listed(name, since, middle)
        yield from self._listed(name, middle, until)

    def _paged(self, query: dict[str, str], first: list[str], total: int) -> list[str]:
        """All ids of a slice; read again when orders moved from page to page meanwhile."""
        ids: dict[str, None] = {}
        for _ in range(PASSES):
            seen, totals = dict.fromkeys(first), {total}
            for page in range(2, min(-(-total // PER_PAGE), MOST_PAGES) + 1):
                more, total_now = self._page(query, page)
                seen |= dict.fromkeys(more)
                totals.add(total_now)
            ids |= seen
            if totals == {len(seen)}:
                break
            first, total = self._page(query, 1)
        return list(ids)

    def _page(self, query: dict[str, str], page: int) -> tuple[list[str], int]:
        answer = self._client.orders(ORDERS, query | {"page": str(page), "per_page": str(PER_PAGE)})
        found = mapping(answer, "list of orders")
        total = mapping(found.get("paging"), "paging").get("total")
        if not isinstance(total, int):
            raise SourceUnreadable("VTEX sent no number of orders.")
        ids = [text(row.get("orderId")) for row in rows(found.get("list"), "list of orders")]
        return [order_id for order_id in ids if order_id], total

    # --- Orders ---

    def _read(self, order_ids: Sequence[str]) -> Purchase | None:
        """The purchase of these orders; one that cannot be read is noted and left out."""
        try:
            if len(order_ids) > 1:
                return self._group(_group_of(order_ids[0]))
            found = self._client.orders(f"{ORDERS}/{quote(order_ids[0], safe='')}")
            return self._purchase([mapping(found, "order")]) if found is not None else None
        except SourceUnreadable as error:
            if len(self.unreadable) < KEPT_REASONS:
                self.unreadable.append(f"{order_ids[0]}: {error}")
            return None

    def _group(self, group: str) -> Purchase | None:
        path = f"{ORDERS}/order-group/{quote(group, safe='')}"
        found = self._client.orders(path)
        return self._purchase(rows(found, "order group")) if found else None

    def _purchase(self, orders: Sequence[dict[str, Any]]) -> Purchase:
        statuses = [word(order.get("status"), "status of an order").lower() for order in orders]
        changed = [when for order in orders if (when := moment(order.get("lastChange")))]
        order_ids = tuple(sorted(text(order.get("orderId")) for order in orders))
        if not all(order_ids):
            raise SourceUnreadable("VTEX sent an order without an id.")
        payments: dict[str, Payment] = {}
        for order in orders:
            payments |= {each.payment_id: each for each in self._payments(order)}
        return Purchase(
            group=text(orders[0].get("orderGroup")) or _group_of(order_ids[0]),
            order_ids=order_ids,
            status=", ".join(sorted(set(statuses))),
            is_invoiced=all(status == "invoiced" for status in statuses),
            is_canceled=all(status in {"canceled", "cancelled"} for status in statuses),
            changed_at=max(changed, default=None),
            payments=tuple(self._with_standing(list(payments.values()))),
            rewards=tuple(self._rewards(orders)),
            is_detailed=False,
        )

    def _payments(self, order: dict[str, Any]) -> Iterator[Payment]:
        """What was paid with cards of ours: not the cards that were only shown."""
        data = mapping(order.get("paymentData"), "payment data")
        preferences = order.get("storePreferencesData") or {}
        for transaction in rows(data.get("transactions"), "transactions"):
            for payment in rows(transaction.get("payments") or [], "payments"):
                if not self._is_ours(payment):
                    continue
                yield Payment(
                    payment_id=text(payment.get("id")),
                    tid=text(payment.get("tid")),
                    card_id=text(payment.get("giftCardId")),
                    provider=text(payment.get("giftCardProvider")),
                    currency=text(preferences.get("currencyCode")) or self.store.currency,
                    amount=amount(payment.get("value"), digits=self._digits),
                    status=PaymentStatus.OPEN,
                    transaction_id=text(transaction.get("transactionId")),
                )

    def _is_ours(self, payment: dict[str, Any]) -> bool:
        is_card = (
            text(payment.get("group")).lower() in _CARD_GROUPS
            or text(payment.get("paymentSystem")) == _CARD_SYSTEM
        )
        provider = text(payment.get("giftCardProvider")).lower()
        return is_card and provider in {"", self.store.provider_id.lower()}

    def _with_standing(self, payments: Sequence[Payment]) -> Iterator[Payment]:
        known: dict[str, gateway.Standing | None] = {}
        for payment in payments:
            number = payment.transaction_id
            if number not in known:
                known[number] = gateway.standing(self._client, number, digits=self._digits)
            standing = known[number]
            if standing is None:
                raise SourceUnreadable("The gateway does not know a transaction of the order.")
            yield dataclasses.replace(
                payment,
                status=standing.status,
                status_text=standing.status_text,
                transaction_refunds=standing.refunds,
            )

    def _rewards(self, orders: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Decimal]]:
        for order in orders:
            items = rows(order.get("items") or [], "items")
            total = sum(
                (amount(item.get("rewardValue") or 0, digits=self._digits) for item in items),
                Decimal(0),
            )
            yield text(order.get("orderId")), total


def _group_of(order_id: str) -> str:
    """The order group: an order's id without its number at the end."""
    group, dash, number = order_id.rpartition("-")
    return group if dash and number.isdecimal() else order_id
