"""The mail server: one connection for a run, and what its answers mean."""

import re
import smtplib
from contextlib import suppress
from email.headerregistry import Address
from types import TracebackType
from typing import Self

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.encoding import force_str

from loyalty.notifications.letters import Letter
from loyalty.notifications.smtp import OutcomeUnknown

_ADDRESS = re.compile(r"\S+@\S+")
_TEMPORARY, _PERMANENT = 4, 5
_LENGTH = 200


class Refused(Exception):
    """The mail server said no to this message: for now, or for good."""

    def __init__(self, answer: str, *, is_final: bool) -> None:
        super().__init__(answer)
        self.is_final = is_final


class Unreachable(Exception):
    """There is no mail server to talk to now; nothing was accepted."""


def can_send() -> bool:
    """Whether this installation has a mail server (`EMAIL_URL`)."""
    return bool(settings.EMAIL_IS_SET_UP)


def email_of(letter: Letter, *, to: str, sender: str, name: str) -> EmailMultiAlternatives:
    """The e-mail to one address, from the store by its name; `name` makes its id, for good."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    headers = {
        "Message-ID": f"<{name}@{domain}>",
        # Answers of machines on holiday are not wanted.
        "Auto-Submitted": "auto-generated",
    }
    if letter.unsubscribe:
        # RFC 8058: mail programs show a button that posts to the address.
        headers["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    display = " ".join(sender.split())
    email = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        str(Address(display, addr_spec=settings.DEFAULT_FROM_EMAIL)),
        [to],
        headers=headers,
    )
    email.attach_alternative(letter.html, "text/html")
    return email


class Mailer:
    """One connection for the messages of a run; leaving the block closes it."""

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None

    def __enter__(self) -> Self:
        """Connect with the first message."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye."""
        self._close()

    def send(self, email: EmailMultiAlternatives) -> None:
        """Hand it over. Raises `Refused`, `Unreachable`, or `OutcomeUnknown`."""
        try:
            if self._connection is None:
                self._connection = get_connection()
                self._connection.open()
            self._connection.send_messages([email])
        except OutcomeUnknown:
            self._close()
            raise
        except smtplib.SMTPRecipientsRefused as error:
            [(code, answer)] = error.recipients.values()
            raise _refused(code, answer) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refused(error.smtp_code, error.smtp_error) from error
        except OSError as error:
            self._close()
            raise Unreachable(reason(error)) from error

    def _close(self) -> None:
        # The messages are gone; how the server says goodbye changes nothing.
        with suppress(OSError):
            if self._connection is not None:
                self._connection.close()
        self._connection = None


def reason(error: BaseException) -> str:
    """What went wrong, without anybody's address."""
    return without_addresses(f"{type(error).__name__}: {error}")


def without_addresses(text: str) -> str:
    """The beginning of a text, each address in it as `…`."""
    return _ADDRESS.sub("…", " ".join(text.split()))[:_LENGTH]


def _refused(code: int, answer: bytes | str) -> Exception:
    """What a server's answer means; one that is neither no nor later means nothing."""
    words = without_addresses(f"{code} {force_str(answer, errors='replace')}")
    if code // 100 not in {_TEMPORARY, _PERMANENT}:
        return OutcomeUnknown(words)
    return Refused(words, is_final=code // 100 == _PERMANENT)
