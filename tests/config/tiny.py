"""An application of one line and a worker of little patience, for the tests of the worker."""

from collections.abc import Callable, Iterable
from typing import Any

from config.worker import BoundedThreadWorker


class ImpatientWorker(BoundedThreadWorker):
    """The same, for tests that do not want to wait."""

    header_seconds = 0.5
    stalled_seconds = 1


def application(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    try:
        body: bytes = environ["wsgi.input"].read()
    except OSError:
        body = b"stalled"
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
