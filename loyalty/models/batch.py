"""Many cards issued together, made by us or brought in from a file; or credit for many people."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.customer import Customer
from loyalty.models.job import Job
from loyalty.models.program import Program
from loyalty.models.transaction import Transaction


class Batch(models.Model):
    """What was asked for; its cards name it, each with a number that no other card of it has.

    A batch that we make has one amount for every card, in units; one from a file has each card's
    own, and an `import_file`. A batch of credits has no cards: its owners have an amount each,
    which goes into their wallets, and come before those who are left out.
    """

    class Source(models.TextChoices):
        """Where the codes come from, if it is about cards."""

        GENERATED = "generated", _("made by us")
        IMPORTED = "imported", _("from a file")
        CREDIT = "credit", _("credit for customers")

    class Status(models.TextChoices):
        """Where it is. From `issuing` on there are cards."""

        DRAFT = "draft", _("draft")
        WAITING = "waiting", _("waiting for approval")
        ISSUING = "issuing", _("being issued")
        ISSUED = "issued", _("issued")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")
        DISCARDED = "discarded", _("discarded")

    program = models.ForeignKey(
        Program, models.PROTECT, related_name="batches", verbose_name=_("program")
    )
    name = models.CharField(_("name"), max_length=100)
    source = models.CharField(
        _("source"), max_length=9, choices=Source, default=Source.GENERATED, editable=False
    )
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.DRAFT)
    amount = models.BigIntegerField(_("amount of a card"), default=0)
    count = models.PositiveIntegerField(_("number of cards"))
    total = models.BigIntegerField(_("total amount"))
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    # Of whom a batch of credits is, when it was not made for a list (`loyalty.batches.Selection`).
    selection = models.JSONField(_("chosen by"), default=dict, db_default={}, editable=False)
    reason = models.CharField(_("reason"), max_length=16, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    job = models.ForeignKey(
        Job, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("job")
    )
    # Codes leave once, to whoever made the batch; after that by permission (re-print).
    codes_downloaded_at = models.DateTimeField(_("codes downloaded at"), null=True, blank=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["-id"]
        permissions = [
            ("reprint_batch", "Can download the codes of a batch again"),
            ("undo_batch", "Can undo a batch or import"),
            ("extend_batch", "Can extend the cards of a batch"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0) & Q(count__gt=0) & Q(total__gte=0), name="batch_amounts"
            ),
            models.CheckConstraint(
                condition=Q(source__in=["imported", "credit"])
                | Q(total=models.F("amount") * models.F("count")),
                name="batch_total",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BatchOwner(models.Model):
    """Whose card a number of a batch is, or whose credit, when it was made for customers.

    Of a credit: `amount` in units, `card` the wallet that it goes to, noted before the ledger is
    asked, and `credit`; or `problem`, why it was not given.
    """

    batch = models.ForeignKey(Batch, models.PROTECT, related_name="owners", verbose_name=_("batch"))
    number = models.PositiveIntegerField(_("number"))
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", verbose_name=_("customer")
    )
    amount = models.BigIntegerField(_("amount"), null=True)
    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("gift card"),
    )
    credit = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("credit"),
    )
    problem = models.CharField(_("why not"), max_length=32, blank=True, db_default="")

    class Meta:
        verbose_name = _("customer of a batch")
        verbose_name_plural = _("customers of batches")
        ordering = ["batch", "number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="batch_owner_of_number"),
            models.CheckConstraint(
                # NULL would pass a comparison.
                condition=Q(amount=None, card=None, credit=None, problem="")
                | Q(amount__isnull=False, amount__gt=0),
                name="batch_owner_amount",
            ),
            models.CheckConstraint(
                condition=Q(credit=None) | Q(card__isnull=False, problem=""),
                name="batch_owner_credited",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.number}"


class ImportFile(models.Model):
    """The file that an imported batch comes from, sealed, since it holds codes and people.

    `problems` are the findings of the dry run, row by row: `[{"line", "column", "code", "value"}]`
    with codes masked. The content is emptied when the import is applied or discarded.
    """

    batch = models.OneToOneField(
        Batch,
        models.PROTECT,
        primary_key=True,
        related_name="import_file",
        verbose_name=_("batch"),
    )
    name = models.CharField(_("file name"), max_length=200)
    digest = models.CharField(_("SHA-256"), max_length=64)
    content = models.BinaryField(_("sealed content"))
    problem_count = models.PositiveIntegerField(_("problems"), default=0)
    problems = models.JSONField(_("first problems"), default=list)

    class Meta:
        verbose_name = _("import file")
        verbose_name_plural = _("import files")

    def __str__(self) -> str:
        return self.name
