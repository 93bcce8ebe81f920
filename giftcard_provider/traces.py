"""What the log of failed calls holds about people: a copy of it, forgetting, letting go in time."""

import datetime
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from giftcard_provider.models import FailedCall
from loyalty import privacy
from loyalty.models import Customer

_CHUNK = 5_000


class FailedCallTraces:
    """Rows of calls in which a person was recognized; the bodies hold nothing of them in clear."""

    name = "failed_calls"
    title: StrOrPromise = FailedCall._meta.verbose_name_plural or ""
    labels: Mapping[str, StrOrPromise] = {
        "at": _("at"),
        "called": _("called"),
        "result": _("result"),
        "order": _("order"),
    }

    def of(self, customer: Customer) -> list[dict[str, Any]]:
        """When the person's checkout called for what, and how it ended."""
        return [
            {
                "at": call.created_at.isoformat(),
                "called": call.get_endpoint_display(),
                "result": call.get_outcome_display(),
                "order": call.order_id,
            }
            for call in FailedCall.objects.filter(customer=customer).order_by("pk")
        ]

    def forget(self, customer: Customer) -> None:
        """No call leads to the person any more."""
        FailedCall.objects.filter(customer=customer).update(customer=None)

    def purge(self) -> int:
        """Let go of calls that are older than `RETENTION_FAILED_CALL_DAYS`, some at a time."""
        before = timezone.now() - datetime.timedelta(days=settings.RETENTION_FAILED_CALL_DAYS)
        gone = 0
        while True:
            due = FailedCall.objects.filter(created_at__lt=before).order_by("created_at")
            deleted, _rows = FailedCall.objects.filter(
                pk__in=list(due.values_list("pk", flat=True)[:_CHUNK])
            ).delete()
            gone += deleted
            if deleted < _CHUNK:
                return gone


privacy.elsewhere.append(FailedCallTraces())
