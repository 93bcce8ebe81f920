"""Two questions an orchestrator asks: is the process alive, and can it move money now?"""

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


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
            cursor.execute("SELECT pg_is_in_recovery()")
            row = cursor.fetchone()
    except DatabaseError:
        return False
    return row is not None and row[0] is False


def _cache_answers() -> bool:
    try:
        cache.get("health")
    except OSError:
        return False
    return True
