import datetime

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from loyalty.sign_in.sessions import SEEN_AT
from tests.loyalty.sign_in.conftest import events, type_password

CARDS = "/admin/loyalty/giftcard/"
MINUTE = datetime.timedelta(minutes=1)


def test_half_an_hour_without_a_click_ends_the_session(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        clock.shift(29 * MINUTE)
        assert browser.get(CARDS).status_code == 200
        clock.shift(29 * MINUTE)
        assert browser.get(CARDS).status_code == 200
        clock.shift(30 * MINUTE)

        answer = browser.get(f"{CARDS}?q=ana")

        assert answer["Location"] == (
            "/admin/login/?ended=idle&next=%2Fadmin%2Floyalty%2Fgiftcard%2F%3Fq%3Dana"
        )
        assert "because nothing happened" in browser.get(answer["Location"]).content.decode()
        assert "_auth_user_id" not in browser.session
        assert events()[-1] == ("signed_out", "viewer", "idle")


def test_ten_hours_end_the_session_however_busy(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T08:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        for _ in range(39):
            clock.shift(15 * MINUTE)
            assert browser.get(CARDS).status_code == 200
        clock.shift(15 * MINUTE)

        answer = browser.post(CARDS)

        assert answer["Location"] == "/admin/login/?ended=too_long"
        assert "signed in for too long" in browser.get(answer["Location"]).content.decode()
        assert events()[-1] == ("signed_out", "viewer", "too_long")


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        for _ in range(2):
            clock.shift(15 * MINUTE)
            answer = browser.get(CARDS, headers={"sec-fetch-mode": "cors"})

        assert answer.status_code == 302


def test_a_busy_minute_writes_the_session_once(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        first = browser.session[SEEN_AT]
        clock.shift(59)
        browser.get(CARDS)
        assert browser.session[SEEN_AT] == first
        clock.shift(1)
        browser.get(CARDS)
        assert browser.session[SEEN_AT] == first + 60


def test_the_cookie_goes_with_the_browser(viewer: User, browser: Client) -> None:
    answer = type_password(browser, viewer)

    cookie = answer.cookies["sessionid"]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"]) == ("", True, "Strict")


def test_calls_of_the_store_have_no_session(client: Client) -> None:
    answer = client.get("/vtex/giftcards/x")

    assert answer.status_code == 401
    assert not answer.cookies


@pytest.mark.parametrize("path", ["/health/live", "/admin/login/"])
def test_who_is_nobody_has_nothing_to_end(path: str, client: Client) -> None:
    assert client.get(path).status_code == 200


def test_another_password_ends_the_other_sessions(viewer: User, browser: Client) -> None:
    other = Client()
    for client in (browser, other):
        type_password(client, viewer)
    new = "quite another secret"

    answer = browser.post(
        "/admin/password_change/",
        {"old_password": "a long password", "new_password1": new, "new_password2": new},
    )

    assert answer.status_code == 302
    assert browser.get(CARDS).status_code == 200
    assert other.get(CARDS).status_code == 302
    assert events()[-1] == ("password_changed", "viewer", "")


def test_a_weak_password_is_refused(viewer: User, browser: Client) -> None:
    type_password(browser, viewer)

    answer = browser.post(
        "/admin/password_change/",
        {
            "old_password": "a long password",
            "new_password1": "password",
            "new_password2": "password",
        },
    )

    assert answer.status_code == 200
    assert "at least 12 characters" in answer.content.decode()
    viewer.refresh_from_db()
    assert viewer.check_password("a long password")
