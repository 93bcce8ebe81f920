"""The protocol as a Django application."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GiftCardProviderConfig(AppConfig):
    """What VTEX calls, and with which credentials."""

    name = "giftcard_provider"
    verbose_name = _("VTEX Gift Card Provider Protocol")

    def ready(self) -> None:
        """Register the system checks."""
        from giftcard_provider import checks  # noqa: F401, PLC0415
