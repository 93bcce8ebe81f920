"""A stand-in for the Gift Card Hub on loopback, in the shapes that VTEX has published."""

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from giftcard_provider.models import VtexKeys
from loyalty.models import Store
from tests.builders import make_store

ACCOUNT = "mystore"
NATIVE = {
    "id": "VtexGiftCard",
    "serviceUrl": "http://api.vtex.com/mystore",
    "oauthProvider": "vtex",
    "preAuthEnabled": True,
    "cancelEnabled": True,
}
_PATH = "/api/giftcardproviders"
_REQUIRED = {"serviceUrl", "oauthProvider", "preAuthEnabled", "cancelEnabled"}
_KEYS = {"appKey", "appToken"}
_MEDIA_TYPES = {"application/vnd.vtex.giftcardproviders.v1+json", "application/json"}

Answer = tuple[int, Any]


@dataclass
class Trouble:
    """What goes wrong with the next `times` calls of a method; `is_late`: after it was done."""

    method: str
    status: int = 500
    times: int = 1
    is_late: bool = False


class StandInHub:
    """Started as a context manager. `has_issue` is known issue 768954, until the native entry is
    saved: the first PUT of a new provider lands on it.
    """

    app_key, app_token = "vtexappkey-mystore-ABC", "TOKEN-THAT-NOBODY-MAY-LOG"

    def __init__(self, *, has_issue: bool = False) -> None:
        self.entries: dict[str, dict[str, Any]] = {"vtexgiftcard": dict(NATIVE)}
        self.secrets: dict[str, tuple[str, str]] = {}
        self.has_issue = has_issue
        self.troubles: list[Trouble] = []
        self.calls: Counter[str] = Counter()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "StandInHub":
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

    def ids(self) -> list[str]:
        return [entry["id"] for entry in self.entries.values()]

    def trouble(self, method: str, **options: Any) -> None:
        self.troubles.append(Trouble(method, **options))

    def next_trouble(self, method: str) -> Trouble | None:
        for trouble in self.troubles:
            if trouble.times and trouble.method == method:
                trouble.times -= 1
                return trouble
        return None

    def listed(self, rest_range: str) -> Answer:
        match = re.fullmatch(r"resources=(\d+)-(\d+)", rest_range)
        assert match, rest_range
        first, last = map(int, match.groups())
        return 200, [_shown(entry) for entry in self.entries.values()][first : last + 1]

    def one(self, provider_id: str) -> Answer:
        entry = self.entries.get(provider_id.lower())
        return (200, _shown(entry)) if entry else (500, {"message": "Object reference not set"})

    def put(self, provider_id: str, body: Any) -> Answer:
        is_native = provider_id.lower() == "vtexgiftcard"
        wanted = _REQUIRED if is_native else _REQUIRED | _KEYS
        if not isinstance(body, dict) or not wanted <= body.keys():
            return 400, {"message": "Bad request"}
        if body.get("id", provider_id) != provider_id:
            return 400, {"message": "Bad request"}
        told = {"id": provider_id} | {
            name: body[name] for name in (*_REQUIRED, "caption") if name in body
        }
        if self.has_issue and not is_native and provider_id.lower() not in self.entries:
            self.entries["vtexgiftcard"] |= told | {"id": "VtexGiftCard"}
            return 200, _shown(self.entries["vtexgiftcard"])
        if is_native:
            self.has_issue = False
        self.entries[provider_id.lower()] = told
        if not is_native:
            self.secrets[provider_id] = (body["appKey"], body["appToken"])
        return 200, _shown(told)

    def delete(self, provider_id: str) -> Answer:
        return (200, None) if self.entries.pop(provider_id.lower(), None) else (404, None)


def make_connected_store(hub: StandInHub) -> Store:
    """A store whose keys lead to the stand-in."""
    store = make_store(account=ACCOUNT, provider_id="ourcredit")
    keys = VtexKeys(store=store, app_key=hub.app_key, orders_url=hub.url, payments_url=hub.url)
    keys.seal(hub.app_token)
    keys.save()
    return store


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"_self": {"href": f"{ACCOUNT}/giftcardproviders/{entry['id'].lower()}"}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: StandInHub

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.hub.calls[self.command] += 1
        trouble = self.hub.next_trouble(self.command)
        if trouble is None:
            self._send(*self._answer(body))
        else:
            if trouble.is_late:
                self._answer(body)
            self._send(trouble.status, {"message": "trouble"})

    def _answer(self, body: Any) -> Answer:
        given = (self.headers.get("X-VTEX-API-AppKey"), self.headers.get("X-VTEX-API-AppToken"))
        if given != (self.hub.app_key, self.hub.app_token):
            return 403, {"error": "Forbidden"}
        if self.path == _PATH:
            return self.hub.listed(self.headers.get("REST-Range") or "resources=0-49")
        provider_id = self.path.removeprefix(f"{_PATH}/")
        if self.command == "PUT":
            if self.headers.get("Content-Type") not in _MEDIA_TYPES:
                return 415, None
            return self.hub.put(provider_id, body)
        if self.command == "DELETE":
            return self.hub.delete(provider_id)
        return self.hub.one(provider_id)

    def _send(self, status: int, content: Any) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
