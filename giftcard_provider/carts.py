"""The cart of the last search that found a card, kept for minutes: a read of the card has none.

Only of programs with a rule about orders. Checkout compares what a search and a read say of a card.
Never part of what is right: a debit is judged by the cart that it brings.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from django.core.cache import cache
from redis.exceptions import RedisError

from loyalty.lookup import CardView
from loyalty.redemption import Cart

KEPT = timedelta(minutes=30)


def remember(cards: Iterable[CardView], cart: Cart | None) -> None:
    """Keep the cart for those of the cards whose program has a rule."""
    if cart is None:
        return
    words = f"{cart.total} {cart.shipping}"
    kept = {_key(card.public_id): words for card in cards if card.redemption}
    if kept:
        try:
            cache.set_many(kept, timeout=KEPT.total_seconds())
        except RedisError:
            return


def last_of(card: CardView) -> Cart | None:
    """The cart in which the card was found last; None when that is not known."""
    if not card.redemption:
        return None
    try:
        words = cache.get(_key(card.public_id))
    except RedisError:
        return None
    if not words:
        return None
    total, shipping = words.split()
    return Cart(Decimal(total), Decimal(shipping))


def _key(card_id: str) -> str:
    return f"cart:{card_id}"
