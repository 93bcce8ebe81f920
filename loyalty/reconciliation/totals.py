"""What is open, added up: by kind and currency, and how long it has been there."""

import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from loyalty.models import Discrepancy

# The ages that people ask for: up to so many days, and older.
AGES: Sequence[int] = (1, 7, 30)


@dataclass(frozen=True, slots=True)
class Total:
    """The differences of a kind in a currency; `ages` has how many are how old, youngest first."""

    kind: str
    currency: str
    number: int
    amount: int
    ages: Sequence[int]


def totals_of(differences: QuerySet[Discrepancy]) -> list[Total]:
    """One total for each kind and currency, amounts in minor units."""
    now = timezone.now()
    ends = [now - datetime.timedelta(days=days) for days in AGES]
    parts = {
        f"age_{index}": Count("pk", filter=condition)
        for index, condition in enumerate(
            [
                Q(first_seen__gt=ends[0]),
                *(
                    Q(first_seen__lte=younger, first_seen__gt=older)
                    for younger, older in itertools.pairwise(ends)
                ),
                Q(first_seen__lte=ends[-1]),
            ]
        )
    }
    rows = differences.order_by().values("kind", "currency")
    summed = rows.annotate(number=Count("pk"), sum=Sum("amount"), **parts)
    return [
        Total(
            kind=row["kind"],
            currency=row["currency"],
            number=row["number"],
            amount=row["sum"],
            ages=[row[name] for name in parts],
        )
        for row in summed.order_by("kind", "currency")
    ]
