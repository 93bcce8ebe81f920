"""What must be true before the ledger may run: `manage.py check`, and gunicorn before it serves.

| id | what is wrong |
|---|---|
| loyalty.E001 | `LOYALTY_CODE_KEYS` is empty or holds more than the current and the previous key |
| loyalty.E002 | a code key is not 32 bytes in base64 |
| loyalty.E003 | the same code key twice: the previous one would never be rotated out |
| loyalty.E004 | `ATOMIC_REQUESTS`: the end of a request would commit the money, not the verb |
| loyalty.E005 | another database than PostgreSQL |
| loyalty.E006 | psycopg 3 is importable: Django would silently take it in place of psycopg2 |
| loyalty.E007 | the database may lose what it has committed (W007 where `DEVELOPMENT` is set) |
| loyalty.E008 | with `--deploy`: a code key that nobody drew at random |
| loyalty.E009 | with `--deploy`: `SECRET_KEY` or one of its fallbacks is short or made up |
| loyalty.E010 | with `--deploy`: `DEBUG` |
| loyalty.E011 | with `--deploy`: one-time passwords are not required of those who move money |
| loyalty.E012 | a limit of sessions, lockout or retention, or a number of proxies, is too small |
| loyalty.W013 | with `--database`: the groups of the roles are not as `loyalty.roles` has them |
| loyalty.E014 | with `--deploy`: `EMAIL_URL` prints messages, and codes in them, to the log |
| loyalty.E015 | messages are sent (`EMAIL_URL`), and `EMAIL_FROM` is no address to send them from |
| loyalty.E016 | messages are sent, and `PUBLIC_URL` is no address for their links |
| loyalty.W017 | with `--deploy`: messages travel to the mail server without TLS |
| loyalty.W018 | with `--deploy`: `ALERT_EMAILS` is empty or holds what is no address |
| loyalty.E019 | `METRICS_TOKEN` can be guessed |
| loyalty.E020 | `METRICS_NETWORKS` holds something that is no network, or is everybody |
| loyalty.W021 | with `--deploy`: `METRICS_NETWORKS` trusts this machine, and a proxy may be on it |
"""

import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's own name
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connections

from loyalty import codes

MAX_KEYS = 2
# 32 random bytes hold 30 different ones on average, and fewer than 20 in one key of 10^9.
_RANDOM_BYTES = 20
_SECRET_LENGTH, _SECRET_SYMBOLS = 50, 5
_TOKEN_LENGTH = 24
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


def check_code_keys(**_: Any) -> list[CheckMessage]:
    """The keys of the redemption codes: one or two, whole, different."""
    keys = list(settings.LOYALTY_CODE_KEYS)
    if not 0 < len(keys) <= MAX_KEYS:
        return [
            Error(
                f"LOYALTY_CODE_KEYS holds {len(keys)} keys.",
                hint="The current key and, while it is being rotated out, the previous one.",
                id="loyalty.E001",
            )
        ]
    masters = []
    problems: list[CheckMessage] = []
    for place, key in enumerate(keys, start=1):
        try:
            masters.append(codes.master_key(key))
        except ValueError:
            problems.append(
                Error(
                    f"Key {place} of LOYALTY_CODE_KEYS is not 32 bytes in base64.",
                    hint="Draw one: openssl rand -base64 32",
                    id="loyalty.E002",
                )
            )
    if len(set(masters)) < len(masters):
        problems.append(
            Error(
                "LOYALTY_CODE_KEYS holds the same key twice.",
                hint="The new key comes first, the previous one second.",
                id="loyalty.E003",
            )
        )
    return problems


def check_databases(**_: Any) -> list[CheckMessage]:
    """PostgreSQL, and no transaction around requests."""
    problems: list[CheckMessage] = []
    for alias in connections:
        if connections[alias].settings_dict["ATOMIC_REQUESTS"]:
            problems.append(
                Error(
                    f'ATOMIC_REQUESTS is on for the database "{alias}".',
                    hint="An answer could leave before its money is committed; turn it off.",
                    id="loyalty.E004",
                )
            )
        if connections[alias].vendor != "postgresql":
            problems.append(
                Error(
                    f'The database "{alias}" is not PostgreSQL.',
                    hint="The ledger is written in PostgreSQL's SQL and relies on its locks.",
                    id="loyalty.E005",
                )
            )
    return problems


def check_driver(**_: Any) -> list[CheckMessage]:
    """psycopg2 alone: the ledger sends two statements in one go, which psycopg 3 refuses."""
    if importlib.util.find_spec("psycopg") is None:
        return []
    return [
        Error(
            "psycopg 3 is installed, and Django prefers it to psycopg2.",
            hint="pip uninstall psycopg psycopg-binary",
            id="loyalty.E006",
        )
    ]


def check_durability(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """A committed amount survives a power cut: the server is asked, on a connection of ours."""
    problems: list[CheckMessage] = []
    for alias in databases or ():
        if connections[alias].vendor != "postgresql":
            continue
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'"
                " ORDER BY name",
                [list(_DURABLE)],
            )
            weak = [name for (name,) in cursor.fetchall()]
        kind, letter = (Warning, "W") if settings.DEVELOPMENT else (Error, "E")
        problems += (
            kind(
                f'{name} is off in the database "{alias}".',
                hint="A crash could lose amounts that were answered as moved.",
                id=f"loyalty.{letter}007",
            )
            for name in weak
        )
    return problems


def check_secrets(**_: Any) -> list[CheckMessage]:
    """Settings that are good enough for a workstation only."""
    problems: list[CheckMessage] = []
    for place, key in enumerate(settings.LOYALTY_CODE_KEYS, start=1):
        with suppress(ValueError):  # E002
            if len(set(codes.master_key(key))) < _RANDOM_BYTES:
                problems.append(
                    Error(
                        f"Key {place} of LOYALTY_CODE_KEYS does not look random.",
                        hint="Draw one: openssl rand -base64 32",
                        id="loyalty.E008",
                    )
                )
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if any(len(key) < _SECRET_LENGTH or len(set(key)) < _SECRET_SYMBOLS for key in secrets):
        problems.append(
            Error(
                "SECRET_KEY, or one of SECRET_KEY_FALLBACKS, can be guessed.",
                hint="At least 50 random characters: openssl rand -base64 48",
                id="loyalty.E009",
            )
        )
    if not (settings.STAFF_TOTP_REQUIRED or settings.DEVELOPMENT):
        problems.append(
            Error(
                "STAFF_TOTP_REQUIRED is false.",
                hint="A password alone would be enough to move money.",
                id="loyalty.E011",
            )
        )
    if settings.DEBUG:
        problems.append(
            Error(
                "DEBUG is on.",
                hint="Its error pages show settings and amounts to everybody.",
                id="loyalty.E010",
            )
        )
    return problems


def check_alerts(**_: Any) -> list[CheckMessage]:
    """Somebody has to learn that the work stands still, and not only who looks."""
    wrong = []
    for address in settings.ALERT_EMAILS:
        try:
            validate_email(address)
        except ValidationError:
            wrong.append(address)
    if settings.ALERT_EMAILS and not wrong:
        return []
    return [
        Warning(
            f"ALERT_EMAILS holds {len(wrong)} that are no addresses."
            if wrong
            else "ALERT_EMAILS is empty: nobody is told of work that failed or is late.",
            hint="Addresses of the people who operate this, comma separated.",
            id="loyalty.W018",
        )
    ]


def check_limits(**_: Any) -> list[CheckMessage]:
    """Numbers that make sense: an idle limit of 0 would let nobody in, a lockout of 0 everybody."""
    positive = {
        "STAFF_IDLE_MINUTES": settings.STAFF_IDLE_LIMIT.total_seconds(),
        "STAFF_SESSION_HOURS": settings.STAFF_SESSION_LIMIT.total_seconds(),
        "STAFF_LOCKOUT_FAILURES": settings.AXES_FAILURE_LIMIT,
        "STAFF_LOCKOUT_MINUTES": settings.AXES_COOLOFF_TIME.total_seconds(),
        "RETENTION_IMPORT_DAYS": settings.RETENTION_IMPORT_DAYS,
        "RETENTION_SIGN_IN_DAYS": settings.RETENTION_SIGN_IN_DAYS,
        "RETENTION_FAILED_CALL_DAYS": settings.RETENTION_FAILED_CALL_DAYS,
        "FAILED_CALLS_PER_MINUTE": settings.FAILED_CALLS_PER_MINUTE,
        "TRUSTED_PROXIES": settings.TRUSTED_PROXIES + 1,
    }
    return [
        Error(f"{name} is too small.", hint="See docs/operations.md.", id="loyalty.E012")
        for name, value in positive.items()
        if value < 1
    ]


def check_messages(**_: Any) -> list[CheckMessage]:
    """Where messages are sent, they name a sender, and their links lead somewhere."""
    if not settings.EMAIL_IS_SET_UP:
        return []
    problems: list[CheckMessage] = []
    try:
        validate_email(settings.DEFAULT_FROM_EMAIL)
    except ValidationError:
        problems.append(
            Error(
                "EMAIL_FROM is not an e-mail address.",
                hint="The address that customers see, such as credit@store.example.",
                id="loyalty.E015",
            )
        )
    address = urlsplit(settings.PUBLIC_URL)
    schemes = {"https", "http"} if settings.DEVELOPMENT else {"https"}
    if address.scheme not in schemes or not address.hostname or address.query:
        problems.append(
            Error(
                "PUBLIC_URL is not an https address.",
                hint="Where customers reach this installation, such as https://credit.store.example.",
                id="loyalty.E016",
            )
        )
    return problems


def check_mail_server(**_: Any) -> list[CheckMessage]:
    """Codes and addresses are nobody's business on their way to the mail server."""
    if not settings.EMAIL_IS_SET_UP or settings.DEVELOPMENT:
        return []
    if settings.EMAIL_BACKEND != "loyalty.notifications.smtp.Backend":
        return [
            Error(
                "EMAIL_URL names no mail server.",
                hint="smtp+tls://user:password@host:587; leave it out to send nothing.",
                id="loyalty.E014",
            )
        ]
    if not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
        return [
            Warning(
                "EMAIL_URL is without TLS.",
                hint="smtp+tls:// (STARTTLS) or smtp+ssl://, unless the server is on this machine.",
                id="loyalty.W017",
            )
        ]
    return []


def check_metrics(**_: Any) -> list[CheckMessage]:
    """What an installation earns and loses is for whoever operates it."""
    problems: list[CheckMessage] = []
    token = settings.METRICS_TOKEN
    if token and (len(token) < _TOKEN_LENGTH or len(set(token)) < _SECRET_SYMBOLS):
        problems.append(
            Error(
                "METRICS_TOKEN can be guessed.",
                hint="At least 24 random characters: openssl rand -base64 24",
                id="loyalty.E019",
            )
        )
    for given in settings.METRICS_NETWORKS:
        with suppress(ValueError):
            if ip_network(given).prefixlen:
                continue
        problems.append(
            Error(
                f"METRICS_NETWORKS: {given} is no network, or is everybody.",
                hint="The network of your Prometheus, as in 10.1.0.0/16.",
                id="loyalty.E020",
            )
        )
    return problems


def check_metrics_behind_a_proxy(**_: Any) -> list[CheckMessage]:
    """Whoever comes through a proxy on this machine seems to call from this machine."""
    with suppress(ValueError):
        loopback = any(ip_network(each).is_loopback for each in settings.METRICS_NETWORKS)
        if loopback and not settings.TRUSTED_PROXIES:
            return [
                Warning(
                    "METRICS_NETWORKS trusts this machine.",
                    hint="With a proxy on it everybody would see /metrics: set TRUSTED_PROXIES, or"
                    " use METRICS_TOKEN.",
                    id="loyalty.W021",
                )
            ]
    return []


def check_roles(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The roles in the database are those of the code, once there is a table for them."""
    from loyalty import roles  # noqa: PLC0415 - its models load after this module

    if "default" not in (databases or ()):
        return []
    if "auth_group" not in connections["default"].introspection.table_names():
        return []
    return [
        Warning(
            f"The role {difference.role} is not as loyalty.roles has it.",
            hint="manage.py sync_roles",
            id="loyalty.W013",
        )
        for difference in roles.differences()
    ]
