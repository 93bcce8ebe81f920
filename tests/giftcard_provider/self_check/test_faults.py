"""The self-check against a provider that is right, and against the same with one fault each."""

from decimal import Decimal

import pytest

from giftcard_provider.self_check import BY_ID, CHECKS, Report, Target, Verdict, cards, told
from giftcard_provider.self_check.run import check_provider
from tests.giftcard_provider.self_check.faults import FAULTS
from tests.giftcard_provider.self_check.provider import Provider


def target(provider: Provider) -> Target:
    return Target(
        url=provider.url,
        app_key=provider.app_key,
        app_token=provider.app_token,
        card_id=provider.card_id,
        code=provider.code,
        email=provider.email,
        profile_id="profile-1",
    )


def failures(report: Report) -> dict[str, str]:
    return {
        result.check_id: told(result.reason, result.values)
        for result in report.results
        if result.verdict == Verdict.FAILED
    }


def test_a_right_provider_passes_every_check() -> None:
    with Provider() as provider:
        report = check_provider(target(provider))

    assert failures(report) == {}
    assert report.count(Verdict.PASSED) == len(CHECKS)
    assert (report.before, report.after) == (Decimal("20.00"), Decimal("20.00"))
    assert provider.balance == Decimal("20.00")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "SECONDS", 0.25)

    with Provider(fault) as provider:
        found = failures(check_provider(target(provider)))

    assert FAULTS[fault] in found
    assert found[FAULTS[fault]]


def test_every_check_finds_a_fault() -> None:
    assert set(BY_ID) == set(FAULTS.values())
