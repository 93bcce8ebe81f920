"""The project's settings with nothing in front of the views but Django itself."""

from config.settings import *  # noqa: F403 - the same database, cache and keys

ROOT_URLCONF = "tests.bench.yardsticks.urls"
MIDDLEWARE = []
REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}
