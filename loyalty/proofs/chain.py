"""The chain of a card's entries: each link's digest covers the one before and all entries since.

Links are made by the proof, not by the verbs: an entry is in the chain from the next proof on. From
then on whoever changes, takes out, adds or renumbers an entry in the database, or changes the
operation that it belongs to, breaks a link, and cannot make another without `LOYALTY_CODE_KEYS`.

While two keys are set each card has a chain under both: the new one begins at the card's first
entry, once a proof has been at the card.
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from loyalty import codes
from loyalty.models import ChainLink

WINDOW = 20_000  # entries in memory at once

# As JSON: no text in it can look like two. Without names, in this order, for ever.
_ENTRIES = """
    SELECT entry.card_id, entry.seq, jsonb_build_array(
        entry.card_id, entry.seq, entry.grant_id, entry.landing_grant_id, entry.transaction_id,
        entry.source, entry.target, entry.amount, entry.available_after, entry.held_after,
        (extract(epoch FROM entry.created_at) * 1000000)::bigint,
        operation.oid, operation.kind, operation.request_id, operation.amount, operation.applied,
        operation.actor, operation.reason, operation.note
    )::text
    FROM loyalty_entry entry JOIN loyalty_operation operation ON operation.id = entry.operation_id
    WHERE entry.card_id = ANY(%(cards)s) AND (entry.card_id, entry.seq) > (%(card)s, %(seq)s)
    ORDER BY entry.card_id, entry.seq LIMIT %(most)s
"""


class _Line(NamedTuple):
    """An entry, as it goes into the digest."""

    card_id: int
    seq: int
    text: str


class Break(NamedTuple):
    """A card whose entries are not those that were chained."""

    card_id: int
    figures: str


@dataclass(slots=True)
class Followed:
    """What following the chains gave: breaks, and links for the entries that are new."""

    breaks: list[Break] = field(default_factory=list)
    links: list[ChainLink] = field(default_factory=list)


def follow(card_ids: Sequence[int]) -> Followed:
    """Go through all entries of these cards, as the transaction sees them. Only reads."""
    found = Followed()
    keys = codes.chain_keys()
    known: dict[tuple[int, str], list[ChainLink]] = {}
    for link in ChainLink.objects.filter(card_id__in=card_ids).order_by("upto"):
        known.setdefault((link.card_id, link.key_id), []).append(link)
    unchained = {card_id for card_id, _ in known}
    for card_id, lines in groupby(_lines(card_ids), attrgetter("card_id")):
        unchained.discard(card_id)
        chains = [_Chain(card_id, name, key, known.pop((card_id, name), [])) for name, key in keys]
        for line in lines:
            for chain in chains:
                chain.add(line)
        _end(card_id, chains, [name for card, name in known if card == card_id], found)
    found.breaks += [Break(card_id, "all entries are gone") for card_id in sorted(unchained)]
    return found


def _end(
    card_id: int, chains: Sequence["_Chain"], unknown_keys: Sequence[str], found: Followed
) -> None:
    current = chains[0]
    broken = next((chain.broken for chain in chains if chain.end()), "")
    if broken:
        found.breaks.append(Break(card_id, broken))
    elif unknown_keys and not any(chain.had_links for chain in chains):
        found.breaks.append(
            Break(card_id, f"no key of LOYALTY_CODE_KEYS is that of its chain ({unknown_keys[0]})")
        )
    elif current.link:
        found.links.append(current.link)


def _lines(card_ids: Sequence[int]) -> Iterator[_Line]:
    place: dict[str, Any] = {"cards": list(card_ids), "card": 0, "seq": 0, "most": WINDOW}
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ENTRIES, place)
            rows = [_Line(*row) for row in cursor.fetchall()]
        yield from rows
        if len(rows) < WINDOW:
            return
        place["card"], place["seq"] = rows[-1].card_id, rows[-1].seq


class _Chain:
    """One card's chain under one key, entry by entry."""

    def __init__(self, card_id: int, name: str, key: bytes, links: Sequence[ChainLink]) -> None:
        self.had_links = bool(links)
        self.broken = ""
        self.link: ChainLink | None = None
        self._card_id, self._name, self._key = card_id, name, key
        self._links = list(links)
        self._digest = hmac.new(key, digestmod="sha256")
        self._begin = self._last = 0

    def add(self, line: _Line) -> None:
        """The next entry; at the end of a link its digest has to be the one that was kept."""
        self._digest.update(line.text.encode() + b"\n")
        self._last = line.seq
        if self._links and self._links[0].upto == line.seq:
            link = self._links.pop(0)
            if not hmac.compare_digest(self._close(), bytes(link.digest)):
                self.broken = self.broken or f"entries up to {link.upto} are not those chained"

    def end(self) -> bool:
        """After the last entry; whether the chain is broken."""
        if self._links and not self.broken:
            self.broken = f"entry {self._links[0].upto}, which ended a link, is gone"
        if not self.broken and self._last > self._begin:
            self.link = ChainLink(
                card_id=self._card_id,
                key_id=self._name,
                after=self._begin,
                upto=self._last,
                digest=self._digest.digest(),
                made_at=timezone.now(),
            )
        return bool(self.broken)

    def _close(self) -> bytes:
        digest = self._digest.digest()
        # The next link begins with this one.
        self._digest = hmac.new(self._key, digest, digestmod="sha256")
        self._begin = self._last
        return digest
