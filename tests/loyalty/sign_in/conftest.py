"""People at the sign in, with one-time passwords as in production."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from loyalty.models import AuditEvent
from loyalty.sign_in import devices

PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def as_in_production(settings: Settings, db: None) -> None:
    settings.STAFF_TOTP_REQUIRED = True
    cache.clear()


@pytest.fixture
def support(db: None) -> User:
    """Somebody who can move money."""
    user = User.objects.create_user("support", password=PASSWORD, is_staff=True)
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["credit_card", "view_giftcard"])
    )
    return user


@pytest.fixture
def viewer(db: None) -> User:
    """Somebody who can only look."""
    user = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_giftcard"))
    return user


@pytest.fixture
def browser() -> Client:
    return Client(headers={"accept-language": "en"})


def type_password(client: Client, user: User | str, password: str = PASSWORD, **data: str) -> Any:
    username = user if isinstance(user, str) else user.username
    return client.post("/admin/login/", {"username": username, "password": password, **data})


def token_of(device: TOTPDevice, *, steps: int = 0) -> str:
    """What an authenticator shows now, or so many half minutes later."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() + steps * device.step
    return f"{totp.token():06}"


def enrolled(user: User) -> tuple[TOTPDevice, list[str]]:
    """An authenticator in use, with its backup codes."""
    device = TOTPDevice.objects.create(user=user, name="authenticator", confirmed=True)
    return device, devices.new_backup_codes(user)


def events() -> list[tuple[str, str, str]]:
    """The audit trail: action, who, note."""
    rows = AuditEvent.objects.order_by("id").values_list(
        "action", "user__username", "username", "note"
    )
    return [(action, user or typed, note) for action, user, typed, note in rows]


Enter = Callable[[User], Client]
