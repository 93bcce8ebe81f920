"""Two questions an orchestrator asks: is the process alive, and can it move money now?

Alive asks nobody: a process that is killed because the database is away does not bring it back.
Ready is 503, and takes the node out of the load balancer, for what makes this node of no use: no
database that takes writes, or one that lacks a migration. The queue and the beat are reported and
never decide: purchases need neither, and all nodes at once would go for what is no node's fault.
"""

from functools import cache as remembered

from django.core.cache import cache
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from redis.exceptions import RedisError

from loyalty import gauges


def live(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database takes writes and has all migrations, else 503; and what else is up.

    `beat` is how many seconds ago periodic work last began, null when that is not known.
    """
    database = _is_writable()
    migrations = database and _is_migrated()
    body = {
        "database": database,
        "migrations": migrations,
        "broker": _broker_answers(),
        "beat": _beat_age() if database else None,
    }
    return JsonResponse(body, status=200 if database and migrations else 503)


def _is_writable() -> bool:
    try:
        with connection.cursor() as cursor:
            # On in a replica, and in a primary that was told to refuse writes.
            cursor.execute("SHOW transaction_read_only")
            return bool(cursor.fetchone() == ("off",))
    except Error:
        return False


class _NotYet(Exception):
    pass


def _is_migrated() -> bool:
    try:
        _all_applied()
    except (_NotYet, Error):
        return False
    return True


@remembered
def _all_applied() -> None:
    """Return once every migration of this code is applied, which is never asked again after."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _NotYet


def _beat_age() -> float | None:
    try:
        return gauges.beat_age(timezone.now())
    except Error:  # a table that a migration has not made yet
        return None


def _broker_answers() -> bool:
    try:
        cache.get("health")
    except RedisError:
        return False
    return True
