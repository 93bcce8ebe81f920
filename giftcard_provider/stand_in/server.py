"""The stand-in itself: an HTTP server on loopback that answers from a scenario.

It counts the calls, insists on the keys and on the limits of the list, and misbehaves on demand.
"""

import datetime
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from giftcard_provider.stand_in import scenario as shapes
from giftcard_provider.stand_in.scenario import Purchase, Scenario

MOST_PAGES, MOST_PER_PAGE, MOST_PER_LOT = 30, 100, 10

Parameters = dict[str, str]
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Call:
    """A request: the parts of its path that the route names, its query and its JSON."""

    parts: list[str]
    query: Parameters
    content: Any = None


@dataclass
class Trouble:
    """What goes wrong with the next `times` calls whose path matches.

    `cut_after` so many bytes of the body the connection ends; at 0 before any answer.
    """

    path: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    cut_after: int | None = None
    body: bytes | None = None
    change: Callable[[Any], Any] | None = None


_NO_TROUBLE = Trouble("")


class StandIn:
    """Started as a context manager; `url` serves both APIs."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        app_key: str = "vtexappkey-store-ABC",
        app_token: str = "TOKEN-THAT-NOBODY-MAY-LOG",  # noqa: S107 - of a server without secrets
    ) -> None:
        self.scenario = scenario or Scenario()
        self.app_key, self.app_token = app_key, app_token
        self.troubles: list[Trouble] = []
        self.calls: Counter[str] = Counter()
        self.paths: list[str] = []
        self.connections = 0
        self.after: Callable[[str], None] | None = None
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where it is, on a port that was free."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def total_calls(self) -> int:
        """How many calls came, of every kind."""
        return sum(self.calls.values())

    def __enter__(self) -> "StandIn":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def trouble(self, path: str, **options: Any) -> None:
        """Let calls of this path (a regular expression) go wrong."""
        self.troubles.append(Trouble(path, **options))

    def note(self, name: str, path: str) -> None:
        """Count a call."""
        with self._lock:
            self.calls[name] += 1
            self.paths.append(path)

    def next_trouble(self, path: str) -> Trouble | None:
        """What is to go wrong with this call, if anything."""
        with self._lock:
            for trouble in self.troubles:
                if trouble.times and re.search(trouble.path, path):
                    trouble.times -= 1
                    return trouble
        return None

    # --- The answers ---

    def list_orders(self, call: Call) -> Answer:
        """A page of the list of orders, within its limits."""
        query = call.query
        per_page, page = int(query.get("per_page", 15)), int(query.get("page", 1))
        if not 0 < per_page <= MOST_PER_PAGE or not 0 < page <= MOST_PAGES:
            return 400, {"error": {"code": "OMS003", "message": "Max page or per_page exceeded"}}
        try:
            found = [each for each in self.scenario.purchases if _matches(each, query)]
        except ValueError as problem:
            return 400, {"error": {"code": "OMS004", "message": str(problem)}}
        found.sort(key=lambda each: (each.date("creationDate"), each.group))
        rows = [shapes.summary(each, order_id) for each in found for order_id in each.order_ids]
        paging = {
            "total": len(rows),
            "pages": -(-len(rows) // per_page),
            "currentPage": page,
            "perPage": per_page,
        }
        shown = rows[(page - 1) * per_page : page * per_page]
        return 200, {"list": shown, "facets": [], "paging": paging, "stats": {}}

    def feed(self, call: Call) -> Answer:
        """What the feed has; it comes again until it is committed."""
        lot = int(call.query.get("maxlot", 1))
        if self.scenario.feed is None:
            return _not_found()
        if not 0 < lot <= MOST_PER_LOT:
            return 400, {"message": "maxlot"}
        return 200, self.scenario.feed[:lot]

    def commit(self, call: Call) -> Answer:
        """Forget the items with these handles; unknown ones are forgotten already."""
        handles = call.content["handles"]
        self.scenario.feed = [
            each for each in self.scenario.feed or [] if each["handle"] not in handles
        ]
        return 200, None

    def order(self, call: Call) -> Answer:
        """An order in full."""
        (order_id,) = call.parts
        purchase = self.scenario.by_order(order_id)
        return (200, shapes.order(purchase, order_id)) if purchase else _not_found()

    def order_group(self, call: Call) -> Answer:
        """Every order that was placed together."""
        purchase = self.scenario.by_group(call.parts[0])
        if not purchase:
            return _not_found()
        return 200, [shapes.order(purchase, order_id) for order_id in purchase.order_ids]

    def payment_transaction(self, call: Call) -> Answer:
        """The payments of an order, by the Orders API."""
        purchase = self.scenario.by_order(call.parts[0])
        return (200, shapes.payment_transaction(purchase)) if purchase else _not_found()

    def gateway_transaction(self, call: Call) -> Answer:
        """A transaction of the Payments Gateway."""
        purchase = self.scenario.by_transaction(call.parts[0])
        return (200, shapes.gateway_transaction(purchase)) if purchase else _not_found()

    def gateway_payments(self, call: Call) -> Answer:
        """The payments of a transaction."""
        purchase = self.scenario.by_transaction(call.parts[0])
        if not purchase:
            return _not_found()
        return 200, [shapes.gateway_payment(purchase, each) for each in purchase.payments]

    def gateway_payment(self, call: Call) -> Answer:
        """One of them."""
        transaction_id, payment_id = call.parts
        purchase = self.scenario.by_transaction(transaction_id)
        found = [each for each in purchase.payments if each.id == payment_id] if purchase else []
        if not purchase or not found:
            return _not_found()
        return 200, shapes.gateway_payment(purchase, found[0])

    def actions(self, call: Call) -> Answer:
        """What was settled, refunded or canceled of a transaction."""
        transaction_id, kind = call.parts
        purchase = self.scenario.by_transaction(transaction_id)
        return (200, shapes.actions(purchase, kind)) if purchase else _not_found()


def _not_found() -> Answer:
    return 404, {"error": {"code": "OMS007", "message": "Not found", "exception": None}}


def _matches(purchase: Purchase, query: Parameters) -> bool:
    if not purchase.is_indexed:
        return False
    names = {payment.name for payment in purchase.payments}
    if (wanted := query.get("f_paymentNames")) and wanted not in names:
        return False
    if query.get("searchField") in {"tid", "pci_tid"}:
        tid = query[query["searchField"]]
        return any(payment.tid == tid for payment in purchase.payments)
    return all(
        _within(purchase, query[f"f_{name}"])
        for name in ("creationDate", "authorizedDate", "invoicedDate")
        if f"f_{name}" in query
    )


def _within(purchase: Purchase, text: str) -> bool:
    match = re.fullmatch(r"(\w+):\[(\S+Z) TO (\S+Z)\]", text)
    if match is None:
        raise ValueError(f"{text!r} is no range of dates")
    moment = purchase.date(match[1])
    first, last = map(datetime.datetime.fromisoformat, match.group(2, 3))
    return moment is not None and first <= moment <= last


# What is asked, where, and the method of `StandIn` that answers. The first that fits counts.
ROUTES: Sequence[tuple[str, str, str]] = [
    ("GET", r"/api/orders/feed", "feed"),
    ("POST", r"/api/orders/feed", "commit"),
    ("GET", r"/api/oms/pvt/orders", "list_orders"),
    ("GET", r"/api/oms/pvt/orders/order-group/([^/]+)", "order_group"),
    ("GET", r"/api/oms/pvt/orders/([^/]+)/payment-transaction", "payment_transaction"),
    ("GET", r"/api/oms/pvt/orders/([^/]+)", "order"),
    ("GET", r"/api/pvt/transactions/([^/]+)/(settlements|refunds|cancellations)", "actions"),
    ("GET", r"/api/pvt/transactions/([^/]+)/payments", "gateway_payments"),
    ("GET", r"/api/pvt/transactions/([^/]+)/payments/([^/]+)", "gateway_payment"),
    ("GET", r"/api/pvt/transactions/([^/]+)", "gateway_transaction"),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn

    def setup(self) -> None:
        self.stand_in.connections += 1
        super().setup()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing: the tests look at `calls`."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        trouble = self.stand_in.next_trouble(self.path) or _NO_TROUBLE
        name, answer = self._routed(method)
        self.stand_in.note(name, self.path)
        time.sleep(trouble.delay)
        if trouble.cut_after == 0:
            self.close_connection = True
            return
        self._send(answer, trouble)
        if self.stand_in.after:
            self.stand_in.after(self.path)

    def _routed(self, method: str) -> tuple[str, Answer]:
        given = (
            self.headers.get("X-VTEX-API-AppKey"),
            self.headers.get("X-VTEX-API-AppToken"),
        )
        if given != (self.stand_in.app_key, self.stand_in.app_token):
            return "refused", (403, {"error": "Forbidden"})
        length = int(self.headers.get("Content-Length") or 0)
        content = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        for asked, pattern, name in ROUTES:
            if asked == method and (match := re.fullmatch(pattern, url.path)):
                answers: Callable[[Call], Answer] = getattr(self.stand_in, name)
                parts = [unquote(part) for part in match.groups()]
                return name, answers(Call(parts, query, content))
        return "unknown", _not_found()

    def _send(self, answer: Answer, trouble: Trouble) -> None:
        status, content = answer
        if trouble.change:
            content = trouble.change(content)
        written = b"" if content is None else json.dumps(content).encode()
        body = written if trouble.body is None else trouble.body
        try:
            self.send_response(trouble.status or status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for header, value in trouble.headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body[: trouble.cut_after])
            self.close_connection = self.close_connection or trouble.cut_after is not None
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client no longer waits
