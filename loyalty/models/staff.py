"""The store's staff: who they are to the credit system, and how much they may move."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.identity import normalized_document


class StaffProfile(models.Model):
    """What the back office knows of a person beyond Django's user."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        primary_key=True,
        related_name="staff_profile",
        verbose_name=_("user"),
    )
    document = models.CharField(
        _("personal document"),
        max_length=254,
        blank=True,
        help_text=_("Nobody may give credit to a customer with their own document or e-mail."),
    )

    class Meta:
        verbose_name = _("staff profile")
        verbose_name_plural = _("staff profiles")
        permissions = [
            ("export_lists", "Can export lists"),
            ("view_books", "Can see the books"),
            ("run_jobs", "Can run jobs"),
            ("unlock_staff", "Can unlock people and reset their one-time passwords"),
        ]

    def __str__(self) -> str:
        return str(self.user)

    def clean(self) -> None:
        """Keep the document in the form in which customers have theirs."""
        self.document = normalized_document(self.document)


class SpendingLimit(models.Model):
    """How much a role or a person may move alone, in minor units of a currency.

    A person's own limit counts; else the largest of their roles'. Without any, nothing: every
    amount needs a second person.
    """

    group = models.ForeignKey(
        Group,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="spending_limits",
        verbose_name=_("role"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="spending_limits",
        verbose_name=_("person"),
    )
    currency = models.CharField(_("currency"), max_length=3)
    per_action = models.BigIntegerField(_("limit of an action"))
    per_day = models.BigIntegerField(_("limit of a day"))

    class Meta:
        verbose_name = _("spending limit")
        verbose_name_plural = _("spending limits")
        ordering = ["group__name", "user__username", "currency"]
        constraints = [
            models.CheckConstraint(
                condition=Q(group__isnull=True, user__isnull=False)
                | Q(group__isnull=False, user__isnull=True),
                name="spending_limit_of_role_or_person",
            ),
            models.CheckConstraint(
                condition=Q(per_action__gte=0) & Q(per_day__gte=0),
                name="spending_limit_not_negative",
            ),
            models.UniqueConstraint(
                fields=["group", "currency"],
                condition=Q(group__isnull=False),
                name="spending_limit_of_role",
            ),
            models.UniqueConstraint(
                fields=["user", "currency"],
                condition=Q(user__isnull=False),
                name="spending_limit_of_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group or self.user} {self.currency}"


class Spending(models.Model):
    """What a person moved alone on a day of the store, in minor units; one row for each request."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person")
    )
    currency = models.CharField(_("currency"), max_length=3)
    day = models.DateField(_("day"))
    amount = models.BigIntegerField(_("amount"))
    request_id = models.CharField(_("request id"), max_length=128, unique=True)

    class Meta:
        verbose_name = _("spending")
        verbose_name_plural = _("spendings")
        ordering = ["-id"]
        indexes = [models.Index(fields=["user", "currency", "day"], name="spending_of_day")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="spending_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.day}"
