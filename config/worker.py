"""gunicorn's `gthread` worker with bounds on clients that send or read slowly.

A thread is bound to a connection from the first byte of a request on, and gunicorn sets no time
for the rest: a handful of clients that send a letter now and then would hold every thread.
"""

import socket
import struct
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker


class BoundedThreadWorker(ThreadWorker):  # type: ignore[misc]  # it ships no types
    """Ends a connection that is too slow, so that its thread is free again."""

    # For a request line and all headers; what VTEX and browsers send arrives at once.
    header_seconds = 10.0
    # Without one byte of a body sent, or of an answer taken; longer than a mobile network's pauses.
    stalled_seconds = 20

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reading: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> Any:
        """Serve what is on the connection, in a thread."""
        until = struct.pack("ll", self.stalled_seconds, 0)
        with suppress(OSError):  # gone already
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, until)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, until)
        self._reading[conn] = time.monotonic() + self.header_seconds
        try:
            return super().handle(conn)
        finally:
            self._reading.pop(conn, None)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """The headers have arrived."""
        self._reading.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Also, about once a second: end the connections whose headers take too long."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in list(self._reading.items()):
            if until <= now:
                # The thread that reads sees the end of the connection, and closes it.
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)
