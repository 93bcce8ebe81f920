import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from loyalty.sign_in.policy import STRONG_PERMISSIONS
from tests.loyalty.sign_in.conftest import enrolled, events, token_of, type_password

CARDS = "/admin/loyalty/giftcard/"


def test_whoever_only_looks_needs_a_password(viewer: User, browser: Client) -> None:
    answer = type_password(browser, viewer, next=CARDS)

    assert (answer.status_code, answer["Location"]) == (302, CARDS)
    assert browser.get(CARDS).status_code == 200
    assert events() == [("signed_in", "viewer", "")]


def test_whoever_moves_money_sees_nothing_before_enrolling(support: User, browser: Client) -> None:
    answer = type_password(browser, support, next=CARDS)

    assert answer["Location"] == "/admin/sign-in/set-up/?next=%2Fadmin%2Floyalty%2Fgiftcard%2F"
    for path in ("/admin/", CARDS, "/admin/password_change/", "/admin/sign-in/authenticator/"):
        refused = browser.get(path)
        assert (refused.status_code, refused["Location"].split("?")[0]) == (302, "/admin/login/")
        onward = browser.get(refused["Location"])
        assert onward["Location"].startswith("/admin/sign-in/set-up/?next=")
    assert events() == []


def test_enrolling_shows_a_picture_and_a_key_then_codes_once(
    support: User, browser: Client
) -> None:
    type_password(browser, support, next=CARDS)

    page = browser.get("/admin/sign-in/set-up/", {"next": CARDS})
    device = TOTPDevice.objects.get(user=support)
    text = page.content.decode()
    assert 'src="data:image/svg+xml' in text
    assert page.context["secret"].replace(" ", "") in device.config_url
    assert page.context["secret"] in text

    answer = browser.post("/admin/sign-in/set-up/", {"token": token_of(device), "next": CARDS})

    codes = answer.context["codes"]
    assert len(codes) == len(set(codes)) == 10
    assert all(code in answer.content.decode() for code in codes)
    assert "no-store" in answer["Cache-Control"]
    assert f'href="{CARDS}"' in answer.content.decode()
    assert browser.get(CARDS).status_code == 200
    assert events() == [("totp_enrolled", "support", ""), ("signed_in", "support", "")]
    assert not any(code in str(dict(browser.session)) for code in codes)


def test_the_picture_stays_the_same_until_it_is_confirmed(support: User, browser: Client) -> None:
    type_password(browser, support)

    first, second = (browser.get("/admin/sign-in/set-up/").context["picture"] for _ in range(2))

    assert first == second
    assert not TOTPDevice.objects.get(user=support).confirmed


def test_a_wrong_token_enrolls_nobody(support: User, browser: Client) -> None:
    type_password(browser, support)
    browser.get("/admin/sign-in/set-up/")

    answer = browser.post("/admin/sign-in/set-up/", {"token": "000000"})

    assert "This is not right." in answer.content.decode()
    assert not TOTPDevice.objects.get(user=support).confirmed
    assert not StaticToken.objects.exists()
    assert browser.get(CARDS).status_code == 302


def test_who_has_an_authenticator_types_its_digits(support: User, browser: Client) -> None:
    device, _ = enrolled(support)

    answer = type_password(browser, support, next=CARDS)
    key = browser.session.session_key

    assert answer["Location"].startswith("/admin/sign-in/verify/?next=")
    assert browser.get(CARDS).status_code == 302
    assert events() == []

    answer = browser.post("/admin/sign-in/verify/", {"token": token_of(device), "next": CARDS})

    assert answer["Location"] == CARDS
    assert browser.get(CARDS).status_code == 200
    assert browser.session.session_key != key
    assert events() == [("signed_in", "support", "")]


def test_nobody_enrolls_another_phone_with_the_password_alone(
    support: User, browser: Client
) -> None:
    device, _ = enrolled(support)
    type_password(browser, support)

    answers = [
        browser.get("/admin/sign-in/set-up/"),
        browser.post("/admin/sign-in/set-up/", {"token": "123456"}),
        browser.post("/admin/sign-in/backup-codes/"),
    ]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert TOTPDevice.objects.get(user=support) == device


def test_digits_are_good_once(support: User, browser: Client) -> None:
    device, _ = enrolled(support)
    token = token_of(device)
    type_password(browser, support)
    browser.post("/admin/sign-in/verify/", {"token": token})
    other = Client()
    type_password(other, support)

    answer = other.post("/admin/sign-in/verify/", {"token": token})

    assert answer.status_code == 200
    assert other.get(CARDS).status_code == 302


def test_a_backup_code_is_good_once(support: User, browser: Client) -> None:
    _, codes = enrolled(support)
    type_password(browser, support, next=CARDS)

    answer = browser.post("/admin/sign-in/verify/", {"token": f" {codes[3].upper()} "})

    assert answer.status_code == 302
    assert browser.get(CARDS).status_code == 200
    assert StaticToken.objects.count() == 9
    other = Client()
    type_password(other, support)
    assert other.post("/admin/sign-in/verify/", {"token": codes[3]}).status_code == 200
    assert other.get(CARDS).status_code == 302


def test_wrong_digits_are_noted_and_slow_the_next_try_down(support: User, browser: Client) -> None:
    device, _ = enrolled(support)
    type_password(browser, support)

    first = browser.post("/admin/sign-in/verify/", {"token": "000000"})
    second = browser.post("/admin/sign-in/verify/", {"token": token_of(device)})

    assert "This is not right." in first.content.decode()
    assert "Wait 1 second " in second.content.decode()
    assert browser.get(CARDS).status_code == 302
    assert events() == [("sign_in_failed", "support", "one-time password")] * 2


def test_the_wait_after_many_wrong_digits_names_who_can_help(
    support: User, browser: Client
) -> None:
    from django.utils import timezone

    device, _ = enrolled(support)
    device.throttling_failure_count, device.throttling_failure_timestamp = 8, timezone.now()
    device.save()
    type_password(browser, support)

    answer = browser.post("/admin/sign-in/verify/", {"token": token_of(device)})

    assert "Wait 3 minutes, or ask an administrator" in answer.content.decode()


def test_the_token_of_somebody_else_is_nothing(
    support: User, viewer: User, browser: Client
) -> None:
    enrolled(support)
    theirs, codes = enrolled(viewer)
    type_password(browser, support)

    for token in (token_of(theirs), codes[0]):
        assert browser.post("/admin/sign-in/verify/", {"token": token}).status_code == 200

    assert browser.get(CARDS).status_code == 302
    assert StaticToken.objects.filter(device__user=viewer).count() == 10


def test_who_enrolled_without_having_to_is_asked_too(viewer: User, browser: Client) -> None:
    enrolled(viewer)

    answer = type_password(browser, viewer)

    assert answer["Location"].startswith("/admin/sign-in/verify/")
    assert browser.get(CARDS).status_code == 302


def test_anybody_may_enrol(viewer: User, browser: Client) -> None:
    type_password(browser, viewer)
    page = browser.get("/admin/sign-in/authenticator/")
    assert "with your password alone" in page.content.decode()

    browser.get("/admin/sign-in/set-up/")
    device = TOTPDevice.objects.get(user=viewer)
    browser.post("/admin/sign-in/set-up/", {"token": token_of(device)})

    assert (
        "10 backup codes are left." in browser.get("/admin/sign-in/authenticator/").content.decode()
    )
    assert events() == [("signed_in", "viewer", ""), ("totp_enrolled", "viewer", "")]


def test_another_phone_ends_the_one_before_and_its_codes(support: User, browser: Client) -> None:
    old, codes = enrolled(support)
    type_password(browser, support)
    browser.post("/admin/sign-in/verify/", {"token": token_of(old)})

    browser.get("/admin/sign-in/set-up/")
    new = TOTPDevice.objects.get(user=support, confirmed=False)
    answer = browser.post("/admin/sign-in/set-up/", {"token": token_of(new)})

    assert TOTPDevice.objects.get(user=support).pk == new.pk
    assert StaticToken.objects.filter(device__user=support).count() == 10
    assert not set(codes) & set(answer.context["codes"])
    assert browser.get(CARDS).status_code == 200


def test_new_backup_codes_end_those_before(support: User, browser: Client) -> None:
    device, codes = enrolled(support)
    type_password(browser, support)
    browser.post("/admin/sign-in/verify/", {"token": token_of(device)})

    answer = browser.post("/admin/sign-in/backup-codes/")

    assert len(answer.context["codes"]) == 10
    assert not set(codes) & set(answer.context["codes"])
    assert "no-store" in answer["Cache-Control"]
    assert events()[-1] == ("totp_enrolled", "support", "new backup codes")


def test_a_right_given_later_asks_for_the_second_step_at_once(
    viewer: User, browser: Client
) -> None:
    type_password(browser, viewer)
    assert browser.get(CARDS).status_code == 200

    viewer.user_permissions.add(Permission.objects.get(codename="adjust_card"))

    assert browser.get(CARDS).status_code == 302


def test_a_device_taken_away_ends_what_it_opened(support: User, browser: Client) -> None:
    device, _ = enrolled(support)
    type_password(browser, support)
    browser.post("/admin/sign-in/verify/", {"token": token_of(device)})
    assert browser.get(CARDS).status_code == 200

    device.delete()

    assert browser.get(CARDS).status_code == 302


@pytest.mark.parametrize("permission", sorted(STRONG_PERMISSIONS))
def test_every_strong_permission_exists_and_asks_for_two_steps(
    permission: str, viewer: User, browser: Client
) -> None:
    app, codename = permission.split(".")
    viewer.user_permissions.add(
        Permission.objects.get(content_type__app_label=app, codename=codename)
    )

    answer = type_password(browser, viewer)

    assert answer["Location"].startswith("/admin/sign-in/set-up/")


def test_superusers_need_two_steps(browser: Client) -> None:
    User.objects.create_superuser("boss", password="a long password")

    assert type_password(browser, "boss")["Location"].startswith("/admin/sign-in/set-up/")


def test_a_workstation_may_do_without(settings: Settings, support: User, browser: Client) -> None:
    settings.STAFF_TOTP_REQUIRED = False

    type_password(browser, support)

    assert browser.get(CARDS).status_code == 200


def test_even_there_an_authenticator_that_is_set_up_counts(
    settings: Settings, support: User, browser: Client
) -> None:
    settings.STAFF_TOTP_REQUIRED = False
    enrolled(support)

    type_password(browser, support)

    assert browser.get(CARDS).status_code == 302


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"]
)
def test_no_step_leads_out_of_the_site(target: str, support: User, browser: Client) -> None:
    device, _ = enrolled(support)

    first = type_password(browser, support, next=target)
    again = browser.get("/admin/login/", {"next": target})
    last = browser.post("/admin/sign-in/verify/", {"token": token_of(device), "next": target})

    assert "evil" not in first["Location"] + again["Location"]
    assert last["Location"] == "/admin/"


def test_one_can_leave_at_every_step(support: User, browser: Client) -> None:
    type_password(browser, support)

    answer = browser.post("/admin/logout/")

    assert answer.status_code == 200
    assert "_auth_user_id" not in browser.session
    assert events() == [("signed_out", "support", "")]


def test_leaving_needs_a_form(viewer: User, browser: Client) -> None:
    type_password(browser, viewer)

    assert browser.get("/admin/logout/").status_code == 405
    assert browser.get(CARDS).status_code == 200


def test_customers_of_the_site_who_are_no_staff_stay_out(browser: Client) -> None:
    User.objects.create_user("shopper", password="a long password")

    answer = type_password(browser, "shopper")

    assert "This is not a username with its password" in answer.content.decode()
    assert "_auth_user_id" not in browser.session
    assert events() == [("sign_in_failed", "shopper", "")]


def test_pages_of_the_steps_need_a_password_first(browser: Client) -> None:
    for page in ("verify", "set-up", "password", "authenticator", "backup-codes"):
        answer = browser.get(f"/admin/sign-in/{page}/")
        assert answer["Location"].startswith("/admin/login/?next="), page


def test_pages_of_the_steps_hold_nothing_inline(support: User, browser: Client) -> None:
    type_password(browser, support)
    texts = [
        browser.get("/admin/sign-in/set-up/").content.decode(),
        browser.get("/admin/sign-in/password/").content.decode(),
    ]
    enrolled(support)
    texts.append(browser.get("/admin/sign-in/verify/").content.decode())

    for text in texts:
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:", text)
