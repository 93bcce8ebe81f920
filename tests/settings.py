"""The project's settings as the tests (and mypy, and `manage.py check`) see them.

`tests.services` has put the addresses of real servers into the environment by the time pytest gets
here. The defaults below serve the tools that only read the settings; nothing listens there.
"""

import os
import tempfile
from pathlib import Path

os.environ |= {
    "DEVELOPMENT": "true",  # the test client speaks plain http
    "SECRET_KEY": "only-for-tests-" + "0" * 50,
    "LOYALTY_CODE_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "LOG_LEVEL": "WARNING",
    # `client.force_login` is enough; tests of the sign in turn it on.
    "STAFF_TOTP_REQUIRED": "false",
    # Not the demo that may be running in this checkout.
    "DATA_DIR": str(Path(tempfile.gettempdir()) / "giftcards-tests-have-no-data-dir"),
}
os.environ.setdefault("DATABASE_URL", "postgres://nobody@127.0.0.1:9/nowhere")
# A test of a worker gives it a mail server.
os.environ.setdefault("EMAIL_URL", "memorymail://")
os.environ.setdefault("EMAIL_FROM", "credit@store.example")
os.environ.setdefault("PUBLIC_URL", "https://credit.example")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:9/0")

from config.settings import *  # noqa: F403 - the environment comes first

# A test that is about passwords chooses its own; all others should not wait for Argon2.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Without a manifest, so that no test needs `collectstatic`.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Static files straight from the applications.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
