"""Statements that PostgreSQL plans once for each connection instead of once for each call.

Planning is most of what a short statement costs. Behind PgBouncer in transaction mode a connection
is another one in every transaction: with `DATABASE_POOLED` they are sent in full.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

Parameters = Mapping[str, Any] | Sequence[Any]

# A debit that spans many grants has a text of its own: the rare ones are sent in full.
MOST = 60

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%s")

# What each live connection has prepared; a connection that is gone takes its entry along.
_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement in the two forms in which it is sent: once to be planned, then to be executed."""

    name: str
    prepare: str
    execute: str


@lru_cache(maxsize=256)
def _plan(sql: str) -> _Plan:
    *first, last = sql.split(";")
    numbers: dict[str, int] = {}
    arguments: list[str] = []

    def number(match: re.Match[str]) -> str:
        placeholder = match[0]
        if match[1] is None or placeholder not in numbers:
            arguments.append(placeholder)
            numbers[placeholder] = len(arguments)
        return f"${numbers[placeholder]}"

    body = _PLACEHOLDER.sub(number, last)
    name = f"loyalty_{sha256(last.encode()).hexdigest()[:16]}"
    before = "".join(f"{statement};" for statement in first)
    return _Plan(
        name, f"PREPARE {name} AS {body}", f"{before}EXECUTE {name} ({', '.join(arguments)})"
    )


def _text(cursor: CursorWrapper, sql: str) -> str:
    plan = _plan(sql)
    known = _prepared.setdefault(connection.connection, set())
    if plan.name not in known:
        if len(known) >= MOST:
            return sql
        cursor.execute(plan.prepare)
        known.add(plan.name)
    return plan.execute


def rows(sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """The rows of a statement that is sent often, always with the same text.

    Statements before it, each ended by a semicolon, travel with it in the same round trip.
    """
    with connection.cursor() as cursor:
        if settings.DATABASE_POOLED:
            cursor.execute(sql, parameters)
        else:
            cursor.execute(_text(cursor, sql), parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
