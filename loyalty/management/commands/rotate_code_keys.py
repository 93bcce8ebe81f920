"""Bring every redemption code under the current key, so that the previous one can go."""

from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.db.transaction import atomic

from loyalty import codes
from loyalty.models import GiftCard

BATCH = 200
MAX_NAMED = 20


class Command(BaseCommand):
    """Seal and digest anew what is still under the previous key of LOYALTY_CODE_KEYS.

    1. Put the new key first in LOYALTY_CODE_KEYS, the previous one second; restart every process.
    2. Run this. Codes are found, shown and accepted before, during and after.
    3. When it renews nothing any more, take the previous key away.

    Each batch is committed by itself: interrupted, it goes on where it was; repeated, it skips what
    is done. Only the two code columns of a card are written, and the ledger waits for a batch at
    most. Exit code 1 when a code could not be renewed; the previous key must then stay.
    """

    help = "Seal every code with the current key of LOYALTY_CODE_KEYS; safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--batch` is how many cards are renewed at a time."""
        parser.add_argument("--batch", type=int, default=BATCH, help=f"default {BATCH}")

    def handle(self, *_args: Any, batch: int = BATCH, **_options: Any) -> None:
        """Print the counts; `CommandError` names the cards that could not be renewed."""
        self.unreadable: list[str] = []
        self.duplicate: list[str] = []
        seen = renewed = 0
        for cards in _batches(batch):
            seen += len(cards)
            renewed += self._renew([card for card in cards if not _is_current(card)])
        self.stdout.write(f"{seen} codes, {renewed} of them renewed.")
        problems = [
            f"{len(cards)} {problem} ({', '.join(cards[:MAX_NAMED])})"
            for problem, cards in (
                ("that no key of LOYALTY_CODE_KEYS opens", self.unreadable),
                ("that another card has too", self.duplicate),
            )
            if cards
        ]
        if problems:
            raise CommandError(f"Keep the previous key. Not renewed: {'; '.join(problems)}.")

    def _renew(self, cards: Sequence[GiftCard]) -> int:
        readable = [card for card in cards if self._seal_anew(card)]
        try:
            _save(readable)
        except IntegrityError:
            return sum(self._save_alone(card) for card in readable)
        return len(readable)

    def _seal_anew(self, card: GiftCard) -> bool:
        try:
            code = card.code
        except (LookupError, InvalidTag):
            self.unreadable.append(card.public_id)
            return False
        card.code_digest = codes.digest(code, is_imported=card.is_imported)
        card.code_sealed = codes.seal(code, card_public_id=card.public_id)
        return True

    def _save_alone(self, card: GiftCard) -> bool:
        # A process that did not know the previous key has imported the same code meanwhile.
        try:
            _save([card])
        except IntegrityError:
            self.duplicate.append(card.public_id)
            return False
        return True


def _batches(size: int) -> Iterator[Sequence[GiftCard]]:
    last = 0
    columns = ("id", "public_id", "is_imported", "code_sealed")
    while cards := list(GiftCard.objects.filter(pk__gt=last).order_by("pk").only(*columns)[:size]):
        yield cards
        last = cards[-1].pk


def _is_current(card: GiftCard) -> bool:
    return codes.is_current(bytes(card.code_sealed))


def _save(cards: Sequence[GiftCard]) -> None:
    with atomic():
        GiftCard.objects.bulk_update(cards, ["code_digest", "code_sealed"])
