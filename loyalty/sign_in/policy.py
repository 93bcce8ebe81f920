"""Who needs a one-time password, and whether a session has all it needs."""

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django_otp import user_has_device

# Whoever has one of these moves money, sees codes, or decides who may.
STRONG_PERMISSIONS = frozenset(
    {
        *("loyalty.issue_card", "loyalty.credit_card", "loyalty.adjust_card"),
        *("loyalty.extend_card", "loyalty.close_card", "loyalty.change_owner"),
        *("loyalty.reveal_code", "loyalty.settle_transaction", "loyalty.cancel_transaction"),
        *("loyalty.reverse_operation", "loyalty.decide_approval"),
        *("loyalty.add_batch", "loyalty.reprint_batch", "loyalty.undo_batch"),
        *("loyalty.extend_batch", "loyalty.erase_person", "loyalty.export_person"),
        *("loyalty.unlock_staff", "loyalty.add_spendinglimit", "loyalty.change_spendinglimit"),
        *("auth.add_user", "auth.change_user"),
        *("giftcard_provider.add_credential", "giftcard_provider.change_credential"),
    }
)


def needs_device(user: Any) -> bool:
    """Whether this person must use one-time passwords."""
    if not settings.STAFF_TOTP_REQUIRED:
        return False
    return bool(user.is_superuser) or not STRONG_PERMISSIONS.isdisjoint(user.get_all_permissions())


def has_device(user: Any) -> bool:
    """Whether this person has set up one-time passwords, required or not."""
    return bool(user_has_device(user))


def is_complete(request: HttpRequest) -> bool:
    """Whether the session has passed every step that this person's sign in has."""
    user = cast("Any", request.user)
    if user.is_verified():
        return True
    if needs_device(user):
        return False
    # Once a request: the pages ask several times.
    if not hasattr(request, "_has_device"):
        request._has_device = has_device(user)  # type: ignore[attr-defined]
    return not request._has_device  # type: ignore[attr-defined]
