"""The amounts of a card, and its lock."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard


class Balance(models.Model):
    """What each bucket of a card holds now, in units. Written only by `loyalty.ledger.posting`.

    Its row lock serializes everything that happens to the card. `version` counts the card's
    entries.
    """

    card = models.OneToOneField(
        GiftCard,
        models.PROTECT,
        primary_key=True,
        related_name="balance",
        verbose_name=_("gift card"),
    )
    credited = models.BigIntegerField(_("credited"), default=0)
    available = models.BigIntegerField(_("available"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    spent = models.BigIntegerField(_("spent"), default=0)
    expired = models.BigIntegerField(_("expired"), default=0)
    removed = models.BigIntegerField(_("removed"), default=0)
    version = models.BigIntegerField(_("version"), default=0)

    class Meta:
        verbose_name = _("balance")
        verbose_name_plural = _("balances")
        constraints = [
            models.CheckConstraint(
                condition=Q(available__gte=0)
                & Q(held__gte=0)
                & Q(spent__gte=0)
                & Q(expired__gte=0)
                & Q(removed__gte=0)
                & Q(version__gte=0),
                name="balance_never_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    credited=F("available") + F("held") + F("spent") + F("expired") + F("removed")
                ),
                name="balance_conserves_credit",
            ),
        ]

    def __str__(self) -> str:
        return str(self.card_id)
