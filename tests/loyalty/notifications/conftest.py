"""A real mail server for the tests that send by SMTP; all others write to `django.core.mail`."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.loyalty.notifications.mail_server import MailServer, running


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    """The installation's mail server, on loopback."""
    with running() as server:
        settings.EMAIL_BACKEND = "loyalty.notifications.smtp.Backend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_TIMEOUT = 5
        yield server
