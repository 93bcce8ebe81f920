"""Long work that a worker does in chunks, and how far it is."""

from typing import TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class JobKind(models.TextChoices):
    """What the worker knows how to do (`loyalty.jobs`)."""

    ISSUE_BATCH = "issue_batch", _("issue a batch")
    EXTEND_BATCH = "extend_batch", _("extend a batch")
    CREDIT_BATCH = "credit_batch", _("give credit to many customers")
    UNDO_BATCH = "undo_batch", _("undo a batch or import")
    CHECK_IMPORT = "check_import", _("check an import")
    APPLY_IMPORT = "apply_import", _("apply an import")
    RECONCILE = "reconcile", _("compare with the store's orders")
    CHANGE_HUB = "change_hub", _("ask VTEX's Gift Card Hub")
    SELF_TEST = "self_test", _("test the protocol")
    EXPIRE = "expire", _("book expired credit")
    PROVE_CHANGES = "prove_changes", _("prove what changed")
    PROVE_ALL = "prove_all", _("prove everything")
    CATCH_UP_ORDERS = "catch_up_orders", _("read a store's orders again")
    SIMULATE_RULE = "simulate_rule", _("try an earning rule on past orders")
    CHANGE_POINTS = "change_points", _("adjust cards to another point value")
    REVIEW_TIERS = "review_tiers", _("review the tiers of customers")


class Job(models.Model):
    """A piece of long work: claimed for a while, done in chunks that commit their own progress.

    A worker that dies lets its lease run out; the next one goes on after the last chunk. `done` is
    how many of `total` parts were dealt with, `failed` how many of those were refused.
    """

    Kind: TypeAlias = JobKind

    class Status(models.TextChoices):
        """Where it is."""

        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    kind = models.CharField(_("kind"), max_length=16, choices=JobKind)
    parameters = models.JSONField(_("parameters"), default=dict)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    total = models.BigIntegerField(_("total"), default=0)
    done = models.BigIntegerField(_("done"), default=0)
    failed = models.BigIntegerField(_("refused"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    error = models.TextField(_("error"), blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    # Whoever runs it has it until then, and renews it with each chunk.
    leased_until = models.DateTimeField(_("leased until"), null=True)
    lease = models.CharField(_("lease"), max_length=32, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(status__in=["waiting", "running"]), name="job_open"
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(done__gte=0) & Q(failed__gte=0) & Q(failed__lte=F("done")),
                name="job_progress",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def percent(self) -> int:
        """How much is done, from 0 to 100."""
        return 100 * self.done // self.total if self.total else 0
