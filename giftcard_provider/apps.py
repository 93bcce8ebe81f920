"""The protocol as a Django application."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GiftCardProviderConfig(AppConfig):
    """What VTEX calls, and with which credentials."""

    name = "giftcard_provider"
    verbose_name = _("VTEX Gift Card Provider Protocol")

    def ready(self) -> None:
        """Register the system checks, what the workers do for us, what we keep about people."""
        from giftcard_provider import checks, registration, self_tests, traces  # noqa: F401, PLC0415  # noqa: PLC0415
        from loyalty import jobs  # noqa: PLC0415

        jobs.provide(jobs.JobKind.CHANGE_HUB, registration.carry_out_job)
        jobs.provide(jobs.JobKind.SELF_TEST, self_tests.run_job)
