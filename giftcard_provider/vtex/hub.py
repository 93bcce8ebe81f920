"""The Gift Card Hub of a VTEX account: the providers that it knows, and what they were before.

The shapes are those of VTEX's Gift Card Hub API. It documents 500 for the GET of a provider that
does not exist, so that everything is read from the list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from giftcard_provider.vtex.client import Client
from giftcard_provider.vtex.fields import mapping, rows, text

_PATH = "/api/giftcardproviders"
_PAGE = 50
_MOST_PAGES = 20
# What a PUT can say again; the Hub tells no AppKey and no AppToken.
_KEPT = ("serviceUrl", "oauthProvider", "caption", "preAuthEnabled", "cancelEnabled")

Provider = Mapping[str, Any]


class Hub:
    """One account's Hub. Every method may raise `SourceError`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def providers(self) -> list[dict[str, Any]]:
        """All of them, as the Hub tells them."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, _PAGE * _MOST_PAGES, _PAGE):
            answer = self._client.hub(_PATH, rest_range=f"resources={start}-{start + _PAGE - 1}")
            page = [mapping(row, "provider") for row in rows(answer or [], "providers")]
            new = {_key(row): dict(row) for row in page if _key(row) not in found}
            found |= new
            # A Hub that does not page gives the same again.
            if len(page) < _PAGE or not new:
                break
        return list(found.values())

    def register(self, provider_id: str, *, service_url: str, app_key: str, app_token: str) -> None:
        """Put our entry there. Safe to repeat: it says how the entry shall be."""
        self._client.put_in_hub(
            _path(provider_id),
            {
                "id": provider_id,
                **entry(service_url),
                "appKey": app_key,
                "appToken": app_token,
            },
        )

    def put_back(self, provider: Provider) -> None:
        """Make an entry what it was; without the keys of an external one, which nobody tells."""
        kept = {name: provider[name] for name in _KEPT if name in provider}
        self._client.put_in_hub(_path(text(provider["id"])), {"id": provider["id"], **kept})

    def remove(self, provider_id: str) -> None:
        """Take an entry out; one that is not there is no error."""
        self._client.delete_from_hub(_path(provider_id))


def entry(service_url: str) -> dict[str, Any]:
    """What of our entry the Hub tells: with any other `oauthProvider` checkout breaks."""
    return {
        "serviceUrl": service_url,
        "oauthProvider": "vtex",
        "preAuthEnabled": True,
        "cancelEnabled": True,
    }


def named(providers: Sequence[Provider], provider_id: str) -> Provider | None:
    """The provider of this id; the Hub's links do not tell upper from lower case."""
    found = (each for each in providers if _key(each) == provider_id.lower())
    return next(found, None)


class Fate(StrEnum):
    """What became of a provider."""

    ADDED = "added"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """One provider before and after; None where it was not there."""

    provider_id: str
    fate: Fate
    before: Provider | None
    after: Provider | None


def changes(before: Sequence[Provider], after: Sequence[Provider]) -> list[Change]:
    """What is different between two readings of an account, by provider."""
    then = {_key(each): each for each in before}
    now = {_key(each): each for each in after}
    found = []
    for key in [*then, *(key for key in now if key not in then)]:
        old, new = then.get(key), now.get(key)
        if old is None or new is None:
            fate = Fate.ADDED if old is None else Fate.GONE
        elif not is_same(old, new):
            fate = Fate.CHANGED
        else:
            continue
        found.append(Change(text((new or old or {})["id"]), fate, old, new))
    return found


def is_same(one: Provider, other: Provider) -> bool:
    """Whether both say the same of all that a PUT can say."""
    return all(one.get(name) == other.get(name) for name in _KEPT)


def _key(provider: Provider) -> str:
    return text(provider.get("id")).lower()


def _path(provider_id: str) -> str:
    return f"{_PATH}/{quote(provider_id, safe='')}"
