"""Self-tests from the back office: started there, run by a worker, kept with every verdict."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from giftcard_provider import self_check
from giftcard_provider.models import Credential, HubChange, SelfTest
from giftcard_provider.self_check import Report, Result, Target, Verdict
from loyalty import jobs
from loyalty.models import AuditEvent, GiftCard, Job, Store
from loyalty.sign_in.confirmation import CONFIRMED_AT
from tests.builders import make_card, make_customer, make_program, make_store
from tests.loyalty.admin.conftest import confirm_password
from tests.loyalty.staff import make_staff

URL = "https://credit.example.com/vtex"
FAILED = Result(
    "card.fields", Verdict.FAILED, "missing", {"call": "GET giftcards/{id}", "name": "balance"}, 0.1
)
PASSED = Result("search.by_code", Verdict.PASSED, "", {}, 0.1)
SKIPPED = Result("wallet.once", Verdict.SKIPPED, "no_profile", {}, 0.0)


@pytest.fixture
def store(db: None) -> Store:
    return make_store()


@pytest.fixture
def card(store: Store) -> GiftCard:
    owner = make_customer(store, email="ana@example.com", document="52998224725")
    return make_card(make_program(store), balance=1000, owner=owner)


@pytest.fixture
def person(db: None) -> User:
    return make_staff("view_store", "view_selftest", "add_selftest", "view_job")


@pytest.fixture
def client(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    confirm_password(client)
    return client


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Target, bool]]:
    """What the self-check was asked for, and whether its credential was good then."""
    found: list[tuple[Target, bool]] = []

    def check_provider(target: Target, *, seconds: float) -> Report:
        is_good = Credential.objects.caller(target.app_key, target.app_token) is not None
        found.append((target, is_good))
        assert seconds < jobs.LEASE.total_seconds()
        balance = Decimal("10.00")
        return Report(target.url, [PASSED, FAILED, SKIPPED], "BRL", balance, balance)

    monkeypatch.setattr(self_check, "check_provider", check_provider)
    return found


def page(store: Store) -> str:
    return reverse("admin:self_tests_of_store", args=[store.pk])


def start(client: Client, card: GiftCard, typed: str = "") -> SelfTest:
    data = {"service_url": URL, "card": typed or card.public_id}
    answer = client.post(page(card.store), data)
    assert answer.status_code == 302, answer.context["form"].errors
    return SelfTest.objects.order_by("-pk")[0]


def page_of(client: Client, test: SelfTest) -> Any:
    return client.get(reverse("admin:giftcard_provider_selftest_change", args=[test.pk]))


def shown(client: Client, test: SelfTest) -> str:
    return str(page_of(client, test).content.decode())


def test_a_worker_runs_it_with_a_credential_of_its_own(
    client: Client, card: GiftCard, asked: list[tuple[Target, bool]]
) -> None:
    test = start(client, card)
    assert not asked

    assert jobs.run_next(jobs.provided())

    ((target, was_good),) = asked
    assert was_good
    assert Credential.objects.caller(target.app_key, target.app_token) is None
    assert (target.url, target.card_id, target.code) == (URL, card.public_id, card.code)
    assert (target.email, target.document) == ("ana@example.com", "52998224725")
    test.refresh_from_db()
    assert test.status == SelfTest.Status.FAILED


def test_shows_what_failed_first_with_reason_and_rule(
    client: Client, card: GiftCard, asked: list[tuple[Target, bool]]
) -> None:
    test = start(client, card)
    assert "A worker is at it" in shown(client, test)

    jobs.run_next(jobs.provided())

    text = shown(client, test)
    assert text.index("card.fields") < text.index("wallet.once") < text.index("search.by_code")
    assert "GET giftcards/{id}: &quot;balance&quot; is missing." in text
    assert "VTEX API reference: Gift Card Provider Protocol" in text
    assert "BRL 10.00 → 10.00" in text
    assert [number for _badge, number in page_of(client, test).context["counts"]] == [1, 1, 1]
    assert "A worker is at it" not in text
    listed = client.get(page(card.store)).content.decode()
    assert reverse("admin:giftcard_provider_selftest_change", args=[test.pk]) in listed


def test_verdicts_are_read_in_the_language_of_the_page(
    client: Client, card: GiftCard, asked: list[tuple[Target, bool]]
) -> None:
    test = start(client, card)
    jobs.run_next(jobs.provided())

    path = reverse("admin:giftcard_provider_selftest_change", args=[test.pk])
    text = client.get(path, headers={"accept-language": "pt-br"}).content.decode()

    assert "GET giftcards/{id}: falta &quot;balance&quot;." in text


def test_the_card_is_named_by_its_code_too(
    client: Client, card: GiftCard, asked: list[tuple[Target, bool]]
) -> None:
    test = start(client, card, typed=card.code.lower())

    assert test.card == card
    assert card.code not in shown(client, test)
    assert card.code not in client.get(page(card.store)).content.decode()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"card": "nothing"}, "The store has no card of this id or code."),
        ({"service_url": "ftp://h/vtex"}, "This is no http address."),
        ({"service_url": "https://h/vtex?x=1"}, "This is no http address."),
    ],
    ids=["no card", "no http", "a query"],
)
def test_refuses_what_makes_no_sense(
    changes: dict[str, str], error: str, client: Client, card: GiftCard
) -> None:
    data = {"service_url": URL, "card": card.public_id} | changes

    answer = client.post(page(card.store), data)

    assert error in answer.content.decode()
    assert not SelfTest.objects.exists()
    assert not Job.objects.exists()


def test_refuses_cards_of_others_and_for_one_purchase(client: Client, store: Store) -> None:
    foreign = make_card(balance=1000)
    single = make_card(make_program(store), balance=1000, is_reusable=False)

    for card, error in ((foreign, "The store has no card"), (single, "for one purchase")):
        data = {"service_url": URL, "card": card.public_id}
        assert error in client.post(page(store), data).content.decode()
    assert not SelfTest.objects.exists()


def test_proposes_the_address_that_was_registered(client: Client, store: Store) -> None:
    HubChange.objects.create(
        store=store,
        kind=HubChange.Kind.REGISTER,
        provider_id="ourcredit",
        service_url=URL,
        status=HubChange.Status.DONE,
    )

    assert client.get(page(store)).context["form"].initial == {"service_url": URL}


def test_is_in_the_audit_trail(client: Client, card: GiftCard, person: User) -> None:
    test = start(client, card)

    event = AuditEvent.objects.get()
    assert (event.action, event.user, event.card) == ("self_tested", person, card)
    assert event.subject == f"giftcard_provider.selftest:{test.pk}"


def test_a_worker_that_died_leaves_no_credential_behind(
    client: Client, card: GiftCard, asked: list[tuple[Target, bool]]
) -> None:
    start(client, card)
    left, token = Credential.objects.issue(card.store)
    job = Job.objects.get()
    job.parameters["credential"] = left.pk
    job.save()

    jobs.run_next(jobs.provided())

    assert Credential.objects.caller(left.app_key, token) is None
    assert not Credential.objects.filter(is_active=True).exists()


def test_needs_the_permission_and_the_password(client: Client, card: GiftCard) -> None:
    session = client.session
    session[CONFIRMED_AT] = 0
    session.save()
    data = {"service_url": URL, "card": card.public_id}

    assert "/sign-in/password/" in client.post(page(card.store), data)["Location"]

    client.force_login(make_staff("view_selftest"))
    confirm_password(client)

    assert client.post(page(card.store), data).status_code == 403
    assert not SelfTest.objects.exists()
