"""A pytest plugin: a real PostgreSQL and a real Valkey, started once for the whole run.

`TEST_DATABASE_URL` and `TEST_REDIS_URL` replace them. It has to be loaded early (`-p
tests.services`): Django reads the addresses from the environment when its settings are imported.
A server that does not start ends the run; no test is ever skipped for want of one.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from config.embedded import EmbeddedError, Postgres, Valkey

running = ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Before pytest-django looks at the settings: start the servers, or join the controller's."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        try:
            start()
        except EmbeddedError as problem:
            raise pytest.UsageError(str(problem)) from None
    else:
        # pytest-django gives each worker its own database; this is the same for Redis.
        number = int(worker.removeprefix("gw")) + 1
        address = urlsplit(os.environ["REDIS_URL"])
        os.environ["REDIS_URL"] = address._replace(path=f"/{number}").geturl()
    yield


def pytest_unconfigure() -> None:
    """Stop what this process started; xdist workers started nothing."""
    running.close()


def start() -> None:
    """Put the addresses of running servers into the environment, where xdist workers find them."""
    if database := os.environ.get("TEST_DATABASE_URL"):
        os.environ["DATABASE_URL"] = database
    else:
        os.environ["DATABASE_URL"] = running.enter_context(Postgres(fsync=False)).url
    if redis := os.environ.get("TEST_REDIS_URL"):
        os.environ["REDIS_URL"] = redis
    else:
        os.environ["REDIS_URL"] = running.enter_context(Valkey()).url
