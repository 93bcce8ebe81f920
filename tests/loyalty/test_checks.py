import base64
import importlib.util
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.checks import CheckMessage, registry, run_checks
from django.db import connection
from pytest_django import Settings

from loyalty import checks, roles

OLD, NEW = (base64.b64encode(bytes(range(start, start + 32))).decode() for start in (1, 101))
CONSOLE = "django.core.mail.backends.console.EmailBackend"
RANDOM_SECRET = "abcdefghij" * 5


def ids(problems: list[CheckMessage]) -> list[str | None]:
    return [problem.id for problem in problems]


def test_finds_nothing_wrong_with_this_project() -> None:
    ours = [problem for problem in run_checks() if (problem.id or "").startswith("loyalty.")]

    assert ours == []


@pytest.mark.parametrize(
    "check",
    [
        checks.check_code_keys,
        checks.check_databases,
        checks.check_driver,
        checks.check_durability,
        checks.check_limits,
        checks.check_mail_server,
        checks.check_messages,
        checks.check_roles,
        checks.check_secrets,
    ],
)
def test_registers(check: object) -> None:
    assert check in registry.registry.get_checks(include_deployment_checks=True)


def test_asks_for_secrets_only_before_a_deployment() -> None:
    assert checks.check_secrets not in registry.registry.get_checks()


def test_lists_every_id_in_the_table_of_the_module() -> None:
    documented = re.findall(r"^\| loyalty\.[EW](\d{3}) \|", checks.__doc__ or "", re.MULTILINE)

    assert documented == [f"{number:03}" for number in range(1, 22)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param([NEW], [], id="one"),
        pytest.param([NEW, OLD], [], id="the current and the previous one"),
        pytest.param([], ["loyalty.E001"], id="none"),
        pytest.param([NEW, OLD, NEW], ["loyalty.E001"], id="three"),
        pytest.param([""], ["loyalty.E002"], id="an empty one"),
        pytest.param(["secret"], ["loyalty.E002"], id="a word"),
        pytest.param([NEW[:-4]], ["loyalty.E002"], id="a short one"),
        pytest.param([NEW, f"{OLD}*"], ["loyalty.E002"], id="a previous one with a typo"),
        pytest.param(["x", "y"], ["loyalty.E002", "loyalty.E002"], id="two wrong ones"),
        pytest.param([NEW, NEW], ["loyalty.E003"], id="the same twice"),
    ],
)
def test_looks_at_the_code_keys(settings: Settings, keys: list[str], expected: list[str]) -> None:
    settings.LOYALTY_CODE_KEYS = keys

    assert ids(checks.check_code_keys()) == expected


def test_never_repeats_a_key_in_a_message(settings: Settings) -> None:
    settings.LOYALTY_CODE_KEYS = ["hunter2", "hunter2"]

    messages = [str(problem) for problem in (*checks.check_code_keys(), *checks.check_secrets())]

    assert messages
    assert not any("hunter2" in message for message in messages)


def test_refuses_a_transaction_around_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    assert ids(checks.check_databases()) == ["loyalty.E004"]


def test_refuses_another_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")

    assert ids(checks.check_databases()) == ["loyalty.E005"]
    assert checks.check_durability(databases=["default"]) == []


def test_refuses_the_other_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)

    assert ids(checks.check_driver()) == ["loyalty.E006"]


@pytest.mark.django_db
def test_refuses_a_database_that_may_forget(settings: Settings) -> None:
    settings.DEVELOPMENT = False

    problems = checks.check_durability(databases=["default"])

    # The tests' own server is one.
    assert ids(problems) == ["loyalty.E007", "loyalty.E007"]
    assert [problem.msg for problem in problems] == [
        'fsync is off in the database "default".',
        'full_page_writes is off in the database "default".',
    ]


@pytest.mark.django_db
def test_refuses_a_role_that_does_not_wait_for_its_commits(settings: Settings) -> None:
    settings.DEVELOPMENT = False
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")

    problems = checks.check_durability(databases=["default"])

    assert problems[-1].msg == 'synchronous_commit is off in the database "default".'
    assert len(problems) == 3


@pytest.mark.django_db
@pytest.mark.parametrize("level", ["on", "local", "remote_write", "remote_apply"])
def test_accepts_every_commit_that_is_on_disk(settings: Settings, level: str) -> None:
    settings.DEVELOPMENT = False
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL synchronous_commit = {level}")

    problems = checks.check_durability(databases=["default"])

    assert not any("synchronous_commit" in problem.msg for problem in problems)


@pytest.mark.django_db
def test_only_warns_on_a_workstation(settings: Settings) -> None:
    settings.DEVELOPMENT = True

    problems = checks.check_durability(databases=["default"])

    assert ids(problems) == ["loyalty.W007", "loyalty.W007"]


def test_connects_to_no_database_that_it_was_not_asked_about() -> None:
    assert checks.check_durability() == []
    assert checks.check_durability(databases=[]) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="good ones"),
        pytest.param(
            {"LOYALTY_CODE_KEYS": [base64.b64encode(b"0123456789" * 3 + b"01").decode()]},
            ["loyalty.E008"],
            id="a code key typed by hand",
        ),
        pytest.param(
            {"LOYALTY_CODE_KEYS": [NEW, base64.b64encode(bytes(32)).decode()]},
            ["loyalty.E008"],
            id="a previous code key of zeros",
        ),
        pytest.param({"LOYALTY_CODE_KEYS": ["short"]}, [], id="no key at all is another check"),
        pytest.param({"SECRET_KEY": "x"}, ["loyalty.E009"], id="a short secret"),
        pytest.param({"SECRET_KEY": "ab" * 50}, ["loyalty.E009"], id="a secret of two letters"),
        pytest.param(
            {"SECRET_KEY_FALLBACKS": ["short"]}, ["loyalty.E009"], id="a short earlier secret"
        ),
        pytest.param({"DEBUG": True}, ["loyalty.E010"], id="DEBUG"),
        pytest.param(
            {"STAFF_TOTP_REQUIRED": False}, ["loyalty.E011"], id="a password alone for money"
        ),
        pytest.param(
            {"STAFF_TOTP_REQUIRED": False, "DEVELOPMENT": True},
            [],
            id="a password alone on a workstation",
        ),
    ],
)
def test_refuses_to_deploy_with(
    settings: Settings, changes: dict[str, object], expected: list[str]
) -> None:
    good = {
        "SECRET_KEY": RANDOM_SECRET,
        "LOYALTY_CODE_KEYS": [NEW, OLD],
        "DEBUG": False,
        "DEVELOPMENT": False,
        "STAFF_TOTP_REQUIRED": True,
    }
    for name, value in (good | changes).items():
        setattr(settings, name, value)

    assert ids(checks.check_secrets()) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAFF_IDLE_LIMIT", timedelta(0)),
        ("STAFF_SESSION_LIMIT", timedelta(hours=-1)),
        ("AXES_FAILURE_LIMIT", 0),
        ("AXES_COOLOFF_TIME", timedelta(0)),
        ("RETENTION_IMPORT_DAYS", 0),
        ("RETENTION_SIGN_IN_DAYS", -1),
        ("TRUSTED_PROXIES", -1),
    ],
)
def test_refuses_limits_that_make_no_sense(settings: Settings, name: str, value: object) -> None:
    assert checks.check_limits() == []

    setattr(settings, name, value)

    assert ids(checks.check_limits()) == ["loyalty.E012"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="all is well"),
        pytest.param({"EMAIL_IS_SET_UP": False, "PUBLIC_URL": ""}, [], id="nothing is sent"),
        pytest.param({"DEFAULT_FROM_EMAIL": ""}, ["loyalty.E015"], id="nobody sends"),
        pytest.param({"DEFAULT_FROM_EMAIL": "Casa <a@b.example>"}, ["loyalty.E015"], id="a name"),
        pytest.param({"PUBLIC_URL": ""}, ["loyalty.E016"], id="links lead nowhere"),
        pytest.param({"PUBLIC_URL": "http://a.example"}, ["loyalty.E016"], id="plain http"),
        pytest.param({"PUBLIC_URL": "https://a.example?x"}, ["loyalty.E016"], id="no place"),
        pytest.param(
            {"PUBLIC_URL": "http://127.0.0.1:8000", "DEVELOPMENT": True}, [], id="a workstation"
        ),
    ],
)
def test_asks_whoever_sends_messages_for_a_sender_and_an_address(
    settings: Settings, changes: dict[str, object], expected: list[str]
) -> None:
    good = {
        "EMAIL_IS_SET_UP": True,
        "DEFAULT_FROM_EMAIL": "credit@store.example",
        "PUBLIC_URL": "https://credit.example/shop",
        "DEVELOPMENT": False,
    }
    for name, value in (good | changes).items():
        setattr(settings, name, value)

    assert ids(checks.check_messages()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="STARTTLS"),
        pytest.param({"EMAIL_USE_TLS": False, "EMAIL_USE_SSL": True}, [], id="TLS"),
        pytest.param({"EMAIL_USE_TLS": False}, ["loyalty.W017"], id="neither"),
        pytest.param({"EMAIL_BACKEND": CONSOLE}, ["loyalty.E014"], id="the log"),
        pytest.param({"EMAIL_BACKEND": CONSOLE, "DEVELOPMENT": True}, [], id="a workstation"),
        pytest.param({"EMAIL_BACKEND": CONSOLE, "EMAIL_IS_SET_UP": False}, [], id="not sent"),
    ],
)
def test_messages_travel_by_a_mail_server_and_unread(
    settings: Settings, changes: dict[str, object], expected: list[str]
) -> None:
    good = {
        "EMAIL_IS_SET_UP": True,
        "EMAIL_BACKEND": "loyalty.notifications.smtp.Backend",
        "EMAIL_USE_TLS": True,
        "EMAIL_USE_SSL": False,
        "DEVELOPMENT": False,
    }
    for name, value in (good | changes).items():
        setattr(settings, name, value)

    assert ids(checks.check_mail_server()) == expected


@pytest.mark.django_db
def test_warns_of_roles_that_are_not_as_in_the_code() -> None:
    assert ids(checks.check_roles(databases=["default"])) == ["loyalty.W013"] * 5
    assert checks.check_roles() == []

    roles.sync()
    assert checks.check_roles(databases=["default"]) == []

    Group.objects.get(name="Viewer").permissions.clear()
    [warning] = checks.check_roles(databases=["default"])
    assert "Viewer" in warning.msg


@pytest.mark.django_db
def test_says_nothing_of_roles_before_there_is_a_table_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", list)

    assert checks.check_roles(databases=["default"]) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="nobody"),
        pytest.param({"METRICS_TOKEN": "k3Jd9sLq2mZx7Vb4Tn8wRc5y"}, [], id="a long token"),
        pytest.param({"METRICS_TOKEN": "prometheus"}, ["loyalty.E019"], id="a short token"),
        pytest.param({"METRICS_TOKEN": "x" * 40}, ["loyalty.E019"], id="one letter"),
        pytest.param({"METRICS_NETWORKS": ["10.1.0.0/16", "fd00::/8"]}, [], id="networks"),
        pytest.param({"METRICS_NETWORKS": ["10.1.0.1/16"]}, ["loyalty.E020"], id="no network"),
        pytest.param({"METRICS_NETWORKS": ["0.0.0.0/0"]}, ["loyalty.E020"], id="everybody"),
        pytest.param({"METRICS_NETWORKS": ["::/0", "x"]}, ["loyalty.E020"] * 2, id="two mistakes"),
    ],
)
def test_metrics_are_for_whoever_operates_it(
    settings: Settings, changes: dict[str, object], expected: list[str]
) -> None:
    for name, value in ({"METRICS_TOKEN": "", "METRICS_NETWORKS": []} | changes).items():
        setattr(settings, name, value)

    assert ids(checks.check_metrics()) == expected


@pytest.mark.parametrize(
    ("networks", "proxies", "expected"),
    [
        (["127.0.0.0/8"], 0, ["loyalty.W021"]),
        (["::1/128"], 0, ["loyalty.W021"]),
        (["127.0.0.0/8"], 1, []),
        (["10.1.0.0/16"], 0, []),
        (["x"], 0, []),
    ],
)
def test_this_machine_is_not_trusted_with_metrics_when_a_proxy_may_be_on_it(
    settings: Settings, networks: list[str], proxies: int, expected: list[str]
) -> None:
    settings.METRICS_NETWORKS, settings.TRUSTED_PROXIES = networks, proxies

    assert ids(checks.check_metrics_behind_a_proxy()) == expected
