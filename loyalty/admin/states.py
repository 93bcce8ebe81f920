"""How a card or a transaction is, in a word and in a sentence."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.admin.columns import badge
from loyalty.admin.formats import shown_amount, shown_day, shown_moment
from loyalty.admin.people import name_of
from loyalty.models import GiftCard, Grant, Operation, Outcome, Transaction

_OPEN = {Transaction.State.HELD, Transaction.State.PARTIALLY_SETTLED}


@dataclass(frozen=True, slots=True)
class State:
    """What a page says first: good, open, bad or neutral, and in whole sentences."""

    kind: str
    sentences: Sequence[str]


def card_badge(card: GiftCard) -> SafeString:
    """What the card can do now, dates included, in a word."""
    now = timezone.now()
    if card.is_valid_at(now):
        return badge("good", card.get_status_display())
    if card.status != card.Status.ACTIVE:
        return badge("bad", card.get_status_display())
    if card.expires_at is not None and card.expires_at <= now:
        return badge("neutral", gettext_lazy("expired"))
    return badge("neutral", gettext_lazy("not valid yet"))


def transaction_badge(transaction: Transaction) -> SafeString:
    """What is left of the transaction, in a word."""
    kind = "open" if transaction.state in _OPEN else "neutral"
    return badge(kind, transaction.state.label)


def usable_of(card: GiftCard, grants: Sequence[Grant], now: datetime.datetime) -> int:
    """What the card could pay now, if nothing else stood against it."""
    return sum(
        grant.remaining
        for grant in grants
        if grant.valid_from <= now and (grant.expires_at is None or now < grant.expires_at)
    )


def card_state(card: GiftCard, grants: Sequence[Grant], *, had_its_purchase: bool) -> State:
    """The card in a sentence, and what is held of it in a second one.

    `grants` are those with money in them; `had_its_purchase` says that a card for one purchase is
    used up.
    """
    first = _closed_or_blocked(card) or _by_dates(card) or _by_money(card, grants)
    if had_its_purchase and first.kind == "good":
        first = State("neutral", [_("Used: the card allows one purchase and has had it.")])
    held = card.balance.held
    if held:
        kind = first.kind if first.kind != "neutral" else "open"
        amount = shown_amount(held, card)
        sentence = _("%(amount)s are held by open purchases.") % {"amount": amount}
        first = State(kind, [*first.sentences, sentence])
    if card.merged_into_id:
        sentence = _(
            "Another wallet took its place in a merge: only what comes back is still here."
        )
        first = State(first.kind, [*first.sentences, sentence])
    return first


def _closed_or_blocked(card: GiftCard) -> State | None:
    if card.status == GiftCard.Status.ACTIVE:
        return None
    kind = {
        GiftCard.Status.BLOCKED: Operation.Kind.BLOCK,
        GiftCard.Status.CLOSED: Operation.Kind.CLOSE,
    }[GiftCard.Status(card.status)]
    done = card.operations.filter(kind=kind, outcome=Outcome.OK).order_by("-id").first()
    sentence = (
        _blocked(card, done) if card.status == GiftCard.Status.BLOCKED else _closed(card, done)
    )
    return State("bad", [sentence])


def _blocked(card: GiftCard, done: Operation | None) -> str:
    values = _who_and_when(card, done) | {"amount": shown_amount(card.balance.available, card)}
    if done is None:
        return _("Blocked: %(amount)s cannot be used.") % values
    if done.reason:
        return _("Blocked by %(who)s on %(when)s (%(why)s): %(amount)s cannot be used.") % values
    return _("Blocked by %(who)s on %(when)s: %(amount)s cannot be used.") % values


def _closed(card: GiftCard, done: Operation | None) -> str:
    if done is None:
        return _("Closed for good.")
    values = _who_and_when(card, done) | {"amount": shown_amount(done.applied, card)}
    return _("Closed for good by %(who)s on %(when)s (%(why)s): %(amount)s were removed.") % values


def _who_and_when(card: GiftCard, done: Operation | None) -> dict[str, str]:
    if done is None:
        return {}
    return {
        "who": name_of(done.actor),
        "when": shown_moment(done.created_at, card.store),
        "why": str(done.get_reason_display()),
    }


def _by_dates(card: GiftCard) -> State | None:
    now, available = timezone.now(), shown_amount(card.balance.available, card)
    if card.expires_at is not None and card.expires_at <= now:
        values = {"day": shown_moment(card.expires_at, card.store), "amount": available}
        if card.balance.available:
            return State(
                "bad", [_("Expired on %(day)s: %(amount)s can no longer be used.") % values]
            )
        return State("neutral", [_("Expired on %(day)s. Nothing was left on it.") % values])
    if card.valid_from > now:
        values = {"day": shown_moment(card.valid_from, card.store), "amount": available}
        return State("open", [_("Not valid yet: %(amount)s can be used from %(day)s.") % values])
    return None


def _by_money(card: GiftCard, grants: Sequence[Grant]) -> State:
    now = timezone.now()
    usable = usable_of(card, grants, now)
    if card.currency != card.store.currency:
        return State("bad", [_("Not usable: its currency is not the store's.")])
    if not usable:
        return _without_money(card, grants)
    values = {"amount": shown_amount(usable, card)}
    ends = [
        (grant.expires_at, grant.remaining)
        for grant in grants
        if grant.expires_at and grant.expires_at > now and grant.valid_from <= now
    ]
    if not ends:
        return State("good", [_("Usable: %(amount)s, without an end.") % values])
    soonest = min(end for end, _units in ends)
    part = sum(units for end, units in ends if end == soonest)
    values["day"] = shown_day(soonest, card.store)
    if part == usable:
        return State("good", [_("Usable: %(amount)s until %(day)s.") % values])
    values["part"] = shown_amount(part, card)
    return State("good", [_("Usable: %(amount)s, of which %(part)s only until %(day)s.") % values])


def _without_money(card: GiftCard, grants: Sequence[Grant]) -> State:
    now, available = timezone.now(), shown_amount(card.balance.available, card)
    if any(grant.valid_from > now for grant in grants):
        sentence = _("Nothing can be used yet: the credit of %(amount)s begins later.")
        return State("open", [sentence % {"amount": available}])
    if card.balance.available:
        sentence = _("Nothing can be used: the credit of %(amount)s has expired.")
        return State("bad", [sentence % {"amount": available}])
    if card.balance.held:
        return State("neutral", [_("Nothing is left to use now.")])
    return State("neutral", [_("Empty: nothing is left on the card.")])


def transaction_state(transaction: Transaction) -> State:
    """The transaction in a sentence."""

    def shown(units: int) -> str:
        return shown_amount(units, transaction.card)

    values = {
        "amount": shown(transaction.amount),
        "held": shown(transaction.held),
        "settled": shown(transaction.settled),
        "released": shown(transaction.released),
        "refunded": shown(transaction.refunded),
        "back": shown(transaction.canceled),
        "left": shown(transaction.cancelable),
    }
    kind, sentence = {
        Transaction.State.HELD: (
            "open",
            _("%(held)s are held. The order is not invoiced or canceled yet."),
        ),
        Transaction.State.PARTIALLY_SETTLED: (
            "open",
            _("%(settled)s of %(amount)s are spent; %(held)s are still held."),
        ),
        Transaction.State.SETTLED: (
            "good",
            _("Spent: %(settled)s of the %(amount)s that were held."),
        ),
        Transaction.State.PARTIALLY_REFUNDED: (
            "neutral",
            _("Of %(amount)s, %(back)s went back to the card and %(left)s did not."),
        ),
        Transaction.State.CANCELED: (
            "neutral",
            _("Canceled as a whole: %(back)s went back to the card.")
            if transaction.kind == Transaction.Kind.DEBIT
            else _("Taken back as a whole: %(back)s left the card."),
        ),
        Transaction.State.CREDITED: ("good", _("%(left)s were credited to the card.")),
    }[transaction.state]
    return State(kind, [sentence % values])
