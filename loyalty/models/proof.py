"""Proofs of the books: each run, the differences found, and the chain of each card's entries."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard


class Proof(models.Model):
    """One proof: of all cards, or of those that changed since the last one of all cards.

    `links` is how many links all chains had at its end, under a seal that needs the key.
    """

    class Scope(models.TextChoices):
        """Which cards."""

        CHANGES = "changes", _("what changed")
        EVERYTHING = "everything", _("everything")

    scope = models.CharField(_("proof of"), max_length=10, choices=Scope)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    cards = models.BigIntegerField(_("cards"), default=0)
    differences = models.BigIntegerField(_("differences"), default=0)
    links = models.BigIntegerField(_("links"), null=True)
    seal = models.BinaryField(_("seal"), max_length=32, null=True)

    class Meta:
        verbose_name = _("proof of the books")
        verbose_name_plural = _("proofs of the books")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at=None, links=None, seal=None)
                | Q(finished_at__isnull=False, links__gte=0, seal__isnull=False),
                name="proof_sealed_at_its_end",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} {self.pk}"


class ProofDifference(models.Model):
    """Something in the books that is not as promised; open until a proof finds it gone."""

    proof = models.ForeignKey(
        Proof, models.PROTECT, related_name="found", verbose_name=_("first found by")
    )
    check_name = models.CharField(_("promise"), max_length=8)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, null=True, related_name="+", verbose_name=_("gift card")
    )
    figures = models.TextField(_("figures"))
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    gone_at = models.DateTimeField(_("gone at"), null=True)

    class Meta:
        verbose_name = _("difference in the books")
        verbose_name_plural = _("differences in the books")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["check_name", "card"],
                condition=Q(gone_at=None),
                nulls_distinct=False,
                name="proof_difference_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.check_name} {self.pk}"


class ChainLink(models.Model):
    """A link of the chain of a card's entries: the digest of all of them up to one number.

    Keyed outside the database, so that whoever can write there cannot make one. Only ever added.
    """

    card = models.ForeignKey(
        GiftCard, models.PROTECT, related_name="+", db_index=False, verbose_name=_("gift card")
    )
    key_id = models.CharField(_("key"), max_length=8)
    after = models.BigIntegerField(_("after entry"))
    upto = models.BigIntegerField(_("up to entry"))
    digest = models.BinaryField(_("digest"), max_length=32)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("link of a chain")
        verbose_name_plural = _("links of chains")
        ordering = ["id"]
        constraints = [
            # A chain never forks: of two proofs at once, one makes the next link.
            models.UniqueConstraint(fields=["card", "key_id", "after"], name="chain_link_once"),
            models.CheckConstraint(
                condition=Q(after__gte=0, upto__gt=F("after")), name="chain_link_numbers"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.card_id}/{self.upto}"
