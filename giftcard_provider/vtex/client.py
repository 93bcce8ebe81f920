"""Requests to VTEX's APIs: keys, timeouts, bounded retries, connections that are used again.

Every call may be sent more than once, also the PUT and DELETE of the Hub: each says how things
shall be, so that twice is the same as once.

Nothing that is logged or raised holds a key, a token, a query or a body.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import requests
from django.utils import timezone
from django.utils.http import parse_http_date_safe

from giftcard_provider.models import VtexKeys
from loyalty.order_sources import SourceRefused, SourceUnavailable, SourceUnreadable

TIMEOUT = (3.05, 20)
ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_OK, _NO_CONTENT, _NOT_FOUND = 200, 204, 404
_REFUSED = frozenset({401, 403})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request: what it asks for, and what the keys need for it."""

    url: str
    path: str
    resources: str
    method: str = "GET"
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    afterwards: str = "Try again later."


_READ_ORDERS = "List Orders, View order, View Payment Data"
_FEED = "Feed v3 and Hook Admin"
_READ_HUB, _WRITE_HUB = "View Gift Card providers", "Edit Gift Card providers"
_HUB_MEDIA_TYPE = "application/vnd.vtex.giftcardproviders.v1+json"


def _record(url: str, path: str, query: Mapping[str, str] | None = None) -> _Call:
    return _Call(url, path, _READ_ORDERS, query=query, afterwards="It will be tried again.")


class Client:
    """One store's way to VTEX; safe to use from several threads."""

    def __init__(self, keys: VtexKeys, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._headers = {
            "Accept": "application/json",
            "X-VTEX-API-AppKey": keys.app_key,
            "X-VTEX-API-AppToken": keys.app_token,
        }
        self._orders, self._payments = keys.addresses
        self._pause = pause
        self._here = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self.calls = 0

    def orders(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """What the Orders API answers; None for what does not exist. Raises `SourceError`."""
        return self._answered(_record(self._orders, path, query))

    def tell_orders(self, path: str, content: Mapping[str, Any]) -> None:
        """POST to the Orders API what is safe to send again. Raises `SourceError`."""
        headers = {"Content-Type": "application/json"}
        call = _Call(self._orders, path, _FEED, method="POST", body=content, headers=headers)
        self._answered(call)

    def payments(self, path: str) -> Any:
        """The same of the Payments Gateway."""
        return self._answered(_record(self._payments, path))

    def hub(self, path: str, *, rest_range: str = "") -> Any:
        """What the Gift Card Hub answers; None for what does not exist. Raises `SourceError`."""
        headers = {"REST-Range": rest_range} if rest_range else {}
        return self._answered(_Call(self._orders, path, _READ_HUB, headers=headers))

    def put_in_hub(self, path: str, body: Mapping[str, Any]) -> None:
        """Make something in the Hub what the body says. Raises `SourceError`.

        After `SourceUnavailable` nobody knows whether it is: read it.
        """
        headers = {"Content-Type": _HUB_MEDIA_TYPE}
        call = _Call(self._orders, path, _WRITE_HUB, method="PUT", body=body, headers=headers)
        if self._answered(call) is None:
            raise SourceUnreadable("VTEX answered 404, which is not expected.")

    def delete_from_hub(self, path: str) -> None:
        """Take something out of the Hub, where it may not be any more. Raises `SourceError`."""
        self._answered(_Call(self._orders, path, _WRITE_HUB, method="DELETE"))

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def _answered(self, call: _Call) -> Any:
        problem = ""
        for attempt in range(1, ATTEMPTS + 1):
            answer: requests.Response | None = None
            try:
                answer = self._send(call)
                if answer.status_code not in _TEMPORARY:
                    return self._read(answer, call)
                problem = f"VTEX answered {answer.status_code}"
            except requests.Timeout:
                problem = "VTEX did not answer in time"
            except requests.RequestException:
                problem = "the connection to VTEX failed"
            except ValueError:  # no JSON, or not even text
                problem = "VTEX sent an answer that is no JSON"
            log.warning("%s (attempt %s of %s): %s", problem, attempt, ATTEMPTS, call.path)
            if attempt < ATTEMPTS:
                self._wait(attempt, answer)
        msg = f"{problem[0].upper()}{problem[1:]}, {ATTEMPTS} times. {call.afterwards}"
        raise SourceUnavailable(msg)

    def _send(self, call: _Call) -> requests.Response:
        with self._lock:
            self.calls += 1
        return self._session().request(
            call.method,
            call.url + call.path,
            params=call.query,
            data=None if call.body is None else json.dumps(call.body),
            headers=call.headers,
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is None:
            session = self._here.session = requests.Session()
            session.trust_env = False  # no .netrc instead of the keys
            session.headers.update(self._headers)
            with self._lock:
                self._sessions.append(session)
        return session

    def _read(self, answer: requests.Response, call: _Call) -> Any:
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code in _REFUSED:
            msg = (
                f"VTEX refused the keys ({answer.status_code}). Check the AppKey, the AppToken and"
                f" their role: {call.resources}."
            )
            raise SourceRefused(msg)
        if call.method != "GET" and answer.status_code in {_OK, _NO_CONTENT}:
            return True  # what is so now is read afterwards, whatever the answer tells
        if answer.status_code != _OK:
            log.error("VTEX answered %s: %s", answer.status_code, call.path)
            msg = f"VTEX answered {answer.status_code}, which is not expected."
            raise SourceUnreadable(msg)
        return json.loads(answer.content, parse_float=Decimal)

    def _wait(self, attempt: int, answer: requests.Response | None) -> None:
        asked = answer.headers.get("Retry-After", "") if answer is not None else ""
        backoff = FIRST_PAUSE * 2 ** (attempt - 1)
        # Not all at once again, when many were turned away together.
        seconds = backoff * (1 + secrets.randbelow(1000) / 1000)
        self._pause(min(max(seconds, _seconds(asked)), LONGEST_PAUSE))


def _seconds(asked: str) -> float:
    """How long a `Retry-After` asks to wait: seconds, or until a date; 0 for anything else."""
    if asked.isascii() and asked.isdecimal():
        return float(asked)
    moment = parse_http_date_safe(asked)
    return moment - timezone.now().timestamp() if moment is not None else 0
