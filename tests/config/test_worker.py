"""A client that sends slowly holds no thread: of the only one, others are served all the same."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.config.processes import ROOT, free_port

PATIENCE = 20  # seconds, of the test; the worker's are far fewer


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with one process and one thread."""
    number = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{number}"),
        *("--worker-class", "tests.config.tiny.ImpatientWorker", "--threads", "1"),
        *("--no-control-socket", "tests.config.tiny:application"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(number):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield number
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def answers(port: int) -> bool:
    try:
        return served(port) == b"hello"
    except OSError:
        return False


def served(port: int) -> bytes:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("POST", "/", b"hello")
        return connection.getresponse().read()


def test_headers_that_never_end_are_ended(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")

        assert served(port) == b"hello"
        assert slow.recv(1) == b""


def test_headers_that_trickle_in_are_ended_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow:
        slow.settimeout(0.1)
        deadline = time.monotonic() + PATIENCE
        closed = False
        while not closed:
            assert time.monotonic() < deadline
            try:
                slow.sendall(b"G")
                closed = slow.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True


def test_a_body_that_stalls_gives_the_thread_back(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")

        assert served(port) == b"hello"
        assert slow.recv(4096).endswith(b"stalled")
