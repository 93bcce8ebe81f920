"""Calls that start at the same moment, each in its own thread with its own connection."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

PATIENCE = 30  # seconds until a thread that never comes is an error


def race(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returned or raised, in their order; none starts before all can."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            connections["default"].ensure_connection()
            start.wait(PATIENCE)
            return call()
        except Exception as error:  # noqa: BLE001 - the test says which it expects
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def errors(results: Sequence[object]) -> list[type[Any]]:
    """The kinds of the errors among the results."""
    return [type(result) for result in results if isinstance(result, Exception)]


def done(results: Sequence[Any]) -> list[Any]:
    """The results that are none."""
    return [result for result in results if not isinstance(result, Exception)]
