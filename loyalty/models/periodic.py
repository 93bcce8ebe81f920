"""What is done again and again, and what people were told when it was not."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.job import Job


class PeriodicWork(models.Model):
    """The record of the latest run of one kind of periodic work (`loyalty.schedule`).

    A run that ended has `finished_at`, one that ended well also moves `succeeded_at` on. Long work
    is a job, whose end is the run's; all jobs stay, so that earlier runs can be looked up there.
    """

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    succeeded_at = models.DateTimeField(_("start of the last run that succeeded"), null=True)
    asked_at = models.DateTimeField(_("asked for at"), null=True)
    # Since it was due: each attempt counts, and there are only so many.
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    error = models.TextField(_("error"), blank=True)
    job = models.ForeignKey(
        Job, models.SET_NULL, null=True, related_name="periodic", verbose_name=_("job")
    )
    leased_until = models.DateTimeField(_("leased until"), null=True)

    class Meta:
        verbose_name = _("periodic work")
        verbose_name_plural = _("all periodic work")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_running(self) -> bool:
        """Whether a run began that has not ended."""
        return self.started_at is not None and self.finished_at is None


class Alert(models.Model):
    """Something is wrong that people have to know; one row for each incident, told once.

    `about` has the figures that its text names (`loyalty.alerts`); no personal data.
    """

    class Kind(models.TextChoices):
        """What may be wrong."""

        NOBODY_WATCHES = "nobody_watches", _("nothing runs")
        LATE = "late", _("periodic work is late")
        FAILED = "failed", _("periodic work failed")
        JOB_FAILED = "job_failed", _("a job failed")
        BOOKS_WRONG = "books_wrong", _("the books are wrong")
        HOLDS_OLD = "holds_old", _("purchases hold money for long")
        JOB_WAITS = "job_waits", _("no worker takes a job up")
        ORDERS_UNHEARD = "orders_unheard", _("a store's orders are not heard")

    key = models.CharField(_("incident"), max_length=160, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    about = models.JSONField(_("about"), default=dict)
    raised_at = models.DateTimeField(_("raised at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("over at"), null=True)
    mailed_at = models.DateTimeField(_("e-mail sent at"), null=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(ended_at__isnull=True), name="alert_open"
            )
        ]

    def __str__(self) -> str:
        return self.key
