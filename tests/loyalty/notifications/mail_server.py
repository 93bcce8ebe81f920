"""A mail server on loopback: answers as it is told, and keeps what it accepted.

While `pause` is not set, it does not answer whoever has sent a text.
"""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """`refusals` are answers by command ("RCPT", "DATA", "."), used up in order; "cut" hangs up."""

    port: int = 0
    accepted: list[bytes] = field(default_factory=list)
    refusals: dict[str, list[str]] = field(default_factory=dict)
    connections: int = 0
    pause: threading.Event = field(default_factory=threading.Event)

    @property
    def messages(self) -> list[EmailMessage]:
        """What was accepted, taken apart."""
        return [message_from_bytes(each, policy=policy.default) for each in self.accepted]

    def answer(self, command: str, usual: str) -> str:
        """What to say to a command."""
        planned = self.refusals.get(command)
        return planned.pop(0) if planned else usual


class _Dialog(socketserver.StreamRequestHandler):
    """One connection, in the words of RFC 5321."""

    server: "_Server"

    def handle(self) -> None:
        state = self.server.state
        state.connections += 1
        if not self._say(state.answer("CONNECT", "220 loopback")):
            return
        while line := self.rfile.readline():
            command = line.split()[0].upper().decode() if line.split() else ""
            usual = {"EHLO": "250 loopback", "DATA": "354 go on", "QUIT": "221 bye"}
            answer = state.answer(command, usual.get(command, "250 ok"))
            if not self._say(answer) or command == "QUIT":
                return
            if command == "DATA" and answer.startswith("354") and not self._take():
                return

    def _take(self) -> bool:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        answer = self.server.state.answer(".", "250 taken")
        if answer.startswith(("250", "taken and cut")):
            self.server.state.accepted.append(b"".join(lines))
        self.server.state.pause.wait(60)
        return self._say(answer)

    def _say(self, answer: str) -> bool:
        if answer.endswith("cut"):
            return False
        self.wfile.write(f"{answer}\r\n".encode())
        return True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, state: MailServer) -> None:
        super().__init__(("127.0.0.1", 0), _Dialog)
        self.state = state


@contextmanager
def running() -> Iterator[MailServer]:
    """A server that takes everything until it is told otherwise."""
    state = MailServer()
    state.pause.set()
    with _Server(state) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            state.pause.set()
            server.shutdown()
            thread.join()
