"""Why a card did or did not appear at checkout: the rules of `loyalty.lookup`, each by its name.

A search by code answers with the one card of that code; without a code, with the cards of whoever
is identified. A verdict names every rule that stands against a card, the decisive ones first; a
card without any appears. `loyalty.lookup` and this module are held together by tests.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db.models import F, Prefetch, Q, QuerySet
from django.utils import timezone

from loyalty import codes, money
from loyalty.identity import Identity
from loyalty.models import Customer, GiftCard, Grant, Store, Transaction

# Of a person's cards; nobody reads more.
LIMIT = 50


class Reason(StrEnum):
    """What keeps a card away from checkout."""

    OTHER_STORE = "other_store"
    OTHER_CODE_FIRST = "other_code_first"
    OTHER_OWNER = "other_owner"
    OTHER_DOCUMENT = "other_document"
    NO_OWNER = "no_owner"
    CLOSED = "closed"
    BLOCKED = "blocked"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    CURRENCY = "currency"
    PURCHASE_HAD = "purchase_had"
    CREDIT_EXPIRED = "credit_expired"
    CREDIT_LATER = "credit_later"
    ALL_HELD = "all_held"
    EMPTY = "empty"
    BELOW_CENT = "below_cent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A card, and what stands against it."""

    card: GiftCard
    reasons: Sequence[Reason]
    usable: int

    @property
    def appears(self) -> bool:
        """Whether checkout is shown the card."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The verdicts on all cards that were meant, and who the store knows by that identity."""

    verdicts: Sequence[Verdict]
    customers: Sequence[Customer] = ()
    by_code: bool = False
    more: bool = False
    similar: Sequence[Customer] = field(default_factory=tuple)


def inquire(store: Store, client: Identity, typed_code: str = "") -> Inquiry:
    """What a search with this identity and code finds now, and why not more."""
    typed = typed_code.strip()
    if typed:
        return Inquiry(_by_code(store, client, typed), _known(store, client), by_code=True)
    if not client:
        return Inquiry(())
    known = _known(store, client)
    similar = _similar(store, client, known)
    people = [*known, *similar]
    # Their keys first: of an owner of thousands only the newest are read whole. Not by id alone:
    # with that order the planner may walk the table for one owner's.
    newest = GiftCard.objects.filter(owner__in=people).order_by((F("id") + 0).desc())
    keys = list(newest.values_list("pk", flat=True)[: LIMIT + 1])
    cards = list(_cards().filter(pk__in=keys).order_by("-id"))
    verdicts = [_verdict(card, store, owned_by=client) for card in cards[:LIMIT]]
    return Inquiry(
        sorted(verdicts, key=lambda verdict: not verdict.appears),
        known,
        more=len(cards) > LIMIT,
        similar=similar,
    )


def had_its_purchase(card: GiftCard) -> bool:
    """Whether a card for one purchase has had it; one canceled as a whole does not count."""
    return not card.is_reusable and _purchases(card).exists()


def _purchases(card: GiftCard) -> QuerySet[Transaction]:
    return card.transactions.filter(
        kind=Transaction.Kind.DEBIT, amount__gt=F("released") + F("refunded")
    )


def _cards() -> QuerySet[GiftCard]:
    lots = Grant.objects.filter(remaining__gt=0).order_by("id")
    return GiftCard.objects.select_related(
        "store", "program", "owner__store", "balance"
    ).prefetch_related(Prefetch("grants", lots, to_attr="lots"))


def _known(store: Store, client: Identity) -> list[Customer]:
    if not client:
        return []
    found = Customer.objects.filter(store=store).identified_by(client)
    people = Customer.objects.filter(pk__in=found.people()).select_related("store")
    return list(people.order_by("id")[:LIMIT])


def _similar(store: Store, client: Identity, known: Sequence[Customer]) -> list[Customer]:
    """Who is not this identity by the rule, but may well be meant.

    The same e-mail or document with another document beside it, or a person of another store.
    """
    conditions = [
        (name, value)
        for name, value in (
            ("email", client.email),
            ("document", client.document),
            ("corporate_document", client.corporate_document),
            ("profile_id", client.profile_id),
        )
        if value
    ]
    stores = list(Store.objects.values_list("pk", flat=True))
    first, *rest = [
        Customer.objects.filter(Q(**{name: value}), store__in=stores).order_by().values("pk")
        for name, value in conditions
    ]
    keys = first.union(*rest) if rest else first
    people = Customer.objects.filter(pk__in=keys).exclude(pk__in=[each.pk for each in known])
    return list(people.select_related("store").order_by("id")[:LIMIT])


def _by_code(store: Store, client: Identity, typed: str) -> list[Verdict]:
    """The cards of this code, in the order in which a search takes them."""
    stores = list(Store.objects.values_list("pk", flat=True))
    found = _cards().filter(store__in=stores, code_digest__in=codes.typed_digests(typed))
    ours_first = sorted(found, key=lambda card: (card.store_id != store.pk, not card.is_imported))
    verdicts: list[Verdict] = []
    for card in ours_first:
        verdict = _verdict(card, store, bearer=client)
        if verdict.appears and any(each.appears for each in verdicts):
            verdict = Verdict(card, [Reason.OTHER_CODE_FIRST], verdict.usable)
        verdicts.append(verdict)
    return verdicts


def _verdict(
    card: GiftCard,
    store: Store,
    *,
    bearer: Identity | None = None,
    owned_by: Identity | None = None,
) -> Verdict:
    now = timezone.now()
    lots: Sequence[Grant] = card.lots  # type: ignore[attr-defined]
    usable = sum(lot.remaining for lot in lots if _is_usable(lot, now))
    reasons = [
        *_of_place(card, store),
        *_of_owner(card, bearer=bearer, owned_by=owned_by),
        *_of_state(card, store, now),
        *_of_money(card, lots, usable, now),
    ]
    return Verdict(card, reasons, usable)


def _is_usable(lot: Grant, now: datetime.datetime) -> bool:
    return lot.valid_from <= now and (lot.expires_at is None or now < lot.expires_at)


def _of_place(card: GiftCard, store: Store) -> Iterable[Reason]:
    if card.store_id != store.pk:
        yield Reason.OTHER_STORE


def _of_owner(
    card: GiftCard, *, bearer: Identity | None, owned_by: Identity | None
) -> Iterable[Reason]:
    """A bearer may hold anybody's card unless it is restricted; otherwise it must be theirs."""
    who = owned_by if owned_by is not None else bearer
    if who is None or (owned_by is None and not card.is_restricted):
        return
    if card.owner is None:
        yield Reason.NO_OWNER
    elif not (card.owner.identity.matches(who) or card.owner.merged.identified_by(who).exists()):
        same_email = bool(who.email) and card.owner.email == who.email
        yield Reason.OTHER_DOCUMENT if same_email else Reason.OTHER_OWNER


def _of_state(card: GiftCard, store: Store, now: datetime.datetime) -> Iterable[Reason]:
    if not card.is_valid_at(now):
        if card.status == GiftCard.Status.CLOSED:
            yield Reason.CLOSED
        elif card.status == GiftCard.Status.BLOCKED:
            yield Reason.BLOCKED
        if card.expires_at is not None and card.expires_at <= now:
            yield Reason.EXPIRED
        elif card.valid_from > now:
            yield Reason.NOT_YET_VALID
    if card.store_id == store.pk and card.currency != store.currency:
        yield Reason.CURRENCY
    if had_its_purchase(card):
        yield Reason.PURCHASE_HAD


def _of_money(
    card: GiftCard, lots: Sequence[Grant], usable: int, now: datetime.datetime
) -> Iterable[Reason]:
    if usable:
        if not money.shown(usable, currency=card.currency, exponent=card.exponent):
            yield Reason.BELOW_CENT
        return
    if any(lot.valid_from > now for lot in lots):
        yield Reason.CREDIT_LATER
    elif lots:
        yield Reason.CREDIT_EXPIRED
    elif card.balance.held:
        yield Reason.ALL_HELD
    else:
        yield Reason.EMPTY
