"""What was asked of a store's Gift Card Hub."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from giftcard_provider.models.credential import Credential
from giftcard_provider.models.staff_request import StaffRequest
from loyalty.models import Store


class HubChange(StaffRequest):
    """Something asked of a store's Gift Card Hub: what was there before, and what came of it.

    `before` and `after` are the account's providers as the Hub tells them, without any secret: it
    never tells one. `before` is what `registration.restore` puts back.
    """

    class Kind(models.TextChoices):
        """What was asked for."""

        LOOK = "look", _("look, change nothing")
        REGISTER = "register", _("register")
        UNREGISTER = "unregister", _("unregister")
        RESTORE = "restore", _("put other providers back")

    class Status(models.TextChoices):
        """How far it is; of what was sent nobody knows yet whether VTEX did it."""

        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent, not seen yet")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Refusal(models.TextChoices):
        """Why nothing was sent, or what is wrong with what came of it."""

        NO_KEYS = (
            "no_keys",
            _("There are no keys for the store's VTEX account. Set them with set_vtex_keys."),
        )
        BAD_ADDRESS = (
            "bad_address",
            _(
                "The service URL has to be an https address that VTEX reaches, with at least one"
                " path segment, no slash at its end and no query."
            ),
        )
        BAD_ID = (
            "bad_id",
            _("The store's provider id may have letters, digits, - and _ only: it goes into URLs."),
        )
        NOT_OURS = (
            "not_ours",
            _(
                "The account has a provider of this id that was not registered from here, or was"
                " changed by somebody else since. It is left alone: remove it in the account, or"
                " give the store another provider id."
            ),
        )
        NOT_THERE = "not_there", _("The account has no provider of this id.")
        NOTHING_SAVED = (
            "nothing_saved",
            _("Nothing was saved of this account: no provider was registered from here."),
        )
        NOT_AS_SENT = (
            "not_as_sent",
            _("VTEX took the request, but what the account has now is not what was sent."),
        )
        VTEX = "vtex", _("VTEX could not be asked, or refused.")

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="hub_changes", verbose_name=_("store")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    provider_id = models.CharField(_("provider id"), max_length=100)
    service_url = models.CharField(_("service URL"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    refusal = models.CharField(_("problem"), max_length=16, choices=Refusal, blank=True)
    error = models.TextField(_("error"), blank=True)
    credential = models.ForeignKey(
        Credential, models.PROTECT, null=True, related_name="+", verbose_name=_("credential")
    )
    before = models.JSONField(_("before"), null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(_("after"), null=True, encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("change of a Gift Card Hub")
        verbose_name_plural = _("changes of Gift Card Hubs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.provider_id}"

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or under way."""
        return self.status in {self.Status.WAITING, self.Status.SENT}
