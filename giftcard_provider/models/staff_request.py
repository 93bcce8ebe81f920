"""What staff ask for and a worker does."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models import Job


class StaffRequest(models.Model):
    """Who asked when, the job that does it, and when it was done."""

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        abstract = True
