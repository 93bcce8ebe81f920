"""System checks of the protocol's settings: `manage.py check` and every start refuse what is wrong.

| id                     | refuses                                                         |
|------------------------|-----------------------------------------------------------------|
| giftcard_provider.E001 | a mount that is empty or has characters that a URL path changes |
| giftcard_provider.E002 | limits of wrong codes that are not positive                     |
| giftcard_provider.E003 | a limit of a credential's calls that a busy store would meet    |
"""

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

# Path segments of characters that nobody on the way encodes, without the slashes at the ends.
_FEWEST_CALLS = 50
_MOUNT = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@register
def check_mount(**_: Any) -> Iterable[CheckMessage]:
    """The Hub glues its paths to the service URL, which needs at least one segment."""
    if not _MOUNT.fullmatch(settings.GIFTCARD_PROVIDER_MOUNT):
        yield Error(
            "GIFTCARD_PROVIDER_MOUNT is not a path that VTEX can call.",
            hint="One segment or more of letters, digits, - and _, as in vtex or loja/vtex.",
            id="giftcard_provider.E001",
        )


@register
def check_wrong_codes(**_: Any) -> Iterable[CheckMessage]:
    """A limit of 0 would find no card at all; a window of 0 would allow any number of guesses."""
    window = settings.GIFTCARD_PROVIDER_WRONG_CODES_WINDOW.total_seconds()
    if settings.GIFTCARD_PROVIDER_WRONG_CODES < 1 or window <= 0:
        yield Error(
            "The limits of wrong codes must be positive.",
            hint="See GIFTCARD_PROVIDER_WRONG_CODES and GIFTCARD_PROVIDER_WRONG_CODES_WINDOW.",
            id="giftcard_provider.E002",
        )


@register
def check_credential_rate(**_: Any) -> Iterable[CheckMessage]:
    """Fewer calls than a busy checkout makes would refuse sales."""
    if settings.CREDENTIAL_CALLS_PER_SECOND < _FEWEST_CALLS:
        yield Error(
            "CREDENTIAL_CALLS_PER_SECOND is too small: VTEX's own calls would be refused.",
            hint=f"At least {_FEWEST_CALLS} for each process.",
            id="giftcard_provider.E003",
        )
