"""All settings, from the environment only: core, database, queue, ledger, protocol, security.

docs/operations.md lists every variable; system checks (`loyalty.checks`,
`giftcard_provider.checks`) refuse the weak ones.
"""

from datetime import timedelta
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF

from config.env import BASE_DIR, env
from config.logging import logging_config

django_stubs_ext.monkeypatch()

# --- Core ----------------------------------------------------------------------------------------

# A workstation or a demo on loopback: plain http is allowed. Production leaves it unset.
DEVELOPMENT = env.bool("DEVELOPMENT", default=False)
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "loyalty.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "csp",
    "loyalty",
    "giftcard_provider",
]

MIDDLEWARE = [
    # First, and all that VTEX's calls pass: what follows serves people.
    "giftcard_provider.middleware.ProtocolMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "pt-br"
LANGUAGES = [("pt-br", "Português (Brasil)"), ("es", "Español"), ("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # each store has its own zone; the server thinks in UTC

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = logging_config(level=env.str("LOG_LEVEL", default="INFO"))

# --- Database ------------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"] |= {
    "ATOMIC_REQUESTS": False,  # the ledger's verbs commit money, never the end of a request
    "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE", default=600),
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode
}
# Behind PgBouncer in transaction mode: no prepared statements, no start-up options.
DATABASE_POOLED = env.bool("DATABASE_POOLED", default=False)
# A waiting lock gives up before VTEX does (15 s). Behind PgBouncer the role gets these values.
if not DATABASE_POOLED:
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = (
        "-c lock_timeout=3s -c statement_timeout=30s -c idle_in_transaction_session_timeout=10s"
        # Of prepared statements, which all go by one index: never planned again for an array.
        " -c plan_cache_mode=force_generic_plan"
    )

# --- Cache and queue: never part of correctness ---------------------------------------------------

REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "giftcards",
        "OPTIONS": {"socket_connect_timeout": 0.2, "socket_timeout": 0.2},
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 30 * 60
CELERY_TASK_SOFT_TIME_LIMIT = 25 * 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

# --- The ledger ----------------------------------------------------------------------------------

# 32 random bytes each in base64: the current key, then the previous one while it is rotated out.
LOYALTY_CODE_KEYS = env.list("LOYALTY_CODE_KEYS")

# --- The protocol --------------------------------------------------------------------------------

# The path below which VTEX calls us; at least one segment, since the Hub glues paths to the URL.
GIFTCARD_PROVIDER_MOUNT = env.str("GIFTCARD_PROVIDER_MOUNT", default="vtex").strip("/")
# Wrong codes that one shopper and cart may type within the window before searches answer nothing.
GIFTCARD_PROVIDER_WRONG_CODES = env.int("GIFTCARD_PROVIDER_WRONG_CODES", default=10)
GIFTCARD_PROVIDER_WRONG_CODES_WINDOW = timedelta(minutes=15)

REST_FRAMEWORK = {
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_AUTHENTICATION_CLASSES": ["giftcard_provider.authentication.CredentialAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["giftcard_provider.parsers.ProtocolParser"],
    "DEFAULT_RENDERER_CLASSES": ["giftcard_provider.renderers.ProtocolRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "giftcard_provider.renderers.AnyMediaType",
    "EXCEPTION_HANDLER": "giftcard_provider.exceptions.exception_handler",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Security ------------------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEVELOPMENT
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SECURE_SSL_REDIRECT = not DEVELOPMENT
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 0 if DEVELOPMENT else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEVELOPMENT
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
