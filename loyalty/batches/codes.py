"""The codes of a batch: they leave once, to whoever made it; after that by permission."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils import timezone

from loyalty.models import Batch, GiftCard

_CARDS_A_STATEMENT = 2000


@dataclass(frozen=True, slots=True)
class Code:
    """A card of a batch with its code in clear, and the end of its first credit to end."""

    number: int
    code: str
    card: GiftCard
    expires_at: datetime.datetime | None


def take_codes(batch: Batch) -> bool:
    """Note that the codes leave; False when they had left before."""
    first = Batch.objects.filter(pk=batch.pk, codes_downloaded_at=None)
    return bool(first.update(codes_downloaded_at=timezone.now()))


def codes(batch: Batch, *, most: int | None = None) -> Iterator[Code]:
    """The cards that are still open, by number, in constant memory; no more than `most`."""
    number, left = 0, batch.count if most is None else most
    while left > 0:
        cards = batch.cards.filter(batch_number__gt=number).exclude(status=GiftCard.Status.CLOSED)
        found = list(
            cards.order_by("batch_number").prefetch_related("grants")[
                : min(left, _CARDS_A_STATEMENT)
            ]
        )
        for card in found:
            yield Code(card.batch_number or 0, card.code, card, _end(card))
        if not found:
            return
        number, left = found[-1].batch_number or 0, left - len(found)


def _end(card: GiftCard) -> datetime.datetime | None:
    """A reloadable card has no end of its own, but its credit has."""
    ends = (card.expires_at, *(grant.expires_at for grant in card.grants.all()))
    return min((end for end in ends if end), default=None)
