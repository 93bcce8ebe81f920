import datetime
import logging

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from loyalty.audit import Actor
from loyalty.models import AuditEvent
from loyalty.sign_in import lockout
from tests.loyalty.sign_in.conftest import PASSWORD, enrolled, events, token_of, type_password

ELSEWHERE = "198.51.100.7"


def fail(client: Client, user: User | str, times: int) -> list[int]:
    username = user if isinstance(user, str) else user.username
    data = {"username": username, "password": "wrong"}
    return [client.post("/admin/login/", data).status_code for _ in range(times)]


def test_the_fifth_wrong_password_locks_out_even_the_right_one(
    viewer: User, browser: Client
) -> None:
    assert fail(browser, viewer, 5) == [200, 200, 200, 200, 429]

    answer = type_password(browser, viewer)

    text = answer.content.decode()
    assert answer.status_code == 429
    assert "Try again in 15 minutes." in text
    assert "An administrator of this back office can unlock you." in text
    assert "_auth_user_id" not in browser.session
    assert events() == [*[("sign_in_failed", "viewer", "")] * 5, ("locked_out", "viewer", "")]


def test_the_lock_ends_by_itself_and_is_not_prolonged_by_more_tries(
    viewer: User, browser: Client
) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        fail(browser, viewer, 5)
        clock.shift(datetime.timedelta(minutes=14))
        assert "Try again in 1 minute." in type_password(browser, viewer).content.decode()

        clock.shift(datetime.timedelta(minutes=1, seconds=1))

        assert type_password(browser, viewer).status_code == 302


def test_others_and_other_addresses_are_not_locked_out(
    viewer: User, support: User, browser: Client
) -> None:
    fail(browser, viewer, 5)

    here = type_password(Client(), support)
    there = type_password(Client(REMOTE_ADDR=ELSEWHERE), viewer)

    assert (here.status_code, there.status_code) == (302, 302)


def test_the_right_password_forgives_the_wrong_ones(viewer: User, browser: Client) -> None:
    fail(browser, viewer, 4)
    assert type_password(browser, viewer).status_code == 302

    assert fail(Client(), viewer, 4) == [200] * 4


def test_another_browser_counts_too(viewer: User) -> None:
    first = Client(headers={"user-agent": "one"})
    second = Client(headers={"user-agent": "two"})

    assert fail(first, viewer, 3) + fail(second, viewer, 2) == [200, 200, 200, 200, 429]


def test_a_name_that_nobody_has_is_not_kept(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fail(browser, "my-password-typed-in-the-wrong-box", 5)

    assert events() == [*[("sign_in_failed", "", "")] * 5, ("locked_out", "", "")]
    assert "my-password" not in caplog.text
    assert lockout.locks() == []


def test_failures_name_where_they_came_from(viewer: User) -> None:
    fail(Client(REMOTE_ADDR=ELSEWHERE), viewer, 1)

    assert AuditEvent.objects.get().address == ELSEWHERE


def test_the_list_of_locks_names_person_address_and_end(viewer: User, support: User) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False):
        fail(Client(REMOTE_ADDR=ELSEWHERE), viewer, 5)
        fail(Client(), support, 4)

        [lock] = lockout.locks()

    assert (lock.user, lock.address) == (viewer, ELSEWHERE)
    assert lock.until == datetime.datetime(2026, 3, 2, 12, 15, tzinfo=datetime.UTC)


def test_unlocking_lets_in_at_once(viewer: User, support: User, browser: Client) -> None:
    fail(browser, viewer, 5)
    fail(Client(), support, 5)

    lockout.unlock(viewer, actor=Actor(support, "192.0.2.1"))

    assert type_password(browser, viewer).status_code == 302
    assert [lock.user for lock in lockout.locks()] == [support]
    event = AuditEvent.objects.get(action="unlocked")
    assert (event.user, event.subject) == (support, f"auth.user:{viewer.pk}")


def test_unlocking_ends_the_wait_after_wrong_digits(
    support: User, viewer: User, browser: Client
) -> None:
    device, _ = enrolled(support)
    type_password(browser, support)
    browser.post("/admin/sign-in/verify/", {"token": "000000"})

    lockout.unlock(support, actor=Actor(viewer))

    answer = browser.post("/admin/sign-in/verify/", {"token": token_of(device)})
    assert answer.status_code == 302


def test_guessing_the_password_again_locks_out_too(viewer: User, browser: Client) -> None:
    type_password(browser, viewer)

    answers = [browser.post("/admin/sign-in/password/", {"password": "wrong"}) for _ in range(5)]
    right = browser.post("/admin/sign-in/password/", {"password": PASSWORD})

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert right.status_code == 429
    assert events()[1:] == [
        *[("sign_in_failed", "viewer", "password again")] * 5,
        ("locked_out", "viewer", ""),
    ]
