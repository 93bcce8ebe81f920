"""Credentials in the back office: made, renewed, ended; a token is on one page, once."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext

from giftcard_provider.models import Credential
from loyalty import roles
from loyalty.models import AuditEvent
from loyalty.roles import Role
from loyalty.sign_in.confirmation import CONFIRMED_AT
from tests.builders import make_store
from tests.loyalty.admin.conftest import confirm_password

LIST = "/admin/giftcard_provider/credential/"
Make = Callable[[Role], Client]


@pytest.fixture
def somebody(db: None) -> Make:
    roles.sync()

    def client_of(role: Role) -> Client:
        user = User.objects.create_user(f"one-{role}", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        confirm_password(client)
        return client

    return client_of


@pytest.fixture
def administrator(somebody: Make) -> Client:
    return somebody(Role.ADMINISTRATOR)


@pytest.fixture
def issued(db: None) -> tuple[Credential, str]:
    return Credential.objects.issue(make_store())


def is_accepted(credential: Credential, token: str) -> bool:
    return Credential.objects.caller(credential.app_key, token) is not None


def step(credential: Credential, name: str) -> str:
    return f"{LIST}{credential.pk}/token/{name}/"


def events() -> list[tuple[Any, ...]]:
    rows = AuditEvent.objects.order_by("id")
    return list(rows.values_list("action", "user__username", "store__account", "after"))


def test_makes_a_credential_and_shows_its_token_once(administrator: Client) -> None:
    store = make_store()

    answer = administrator.post(f"{LIST}issue/", {"store": store.pk})

    credential, token = Credential.objects.get(), answer.context["token"]
    assert is_accepted(credential, token)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert answer.content.decode().count(token) == 1
    page = administrator.get(f"{LIST}{credential.pk}/change/")
    assert [name for name, _step in page.context["steps"]] == ["rotate", "revoke"]
    after = page.content.decode()
    assert token not in after + administrator.get(LIST).content.decode()
    for session in Session.objects.all():
        assert token not in str(session.get_decoded())
    assert token not in str(administrator.cookies)
    assert events() == [
        (
            *("credential_created", "one-Administrator", store.account),
            {"app_key": credential.app_key},
        )
    ]


def test_both_tokens_live_until_the_previous_one_is_ended(
    administrator: Client, issued: tuple[Credential, str]
) -> None:
    credential, first = issued
    assert (
        "stays valid until you end"
        in administrator.get(step(credential, "rotate")).content.decode()
    )

    second = administrator.post(step(credential, "rotate")).context["token"]

    assert (is_accepted(credential, first), is_accepted(credential, second)) == (True, True)

    answer = administrator.post(step(credential, "retire"))

    assert answer["Location"] == f"{LIST}{credential.pk}/change/"
    assert (is_accepted(credential, first), is_accepted(credential, second)) == (False, True)
    assert [action for action, *_ in events()] == ["credential_rotated", "credential_retired"]


def test_a_second_click_ends_no_token_that_is_in_use(
    administrator: Client, issued: tuple[Credential, str]
) -> None:
    credential, first = issued
    administrator.post(step(credential, "rotate"))

    again = administrator.post(step(credential, "rotate"), follow=True)

    assert "That is not possible any more." in again.content.decode()
    assert is_accepted(credential, first)
    assert len(events()) == 1


def test_a_lost_new_token_is_replaced_while_the_previous_one_goes_on(
    administrator: Client, issued: tuple[Credential, str]
) -> None:
    credential, first = issued
    lost = administrator.post(step(credential, "rotate")).context["token"]

    second = administrator.post(step(credential, "replace")).context["token"]

    accepted = [is_accepted(credential, token) for token in (first, lost, second)]
    assert accepted == [True, False, True]


def test_a_revoked_credential_is_refused_at_once_and_nothing_more_can_be_done(
    administrator: Client, issued: tuple[Credential, str]
) -> None:
    credential, token = issued

    administrator.post(step(credential, "revoke"))

    assert not is_accepted(credential, token)
    for name in ("rotate", "replace", "retire", "revoke"):
        assert administrator.get(step(credential, name)).status_code == 302
        assert administrator.post(step(credential, name)).status_code == 302
    assert administrator.get(f"{LIST}{credential.pk}/change/").context["steps"] == []
    assert [action for action, *_ in events()] == ["credential_revoked"]


def test_looking_at_a_step_does_nothing(
    administrator: Client, issued: tuple[Credential, str]
) -> None:
    credential, token = issued
    for name in ("rotate", "revoke"):
        assert administrator.get(step(credential, name)).status_code == 200

    assert is_accepted(credential, token)
    assert events() == []


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_only_administrators(role: Role, somebody: Make, issued: tuple[Credential, str]) -> None:
    credential, token = issued
    client = somebody(role)

    assert client.get(LIST).status_code == 403
    assert client.post(f"{LIST}issue/", {"store": credential.store_id}).status_code == 403
    for name in ("rotate", "replace", "retire", "revoke"):
        assert client.post(step(credential, name)).status_code == 403
    assert is_accepted(credential, token)
    assert Credential.objects.count() == 1


def test_asks_for_the_password_again(administrator: Client, issued: tuple[Credential, str]) -> None:
    credential, token = issued
    session = administrator.session
    del session[CONFIRMED_AT]
    session.save()

    answers = [
        administrator.post(f"{LIST}issue/", {"store": credential.store_id}),
        administrator.post(step(credential, "revoke")),
    ]

    assert {answer["Location"].split("?")[0] for answer in answers} == {"/admin/sign-in/password/"}
    assert is_accepted(credential, token)
    assert Credential.objects.count() == 1


def test_unknown_steps_and_credentials_are_not_found(
    administrator: Client, issued: tuple[Credential, str]
) -> None:
    credential, _token = issued

    assert administrator.post(step(credential, "fly")).status_code == 404
    assert administrator.get(f"{LIST}999999/token/rotate/").status_code == 404
    assert administrator.post(f"{LIST}999999/token/rotate/").status_code == 404


def test_the_day_of_the_last_use_is_noted_once_a_day(issued: tuple[Credential, str]) -> None:
    credential, token = issued
    with time_machine.travel("2026-03-02T23:59:00Z", tick=False) as clock:
        with CaptureQueriesContext(connection) as first:
            is_accepted(credential, token)
        with CaptureQueriesContext(connection) as second:
            is_accepted(credential, token)
        credential.refresh_from_db()
        assert credential.last_used_on == datetime.date(2026, 3, 2)
        clock.shift(datetime.timedelta(minutes=1))
        is_accepted(credential, token)

    credential.refresh_from_db()
    assert credential.last_used_on == datetime.date(2026, 3, 3)
    writes = [[q["sql"] for q in each if "UPDATE" in q["sql"]] for each in (first, second)]
    assert [len(each) for each in writes] == [1, 0]


def test_a_wrong_token_is_no_use(issued: tuple[Credential, str]) -> None:
    credential, _token = issued

    assert not is_accepted(credential, "wrong")

    credential.refresh_from_db()
    assert credential.last_used_on is None


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_still_recognizes_the_store(
    issued: tuple[Credential, str],
) -> None:
    credential, token = issued

    with atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        assert is_accepted(credential, token)

    credential.refresh_from_db()
    assert credential.last_used_on is None
