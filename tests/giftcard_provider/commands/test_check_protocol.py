"""The self-check as a command: our own provider passes, and others are told what is wrong."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from giftcard_provider.models import Credential
from giftcard_provider.self_check import CHECKS
from loyalty.ledger.invariants import violations
from loyalty.models import Customer, GiftCard
from tests.builders import buckets, make_card, make_customer, make_program, make_store
from tests.giftcard_provider.commands.conftest import Ran
from tests.giftcard_provider.self_check.provider import Provider

Run = Callable[..., Ran]


@pytest.fixture
def owner(transactional_db: None) -> Customer:
    return make_customer(make_store(), email="ana@example.com", document="52998224725")


@pytest.fixture
def card(owner: Customer) -> GiftCard:
    return make_card(make_program(owner.store), balance=100_00, owner=owner)


@pytest.fixture
def ours(live_server: LiveServer, card: GiftCard) -> list[str]:
    credential, token = Credential.objects.issue(card.store)
    url = f"{live_server.url}/{settings.GIFTCARD_PROVIDER_MOUNT}"
    return ["check_protocol", url, "--app-key", credential.app_key, "--app-token", token]


def test_our_own_provider_passes_every_check(
    run: Run, ours: list[str], card: GiftCard, owner: Customer
) -> None:
    identity = ["--email", owner.email, "--document", owner.document, "--profile-id", "p-1"]

    ran = run(*ours, "--card", card.public_id, "--code", card.code, *identity)

    assert (ran.code, ran.err) == (0, ""), ran.out
    assert f"{len(CHECKS)} passed, 0 failed, 0 skipped." in ran.out
    assert "The test card holds BRL 100.00, as before." in ran.out
    assert buckets(card) == {"credited": 100_00, "available": 100_00}
    assert violations() == []


@pytest.fixture
def check(run: Run) -> Run:
    """The command against a provider in memory."""

    def check(provider: Provider, *words: str) -> Ran:
        credential = ["--app-key", provider.app_key, "--app-token", provider.app_token]
        return run("check_protocol", provider.url, *credential, *words)

    return check


def test_the_card_is_found_by_its_code_alone(check: Run) -> None:
    with Provider() as provider:
        ran = check(provider, "--code", provider.code)

    assert ran.code == 0
    skipped = {line.split()[1] for line in ran.out.splitlines() if line.startswith("skipped")}
    assert skipped == {"search.owner", "wallet.once"}


def test_without_the_code_what_needs_it_is_skipped(check: Run) -> None:
    with Provider() as provider:
        ran = check(provider, "--card", provider.card_id)

    assert ran.code == 0
    assert "skipped  search.by_code" in ran.out
    assert "Needs the test card's code." in ran.out


def test_a_failure_is_told_with_its_reason_and_rule(check: Run) -> None:
    with Provider("cancels_again") as provider:
        ran = check(provider, "--code", provider.code)

    assert ran.code == 1
    assert ran.err.startswith("Failed checks: ")
    lines = ran.out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if "repeats.cancellation " in line]
    assert lines[at].startswith("FAILED   repeats.cancellation        A cancellation sent again")
    assert "the repeated request got another" in lines[at + 1]
    assert "Rule: VTEX known issue 464837" in "\n".join(lines[at + 1 : at + 5])


def test_says_what_could_not_be_given_back(check: Run) -> None:
    with Provider("keeps_a_cent") as provider:
        ran = check(provider, "--code", provider.code)

    assert ran.code == 1
    assert "The test card held BRL 20.00 and holds 19.99 now." in ran.out
    assert "FAILED   end.balance" in ran.out


def test_an_address_where_nobody_answers_buys_nothing(run: Run) -> None:
    with Provider() as provider:
        url = provider.url

    ran = run("check_protocol", url, "--app-key", "k", "--app-token", "t", "--card", "c")

    assert ran.code == 1
    assert "GET giftcards/{id}: no answer (ConnectionError)." in ran.out
    assert f"0 passed, 1 failed, {len(CHECKS) - 1} skipped." in ran.out
    assert "No test card was found: nothing was bought." in ran.out


def test_says_when_the_balance_is_not_told_any_more(check: Run) -> None:
    with Provider("breaks_down") as provider:
        ran = check(provider, "--code", provider.code)

    assert ran.code == 1
    assert "The test card held BRL 20.00; nobody tells what it holds now." in ran.out
    assert "could not be given back" in ran.out


def test_a_card_with_too_little_is_left_alone(check: Run) -> None:
    with Provider() as provider:
        provider.balance = Decimal("0.39")
        ran = check(provider, "--card", provider.card_id)

    assert ran.code == 1
    assert "The test card holds 0.39; at least 0.40 is needed." in ran.out
    assert not provider.debits


def test_json_has_every_verdict_with_its_rule(check: Run) -> None:
    with Provider("one_link") as provider:
        ran = check(provider, "--code", provider.code, "--json")

    data = json.loads(ran.out)
    assert (data["failed"], data["balance_before"], data["balance_after"]) == (1, "20.00", "20.00")
    assert [row["check"] for row in data["results"]] == [check.id for check in CHECKS]
    (failed,) = [row for row in data["results"] if row["verdict"] == "failed"]
    assert failed["check"] == "card.fields"
    assert failed["message"] == 'GET giftcards/{id}: "transaction" is missing.'
    assert failed["rule"] == "GET of a card tells its id, balance and both links."
    assert failed["source"] == "VTEX API reference: Gift Card Provider Protocol"


def test_junit_has_every_check_as_a_case(check: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"

    with Provider("one_link") as provider:
        check(provider, "--code", provider.code, "--junit", str(report))

    suite = ElementTree.parse(report).getroot()  # noqa: S314 - we wrote it
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (
        str(len(CHECKS)),
        "1",
        "2",
    )
    assert len(suite.findall("testcase")) == len(CHECKS)
    failure = suite.find("testcase[@name='fields']/failure")
    assert failure is not None
    assert failure.get("message") == 'GET giftcards/{id}: "transaction" is missing.'


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["https://h/vtex"], "Name the test card: --card or --code."),
        (["ftp://h/vtex", "--card", "c"], "'ftp://h/vtex' is no http address."),
        (["h/vtex", "--card", "c"], "'h/vtex' is no http address."),
    ],
)
def test_says_in_one_line_what_is_wrong(words: list[str], error: str, run: Run) -> None:
    ran = run("check_protocol", *words, "--app-key", "k", "--app-token", "t")

    assert (ran.out, ran.err, ran.code) == ("", error, 2)


def test_the_secrets_are_not_in_the_output(check: Run) -> None:
    with Provider("key_only") as provider:
        provider.app_token = "a-very-secret-token"
        ran = check(provider, "--card", provider.card_id, "--code", provider.code)

    assert "a-very-secret-token" not in ran.out + ran.err
    assert provider.code not in ran.out + ran.err
