"""A bound on guessing codes: different wrong codes counted per shopper and per cart.

And one on the calls of a credential, far above what VTEX sends.

The window runs from the first one. Not per address, since all calls come from VTEX. When Redis is
away nothing is counted: checkout goes on, and 80 random bits stand alone.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import ClassVar, cast

from django.conf import settings
from django.core.cache import cache
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from giftcard_provider.models import Caller
from loyalty.identity import Identity


class CredentialRate(BaseThrottle):
    """So many calls of one credential, in each process: one store cannot crowd out the others.

    Answered 429 with Retry-After before anything is read: nothing moved, and the same request may
    be sent again, which VTEX does for settlements and cancellations. A refused authorization loses
    a sale, so the limit is a multiple of what a store's checkout sends at its busiest. Calls
    without valid credentials are not counted here: VTEX probes with wrong ones, and wants its 403.
    """

    seconds = 10
    clock: ClassVar[Callable[[], float]] = time.monotonic
    _calls: ClassVar[dict[str, tuple[float, float]]] = {}
    _lock: ClassVar[Lock] = Lock()

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Take one of the credential's calls, which come back with time."""
        rate: int = settings.CREDENTIAL_CALLS_PER_SECOND
        most = rate * self.seconds
        now = type(self).clock()
        app_key = cast("Caller", request.user).app_key
        with self._lock:
            left, since = self._calls.get(app_key, (most, now))
            left = min(left + (now - since) * rate, most)
            self._calls[app_key] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def wait(self) -> float:
        """When to come again, in seconds."""
        return 1


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
