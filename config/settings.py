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
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "rest_framework",
    "csp",
    "loyalty",
    "giftcard_provider",
]

MIDDLEWARE = [
    # All that VTEX's calls pass; what follows serves people.
    "config.context.RequestContextMiddleware",
    "config.observe.ObserveMiddleware",
    "giftcard_provider.middleware.ProtocolMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "loyalty.sign_in.sessions.SessionLimits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
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
FORMAT_MODULE_PATH = "config.formats"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # each store has its own zone; the server thinks in UTC

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Who may read /metrics: who has the token, or calls from one of these networks. Nobody else.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = env.list(
    "METRICS_NETWORKS", default=["127.0.0.0/8", "::1/128"] if DEVELOPMENT else []
)
# Errors and traces go to these addresses, when their packages are installed (`config.telemetry`).
SENTRY_DSN = env.str("SENTRY_DSN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")

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
# The class that reads a store's orders for the reconciliation (`loyalty.order_sources`).
LOYALTY_ORDER_SOURCE = env.str(
    "LOYALTY_ORDER_SOURCE", default="giftcard_provider.vtex.orders.VtexOrders"
)
# The class that tells which orders changed, and what they are, for earning (the same module).
LOYALTY_ORDER_FEED = env.str("LOYALTY_ORDER_FEED", default="giftcard_provider.vtex.feed.VtexFeed")

# Who is told, once for each incident, of work that failed or is late and of books that are wrong.
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])

# --- The protocol --------------------------------------------------------------------------------

# The path below which VTEX calls us; at least one segment, since the Hub glues paths to the URL.
GIFTCARD_PROVIDER_MOUNT = env.str("GIFTCARD_PROVIDER_MOUNT", default="vtex").strip("/")
# Wrong codes that one shopper and cart may type within the window before searches answer nothing.
GIFTCARD_PROVIDER_WRONG_CODES = env.int("GIFTCARD_PROVIDER_WRONG_CODES", default=10)
GIFTCARD_PROVIDER_WRONG_CODES_WINDOW = timedelta(minutes=15)

# Calls a second that a process serves for one credential, on average over ten seconds.
CREDENTIAL_CALLS_PER_SECOND = env.int("CREDENTIAL_CALLS_PER_SECOND", default=300)

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "giftcard_provider.openapi.ProtocolSchema",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_AUTHENTICATION_CLASSES": ["giftcard_provider.authentication.CredentialAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["giftcard_provider.parsers.ProtocolParser"],
    "DEFAULT_RENDERER_CLASSES": ["giftcard_provider.renderers.ProtocolRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "giftcard_provider.renderers.AnyMediaType",
    "EXCEPTION_HANDLER": "giftcard_provider.exceptions.exception_handler",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# Imports hold codes and people: uploaded files never touch the disk.
FILE_UPLOAD_HANDLERS = ["loyalty.admin.uploads.InMemoryUpload"]

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

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # refuses who is locked out
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL, LOGIN_REDIRECT_URL = "admin:login", "admin:index"

# One-time passwords for whoever can move money; false only on a workstation.
STAFF_TOTP_REQUIRED = env.bool("STAFF_TOTP_REQUIRED", default=True)
OTP_TOTP_ISSUER = "Gift cards and credit"

# Proxies of ours in front: so many addresses at the end of X-Forwarded-For are to be believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

# Wrong passwords of one person from one address, and how long the two are locked out for them.
AXES_FAILURE_LIMIT = env.int("STAFF_LOCKOUT_FAILURES", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("STAFF_LOCKOUT_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "loyalty.sign_in.lockout.page"
AXES_CLIENT_IP_CALLABLE = "loyalty.sign_in.address.client_address"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit trail has it
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "token"]

# A session without a click, and in all; the cookie goes with the browser.
STAFF_IDLE_LIMIT = timedelta(minutes=env.int("STAFF_IDLE_MINUTES", default=30))
STAFF_SESSION_LIMIT = timedelta(hours=env.int("STAFF_SESSION_HOURS", default=10))
SESSION_COOKIE_AGE = int(STAFF_SESSION_LIMIT.total_seconds())
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

# --- Personal data --------------------------------------------------------------------------------

# Days that files of imports which nobody applied, and failures to sign in, are kept.
RETENTION_IMPORT_DAYS = env.int("RETENTION_IMPORT_DAYS", default=30)
RETENTION_SIGN_IN_DAYS = env.int("RETENTION_SIGN_IN_DAYS", default=30)
# Days that calls which got nothing are kept, and how many of them a process keeps in a minute: of
# each store, and of all without valid credentials together.
RETENTION_FAILED_CALL_DAYS = env.int("RETENTION_FAILED_CALL_DAYS", default=30)
FAILED_CALLS_PER_MINUTE = env.int("FAILED_CALLS_PER_MINUTE", default=60)

# --- Messages ------------------------------------------------------------------------------------

# Where e-mail goes: smtp+tls://user:password@host:587. Without it messages wait.
EMAIL_IS_SET_UP = bool(env.str("EMAIL_URL", default=""))
_email = env.email_url("EMAIL_URL", default="dummymail://")
# SMTP by a client that knows when nobody can know whether a message was accepted.
EMAIL_BACKEND = _email["EMAIL_BACKEND"].replace(
    "django.core.mail.backends.smtp.EmailBackend", "loyalty.notifications.smtp.Backend"
)
EMAIL_USE_TLS, EMAIL_USE_SSL = (bool(_email.get(f"EMAIL_USE_{name}")) for name in ("TLS", "SSL"))
EMAIL_HOST = _email["EMAIL_HOST"] or "localhost"
EMAIL_PORT = _email["EMAIL_PORT"] or (587 if EMAIL_USE_TLS else 465 if EMAIL_USE_SSL else 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (
    _email[f"EMAIL_HOST_{name}"] or "" for name in ("USER", "PASSWORD")
)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="")
# Where customers reach this installation: links in messages begin with it.
PUBLIC_URL = env.str("PUBLIC_URL", default="")

# --- Cookies, transport, policy -------------------------------------------------------------------

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
