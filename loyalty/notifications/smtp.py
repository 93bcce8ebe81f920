"""SMTP with one answer more: that nobody can know whether the server took the message."""

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend


class OutcomeUnknown(Exception):
    """The connection broke after the text had gone out and before the server answered."""


class _Careful(smtplib.SMTP):
    """Until the text goes out nothing can have been accepted; after that only an answer tells."""

    def data(self, msg: Any) -> tuple[int, bytes]:
        try:
            return super().data(msg)
        except smtplib.SMTPDataError:
            raise
        except OSError as error:  # a time-out, a reset, or smtplib's own "disconnected"
            raise OutcomeUnknown from error


class _CarefulSSL(_Careful, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""


class Backend(EmailBackend):
    """Django's own, with the careful client."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """The client that Django opens."""
        return _CarefulSSL if self.use_ssl else _Careful
