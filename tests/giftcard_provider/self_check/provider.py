"""A gift card provider in memory that does everything right, but for the one fault it is given.

It shares no line with the product.
"""

import datetime
import json
import re
import secrets
import threading
import time
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import simplejson
from django.utils import timezone

from tests.giftcard_provider.self_check.faults import FAULTS
from tests.giftcard_provider.self_check.shapes import Debit, Refusal, Request

CENT = Decimal("0.01")
KEY, TOKEN = "X-PROVIDER-API-AppKey", "X-PROVIDER-API-AppToken"


class Provider:
    """Started as a context manager; `url` is its service URL."""

    app_key, app_token = "key", "token"
    card_id, code, card_token = "card-1", "ABCD-1234", "tok-5f1e"
    email = "ana@example.com"

    def __init__(self, fault: str = "") -> None:
        assert not fault or fault in FAULTS
        self.fault = fault
        if self.has("code_as_id"):
            self.card_id = self.code
        self.balance = Decimal("20.00")
        self.debits: dict[str, Debit] = {}
        self.wallets: dict[str, str] = {}
        self.calls = 0
        self._wrong = 0
        self._kept = False
        self._lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/provider"

    def __enter__(self) -> "Provider":
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

    def has(self, fault: str) -> bool:
        return self.fault == fault

    # --- From the request to the operation ---

    def answer(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        """Status, body (None for an empty one), headers."""
        self.calls += 1
        if self.has("breaks_down") and self.calls > 150:
            return 500, None, {}
        headers: dict[str, str] = {}
        try:
            self._before_credentials(request)
            self._authenticate(request)
            self._transport(request)
            return 200, self._operation(request, headers), headers
        except Refusal as refusal:
            return refusal.status, refusal.body, headers

    def _before_credentials(self, request: Request) -> None:
        if self.has("404_before_credentials") and request.path.endswith("/" + "0" * 24):
            raise Refusal(404)
        if self.has("body_before_credentials") and request.body == b"{":
            raise Refusal(400)

    def _authenticate(self, request: Request) -> None:
        key, token = request.headers.get(KEY), request.headers.get(TOKEN)
        if self.has("open_settlements") and request.path.endswith("/settlements"):
            return
        if self.has("half_credentials") and key and not token:
            return
        if key is None or token is None:
            raise Refusal(401, {"m": "no"} if self.has("body_with_401") else b"")
        is_right = key == self.app_key and (token == self.app_token or self.has("key_only"))
        if not is_right:
            self._wrong += 1
            status = {"401_for_wrong": 401, "200_for_wrong": 200}.get(self.fault, 403)
            raise Refusal(status, b"")
        if self.has("locks_out") and self._wrong > 30:
            self._wrong = 0
            raise Refusal(429)

    def _transport(self, request: Request) -> None:
        kind = request.headers.get("Content-Type") or ""
        if self.has("415") and request.method == "POST" and "giftcards.v1" not in kind:
            raise Refusal(415)
        if "//" in request.path:
            if self.has("404_on_slashes"):
                raise Refusal(404)
            if self.has("redirects_slashes"):
                raise Refusal(301)
        if self.has("400_on_query") and request.query:
            raise Refusal(400)
        if self.has("400_on_empty_header") and request.headers.get("x-vtex-something-new"):
            raise Refusal(400)

    def _operation(self, request: Request, headers: dict[str, str]) -> Any:
        path = re.sub("/+", "/", request.path).removeprefix("/provider/")
        match path.split("/"):
            case ["giftcards", "_search"]:
                return self._search(request, headers)
            case ["giftcards"]:
                return self._wallet(_json(request, self))
            case ["giftcards", card]:
                self._known(card)
                return self._card(request)
            case ["giftcards", card, "transactions"]:
                self._known(card)
                if request.method == "POST":
                    return self._debit(_json(request, self))
                return [self._reference(debit) for debit in self.debits.values()]
            case ["giftcards", card, "transactions", tid, *rest]:
                self._known(card)
                return self._transaction(request, tid, *rest)
        raise Refusal(404)

    def _known(self, card: str) -> None:
        if card != self.card_id or self.has("hides_card"):
            raise Refusal(500 if self.has("500_for_unknown_card") else 404)

    # --- Cards ---

    def _search(self, request: Request, headers: dict[str, str]) -> Any:
        body = _json(request, self)
        cart, client = body.get("cart"), body.get("client")
        if self.has("500_on_null") and client is None:
            raise Refusal(500)
        code = (cart or {}).get("redemptionCode")
        email = (client or {}).get("email")
        is_found = code == self.code if code else email == self.email
        if self.has("shows_bearer_cards") and email and not code:
            is_found = True
        if self.has("forgets_owner") and not code:
            is_found = False
        is_found = is_found and (self.balance > 0 or self.has("finds_empty_cards"))
        if not is_found and code and self.has("404_for_unknown_code"):
            raise Refusal(404)
        count = int(is_found)
        if not self.has("no_content_range"):
            headers["REST-Content-Range"] = f"resources 0-0/{count}"
        return [self._found()] if is_found else []

    def _found(self) -> dict[str, Any]:
        href = f"giftcards/{self.card_id}"
        found: dict[str, Any] = {
            "id": self.card_id,
            "provider": "faulty",
            "balance": str(self.balance) if self.has("balance_as_text") else self.balance,
            "_self": {"href": f"https://h/{href}" if self.has("absolute_link") else href},
        }
        return found | ({"redemptionCode": self.code} if self.has("shows_code") else {})

    def _card(self, request: Request) -> dict[str, Any]:
        if self.has("slow") and "ts=" in request.query:
            time.sleep(0.3)
        href = {"href": f"giftcards/{self.card_id}/transactions"}
        balance: Any = self.balance
        if self.has("float_balance"):
            balance = Decimal(float(self.balance) + 1e-9) if self.debits else self.balance
        card = {
            "id": self.card_id,
            "redemptionToken": self.card_token,
            "redemptionCode": self.code if self.has("code_in_clear") else "*****1234",
            "balance": balance,
            "emissionDate": "2026-01-01T10:00:00.000",
            "expiringDate": "31/12/2099" if self.has("odd_dates") else "2099-12-31T00:00:00.000",
            "currencyCode": "BRL",
            "transaction": href,
            "transactions": href,
        }
        gone = {"one_link": "transaction", "no_currency": "currencyCode"}.get(self.fault)
        return {name: value for name, value in card.items() if name != gone}

    def _wallet(self, body: dict[str, Any]) -> dict[str, Any]:
        profile = str(body.get("profileId"))
        if self.has("new_wallets"):
            self.wallets.pop(profile, None)
        return {"id": self.wallets.setdefault(profile, secrets.token_hex(8))}

    # --- Money ---

    def _debit(self, body: dict[str, Any]) -> dict[str, Any]:
        request_id = str(body.get("requestId") or "")
        if not request_id and not self.has("no_request_id"):
            raise Refusal(400)
        if body.get("operation") != "Debit" and not self.has("any_operation"):
            raise Refusal(400)
        if self.has("400_on_masked_code") and "*" in str(body.get("redemptionCode")):
            raise Refusal(400)
        value = self._value(body)
        if self.has("race_of_debits"):
            known = self._repeated(request_id, value, body)
            time.sleep(0.02)
            return known or self._held(request_id, value, body)
        with self._lock:
            if self.has("funds_before_repeats") and value > self.balance:
                raise Refusal(422)
            known = self._repeated(request_id, value, body)
            if known and not self.has("no_idempotency"):
                return known
            if not self.has("race_of_funds"):
                return self._held(request_id, value, body)
        self._funds(value)
        time.sleep(0.02)
        return self._held(request_id, value, body)

    def _repeated(
        self, request_id: str, value: Decimal, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        for debit in self.debits.values():
            if request_id and debit.request_id == request_id:
                is_same = debit.value == value
                if self.has("compares_texts"):
                    is_same = debit.written == str(body["value"])
                if is_same or self.has("first_answer_for_other_value"):
                    return self._reference(debit)
                if not self.has("no_idempotency"):
                    raise Refusal(409)
        return None

    def _funds(self, value: Decimal) -> None:
        if value > self.balance and not self.has("overdraws"):
            raise Refusal(422)

    def _held(self, request_id: str, value: Decimal, body: dict[str, Any]) -> dict[str, Any]:
        if not self.has("race_of_funds"):
            self._funds(value)
        with self._lock:
            tid = secrets.token_hex(16)
            debit = Debit(tid, value, str(body["value"]), request_id, self._now())
            self.debits[tid] = debit
            if not self.has("holds_nothing"):
                self._move(-value)
            return self._reference(debit)

    def _transaction(self, request: Request, tid: str, *rest: str) -> Any:
        debit = self.debits.get(tid)
        if debit is None:
            if self.has("200_for_unknown_transaction"):
                return []
            raise Refusal(404)
        match rest:
            case []:
                return self._read(debit)
            case ["authorization"]:
                value = debit.value
                if self.has("authorization_shrinks"):
                    value -= debit.sum("cancellations")
                return {"oid": debit.id, "value": value, "date": debit.date}
            case ["settlements" | "cancellations" as kind]:
                if request.method == "POST":
                    return self._step(debit, kind, _json(request, self))
                return self._list(debit, kind)
        raise Refusal(404)

    def _read(self, debit: Debit) -> dict[str, Any]:
        path = f"giftcards/{self.card_id}/transactions/{debit.id}"
        return {
            "operation": "Debit",
            "value": int(debit.value * 100) if self.has("value_in_cents") else debit.value,
            "requestId": debit.request_id,
            "date": debit.date,
            "authorization": {"href": f"{path}/authorization"},
            "settlement": {"href": f"{path}/settlements"},
            "cancellation": {"href": f"{path}/cancellations"},
        }

    def _list(self, debit: Debit, kind: str) -> Any:
        steps = getattr(debit, kind)
        if self.has("404_for_empty_list") and not steps:
            raise Refusal(404)
        if self.has("adds_up_settlements") and kind == "settlements" and steps:
            return [{**steps[0], "value": debit.sum(kind)}]
        return [{name: step[name] for name in ("oid", "value", "date")} for step in steps]

    def _step(self, debit: Debit, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        value, request_id = self._value(body), str(body.get("requestId") or "")
        if self.has("race_of_cancellations") and kind == "cancellations":
            known = self._step_before(debit, kind, request_id, value)
            time.sleep(0.02)
            return known or self._applied(debit, kind, request_id, value)
        with self._lock:
            again = {"settlements": "settles_again", "cancellations": "cancels_again"}[kind]
            known = self._step_before(debit, kind, request_id, value)
            if known and not self.has(again):
                return known
            value = self._bounded(debit, kind, value)
            return self._applied(debit, kind, request_id, value)

    def _step_before(
        self, debit: Debit, kind: str, request_id: str, value: Decimal
    ) -> dict[str, Any] | None:
        for step in getattr(debit, kind):
            if (step["requestId"], step["value"]) == (request_id, value):
                return {name: step[name] for name in ("oid", "value", "date")}
        return None

    def _bounded(self, debit: Debit, kind: str, value: Decimal) -> Decimal:
        settled, canceled = debit.sum("settlements"), debit.sum("cancellations")
        if kind == "settlements":
            if self.has("no_settling_after_release") and canceled:
                raise Refusal(400)
            rest = debit.value - settled - canceled
            is_wrong = value > rest and not (
                self.has("over_settles")
                or (self.has("settles_what_is_gone") and canceled == debit.value)
                or (self.has("settles_in_full_again") and settled == debit.value)
            )
            if is_wrong:
                raise Refusal(422)
            return value
        rest = debit.value - canceled
        if self.has("refuses_refunds") and settled:
            raise Refusal(422)
        if value > rest:
            if value == debit.value and rest:
                return value if self.has("full_after_partial") else rest
            if not self.has("over_cancels"):
                raise Refusal(422)
        return value

    def _applied(self, debit: Debit, kind: str, request_id: str, value: Decimal) -> dict[str, Any]:
        with self._lock:
            step = {
                "oid": secrets.token_hex(16),
                "value": value,
                "date": self._now(),
                "requestId": request_id,
            }
            getattr(debit, kind).append(step)
            if kind == "cancellations" and not self.has("gives_back_nothing"):
                self._move(value)
            if kind == "settlements" and self.has("settles_from_balance"):
                self._move(-value)
            return {name: step[name] for name in ("oid", "value", "date")}

    def _move(self, value: Decimal) -> None:
        if self.has("binary_floats"):
            self.balance = Decimal(float(self.balance) + float(value))
            return
        if self.has("keeps_a_cent") and value == Decimal("0.05") and not self._kept:
            self._kept, value = True, value - CENT
        self.balance += value

    def _reference(self, debit: Debit) -> dict[str, Any]:
        href = f"giftcards/{self.card_id}/transactions/{debit.id}"
        tid = "" if self.has("empty_id") else debit.id
        return {"cardId": self.card_id, "id": tid, "_self": {"href": href}}

    def _value(self, body: dict[str, Any]) -> Decimal:
        given = body.get("value")
        if isinstance(given, bool) or not isinstance(given, int | str | Decimal):
            raise Refusal(400)
        try:
            value = Decimal(given)
        except InvalidOperation:
            raise Refusal(400) from None
        if not value.is_finite():
            raise Refusal(400)
        is_negative = value <= 0 and not (self.has("negative_debits") and value < 0)
        if is_negative or value > 10**12:
            raise Refusal(400)
        if value != value.quantize(CENT):
            if not self.has("rounds"):
                raise Refusal(400)
            value = value.quantize(CENT)
        return value

    def _now(self) -> str:
        now = timezone.now()
        if self.has("local_time"):
            return f"{now - datetime.timedelta(hours=3):%Y-%m-%dT%H:%M:%S}Z"
        return f"{now:%Y-%m-%dT%H:%M:%S.%f}Z"


def _json(request: Request, provider: Provider) -> dict[str, Any]:
    try:
        body = json.loads(request.body, parse_float=Decimal)
    except ValueError:
        raise Refusal(500 if provider.has("500_on_malformed") else 400) from None
    if not isinstance(body, dict):
        raise Refusal(400)
    return body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    provider: Provider

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _mark, query = self.path.partition("?")
        request = Request(self.command, path, query, self.headers, body)
        status, answer, headers = self.provider.answer(request)
        content = answer if isinstance(answer, bytes) else simplejson.dumps(answer).encode()
        kind = "text/html" if self.provider.has("html") else "application/json"
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
