"""Authenticators and backup codes: set up, verified, taken away."""

import datetime
import secrets
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass

import segno
from django.contrib.auth.models import User
from django.db.transaction import atomic
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

BACKUP_CODES = 10
_TOTP_DIGITS = 6
# No 0, 1, l or o; 10 of them are 49 bits.
_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"
_CODE_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of a token: the device that took it, or how long to wait before the next try."""

    device: TOTPDevice | StaticDevice | None
    wait: datetime.timedelta | None = None


def pending(user: User) -> TOTPDevice:
    """The authenticator that this person is setting up; the same until it is confirmed."""
    device, _ = TOTPDevice.objects.get_or_create(
        user=user, confirmed=False, defaults={"name": "authenticator"}
    )
    return device


def secret_of(device: TOTPDevice) -> str:
    """What a person types into the authenticator that cannot see the picture: groups of four."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def picture_of(device: TOTPDevice) -> str:
    """The QR code for the authenticator, as the address of an image."""
    code = segno.make(device.config_url, error="m")
    return code.svg_data_uri(scale=5, border=4, dark="black", light="white")


def confirm(user: User, token: str) -> tuple[Verified, Sequence[str]]:
    """Take the pending authenticator into use if its token is right, with new backup codes.

    Those before, and their backup codes, end.
    """
    with atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None:
            return Verified(None), []
        if wait := _wait(device):
            return Verified(None, wait), []
        if not device.verify_token(_bare(token)):
            return Verified(None), []
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        return Verified(device), new_backup_codes(user)


def new_backup_codes(user: User) -> list[str]:
    """Other backup codes in the place of those before; each is good for one sign in."""
    drawn = [
        "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH)) for _ in range(BACKUP_CODES)
    ]
    with atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="backup codes")
        StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in drawn)
    return [f"{code[:5]}-{code[5:]}" for code in drawn]


def backup_codes_left(user: User) -> int:
    """How many backup codes are unused."""
    left: int = StaticToken.objects.filter(device__user=user).count()
    return left


def verify(user: User, token: str) -> Verified:
    """Compare a token with the person's authenticator, or, when it is no number, a backup code.

    Each wrong one doubles the wait before the next; a right one is good once.
    """
    bare = _bare(token)
    kind = TOTPDevice if bare.isdigit() and len(bare) == _TOTP_DIGITS else StaticDevice
    with atomic():
        devices = kind.objects.select_for_update().filter(user=user, confirmed=True)
        for device in devices:
            if wait := _wait(device):
                return Verified(None, wait)
            if device.verify_token(bare):
                return Verified(device)
    return Verified(None)


def reset(user: User) -> bool:
    """Take every authenticator and backup code away; False when there were none.

    Sessions that they opened are incomplete from now on.
    """
    with atomic():
        ended = [
            model.objects.filter(user=user).delete()[0] for model in (TOTPDevice, StaticDevice)
        ]
    return any(ended)


def forgive(user: User) -> None:
    """End the waits after wrong tokens."""
    for model in (TOTPDevice, StaticDevice):
        model.objects.filter(user=user).update(
            throttling_failure_count=0, throttling_failure_timestamp=None
        )


def _wait(device: TOTPDevice | StaticDevice) -> datetime.timedelta | None:
    is_allowed, why = device.verify_is_allowed()
    if is_allowed or not why:
        return None
    until: datetime.datetime = why["locked_until"]
    return max(until - timezone.now(), datetime.timedelta(seconds=1))


def _bare(token: str) -> str:
    return "".join(symbol for symbol in token.lower() if symbol.isalnum())
