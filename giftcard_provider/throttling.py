"""A bound on guessing codes: different wrong codes counted per shopper and per cart.

The window runs from the first one. Not per address, since all calls come from VTEX. When Redis is
away nothing is counted: checkout goes on, and 80 random bits stand alone.
"""

from django.conf import settings
from django.core.cache import cache
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

from loyalty.identity import Identity


class WrongCodes:
    """The wrong codes typed lately by one shopper, and in one cart, of one store."""

    def __init__(self, store_id: int, client: Identity, cart_id: str) -> None:
        who = client.profile_id or client.email or client.document or client.corporate_document
        named = [("client", who), ("cart", cart_id)]
        self._keys = [_key(store_id, kind, value) for kind, value in named if value]

    def is_over_limit(self) -> bool:
        """Whether any further code is answered as wrong."""
        try:
            counts = cache.get_many(self._keys) if self._keys else {}
        except RedisError:
            return False
        limit: int = settings.GIFTCARD_PROVIDER_WRONG_CODES
        return any(count >= limit for count in counts.values())

    def count(self, code: str) -> None:
        """Count a wrong code once, however often checkout repeats the search for it."""
        window = settings.GIFTCARD_PROVIDER_WRONG_CODES_WINDOW.total_seconds()
        try:
            for key in self._keys:
                cache.add(key, 0, timeout=window)
                if cache.add(_key(key, "code", code), 1, timeout=window):
                    cache.incr(key)
        except (RedisError, ValueError):
            # ValueError: the key's window ended between the two calls.
            return


def _key(scope: int | str, kind: str, value: str) -> str:
    # Keyed, so that Redis holds no personal data.
    secret = value.encode("utf-8", "replace")
    digest = salted_hmac(f"wrong-codes:{kind}", secret, algorithm="sha256").hexdigest()
    return f"wrong-codes:{scope}:{digest}"
