"""What the reports of finance keep: sums of entries, open holds, and months as they were closed.

All of it is derived from the entries by `loyalty.reports` and can be made again from them, except
the closings: those stay as they were. Amounts are units of `exponent` digits of the currency; they
are numeric, since the sum of many amounts may be larger than the largest amount.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.models.batch import Batch
from loyalty.models.card import GiftCard
from loyalty.models.entry import Bucket
from loyalty.models.grant import Funding, Origin
from loyalty.models.program import Program
from loyalty.models.store import Store
from loyalty.models.transaction import Transaction


class BookProgress(models.Model):
    """How far a part of the sums is: up to which entry, and by which time zones.

    One row for each part (`loyalty.reports.parts`). Its lock lets one process at a time add to it.
    """

    last_entry = models.BigIntegerField(_("last entry"), default=0)
    added_at = models.DateTimeField(_("added at"), null=True)
    # By the id of the store; a store that moves to another zone has other days and months.
    zones = models.JSONField(_("time zones"), default=dict)
    expiring_at = models.DateTimeField(_("expiring money counted at"), null=True)

    class Meta:
        verbose_name = _("state of the books")
        verbose_name_plural = _("progress of the books")

    def __str__(self) -> str:
        return str(self.last_entry)


class BookLine(models.Model):
    """What every sum is kept apart by."""

    # Each of these tables has an index that begins with the store.
    store = models.ForeignKey(
        Store, models.PROTECT, related_name="+", db_index=False, verbose_name=_("store")
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="+", db_index=False, verbose_name=_("program")
    )
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    funding = models.CharField(_("funding"), max_length=12, choices=Funding)

    class Meta:
        abstract = True


class BookDay(BookLine):
    """What moved between two buckets on a day of the store, of one kind of credit.

    `landing_origin` is the origin of the grant where the money of a late refund came back to.
    """

    day = models.DateField(_("day"))
    origin = models.CharField(_("origin"), max_length=12, choices=Origin)
    landing_origin = models.CharField(_("came back as"), max_length=12, blank=True)
    source = models.CharField(_("from"), max_length=9, choices=Bucket)
    target = models.CharField(_("to"), max_length=9, choices=Bucket)
    amount = models.DecimalField(_("amount"), max_digits=38, decimal_places=0)
    count = models.BigIntegerField(_("number of entries"))

    class Meta:
        verbose_name = _("day of the books")
        verbose_name_plural = _("days of the books")
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("store", "day", "program", "currency", "exponent", "funding"),
                    *("origin", "landing_origin", "source", "target"),
                ],
                name="book_day_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.store_id} {self.day}"


class BookCohort(BookLine):
    """What moved in a month, of the credit given in another: both are months of the store."""

    issued = models.DateField(_("month of the credit"))
    month = models.DateField(_("month of the movement"))
    origin = models.CharField(_("origin"), max_length=12, choices=Origin)
    landing_origin = models.CharField(_("came back as"), max_length=12, blank=True)
    source = models.CharField(_("from"), max_length=9, choices=Bucket)
    target = models.CharField(_("to"), max_length=9, choices=Bucket)
    amount = models.DecimalField(_("amount"), max_digits=38, decimal_places=0)
    count = models.BigIntegerField(_("number of entries"))

    class Meta:
        verbose_name = _("month of credit")
        verbose_name_plural = _("months of credit")
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("store", "issued", "month", "program", "currency", "exponent", "funding"),
                    *("origin", "landing_origin", "source", "target"),
                ],
                name="book_cohort_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.store_id} {self.issued} {self.month}"


class BookCause(models.Model):
    """What moved on a day of the store in a loyalty program, and what for.

    By the ledger's verb, the origin of the credit, and for what orders earn by the rule and the
    campaign; 0 where there is none.
    """

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="+", db_index=False, verbose_name=_("store")
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="+", db_index=False, verbose_name=_("program")
    )
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    day = models.DateField(_("day"))
    origin = models.CharField(_("origin"), max_length=12)
    verb = models.CharField(_("verb"), max_length=9)
    rule = models.BigIntegerField(_("rule"))
    campaign = models.BigIntegerField(_("campaign"))
    source = models.CharField(_("from"), max_length=9, choices=Bucket)
    target = models.CharField(_("to"), max_length=9, choices=Bucket)
    amount = models.DecimalField(_("amount"), max_digits=38, decimal_places=0)
    count = models.BigIntegerField(_("number of entries"))

    class Meta:
        verbose_name = _("cause in the books")
        verbose_name_plural = _("causes in the books")
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("program", "day", "store", "currency", "exponent", "origin", "verb"),
                    *("rule", "campaign", "source", "target"),
                ],
                name="book_cause_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.program_id} {self.day} {self.verb}"


class BookJoined(models.Model):
    """What the wallets of a loyalty program that were opened in a month did in another.

    `active` are the wallets that earned by an order or paid. Both are months of the store.
    """

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="+", db_index=False, verbose_name=_("store")
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="+", db_index=False, verbose_name=_("program")
    )
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    joined = models.DateField(_("month of the wallet"))
    month = models.DateField(_("month of the movement"))
    given = models.DecimalField(_("given"), max_digits=38, decimal_places=0)
    spent = models.DecimalField(_("spent"), max_digits=38, decimal_places=0)
    active = models.BigIntegerField(_("active wallets"))

    class Meta:
        verbose_name = _("month of wallets")
        verbose_name_plural = _("months of wallets")
        constraints = [
            models.UniqueConstraint(
                fields=["program", "joined", "month", "store", "currency", "exponent"],
                name="book_joined_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.program_id} {self.joined} {self.month}"


class BookActive(models.Model):
    """That a wallet is counted among those that were active in a month."""

    card = models.ForeignKey(
        GiftCard,
        models.PROTECT,
        related_name="+",
        db_index=False,  # the unique constraint begins with it
        db_constraint=False,  # a row here must not lock the card
        verbose_name=_("gift card"),
    )
    month = models.DateField(_("month"))

    class Meta:
        verbose_name = _("active wallet")
        verbose_name_plural = _("active wallets")
        constraints = [models.UniqueConstraint(fields=["card", "month"], name="book_active_once")]

    def __str__(self) -> str:
        return f"{self.card_id} {self.month}"


class OpenHold(models.Model):
    """A purchase that holds money. Apart, so that no index slows down the settling of purchases."""

    transaction = models.OneToOneField(
        Transaction,
        models.PROTECT,
        primary_key=True,
        related_name="+",
        db_constraint=False,  # a row here must not lock the purchase
        verbose_name=_("transaction"),
    )
    store = models.ForeignKey(
        Store, models.PROTECT, related_name="+", db_index=False, verbose_name=_("store")
    )
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    opened_at = models.DateTimeField(_("held since"))
    amount = models.DecimalField(_("amount"), max_digits=38, decimal_places=0)

    class Meta:
        verbose_name = _("open hold")
        verbose_name_plural = _("open holds")
        indexes = [models.Index(fields=["store", "opened_at"], name="open_hold_age")]

    def __str__(self) -> str:
        return str(self.transaction_id)


class ExpiringMoney(BookLine):
    """What expires on a day of the store, as counted the last time."""

    batch = models.ForeignKey(
        Batch,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("batch"),
    )
    day = models.DateField(_("day"))
    amount = models.DecimalField(_("amount"), max_digits=38, decimal_places=0)
    grants = models.BigIntegerField(_("number of grants"))

    class Meta:
        verbose_name = _("expiring amount")
        verbose_name_plural = _("expiring money")
        indexes = [models.Index(fields=["store", "day"], name="expiring_money_day")]

    def __str__(self) -> str:
        return f"{self.store_id} {self.day}"


class MonthClosing(models.Model):
    """The books of a store at the end of a month, as they were when the month was closed."""

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="month_closings", verbose_name=_("store")
    )
    month = models.DateField(_("month"))
    taken_at = models.DateTimeField(_("taken at"))
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("taken by"),
        help_text=_("Empty: by the clock."),
    )

    class Meta:
        verbose_name = _("month-end snapshot")
        verbose_name_plural = _("month-end snapshots")
        ordering = ["-month", "store"]
        constraints = [
            models.UniqueConstraint(fields=["store", "month"], name="month_closed_once"),
            models.CheckConstraint(condition=models.Q(month__day=1), name="month_closing_month"),
        ]

    def __str__(self) -> str:
        return f"{self.store} {self.month:%Y-%m}"


class MonthClosingLine(models.Model):
    """The buckets of one kind of credit at the end of the month; since the beginning, in units."""

    closing = models.ForeignKey(
        MonthClosing, models.PROTECT, related_name="lines", verbose_name=_("month-end snapshot")
    )
    program = models.ForeignKey(
        Program, models.PROTECT, related_name="+", db_index=False, verbose_name=_("program")
    )
    currency = models.CharField(_("currency"), max_length=3)
    exponent = models.PositiveSmallIntegerField(_("digits of the units"))
    funding = models.CharField(_("funding"), max_length=12, choices=Funding)
    origin = models.CharField(_("origin"), max_length=12, choices=Origin)
    credited = models.DecimalField(_("credited"), max_digits=38, decimal_places=0)
    available = models.DecimalField(_("available"), max_digits=38, decimal_places=0)
    held = models.DecimalField(_("held"), max_digits=38, decimal_places=0)
    spent = models.DecimalField(_("spent"), max_digits=38, decimal_places=0)
    expired = models.DecimalField(_("expired"), max_digits=38, decimal_places=0)
    removed = models.DecimalField(_("removed"), max_digits=38, decimal_places=0)

    class Meta:
        verbose_name = _("line of a month-end snapshot")
        verbose_name_plural = _("lines of month-end snapshots")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["closing", "program", "currency", "exponent", "funding", "origin"],
                name="month_closing_line_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.closing_id} {self.program_id} {self.funding} {self.origin}"


# Made again from the entries at any time; nobody looks at these tables by themselves.
DERIVED = (
    *(BookProgress, BookDay, BookCohort, BookCause, BookJoined, BookActive),
    *(OpenHold, ExpiringMoney),
)
