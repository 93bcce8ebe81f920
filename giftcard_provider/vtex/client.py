"""GET requests to VTEX's APIs: keys, timeouts, bounded retries, connections that are used again.

Nothing that is logged or raised holds a key, a token, a query or a body.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import requests

from giftcard_provider.models import VtexKeys
from loyalty.order_sources import SourceRefused, SourceUnavailable, SourceUnreadable

TIMEOUT = (3.05, 20)
ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_OK, _NOT_FOUND = 200, 404
_REFUSED = frozenset({401, 403})

log = logging.getLogger(__name__)


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
        return self._get(self._orders, path, query)

    def payments(self, path: str) -> Any:
        """The same of the Payments Gateway."""
        return self._get(self._payments, path, None)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def _get(self, base: str, path: str, query: Mapping[str, str] | None) -> Any:
        problem = ""
        for attempt in range(1, ATTEMPTS + 1):
            answer: requests.Response | None = None
            try:
                answer = self._send(base + path, query)
                if answer.status_code not in _TEMPORARY:
                    return self._read(answer, path)
                problem = f"VTEX answered {answer.status_code}"
            except requests.Timeout:
                problem = "VTEX did not answer in time"
            except requests.RequestException:
                problem = "the connection to VTEX failed"
            except json.JSONDecodeError:
                problem = "VTEX sent an answer that is no JSON"
            log.warning("%s (attempt %s of %s): %s", problem, attempt, ATTEMPTS, path)
            if attempt < ATTEMPTS:
                self._wait(attempt, answer)
        msg = f"{problem[0].upper()}{problem[1:]}, {ATTEMPTS} times. It will be tried again."
        raise SourceUnavailable(msg)

    def _send(self, url: str, query: Mapping[str, str] | None) -> requests.Response:
        with self._lock:
            self.calls += 1
        return self._session().get(url, params=query, timeout=TIMEOUT, allow_redirects=False)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is None:
            session = self._here.session = requests.Session()
            session.trust_env = False  # no .netrc instead of the keys
            session.headers.update(self._headers)
            with self._lock:
                self._sessions.append(session)
        return session

    def _read(self, answer: requests.Response, path: str) -> Any:
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code in _REFUSED:
            msg = (
                f"VTEX refused the keys ({answer.status_code}). Check the AppKey, the AppToken and"
                " their role: List Orders, View order, View Payment Data."
            )
            raise SourceRefused(msg)
        if answer.status_code != _OK:
            log.error("VTEX answered %s: %s", answer.status_code, path)
            msg = f"VTEX answered {answer.status_code}, which is not expected."
            raise SourceUnreadable(msg)
        return json.loads(answer.content, parse_float=Decimal)

    def _wait(self, attempt: int, answer: requests.Response | None) -> None:
        asked = answer.headers.get("Retry-After", "") if answer is not None else ""
        backoff = FIRST_PAUSE * 2 ** (attempt - 1)
        # Not all at once again, when many were turned away together.
        seconds = backoff * (1 + secrets.randbelow(1000) / 1000)
        if asked.isdecimal():
            seconds = max(seconds, float(asked))
        self._pause(min(seconds, LONGEST_PAUSE))
