"""The calls that got nothing."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models import Customer, GiftCard, Store


class Outcome(models.TextChoices):
    """How a call ended; also the metrics' word for it."""

    OK = "ok", _("served")
    NO_MATCH = "no_match", _("no card for the code")
    DECLINED = "declined", _("declined")
    CONFLICT = "conflict", _("request id used for something else")
    UNKNOWN = "unknown", _("no such card, transaction or path")
    MALFORMED = "malformed", _("malformed")
    NO_ENTRY = "no_entry", _("credentials missing or wrong")
    TOO_MANY = "too_many", _("too many calls")
    BUSY = "busy", _("busy: to be repeated")
    FAILED = "failed", _("our own failure")


class Endpoint(models.TextChoices):
    """What is called: the names of the protocol's paths."""

    SEARCH = "search", _("search for cards")
    CARDS = "cards", _("open a wallet")
    CARD = "card", _("read a card")
    TRANSACTIONS = "transactions", _("debit, credit or list")
    TRANSACTION = "transaction", _("read a transaction")
    AUTHORIZATION = "authorization", _("read an authorization")
    SETTLEMENTS = "settlements", _("settle or list")
    CANCELLATIONS = "cancellations", _("cancel or list")
    ELSEWHERE = "elsewhere", _("another path")


class FailedCall(models.Model):
    """A call that failed, was declined, or searched for a code without finding a card.

    Kept `RETENTION_FAILED_CALL_DAYS` days; no code, token or personal data is in it
    (`giftcard_provider.masking`). `customer` is who asked, where they are known.
    """

    created_at = models.DateTimeField(_("at"), db_index=True)
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, related_name="+", verbose_name=_("store")
    )
    app_key = models.CharField(_("AppKey"), max_length=150, blank=True)
    endpoint = models.CharField(_("called"), max_length=16, choices=Endpoint)
    method = models.CharField(_("method"), max_length=8)
    path = models.CharField(_("path"), max_length=255)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome)
    status = models.PositiveSmallIntegerField(_("status"))
    code = models.CharField(_("reason"), max_length=64, blank=True)
    request_body = models.TextField(_("what was sent"), blank=True)
    answer = models.TextField(_("what was answered"), blank=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    operation_id = models.CharField(_("VTEX operation id"), max_length=128, blank=True)
    request_id = models.CharField(_("request id (payment)"), max_length=128, blank=True)
    order_id = models.CharField(_("order"), max_length=64, blank=True)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, null=True, related_name="+", verbose_name=_("gift card")
    )
    customer = models.ForeignKey(
        Customer, models.SET_NULL, null=True, related_name="+", verbose_name=_("customer")
    )

    class Meta:
        verbose_name = _("failed call")
        verbose_name_plural = _("failed calls")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["operation_id"], name="failed_call_operation"),
            models.Index(fields=["request_id"], name="failed_call_request"),
            models.Index(fields=["order_id"], name="failed_call_order"),
        ]

    def __str__(self) -> str:
        return f"{self.get_endpoint_display()} {self.pk}"
