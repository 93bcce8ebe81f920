import datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from loyalty.sign_in.confirmation import note_password, password_confirmed
from tests.loyalty.sign_in.conftest import PASSWORD, events, type_password

PAGE = "/admin/password_change/"
ASKED = "/admin/sign-in/password/?next=%2Fadmin%2Fpassword_change%2F"
MINUTE = datetime.timedelta(minutes=1)


def test_the_sign_in_counts_for_five_minutes(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        clock.shift(5 * MINUTE - datetime.timedelta(seconds=1))
        assert browser.get(PAGE).status_code == 200
        clock.shift(datetime.timedelta(seconds=1))

        answer = browser.get(PAGE)

        assert (answer.status_code, answer["Location"]) == (302, ASKED)


def test_the_password_leads_on_to_where_one_was_going(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        clock.shift(6 * MINUTE)
        page = browser.get(ASKED)
        fields = list(page.context["form"].fields)

        answer = browser.post(
            "/admin/sign-in/password/", {"password": PASSWORD, "next": page.context["next"]}
        )

        assert fields == ["password"]
        assert answer["Location"] == PAGE
        assert browser.get(PAGE).status_code == 200
        clock.shift(5 * MINUTE)
        assert browser.get(PAGE).status_code == 302


def test_a_wrong_one_leads_nowhere_and_is_noted(viewer: User, browser: Client) -> None:
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False) as clock:
        type_password(browser, viewer)
        clock.shift(6 * MINUTE)

        answer = browser.post("/admin/sign-in/password/", {"password": "wrong", "next": PAGE})

        assert answer.status_code == 200
        assert "This is not your password." in answer.content.decode()
        assert browser.get(PAGE).status_code == 302
        assert events()[-1] == ("sign_in_failed", "viewer", "password again")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "", "\\\\evil"])
def test_it_never_leads_out_of_the_site(target: str, viewer: User, browser: Client) -> None:
    type_password(browser, viewer)

    answer = browser.post("/admin/sign-in/password/", {"password": PASSWORD, "next": target})

    assert answer["Location"] == "/admin/"


def request_of(method: str, path: str, **headers: str) -> HttpRequest:
    from django.contrib.sessions.backends.db import SessionStore

    request = RequestFactory().generic(method, path, headers=headers)
    request.session = SessionStore()
    return request


@password_confirmed
def act(request: HttpRequest, *arguments: Any) -> HttpResponse:
    return HttpResponse(f"done {arguments}")


def test_the_view_does_not_run_before() -> None:
    request = request_of("POST", "/admin/x/1/")

    assert act(request, 1)["Location"] == "/admin/sign-in/password/?next=%2Fadmin%2Fx%2F1%2F"

    note_password(request.session)
    assert act(request, 1).content == b"done (1,)"


def test_a_form_goes_back_to_the_page_that_it_was_on() -> None:
    here = request_of("POST", "/admin/x/act/", referer="http://testserver/admin/x/?tab=2")
    elsewhere = request_of("POST", "/admin/x/act/", referer="http://evil.example/admin/")

    assert act(here)["Location"].endswith("?next=%2Fadmin%2Fx%2F%3Ftab%3D2")
    assert act(elsewhere)["Location"].endswith("?next=%2Fadmin%2Fx%2Fact%2F")


def test_a_time_to_come_is_no_time() -> None:
    request = request_of("GET", "/admin/x/")
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        note_password(request.session)

    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        assert act(request).status_code == 302
