"""How far a store's orders are known."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.store import Store


class OrderListening(models.Model):
    """When a store's feed was last listened to, and until when its lists were gone through."""

    store = models.OneToOneField(
        Store,
        models.PROTECT,
        primary_key=True,
        related_name="order_listening",
        verbose_name=_("store"),
    )
    heard_at = models.DateTimeField(_("listened at"), null=True)
    caught_up_until = models.DateTimeField(_("caught up until"), null=True)
    # Rewards of the store itself that were given or taken back until then were looked at.
    rewards_until = models.DateTimeField(_("rewards looked at until"), null=True)
    problem = models.CharField(_("problem"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("listening to orders")
        verbose_name_plural = _("listening to orders of stores")

    def __str__(self) -> str:
        return str(self.store_id)
