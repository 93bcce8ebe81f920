"""What a check is, and how it says that something is wrong.

A check is a function that calls the provider and returns; `Failed` and `Skipped` carry the name of
a reason and its figures, so that a verdict that was kept is read in the language of the page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

if TYPE_CHECKING:
    from giftcard_provider.self_check.checkout import Checkout

REASONS: Mapping[str, StrOrPromise] = {
    "no_answer": _("%(call)s: no answer (%(problem)s)."),
    "status": _("%(call)s answered %(status)s instead of %(expected)s."),
    "not_refused": _("%(call)s answered %(status)s; it has to be refused with a 4xx."),
    "body_not_empty": _("%(call)s answered %(status)s with a body; it has to be empty."),
    "not_json": _("%(call)s: the answer is no JSON."),
    "not_a_list": _("%(call)s: the answer is no array."),
    "not_an_object": _("%(call)s: the answer is no object."),
    "media_type": _("%(call)s: the answer's Content-Type is %(found)s instead of JSON."),
    "missing": _('%(call)s: "%(name)s" is missing.'),
    "empty": _('%(call)s: "%(name)s" is empty; the order would hang for ever.'),
    "value": _('%(call)s: "%(name)s" is %(found)s instead of %(expected)s.'),
    "kind": _('%(call)s: "%(name)s" is no %(expected)s.'),
    "digits": _('%(call)s: "%(name)s" is %(found)s, with more digits than the currency has.'),
    "link": _('%(call)s: the link "%(name)s" is %(found)s; a relative one is expected.'),
    "unsafe_id": _('%(call)s: the id "%(found)s" has characters that do not fit into a URL.'),
    "count": _("%(call)s: %(found)s in the list instead of %(expected)s."),
    "sum": _("%(call)s: the values add up to %(found)s instead of %(expected)s."),
    "balance": _("The balance is %(found)s instead of %(expected)s, after: %(call)s."),
    "too_slow": _("%(call)s took %(found)s seconds; VTEX waits %(expected)s."),
    "secret": _('%(call)s: the answer shows what nobody should see: "%(name)s".'),
    "range": _('%(call)s: REST-Content-Range is "%(found)s" instead of "%(expected)s".'),
    "not_same": _("%(call)s: the repeated request got another answer: %(found)s, %(expected)s."),
    "accepted_twice": _("%(call)s, at the same time: %(found)s accepted instead of %(expected)s."),
    "date": _('%(call)s: "%(name)s" is "%(found)s", no date in ISO 8601 and UTC.'),
    "not_now": _('%(call)s: "%(name)s" is "%(found)s", which is not now.'),
    "past": _('%(call)s: "%(name)s" is "%(found)s", which is over: checkout takes no such card.'),
    "left": _("%(found)s could not be given back: do it at the provider. Transactions: %(ids)s."),
    "too_little": _("The test card holds %(found)s; at least %(expected)s is needed."),
    "no_card": _("There is no card to test with."),
    "no_time": _("The time for all checks was over before."),
    "no_code": _("Needs the test card's code."),
    "no_identity": _("Needs the identity of the customer who owns the test card."),
    "no_profile": _("Needs a profile id, for which it opens a wallet."),
    "fault": _("The check itself stumbled over the answers (%(problem)s)."),
}


class Verdict(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


VERDICTS: Mapping[str, StrOrPromise] = {
    Verdict.PASSED: _("passed"),
    Verdict.FAILED: _("failed"),
    Verdict.SKIPPED: _("skipped"),
}


class Ended(Exception):
    """A check came to an end before its own; `reason` is one of `REASONS`."""

    verdict: Verdict

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(str(REASONS[reason]) % values)
        self.reason = reason
        self.values = {name: str(value) for name, value in values.items()}


class Failed(Ended):
    """The provider does not do what VTEX needs."""

    verdict = Verdict.FAILED


class Skipped(Ended):
    """Nothing can be said: what the check needs was not given."""

    verdict = Verdict.SKIPPED


@dataclass(frozen=True, slots=True)
class Check:
    """A rule: its id, what it says, where that is written, and how it is tried."""

    id: str
    sentence: StrOrPromise
    source: str
    run: Callable[["Checkout"], None]


@dataclass(frozen=True, slots=True)
class Area:
    """The checks of one module, in the order in which they run."""

    name: str
    checks: list[Check] = field(default_factory=list)

    def check(
        self, name: str, sentence: StrOrPromise, source: str
    ) -> Callable[[Callable[["Checkout"], None]], Callable[["Checkout"], None]]:
        """Make a function the check `area.name`."""

        def added(run: Callable[["Checkout"], None]) -> Callable[["Checkout"], None]:
            self.checks.append(Check(f"{self.name}.{name}", sentence, source, run))
            return run

        return added


def told(reason: str, values: Mapping[str, Any]) -> str:
    """A reason in the language of the page; nothing for none."""
    return str(REASONS[reason]) % values if reason else ""
