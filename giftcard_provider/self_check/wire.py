"""HTTP as the Gift Card Hub speaks it: its headers, its paths, its patience."""

import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import requests
import simplejson

from giftcard_provider.self_check.check import Failed

MEDIA_TYPE = "application/vnd.vtex.giftcards.v1+json"
APP_KEY, APP_TOKEN = "X-PROVIDER-API-AppKey", "X-PROVIDER-API-AppToken"
# VTEX's own patience with every call.
PATIENCE = 15

_OK, _FIRST_REFUSAL, _FIRST_FAULT = 200, 400, 500
_CREDENTIALS = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Target:
    """A provider, and the test card at it; `card_id`, `code` or both say which.

    `email` and `document` are those of the card's owner; for `profile_id` a wallet is opened.
    """

    url: str
    app_key: str
    app_token: str = field(repr=False)
    card_id: str = ""
    code: str = field(default="", repr=False)
    email: str = ""
    document: str = ""
    profile_id: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    call: str
    status: int
    body: bytes
    headers: Mapping[str, str]
    seconds: float

    @cached_property
    def data(self) -> Any:
        """The body with every number exact. Raises `Failed` when it is no JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except ValueError:
            raise Failed("not_json", call=self.call) from None

    @property
    def is_ok(self) -> bool:
        """Whether it was accepted."""
        return self.status == _OK

    def accepted(self) -> "Answer":
        """The same, when it is a 200."""
        if not self.is_ok:
            raise Failed("status", call=self.call, status=self.status, expected=_OK)
        return self

    def refused(self) -> "Answer":
        """The same, when it is a refusal that is not about the credentials, and no fault."""
        if not _FIRST_REFUSAL <= self.status < _FIRST_FAULT or self.status in _CREDENTIALS:
            raise Failed("not_refused", call=self.call, status=self.status)
        return self

    def object(self) -> dict[str, Any]:
        """The object of a 200."""
        data = self.accepted().data
        if not isinstance(data, dict):
            raise Failed("not_an_object", call=self.call)
        return data

    def rows(self) -> list[dict[str, Any]]:
        """The array of objects of a 200."""
        data = self.accepted().data
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise Failed("not_a_list", call=self.call)
        return data


class Wire:
    """Calls a provider; safe to use from several threads."""

    def __init__(self, target: Target) -> None:
        self._base = target.url
        self._credentials = {APP_KEY: target.app_key, APP_TOKEN: target.app_token}
        self._here = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        note: str = "",
    ) -> Answer:
        """One call, as the Hub makes it; a header that is None is left out, bytes go as they are.

        `note` says in the verdict what was odd about it. Raises `Failed` without an answer.
        """
        label = f"{method} {_shape(path)}" + (f" ({note})" if note else "")
        content = (
            body
            if isinstance(body, bytes)
            else None
            if body is None
            else simplejson.dumps(body).encode()
        )
        sent = self._headers(method, headers or {})
        begun = time.monotonic()
        try:
            answer = self._session().request(
                method,
                f"{self._base}/{path}",
                data=content,
                headers=sent,
                timeout=PATIENCE,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Failed("no_answer", call=label, problem=type(error).__name__) from None
        seconds = time.monotonic() - begun
        return Answer(label, answer.status_code, answer.content, answer.headers, seconds)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def _headers(self, method: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        usual: dict[str, str | None] = {
            **self._credentials,
            "Accept": MEDIA_TYPE,
            "Accept-Encoding": "gzip",
            "x-vtex-operation-id": str(uuid.uuid4()),
            "x-vtex-debug-id": "",
            "traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
            "baggage": "",
        }
        if method == "POST":
            usual["Content-Type"] = MEDIA_TYPE
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is None:
            session = self._here.session = requests.Session()
            session.trust_env = False
            session.headers.clear()
            with self._lock:
                self._sessions.append(session)
        return session


def _shape(path: str) -> str:
    """A path with its ids taken out."""
    shape = re.sub(r"(giftcards/)(?!_search)[^/?]+", r"\1{id}", path)
    return re.sub(r"(transactions/)[^/?]+", r"\1{tid}", shape)
