"""Two questions an orchestrator asks: is the process alive, and can it move money now?"""

from django.core.cache import cache
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError


def live(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database takes writes, else 503; the cache is reported, and never decides."""
    database = _is_writable()
    body = {"database": database, "cache": _cache_answers()}
    return JsonResponse(body, status=200 if database else 503)


def _is_writable() -> bool:
    try:
        with connection.cursor() as cursor:
            # On in a replica, and in a primary that was told to refuse writes.
            cursor.execute("SHOW transaction_read_only")
            return bool(cursor.fetchone() == ("off",))
    except Error:
        return False


def _cache_answers() -> bool:
    try:
        cache.get("health")
    except RedisError:
        return False
    return True
