"""Who may call: VTEX calls with wrong credentials on purpose, and punishes any other answer."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed
from giftcard_provider.self_check.checkout import Checkout
from giftcard_provider.self_check.sources import GUIDE, RELEASE_2024_05_27
from giftcard_provider.self_check.wire import APP_KEY, APP_TOKEN, Answer

area = Area("credentials")

_MISSING, _WRONG = 401, 403


@dataclass(frozen=True, slots=True)
class Route:
    """One of the eleven operations; no body of theirs moves anything without credentials."""

    method: str
    template: str

    def path(self, card_id: str, transaction_id: str) -> str:
        """Its path for these ids."""
        return self.template.format(card=card_id, transaction=transaction_id)


_TRANSACTION = "giftcards/{card}/transactions/{transaction}"
ROUTES = (
    Route("POST", "giftcards/_search"),
    Route("POST", "giftcards"),
    Route("GET", "giftcards/{card}"),
    Route("GET", "giftcards/{card}/transactions"),
    Route("POST", "giftcards/{card}/transactions"),
    Route("GET", _TRANSACTION),
    Route("GET", f"{_TRANSACTION}/authorization"),
    Route("GET", f"{_TRANSACTION}/settlements"),
    Route("POST", f"{_TRANSACTION}/settlements"),
    Route("GET", f"{_TRANSACTION}/cancellations"),
    Route("POST", f"{_TRANSACTION}/cancellations"),
)


@area.check(
    "missing",
    _("Without AppKey, without AppToken or without both, every path answers 401, with no body."),
    GUIDE,
)
def missing(checkout: Checkout) -> None:
    """All three, on all paths, for the test card."""
    for names in ((APP_KEY, APP_TOKEN), (APP_KEY,), (APP_TOKEN,)):
        changes = dict.fromkeys(names)
        for answer in _calls(checkout, changes, f"no {' and '.join(names)}"):
            _expect(answer, _MISSING)


@area.check(
    "wrong",
    _("With a wrong AppKey or a wrong AppToken every path answers 403, with no body."),
    RELEASE_2024_05_27,
)
def wrong(checkout: Checkout) -> None:
    """Both, on all paths, for the test card."""
    for name in (APP_KEY, APP_TOKEN):
        for answer in _calls(checkout, {name: "wrong"}, f"wrong {name}"):
            _expect(answer, _WRONG)


@area.check(
    "first",
    _("Credentials are looked at before the path, the ids and the body."),
    RELEASE_2024_05_27,
)
def first(checkout: Checkout) -> None:
    """An unknown card, a body that is no JSON."""
    unknown = {APP_TOKEN: "wrong"}
    for path, note in (
        (f"giftcards/{'0' * 24}", "wrong AppToken, unknown card"),
        (f"giftcards/{'0' * 24}/transactions/{'0' * 32}/settlements", "wrong AppToken, unknown"),
    ):
        _expect(checkout.wire.call("GET", path, headers=unknown, note=note), _WRONG)
    note = "wrong AppToken, a body that is no JSON"
    for path in ("giftcards/_search", f"giftcards/{checkout.card.id}/transactions"):
        _expect(checkout.wire.call("POST", path, b"{", headers=unknown, note=note), _WRONG)


@area.check(
    "no_lockout",
    _("After calls with wrong credentials the right ones are served."),
    RELEASE_2024_05_27,
)
def no_lockout(checkout: Checkout) -> None:
    """Ten in a row, from the address that then calls rightly."""
    path = f"giftcards/{checkout.card.id}"
    for _number in range(10):
        checkout.wire.call("GET", path, headers={APP_TOKEN: "wrong"})
    checkout.wire.call("GET", path, note="after ten wrong ones").accepted()


def _calls(
    checkout: Checkout, changes: dict[str, str | None] | dict[str, str], note: str
) -> Iterator[Answer]:
    for route in ROUTES:
        path = route.path(checkout.card.id, "0" * 32)
        body: object = {} if route.method == "POST" else None
        yield checkout.wire.call(route.method, path, body, headers=dict(changes), note=note)


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise Failed("status", call=answer.call, status=answer.status, expected=status)
    if answer.body:
        raise Failed("body_not_empty", call=answer.call, status=answer.status)
