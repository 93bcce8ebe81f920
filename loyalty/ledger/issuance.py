"""The verbs that make cards: issue for one, issue_many for a thousand at once. Amounts in units."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import IntegrityError
from django.utils import timezone

from loyalty import codes
from loyalty.exceptions import (
    BatchNumberTaken,
    DuplicateCode,
    InvalidDates,
    LedgerError,
    RequestConflict,
    UnknownCustomer,
    WalletExists,
)
from loyalty.ledger.counting import moved
from loyalty.ledger.durability import durable
from loyalty.ledger.movements import Issue, new_public_id
from loyalty.ledger.outbox import announce_issues
from loyalty.ledger.posting import post_issues
from loyalty.models import Batch, Customer, GiftCard, Operation, Program
from loyalty.money import checked, exponent_of

_UNIQUE: dict[str, type[LedgerError]] = {
    "card_code_in_store": DuplicateCode,
    "card_wallet_of_owner": WalletExists,
    "card_number_in_batch": BatchNumberTaken,
    "card_owner_not_merged": UnknownCustomer,
    "loyalty_giftcard_public_id_key": RequestConflict,
}


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to be made; what is not given (empty or None) comes from the program."""

    amount: int
    owner: Customer | None = None
    imported_code: str = ""
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    batch: Batch | None = None
    batch_number: int | None = None
    reference: str = ""
    public_id: str = ""
    currency: str = ""
    is_restricted: bool | None = None
    is_reloadable: bool | None = None
    is_reusable: bool | None = None
    relation_name: str | None = None
    caption: str | None = None


def issue(
    program: Program,
    *,
    actor: str,
    amount: int = 0,
    owner: Customer | None = None,
    imported_code: str = "",
    currency: str = "",
    valid_from: datetime.datetime | None = None,
    expires_at: datetime.datetime | None = None,
    is_restricted: bool | None = None,
    is_reloadable: bool | None = None,
    is_reusable: bool | None = None,
    relation_name: str | None = None,
    caption: str | None = None,
    batch: Batch | None = None,
    batch_number: int | None = None,
    public_id: str = "",
    reference: str = "",
    reason: str = "",
    note: str = "",
) -> GiftCard:
    """Create a card with its balance and, when `amount` is not 0, its first grant.

    What is not given comes from the program, whose validity is that of each credit: the card's own
    end too, unless it is reloadable. A card in another currency than the store's counts in that
    currency's own units. `reference` is the grant's.

    Repeated with the same `public_id` it answers with the card that there is; `RequestConflict`
    when that one was issued under another program or with another amount. Raises `DuplicateCode`
    for an imported code that the store already has, `WalletExists` for an owner's second one of a
    relation, `BatchNumberTaken`, `UnknownCustomer` for an owner of another store or one that was
    erased or merged into another, `InvalidCode`, `InvalidDates`, `InvalidAmount`,
    `UnknownCurrency`.
    """
    wanted = NewCard(
        amount=amount,
        owner=owner,
        imported_code=imported_code,
        valid_from=valid_from,
        expires_at=expires_at,
        batch=batch,
        batch_number=batch_number,
        reference=reference,
        public_id=public_id,
        currency=currency,
        is_restricted=is_restricted,
        is_reloadable=is_reloadable,
        is_reusable=is_reusable,
        relation_name=relation_name,
        caption=caption,
    )
    if known := _issued_before(program, wanted):
        return known
    try:
        [card] = issue_many(program, [wanted], actor=actor, reason=reason, note=note)
    except LedgerError:
        # An equal request may have got in between.
        if known := _issued_before(program, wanted):
            return known
        raise
    return card


def issue_many(
    program: Program, cards: Sequence[NewCard], *, actor: str, reason: str = "", note: str = ""
) -> list[GiftCard]:
    """Create cards of one program, all or none: up to about a thousand in one transaction.

    Each as by `issue`, with the same refusals; `positions` of the error says which of `cards` it
    is about, as far as that is known. Nothing is looked up by a card's number in its batch: who
    repeats asks first which numbers are there, and meets `BatchNumberTaken` otherwise.
    """
    now = timezone.now()
    made = []
    for position, wanted in enumerate(cards):
        try:
            made.append(_New.of(wanted, program, now))
        except LedgerError as error:
            raise type(error)(position) from error
    if not made:
        return []
    with _refusals(), durable():
        _refuse_known_codes(program, made)
        GiftCard.objects.bulk_create(new.card for new in made)
        post_issues(
            [new.issue for new in made],
            funding=program.funding,
            actor=actor,
            reason=reason,
            note=note,
            at=now,
        )
        announce_issues(program, [new.card for new in made if new.amount], at=now)
        amounts = ((new.card.currency, new.amount, new.card.exponent) for new in made)
        moved(Operation.Kind.ISSUE, amounts)
    return [new.card for new in made]


@dataclass(frozen=True, slots=True)
class _New:
    """A card that is not saved yet, its code in clear, and its first amount with its dates."""

    card: GiftCard
    code: str
    amount: int
    expires_at: datetime.datetime | None
    reference: str

    @classmethod
    def of(cls, wanted: NewCard, program: Program, now: datetime.datetime) -> "_New":
        if wanted.amount:
            checked(wanted.amount)
        start = wanted.valid_from or now
        end = wanted.expires_at or program.expiry_after(start)
        if end is not None and end <= start:
            raise InvalidDates
        owner = wanted.owner
        if owner and (owner.store_id != program.store_id or owner.is_nobody):
            raise UnknownCustomer
        is_imported = bool(wanted.imported_code)
        code = codes.imported(wanted.imported_code) if is_imported else codes.generate()
        card = _card(wanted, program, code)
        card.valid_from, card.created_at = start, now
        # A card that is reloaded outlives each of its credits; other cards are their one credit.
        card.expires_at = wanted.expires_at if card.is_reloadable else end
        return cls(card, code, wanted.amount, end, wanted.reference)

    @property
    def issue(self) -> Issue:
        """What the ledger books; the card has been saved."""
        return Issue(
            card_id=self.card.pk,
            request_id=_request_id(self.card.public_id),
            amount=self.amount,
            valid_from=self.card.valid_from,
            expires_at=self.expires_at,
            reference=self.reference,
        )


def _card(wanted: NewCard, program: Program, code: str) -> GiftCard:
    def given(value: bool | None, default: bool) -> bool:  # noqa: FBT001
        return default if value is None else value

    public_id = wanted.public_id or new_public_id()
    is_imported = bool(wanted.imported_code)
    is_foreign = wanted.currency not in {"", program.store.currency}
    return GiftCard(
        public_id=public_id,
        store=program.store,
        program=program,
        owner=wanted.owner,
        code_digest=codes.digest(code, is_imported=is_imported),
        code_sealed=codes.seal(code, card_public_id=public_id),
        code_last4=codes.last4(code),
        is_imported=is_imported,
        currency=wanted.currency or program.store.currency,
        exponent=exponent_of(wanted.currency) if is_foreign else program.exponent,
        is_restricted=given(wanted.is_restricted, program.is_restricted),
        is_reloadable=given(wanted.is_reloadable, program.is_reloadable),
        is_reusable=given(wanted.is_reusable, program.is_reusable),
        relation_name=program.relation_name
        if wanted.relation_name is None
        else wanted.relation_name,
        caption=program.caption if wanted.caption is None else wanted.caption,
        terms_version=program.terms_version,
        batch=wanted.batch,
        batch_number=wanted.batch_number,
    )


def _request_id(public_id: str) -> str:
    return f"issue:{public_id}"


def _issued_before(program: Program, wanted: NewCard) -> GiftCard | None:
    """The card that has the id asked for; `RequestConflict` when it was asked for otherwise."""
    if not wanted.public_id:
        return None
    known = GiftCard.objects.filter(store=program.store_id, public_id=wanted.public_id).first()
    if known is None:
        return None
    first = Operation.objects.get(card=known, request_id=_request_id(wanted.public_id))
    if (known.program_id, first.amount) != (program.pk, wanted.amount):
        raise RequestConflict
    return known


@contextmanager
def _refusals() -> Iterator[None]:
    """Give the refusals of the database their names."""
    try:
        yield
    except IntegrityError as error:
        for constraint, refusal in _UNIQUE.items():
            if constraint in str(error):
                raise refusal from error
        raise


def _refuse_known_codes(program: Program, made: Sequence[_New]) -> None:
    """A typed code finds one card: also under the previous key, also among codes that we made."""
    stored: dict[bytes, int] = {}
    for position, new in enumerate(made):
        stored.setdefault(bytes(new.card.code_digest), position)
    typed: dict[bytes, list[int]] = {}
    taken = set()
    for position, new in enumerate(made):
        for digest in codes.typed_digests(new.code):
            typed.setdefault(digest, []).append(position)
            if stored.get(digest, position) != position:
                taken.add(position)
    known = GiftCard.objects.filter(store=program.store_id, code_digest__in=list(typed))
    for found in known.values_list("code_digest", flat=True):
        taken.update(typed[bytes(found)])
    if taken:
        raise DuplicateCode(*sorted(taken))
