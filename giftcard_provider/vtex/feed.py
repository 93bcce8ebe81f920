"""VTEX's order feed: which orders changed, and each order as it is now."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from django.utils.translation import gettext_noop

from giftcard_provider.vtex.fields import mapping, rows, text
from giftcard_provider.vtex.orders import FILTER, ORDERS, VtexOrders
from giftcard_provider.vtex.shop_orders import shop_order
from loyalty.models import Store
from loyalty.order_sources import Notice, OrderFeed, SourceRefused, Window
from loyalty.shop_orders import Order

FEED = "/api/orders/feed"
MOST_NOTICES = 10  # the most that VTEX gives at once


class VtexFeed(VtexOrders, OrderFeed):
    """A VTEX account's orders, all of them: also those that were not paid with our cards."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._payment_name = ""

    def notices(self) -> list[Notice]:
        """What waits in the feed, the same order perhaps several times."""
        found = self._client.orders(FEED, {"maxlot": str(MOST_NOTICES)})
        if found is None:
            msg = gettext_noop(
                "VTEX has no feed for these keys. Configure it: POST /api/orders/feed/config, with"
                " the same AppKey."
            )
            raise SourceRefused(msg)
        return [
            Notice(text(row.get("orderId")), text(row.get("handle")))
            for row in rows(found, "notices of the feed")
        ]

    def confirm(self, notices: Sequence[Notice]) -> None:
        """Commit them; VTEX takes the same twice."""
        handles = [notice.handle for notice in notices if notice.handle]
        if handles:
            self._client.tell_orders(FEED, {"handles": handles})

    def order(self, order_id: str) -> Order | None:
        """The order in full. Raises `SourceUnreadable` for one that is not as specified."""
        found = self._client.orders(f"{ORDERS}/{quote(order_id, safe='')}")
        if found is None:
            return None
        return shop_order(mapping(found, "order"), store=self.store, digits=self._digits)

    def order_ids(self, window: Window) -> Iterator[Sequence[str]]:
        """The ids of the orders whose date is in the window, slice by slice."""
        yield from self._listed(FILTER[window.kind], window.since, window.until)
