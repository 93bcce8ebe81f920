"""The changes of what a program's point is worth."""

import datetime
from collections.abc import Iterable
from fractions import Fraction

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.card import GiftCard
from loyalty.models.job import Job
from loyalty.models.operation import Operation, OperationKind
from loyalty.models.program import Program
from loyalty.money import to_decimal


class PointValueChange(models.Model):
    """A program's point is worth something else from an instant on.

    `before` and `after` are units of the program. With the points kept, a job brings each card's
    money in line; until it has, the change is under way and the program takes no other. `cards` and
    `available` are what there was when it began. The database lets a program's `point_units` follow
    its latest change, and nothing else.
    """

    class Policy(models.TextChoices):
        """What stays: one of the two has to move."""

        KEEP_MONEY = "keep_money", _("money stays, the number of points changes")
        KEEP_POINTS = "keep_points", _("points stay, the money is adjusted")

    program = models.ForeignKey(
        Program, models.PROTECT, related_name="point_value_changes", verbose_name=_("program")
    )
    before = models.PositiveBigIntegerField(_("units of a point before"))
    after = models.PositiveBigIntegerField(_("units of a point after"))
    policy = models.CharField(_("policy"), max_length=11, choices=Policy)
    cards = models.PositiveIntegerField(_("cards with something on them"))
    available = models.BigIntegerField(_("available then"))
    reason = models.CharField(_("reason"), max_length=16)
    note = models.CharField(_("note"), max_length=500, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, unique=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    changed_at = models.DateTimeField(_("from"))
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("change of the point value")
        verbose_name_plural = _("changes of the point value")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(before__gt=0) & Q(after__gt=0) & ~Q(before=F("after")),
                name="point_value_differs",
            ),
            models.CheckConstraint(
                condition=Q(policy="keep_points")
                | Q(policy="keep_money", finished_at__isnull=False),
                name="point_value_policy",
            ),
            models.UniqueConstraint(
                fields=["program"],
                condition=Q(finished_at=None),
                name="point_value_one_under_way",
            ),
        ]

    def __str__(self) -> str:
        exponent = self.program.exponent
        before, after = (to_decimal(each, exponent=exponent) for each in (self.before, self.after))
        return f"{self.program}: {before} → {after}"

    @property
    def keeps_points(self) -> bool:
        """Whether it is the money that moves."""
        return self.policy == self.Policy.KEEP_POINTS

    @property
    def is_under_way(self) -> bool:
        """Whether cards may be left at the value before."""
        return self.finished_at is None

    @property
    def card_request_id(self) -> str:
        """The request id by which the ledger brings each card in line once."""
        return f"points:{self.pk}"


def point_units_of(card: GiftCard) -> int | None:
    """Units that a point on this card, which comes with its program, is worth now.

    While the money of a program's cards is being adjusted each card still counts at the value
    before, until its own turn: so that its owner sees the same number of points all the time.
    """
    program = card.program
    if program.point_units_before is None:
        return program.point_units
    change = program.point_value_changes.first()
    if change is None or card.created_at >= change.changed_at:
        return program.point_units
    is_adjusted = Operation.objects.filter(
        card=card, kind=OperationKind.REVALUE, request_id=change.card_request_id
    )
    return program.point_units if is_adjusted.exists() else program.point_units_before


def scale_since(
    changes: Iterable[PointValueChange],
    instant: datetime.datetime | None,
    *,
    until: datetime.datetime | None = None,
) -> Fraction:
    """How many units each unit of points of an instant comes to now, or came to later on.

    Changes that kept the money left units as they were, others left as many points.
    """
    scale = Fraction(1)
    for each in changes:
        is_later = instant is None or each.changed_at > instant
        is_over = until is None or each.changed_at <= until
        if each.keeps_points and is_later and is_over:
            scale *= Fraction(each.after, each.before)
    return scale
