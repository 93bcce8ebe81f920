"""The sign in as in production: password, authenticator, backup codes, in a real browser."""

import time
from base64 import b32decode

import pytest
from django.contrib.auth.models import User
from django_otp.oath import TOTP
from playwright.sync_api import Page
from pytest_django import Settings

from loyalty.sign_in import devices
from tests.browser.conftest import Desk, DeskOf, make_person, type_password


@pytest.fixture(autouse=True)
def as_in_production(settings: Settings) -> None:
    settings.STAFF_TOTP_REQUIRED = True


@pytest.fixture
def clerk() -> User:
    return make_person("adjust_card", "view_giftcard")


def shown_by_the_phone(key: bytes, *, steps: int = 0) -> str:
    """What an authenticator with this key shows now, or so many half minutes later."""
    totp = TOTP(key)
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06}"


def key_on(page: Page) -> bytes:
    """The key beside the QR code, as a person types it into the phone."""
    text = page.inner_text(".steps .code").replace(" ", "")
    return b32decode(text + "=" * (-len(text) % 8))


def go_on_with(desk: Desk, token: str) -> None:
    desk.page.fill("input[name=token]", token)
    desk.page.click("form .button-primary")


@pytest.mark.parametrize(
    ("language", "is_dark", "width"), [("pt-BR", False, 1400), ("es", True, 390)]
)
def test_the_first_sign_in_sets_up_an_authenticator_and_shows_backup_codes(
    desk: DeskOf, clerk: User, language: str, is_dark: bool, width: int
) -> None:
    at = desk(language=language, is_dark=is_dark, width=width)
    at.open("/admin/login/")
    at.check()

    type_password(at, clerk)
    at.page.wait_for_url("**/sign-in/set-up/**")
    at.check()
    picture = at.page.locator("img.qr")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    go_on_with(at, shown_by_the_phone(key_on(at.page)))
    at.page.wait_for_selector(".backup-codes")
    at.check()
    codes = at.page.locator(".backup-codes li").all_inner_texts()
    at.page.click("a.button-primary")
    at.page.wait_for_url(f"{at.site}/admin/")

    assert len(codes) == devices.BACKUP_CODES
    assert devices.backup_codes_left(clerk) == devices.BACKUP_CODES


def test_later_the_six_digits_let_in_and_wrong_ones_do_not(desk: DeskOf, clerk: User) -> None:
    device = devices.pending(clerk)
    devices.confirm(clerk, shown_by_the_phone(device.bin_key, steps=-1))
    at = desk()

    type_password(at, clerk)
    at.page.wait_for_url("**/sign-in/verify/**")
    at.check()
    at.page.goto(f"{at.site}/admin/loyalty/giftcard/")
    assert "/sign-in/verify/" in at.page.url  # the password alone shows nothing
    go_on_with(at, "not right")
    at.page.wait_for_selector(".errorlist")
    at.check()
    devices.forgive(clerk)  # the wait after a wrong one
    go_on_with(at, shown_by_the_phone(device.bin_key))
    at.page.wait_for_url("**/admin/loyalty/giftcard/")
    at.check()


def test_a_backup_code_lets_in_without_the_phone_once(desk: DeskOf, clerk: User) -> None:
    device = devices.pending(clerk)
    _, [code, *_] = devices.confirm(clerk, shown_by_the_phone(device.bin_key))
    at, again = desk(), desk()

    type_password(at, clerk)
    at.page.wait_for_url("**/sign-in/verify/**")
    go_on_with(at, code)
    at.page.wait_for_url(f"{at.site}/admin/")
    type_password(again, clerk)
    again.page.wait_for_url("**/sign-in/verify/**")
    go_on_with(again, code)
    again.page.wait_for_selector(".errorlist")

    assert devices.backup_codes_left(clerk) == devices.BACKUP_CODES - 1
