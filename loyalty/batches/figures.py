"""What a batch has come to: a few sums over its own cards, found by its index."""

from dataclasses import dataclass

from django.db.models import Count, Exists, F, Max, Min, OuterRef, QuerySet, Sum

from loyalty.models import Balance, Batch, GiftCard, Operation, Outcome

USES = (
    Operation.Kind.AUTHORIZE,
    Operation.Kind.CREDIT,
    Operation.Kind.ADJUST,
    Operation.Kind.REVERSE,
    Operation.Kind.EXPIRE,
)
"""What makes a card more than issued; being blocked, extended or given to somebody does not."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Cards and units of a batch now."""

    cards: int
    credited: int
    available: int
    held: int
    spent: int
    expired: int
    removed: int

    @property
    def outstanding(self) -> int:
        """What the store owes."""
        return self.available + self.held

    @property
    def lasting(self) -> int:
        """What a later last day keeps alive or brings back."""
        return self.outstanding + self.expired


def figures(batch: Batch) -> Figures:
    """The sums over its cards, by index: issued together, they lie together."""
    names = ("credited", "available", "held", "spent", "expired", "removed")
    # Not of the key alone: the planner may walk the table in its order to the first of the batch.
    ends = batch.cards.aggregate(first=Min(F("pk") + 0), last=Max(F("pk") + 0))
    balances = Balance.objects.filter(
        card__batch=batch, pk__gte=ends["first"] or 0, pk__lte=ends["last"] or 0
    )
    sums = balances.aggregate(cards=Count("pk"), **{name: Sum(name) for name in names})
    return Figures(**{name: value or 0 for name, value in sums.items()})


def outstanding(batch: Batch) -> int:
    """The units that the store owes by a batch."""
    return figures(batch).outstanding


def used_cards(batch: Batch) -> QuerySet[GiftCard]:
    """The cards that something happened to beyond their issue, by number."""
    # An entry beyond the first one is cheap to see, and almost no card has it.
    moved = GiftCard.objects.filter(batch=batch, balance__version__gt=1)
    uses = Operation.objects.filter(card=OuterRef("pk"), kind__in=USES, outcome=Outcome.OK)
    return moved.filter(Exists(uses)).order_by("batch_number")
