"""X-PROVIDER-API-AppKey and X-PROVIDER-API-AppToken.

401 with an empty body when one is missing, 403 with an empty body when they are wrong: VTEX calls
with wrong credentials on purpose and cancels the transactions of a provider that answers with
anything else (release note of 2024-05-27). Nobody is locked out for it: the probes come from VTEX's
own addresses.
"""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.request import Request

from giftcard_provider.models import Caller, Credential


class CredentialAuthentication(BaseAuthentication):
    """Finds the calling store; the views see it as `request.user`."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        """The caller, or `NotAuthenticated` (a header is missing) or `PermissionDenied` (wrong)."""
        key = request.META.get("HTTP_X_PROVIDER_API_APPKEY")
        token = request.META.get("HTTP_X_PROVIDER_API_APPTOKEN")
        if not key or not token:
            raise NotAuthenticated
        caller = Credential.objects.caller(key, token)
        if caller is None:
            raise PermissionDenied
        return caller, None

    def authenticate_header(self, request: Request) -> str:
        """The scheme in WWW-Authenticate; without one the framework would turn 401 into 403."""
        return "X-PROVIDER-API-AppKey"
