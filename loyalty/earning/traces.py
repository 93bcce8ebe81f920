"""What earning keeps about people: their orders and tiers, for a copy of all that is known."""

import datetime
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import privacy
from loyalty.models import Customer, ShopOrder, TierChange, TierGrant, TierStanding
from loyalty.money import exponent_of, to_decimal


class _Kept:
    """Rows that lead to the person's number alone: nothing has to be forgotten, and all is kept."""

    def forget(self, customer: Customer) -> None:
        """Nothing: once the person is erased, the number is nobody's."""

    def purge(self) -> int:
        """Nothing: what was promised and earned is evidence."""
        return 0


class OrderTraces(_Kept):
    """The person's orders as last seen."""

    name = "orders"
    title: StrOrPromise = _("orders")
    labels: Mapping[str, StrOrPromise] = {
        "at": _("placed at"),
        "order": _("order"),
        "state": _("state"),
        "amount": _("value of the goods"),
        "currency": _("currency"),
    }

    def of(self, customer: Customer) -> list[dict[str, Any]]:
        """Each order that was read."""
        rows = ShopOrder.objects.filter(customer=customer, version__gt=0).order_by("pk")
        return [
            {
                "at": row.placed_at.isoformat() if row.placed_at else None,
                "order": row.order_id,
                "state": str(row.get_state_display()),
                "amount": str(
                    to_decimal(
                        row.total, exponent=exponent_of(row.currency or customer.store.currency)
                    )
                ),
                "currency": row.currency,
            }
            for row in rows
        ]


class TierTraces(_Kept):
    """The tiers that the person has, was granted and had, each with how it came about."""

    name = "tiers"
    title: StrOrPromise = _("tiers")
    labels: Mapping[str, StrOrPromise] = {
        "at": _("since"),
        "program": _("program"),
        "what": _("what it is"),
        "tier": _("tier"),
        "cause": _("how it came about"),
        "until": _("until"),
        "reason": _("reason"),
    }

    def of(self, customer: Customer) -> list[dict[str, Any]]:
        """What holds now, then each change and each grant, oldest first."""
        held = TierStanding.objects.filter(customer=customer).select_related("program")
        changes = TierChange.objects.filter(customer=customer).select_related("program")
        grants = TierGrant.objects.filter(customer=customer).select_related("program")
        return [
            *(
                _row(row, _("now"), row.since, row.tier, row.get_cause_display(), row.review_at)
                for row in held.order_by("pk")
            ),
            *(
                _row(row, _("change of tier"), row.at, row.after, row.get_cause_display())
                for row in changes.order_by("pk")
            ),
            *(
                _row(row, _("granted tier"), row.given_at, row.tier, "", row.until, row.reason)
                for row in grants.order_by("pk")
            ),
        ]


def _row(
    row: TierStanding | TierChange | TierGrant,
    what: StrOrPromise,
    at: datetime.datetime,
    tier: str,
    cause: str,
    until: datetime.datetime | None = None,
    reason: str = "",
) -> dict[str, Any]:
    return {
        "at": at.isoformat(),
        "program": row.program.name,
        "what": str(what),
        "tier": tier,
        "cause": str(cause),
        "until": until.isoformat() if until else None,
        "reason": reason,
    }


privacy.elsewhere += [OrderTraces(), TierTraces()]
