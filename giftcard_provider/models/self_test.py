"""The self-tests of the protocol."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from giftcard_provider.models.staff_request import StaffRequest
from loyalty.models import GiftCard, Store


class SelfTest(StaffRequest):
    """A run of the protocol's self-check against a provider, with the verdict of every check."""

    class Status(models.TextChoices):
        """Where it is."""

        WAITING = "waiting", _("waiting")
        PASSED = "passed", _("passed")
        FAILED = "failed", _("failed")

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="self_tests", verbose_name=_("store")
    )
    service_url = models.CharField(_("service URL"), max_length=500)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, related_name="+", verbose_name=_("test card")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    # As `self_check.Report.as_data` writes it.
    report = models.JSONField(_("report"), default=dict)

    class Meta:
        verbose_name = _("self-test")
        verbose_name_plural = _("self-tests")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.store} {self.created_at:%Y-%m-%d %H:%M}"
