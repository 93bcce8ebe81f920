"""The project's settings for one process that only opens pages."""

from config.settings import *  # noqa: F403

STAFF_TOTP_REQUIRED = False  # `client.force_login` is enough
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
