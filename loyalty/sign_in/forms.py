"""The forms of the sign in, with words of our own."""

import datetime
from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

_SECOND = datetime.timedelta(seconds=1)
_MINUTE_SECONDS = 60


class PasswordForm(AdminAuthenticationForm):
    """Username and password of staff."""

    error_messages = {
        "invalid_login": _("This is not a username with its password. Mind upper and lower case."),
        "inactive": _("This account is closed. Ask an administrator."),
    }


class TokenForm(forms.Form):
    """A one-time password, or a backup code."""

    token = forms.CharField(
        label=_("One-time password"),
        max_length=32,
        strip=True,
        error_messages={"required": _("Type the six digits that the authenticator shows.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )

    def refuse(self, *, wait: datetime.timedelta | None, or_backup_code: bool) -> None:
        """Say that the token is not accepted, and what to do."""
        self.add_error("token", _waiting(wait) if wait else _wrong(or_backup_code=or_backup_code))


class PasswordAgainForm(forms.Form):
    """The password of whoever is signed in."""

    password = forms.CharField(
        label=_("Your password"),
        max_length=4096,
        strip=False,
        error_messages={"required": _("Type your password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def refuse(self) -> None:
        """Say that it is not the password."""
        self.add_error("password", _("This is not your password. Try again."))


def _wrong(*, or_backup_code: bool) -> Any:
    if or_backup_code:
        return _("This is not right. Wait for the next six digits, or type a backup code.")
    return _("This is not right. Wait for the next six digits and type those.")


def _waiting(wait: datetime.timedelta) -> str:
    seconds = -(-wait // _SECOND)
    if seconds < _MINUTE_SECONDS:
        return ngettext(
            "Too many wrong tries. Wait %(count)d second and type a new one.",
            "Too many wrong tries. Wait %(count)d seconds and type a new one.",
            seconds,
        ) % {"count": seconds}
    minutes = -(-seconds // _MINUTE_SECONDS)
    return ngettext(
        "Too many wrong tries. Wait %(count)d minute, or ask an administrator to unlock you.",
        "Too many wrong tries. Wait %(count)d minutes, or ask an administrator to unlock you.",
        minutes,
    ) % {"count": minutes}
