"""The verbs about two customers who are one: merge, unmerge.

Each is one transaction: first the balances of all cards of both are locked, by ascending card, then
the two customers. So neither a purchase nor another merge comes between, and whoever gives a card
to one of them at this moment is seen or refused.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.db.transaction import set_rollback
from django.utils import timezone

from loyalty.exceptions import (
    AlreadyMerged,
    Decline,
    IdentitiesDiffer,
    LedgerBusy,
    MergeTouched,
    NotMerged,
    PointValueUnderWay,
    ReasonRequired,
    RequestConflict,
    SameCustomer,
    TooManyCards,
    UnknownCustomer,
    WalletBlocked,
)
from loyalty.ledger.durability import durable
from loyalty.ledger.idempotency import check_request_id
from loyalty.ledger.outbox import reminders_go_along
from loyalty.ledger.position import Position, lock_card
from loyalty.ledger.posting import post
from loyalty.ledger.transfers import (
    TRANSFER,
    Asked,
    all_that_lives,
    hand_over,
    is_being_revalued,
    legs_of,
    return_leg,
)
from loyalty.models import (
    Customer,
    CustomerMerge,
    EarningMovement,
    GiftCard,
    Grant,
    Operation,
    Origin,
    Reason,
    ShopOrder,
    TierStanding,
)
from loyalty.models.customer import IDENTITY

MAX_CARDS = 500
_ROUNDS = 3
_NEVER_TWO = ("profile_id", "document", "corporate_document")
# What the one who stays lacks, it gets from the other; a wish for no reminders holds for both.
_COMPLETED = (*IDENTITY, "name", "reminders_stopped_at")


class _CardsCame(Exception):
    """A card was given to one of the two while the others were being locked."""


def merge(
    customer: Customer,
    into: Customer,
    *,
    request_id: str,
    actor: str,
    reason: str,
    note: str = "",
) -> CustomerMerge:
    """Make a customer one with another of the store, who stays. Nothing is deleted.

    All cards become the other's. Where both have an open wallet of one relation and program, what
    is left on the customer's goes to the other's, grant by grant; the empty wallet goes on
    answering for what it holds and has spent, and gets that back. Identity and orders are completed
    with the customer's. Repeated, it answers with the first merge.

    Raises `SameCustomer`, `UnknownCustomer` (of another store, or erased), `AlreadyMerged`,
    `IdentitiesDiffer`, `WalletBlocked`, `PointValueUnderWay`, `TooManyCards`, `ReasonRequired`,
    `RequestConflict`, `BalanceLimitExceeded`, `LedgerBusy`. Nothing is recorded then.
    """
    asked = _asked(request_id, actor, reason, note)
    if customer.pk == into.pk:
        raise SameCustomer
    for _ in range(_ROUNDS):
        try:
            with durable(), _all_or_nothing():
                return _merge(customer.pk, into.pk, asked)
        except _CardsCame:
            continue
    raise LedgerBusy


def unmerge(
    merge: CustomerMerge, *, request_id: str, actor: str, reason: str, note: str = ""
) -> CustomerMerge:
    """Undo a merge as a whole, by reversals linked to its transfers, while nothing of it was used.

    What was transferred must be there to the unit, the cards still the other customer's, and what
    orders earned since on the card of whoever gets the order. Money that was spent from cards that
    only changed their owner goes with them. Repeated, it answers as the first time. Raises
    `NotMerged` when it was undone by another request, `MergeTouched`, `WalletBlocked`,
    `PointValueUnderWay`, `UnknownCustomer` (erased since), `ReasonRequired`, `RequestConflict`,
    `LedgerBusy`.
    """
    asked = _asked(request_id, actor, reason, note)
    with durable():
        return _unmerge(merge.pk, asked)


def _asked(request_id: str, actor: str, reason: str, note: str) -> Asked:
    if reason not in Reason.values:
        raise ReasonRequired
    check_request_id(request_id)
    return Asked(request_id, actor, reason, note)


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """A transaction keeps what was done before a `Decline`; of a merge nothing is kept then."""
    try:
        yield
    except Decline:
        set_rollback(True)
        raise


@dataclass(frozen=True, slots=True)
class _Locked:
    """Cards and customers, locked and as they are now."""

    positions: Mapping[int, Position]
    cards: Mapping[int, GiftCard]
    people: Mapping[int, Customer]


def _lock(card_ids: Collection[int], people: Collection[int]) -> _Locked:
    if len(card_ids) > MAX_CARDS:
        raise TooManyCards
    positions = {
        card_id: lock_card(card_id, kind=TRANSFER, request_id="") for card_id in sorted(card_ids)
    }
    found = Customer.objects.select_for_update().filter(pk__in=people).order_by("pk")
    customers = {customer.pk: customer for customer in found}
    return _Locked(positions, GiftCard.objects.in_bulk(sorted(card_ids)), customers)


def _merge(customer_id: int, into_id: int, asked: Asked) -> CustomerMerge:
    both = [customer_id, into_id]
    owned = GiftCard.objects.filter(owner__in=both)
    card_ids = set(owned.values_list("pk", flat=True)[: MAX_CARDS + 1])
    locked = _lock(card_ids, both)
    if prior := CustomerMerge.objects.filter(request_id=asked.request_id).first():
        if (prior.customer_id, prior.into_id) != (customer_id, into_id):
            raise RequestConflict
        return prior
    if set(owned.values_list("pk", flat=True)) != card_ids:
        raise _CardsCame
    customer, into = _checked(locked.people, customer_id, into_id)
    cards = _bring_together(locked, customer, into, asked)
    legs = legs_of(card_ids, asked.request_id)
    went_to = {sent.card_id: received.card_id for sent, received in legs.items()}
    reminders_go_along(customer, into, {int(card): went_to.get(int(card)) for card in cards})
    orders = ShopOrder.objects.filter(customer=customer)
    made = CustomerMerge.objects.create(
        customer=customer,
        into=into,
        request_id=asked.request_id,
        known=[field for field in IDENTITY if getattr(customer, field)],
        completed=[
            field for field in _COMPLETED if getattr(customer, field) and not getattr(into, field)
        ],
        cards=cards,
        orders=sorted(orders.values_list("pk", flat=True)),
        actor=asked.actor,
        reason=asked.reason,
        note=asked.note,
        merged_at=timezone.now(),
    )
    _become_one(made, customer, into)
    return made


def _checked(
    people: Mapping[int, Customer], customer_id: int, into_id: int
) -> tuple[Customer, Customer]:
    customer, into = people.get(customer_id), people.get(into_id)
    if customer is None or into is None or customer.store_id != into.store_id:
        raise UnknownCustomer
    if customer.erased_at or into.erased_at:
        raise UnknownCustomer
    if customer.merged_into_id or into.merged_into_id:
        raise AlreadyMerged
    if contradictions(customer, into):
        raise IdentitiesDiffer
    return customer, into


def contradictions(customer: Customer, other: Customer) -> Sequence[str]:
    """The parts of their identities of which one person has one, and these two have two."""
    return [
        field
        for field in _NEVER_TWO
        if getattr(customer, field)
        and getattr(other, field)
        and getattr(customer, field) != getattr(other, field)
    ]


def _bring_together(
    locked: _Locked, customer: Customer, into: Customer, asked: Asked
) -> dict[str, int | None]:
    """Give the cards to the one who stays; each with the wallet that takes its place, if any."""
    moved: dict[str, int | None] = {}
    for card_id, wallet in successors(locked.cards.values(), customer.pk, into.pk).items():
        source = locked.positions[card_id]
        changes: dict[str, object] = {"owner_id": into.pk}
        if wallet:
            changes["merged_into_id"] = wallet.pk
            if is_same_money(locked.cards[card_id], wallet):
                _transfer(source, locked.positions[wallet.pk], asked)
        post(source, asked.request(Operation.Kind.OWNER, 0), (), card_changes=changes)
        moved[str(card_id)] = wallet.pk if wallet else None
    return moved


def successors(
    cards: Iterable[GiftCard], customer_id: int, into_id: int
) -> dict[int, GiftCard | None]:
    """The customer's cards, each with the open wallet of the other that takes its place, if any."""
    known = sorted(cards, key=lambda card: card.pk)
    wallets = {
        card.relation_name: card
        for card in known
        if card.owner_id == into_id and _is_open_wallet(card)
    }
    return {
        card.pk: wallets.get(card.relation_name) if _is_open_wallet(card) else None
        for card in known
        if card.owner_id == customer_id
    }


def is_same_money(card: GiftCard, wallet: GiftCard) -> bool:
    """Whether what is on a card can go to a wallet as it is; of another program it stays beside."""
    return (card.program_id, card.currency, card.exponent) == (
        wallet.program_id,
        wallet.currency,
        wallet.exponent,
    )


def _is_open_wallet(card: GiftCard) -> bool:
    return bool(
        card.relation_name and card.status != GiftCard.Status.CLOSED and card.merged_into_id is None
    )


def _transfer(source: Position, target: Position, asked: Asked) -> None:
    shares = all_that_lives(source)
    if not shares:
        return
    if source.is_blocked or target.is_blocked:
        raise WalletBlocked
    if is_being_revalued(source):
        raise PointValueUnderWay
    hand_over(source, target, shares, asked)


def _is_revalued_since(received: Operation) -> bool:
    """Whether what came was adjusted to another point value: that part would stay where it is."""
    later = Operation.objects.filter(
        card=received.card_id, kind=Operation.Kind.REVALUE, pk__gt=received.pk
    )
    return later.exists()


def _become_one(made: CustomerMerge, customer: Customer, into: Customer) -> None:
    # First this one: a profile id may be of one customer that is not merged.
    Customer.objects.filter(pk=customer.pk).update(merged_into=into)
    Customer.objects.filter(merged_into=customer).update(merged_into=into)
    for field in made.completed:
        setattr(into, field, getattr(customer, field))
    Customer.objects.filter(pk=into.pk).update(
        **{field: getattr(into, field) for field in made.completed}
    )
    into.tell_merged()
    _give_orders(made.orders, customer, into)


def _give_orders(orders: Sequence[int], giver: Customer, receiver: Customer) -> None:
    """Their orders, to be looked at again: tiers and limits count those of one customer.

    All that the giver keeps are too: each may have shared a limit with one that goes.
    """
    now = timezone.now()
    ShopOrder.objects.filter(pk__in=orders, customer=giver).update(customer=receiver, due_at=now)
    ShopOrder.objects.filter(customer=giver, paid_at__isnull=False).update(due_at=now)
    newest = ShopOrder.objects.filter(customer=receiver, paid_at__isnull=False)
    ShopOrder.objects.filter(pk__in=newest.order_by("-paid_at").values("pk")[:1]).update(due_at=now)
    # Of who is left without an order too.
    TierStanding.objects.filter(customer__in=[giver, receiver]).update(review_at=now)


def _unmerge(merge_id: int, asked: Asked) -> CustomerMerge:
    made = CustomerMerge.objects.get(pk=merge_id)
    places = {int(card_id): wallet for card_id, wallet in made.cards.items()}
    targets = {wallet for wallet in places.values() if wallet}
    locked = _lock({*places, *targets}, [made.customer_id, made.into_id])
    # Read under the lock: another request may have undone it.
    made = CustomerMerge.objects.get(pk=merge_id)
    if made.undone_at:
        if made.undo_request_id != asked.request_id:
            raise NotMerged
        return made
    if CustomerMerge.objects.filter(undo_request_id=asked.request_id).exists():
        raise RequestConflict
    customer, into = locked.people[made.customer_id], locked.people[made.into_id]
    if customer.erased_at or into.erased_at:
        raise UnknownCustomer
    if into.merged_into_id or customer.merged_into_id != into.pk:
        raise MergeTouched
    if any(locked.cards[card_id].owner_id != into.pk for card_id in places):
        raise MergeTouched
    _become_two(made, customer, into)
    _take_apart(made, places, locked, asked)
    _check_earned(made)
    made.undone_at, made.undone_by = timezone.now(), asked.actor
    made.undo_request_id = asked.request_id
    made.save(update_fields=["undone_at", "undone_by", "undo_request_id"])
    return made


def _take_apart(
    made: CustomerMerge, places: Mapping[int, int | None], locked: _Locked, asked: Asked
) -> None:
    for sent, received in legs_of(places, made.request_id).items():
        source, target = locked.positions[sent.card_id], locked.positions[received.card_id]
        if source.is_blocked or target.is_blocked:
            raise WalletBlocked
        if is_being_revalued(source):
            raise PointValueUnderWay
        if _is_revalued_since(received):
            raise MergeTouched
        if source.is_closed or not return_leg(source, target, sent, received, asked):
            raise MergeTouched
    for card_id, wallet in sorted(places.items()):
        changes: dict[str, object] = {"owner_id": made.customer_id}
        if wallet:
            changes["merged_into_id"] = None
        post(
            locked.positions[card_id],
            asked.request(Operation.Kind.OWNER, 0),
            (),
            card_changes=changes,
        )


def _check_earned(made: CustomerMerge) -> None:
    """Refuse when points that were earned since would be one's, and their order the other's."""
    both = [made.customer_id, made.into_id]
    planned = EarningMovement.objects.filter(status=EarningMovement.Status.PLANNED)
    if planned.filter(earning__order__customer__in=both).exists():
        raise LedgerBusy
    order = ShopOrder.objects.filter(store=OuterRef("card__store"), order_id=OuterRef("reference"))
    earned = Grant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now()),
        card__owner__in=both,
        origin=Origin.EARNING,
        remaining__gt=0,
        operation__created_at__gte=made.merged_at,
    )
    if earned.filter(Exists(order.exclude(customer=OuterRef("card__owner")))).exists():
        raise MergeTouched


def _tell_anew(person: Customer) -> None:
    """Whoever was merged into a person knows its own and what the person knows, and no other's."""
    still = CustomerMerge.objects.filter(customer__merged_into=person, undone_at=None)
    for made in still:
        learned = [field for field in IDENTITY if field not in made.known]
        Customer.objects.filter(pk=made.customer_id).update(**dict.fromkeys(learned, ""))
    if still:
        Customer.objects.get(pk=person.pk).tell_merged()


def _become_two(made: CustomerMerge, customer: Customer, into: Customer) -> None:
    # First the one who stays: a profile id may be of one customer that is not merged.
    nothing = Customer()
    Customer.objects.filter(pk=into.pk).update(
        **{
            field: getattr(nothing, field)
            for field in made.completed
            if getattr(into, field) == getattr(customer, field)
        }
    )
    learned = [field for field in IDENTITY if field not in made.known]
    Customer.objects.filter(pk=customer.pk).update(merged_into=None, **dict.fromkeys(learned, ""))
    before = CustomerMerge.objects.filter(into=customer, undone_at=None).values("customer")
    Customer.objects.filter(pk__in=before).update(merged_into=customer)
    for each in (customer, into):
        _tell_anew(each)
    _give_orders(made.orders, into, customer)
