"""All checks, one after the other, and what the test card holds before and after."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check import (
    bounds,
    cards,
    credentials,
    numbers,
    purchases,
    repeats,
    search,
    transport,
    wallets,
)
from giftcard_provider.self_check.check import Area, Check, Ended, Failed, Skipped, Verdict
from giftcard_provider.self_check.checkout import Checkout
from giftcard_provider.self_check.sources import PROTOCOL
from giftcard_provider.self_check.wire import Target, Wire

_begin, _end = Area("begin"), Area("end")
# The last check closes the accounts: it runs in any case.
_LAST = "end.balance"


@_begin.check("card", _("The test card is found, and holds enough."), PROTOCOL)
def _test_card(checkout: Checkout) -> None:
    """Without it all others are skipped."""
    checkout.find_card()


@_end.check("balance", _("The test card holds what it held before."), PROTOCOL)
def _balance_as_found(checkout: Checkout) -> None:
    """Every purchase was given back."""
    before = checkout.card.balance
    if checkout.left:
        found = sum(checkout.left.values(), Decimal(0))
        raise Failed("left", found=found, ids=", ".join(checkout.left))
    checkout.expect_balance(before, "all checks")


CHECKS: Sequence[Check] = [
    each
    for area in (
        _begin,
        credentials.area,
        transport.area,
        search.area,
        cards.area,
        purchases.area,
        repeats.area,
        bounds.area,
        numbers.area,
        wallets.area,
        _end,
    )
    for each in area.checks
]
BY_ID = {check.id: check for check in CHECKS}


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict of one check; `reason` is one of `REASONS`, with its `values`."""

    check_id: str
    verdict: Verdict
    reason: str
    values: dict[str, str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts of all checks, in order, and the test card's balance before and after.

    No balance before: no card was found. None after: the provider does not tell it any more.
    """

    url: str
    results: Sequence[Result]
    currency: str = ""
    before: Decimal | None = None
    after: Decimal | None = None

    @property
    def is_passed(self) -> bool:
        """Whether no check failed."""
        return not self.count(Verdict.FAILED)

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(result.verdict == verdict for result in self.results)

    def as_data(self) -> dict[str, Any]:
        """The same in plain data, for JSON; amounts are texts."""
        return {
            "url": self.url,
            "currency": self.currency,
            "balance_before": None if self.before is None else str(self.before),
            "balance_after": None if self.after is None else str(self.after),
            "results": [
                {
                    "check": result.check_id,
                    "verdict": result.verdict.value,
                    "reason": result.reason,
                    "values": result.values,
                    "seconds": round(result.seconds, 3),
                }
                for result in self.results
            ],
        }


def check_provider(target: Target, *, seconds: float | None = None) -> Report:
    """Play the Hub against a provider; no check begins after so many seconds.

    What the test card held is given back, as far as the provider lets one: `end.balance` says so.
    """
    until = None if seconds is None else time.monotonic() + seconds
    with closing(Wire(target)) as wire:
        checkout = Checkout(target, wire)
        return _report(checkout, list(_results(checkout, until)))


def _results(checkout: Checkout, until: float | None) -> Iterator[Result]:
    for check in CHECKS:
        begun = time.monotonic()
        try:
            if until is not None and begun > until and check.id != _LAST:
                raise Skipped("no_time")
            if not check.id.startswith(_begin.name):
                checkout.card  # noqa: B018 - skips when there is none
            check.run(checkout)
        except Ended as ended:
            verdict, reason, values = ended.verdict, ended.reason, ended.values
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            # An answer of a shape that nobody thought of is the provider's failure, not ours.
            verdict, reason = Verdict.FAILED, "fault"
            values = {"problem": type(error).__name__}
        else:
            verdict, reason, values = Verdict.PASSED, "", {}
        yield Result(check.id, verdict, reason, values, time.monotonic() - begun)


def _report(checkout: Checkout, results: Sequence[Result]) -> Report:
    url = checkout.target.url
    try:
        card = checkout.card
    except Skipped:
        return Report(url, results)
    try:
        after = checkout.balance()
    except Failed:
        return Report(url, results, card.currency, card.balance)
    return Report(url, results, card.currency, card.balance, after)
