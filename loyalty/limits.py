"""How much a person may move alone, an action and a day; what they moved is reserved first."""

import datetime
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Max, Sum
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.models import Spending, SpendingLimit, Store
from loyalty.money import exponent_of


@dataclass(frozen=True, slots=True)
class Limit:
    """Minor units of a currency that a person may move alone; None without bound."""

    per_action: int | None
    per_day: int | None


def limit_of(user: User, currency: str) -> Limit:
    """The person's own limit, else the largest of their roles', else nothing.

    A superuser without a limit of their own has none: somebody has to set the first limits.
    """
    own = SpendingLimit.objects.filter(user=user, currency=currency).first()
    if own:
        return Limit(own.per_action, own.per_day)
    if user.is_superuser:
        return Limit(None, None)
    roles = SpendingLimit.objects.filter(group__user=user, currency=currency)
    largest = roles.aggregate(action=Max("per_action"), day=Max("per_day"))
    return Limit(largest["action"] or 0, largest["day"] or 0)


def minor_units(units: int, *, currency: str, exponent: int) -> int:
    """Units of a card as minor units of its currency, rounded up: nothing slips under a limit."""
    step: int = 10 ** (exponent - exponent_of(currency))
    return -(-units // step)


def spent_on(user: User, currency: str, day: datetime.date) -> int:
    """Minor units that the person has moved alone on a day."""
    rows = Spending.objects.filter(user=user, currency=currency, day=day)
    return rows.aggregate(sum=Sum("amount"))["sum"] or 0


def today(store: Store) -> datetime.date:
    """The day by the store's clock."""
    return timezone.localdate(timezone=store.zone)


def reserve(user: User, *, store: Store, currency: str, amount: int, request_id: str) -> bool:
    """Count `amount` (minor units) against the person's day; False when it is above a limit.

    The same request is counted once. Two at once wait for each other: the sum is never overrun.
    """
    if not amount:
        return True
    with atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if Spending.objects.filter(request_id=request_id).exists():
            return True
        limit, day = limit_of(user, currency), today(store)
        if limit.per_action is not None and amount > limit.per_action:
            return False
        if limit.per_day is not None and spent_on(user, currency, day) + amount > limit.per_day:
            return False
        Spending.objects.create(
            user=user, currency=currency, day=day, amount=amount, request_id=request_id
        )
    return True


def release(request_id: str) -> None:
    """Forget a reservation whose action the ledger refused."""
    Spending.objects.filter(request_id=request_id).delete()
