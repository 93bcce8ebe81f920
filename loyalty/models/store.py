"""A VTEX account that we serve."""

import datetime
import zoneinfo

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.exceptions import UnknownCurrency
from loyalty.money import exponent_of


class Language(models.TextChoices):
    """The languages in which people are written to, each by its own name."""

    PORTUGUESE = "pt-br", "Português (Brasil)"
    SPANISH = "es", "Español"
    ENGLISH = "en", "English"

    @classmethod
    def meant_by(cls, text: str) -> str:
        """The language that a code or an own name means, `es-CL` or `Español`; empty for none."""
        first, *_rest = text.strip().lower().replace("_", "-").replace("-", " ").split() or [""]
        for language in cls:
            if first in {language.value.split("-")[0], language.label.lower().split()[0]}:
                return language.value
        return ""


def validate_currency(value: str) -> None:
    """Accept an ISO 4217 currency in use."""
    try:
        exponent_of(value)
    except UnknownCurrency as error:
        raise ValidationError(_("This currency is not known.")) from error


def validate_time_zone(value: str) -> None:
    """Accept a zone of the IANA database."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(_("This time zone is not known."))


class Store(models.Model):
    """The tenant: every card, customer and credential belongs to exactly one store."""

    name = models.CharField(_("name"), max_length=100)
    account = models.SlugField(_("VTEX account"), max_length=100, unique=True)
    provider_id = models.CharField(
        _("provider id"),
        max_length=100,
        help_text=_("Our id in the store's Gift Card Hub; it goes into its orders for good."),
    )
    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_time_zone])
    refund_grace_days = models.PositiveSmallIntegerField(
        _("refund grace days"),
        default=30,
        help_text=_("How long money stays usable that comes back to credit already expired."),
    )
    open_hold_alert_days = models.PositiveSmallIntegerField(_("open hold alert days"), default=30)
    language = models.CharField(
        _("language"),
        max_length=8,
        choices=Language,
        default=Language.PORTUGUESE,
        help_text=_("Of messages to customers whose own language is not known."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The store's time zone, in which its days begin and end."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def first_instant(self, day: datetime.date) -> datetime.datetime:
        """When a day begins in the store."""
        return datetime.datetime.combine(day, datetime.time.min, tzinfo=self.zone)

    def last_instant(self, day: datetime.date) -> datetime.datetime:
        """When a day ends in the store (known issue 378436: never at midnight UTC)."""
        return datetime.datetime.combine(day, datetime.time.max, tzinfo=self.zone)
