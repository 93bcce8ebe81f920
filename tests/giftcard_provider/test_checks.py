"""Settings with which the protocol would not work are refused before the first request."""

import datetime

import pytest
from django.core import checks
from pytest_django import Settings


def found() -> list[str]:
    """The ids of this application's findings."""
    return [
        str(message.id)
        for message in checks.run_checks()
        if str(message.id).startswith("giftcard_provider.")
    ]


def test_the_settings_of_the_project_are_right() -> None:
    assert found() == []


@pytest.mark.parametrize("mount", ["vtex", "loja/vtex", "VTEX-2_a", "a/b/c"])
def test_accepts_a_mount_of_plain_segments(settings: Settings, mount: str) -> None:
    settings.GIFTCARD_PROVIDER_MOUNT = mount

    assert found() == []


@pytest.mark.parametrize(
    "mount",
    ["", "/", "/vtex", "vtex/", "a//b", "a b", "çrédito", "a?b", "a#b", "a%20b", "<slug>", "a\n"],
)
def test_refuses_a_mount_that_vtex_could_not_call(settings: Settings, mount: str) -> None:
    settings.GIFTCARD_PROVIDER_MOUNT = mount

    assert found() == ["giftcard_provider.E001"]


@pytest.mark.parametrize(("limit", "seconds"), [(0, 900), (-1, 900), (10, 0), (10, -1), (0, 0)])
def test_refuses_limits_that_are_not_positive(settings: Settings, limit: int, seconds: int) -> None:
    settings.GIFTCARD_PROVIDER_WRONG_CODES = limit
    settings.GIFTCARD_PROVIDER_WRONG_CODES_WINDOW = datetime.timedelta(seconds=seconds)

    assert found() == ["giftcard_provider.E002"]


@pytest.mark.parametrize(("calls", "ids"), [(50, []), (49, ["giftcard_provider.E003"])])
def test_refuses_a_limit_of_calls_that_a_busy_store_would_meet(
    settings: Settings, calls: int, ids: list[str]
) -> None:
    settings.CREDENTIAL_CALLS_PER_SECOND = calls

    assert found() == ids
