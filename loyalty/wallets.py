"""Wallets that the store's checkout opens for its customers: one per customer and relation."""

import datetime
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger
from loyalty.exceptions import UnknownCustomer, WalletExists
from loyalty.identity import Identity
from loyalty.ledger import NewCard
from loyalty.models import Customer, Funding, GiftCard, Program, Store


@dataclass(frozen=True, slots=True)
class WalletRequest:
    """What the store asks for; None means whatever the program says."""

    relation_name: str
    caption: str
    owner: Identity
    currency: str = ""
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    is_restricted: bool | None = None
    is_reloadable: bool | None = None
    is_reusable: bool | None = None


def open_wallet(store: Store, wanted: WalletRequest, *, actor: str) -> GiftCard:
    """The customer's wallet for this relation, created when there is none yet.

    VTEX sends no request id with a new card, so customer and relation are what makes a repeated
    call the same call: a second wallet would split a shopper's credit. A closed one is no wallet
    any more. Without an owner or a relation every call makes a card.
    """
    try:
        return _opened(store, wanted, actor=actor)
    except UnknownCustomer:
        # Merged into another a moment ago, who is found now.
        return _opened(store, wanted, actor=actor)


def _opened(store: Store, wanted: WalletRequest, *, actor: str) -> GiftCard:
    owner = customer_of(store, wanted.owner) if wanted.owner else None
    same = _open_wallets(store.pk, wanted.relation_name).filter(owner=owner)
    if owner and wanted.relation_name and (existing := same.first()):
        return _usable_again(existing, wanted, actor=actor)
    try:
        return ledger.issue(
            _program(store, wanted.relation_name),
            actor=actor,
            owner=owner,
            currency=wanted.currency,
            valid_from=wanted.valid_from,
            expires_at=wanted.expires_at,
            is_restricted=wanted.is_restricted,
            is_reloadable=wanted.is_reloadable,
            is_reusable=wanted.is_reusable,
            relation_name=wanted.relation_name,
            caption=wanted.caption or None,
        )
    except WalletExists:
        # Somebody opened it a moment ago.
        return same.get()


def wallet_of(program: Program, customer: Customer, *, actor: str) -> GiftCard:
    """The customer's open wallet of the program's relation, created when there is none yet.

    Raises `UnknownCustomer` for one that was erased.
    """
    wanted = WalletRequest(program.relation_name, program.caption, customer.identity)
    same = _open_wallets(program.store_id, program.relation_name).filter(owner=customer)
    if existing := same.first():
        return _usable_again(existing, wanted, actor=actor)
    try:
        return ledger.issue(program, actor=actor, owner=customer)
    except WalletExists:
        # Somebody opened it a moment ago.
        return same.get()


def open_missing(program: Program, customers: Iterable[Customer], *, actor: str) -> None:
    """Open the wallets of those customers who have none, together: for many, before `wallet_of`.

    When somebody else opens one of them at the same moment, or one of these customers cannot have
    any, none is opened here, and `wallet_of` says of each what there is to say.
    """
    people = {customer.pk: customer for customer in customers if not customer.is_nobody}
    known = _open_wallets(program.store_id, program.relation_name).filter(owner__in=people)
    for owner in known.values_list("owner", flat=True):
        people.pop(owner, None)
    with suppress(UnknownCustomer, WalletExists):
        cards = [NewCard(amount=0, owner=customer) for customer in people.values()]
        ledger.issue_many(program, cards, actor=actor)


def _open_wallets(store_id: int, relation: str) -> QuerySet[GiftCard]:
    """The one wallet of each owner and relation; not those in whose place it is."""
    wallets = GiftCard.objects.filter(store=store_id, relation_name=relation, merged_into=None)
    return wallets.exclude(status=GiftCard.Status.CLOSED)


def _usable_again(wallet: GiftCard, wanted: WalletRequest, *, actor: str) -> GiftCard:
    """An expired wallet gets the dates now asked for: otherwise it would refuse every reward."""
    if wallet.expires_at is None or wallet.expires_at > timezone.now():
        return wallet
    ledger.renew(
        wallet.pk,
        expires_at=wanted.expires_at,
        request_id=f"renew:{wallet.expires_at.isoformat()}",
        actor=actor,
    )
    wallet.refresh_from_db()
    return wallet


def meet_owner(card_id: int, identity: Identity, *, name: str = "") -> None:
    """Fill in what was not known of a wallet's owner: VTEX opens it with a profile id only.

    Of somebody else nothing is learned: whose document is known may search and spend.
    """
    owner = Customer.objects.filter(cards=card_id).first()
    if owner and not owner.identity.differs_from(identity):
        owner.learn(identity, name=name)


def customer_of(store: Store, identity: Identity) -> Customer:
    """The store's customer whom this identity matches, made when there is none yet.

    Of one who was merged into another, the other. New customers of a store are made one after the
    other: two orders of a new buyer at once are of one customer, though nothing but the e-mail may
    be known.
    """
    matching = store.customers.identified_by(identity).select_related("merged_into").order_by("id")
    if known := matching.first():
        return known.person
    try:
        with atomic():
            Store.objects.select_for_update(no_key=True).get(pk=store.pk)
            if known := matching.first():
                return known.person
            return Customer.objects.create(
                store=store,
                profile_id=identity.profile_id,
                email=identity.email,
                document=identity.document,
                corporate_document=identity.corporate_document,
            )
    except IntegrityError:
        # Somebody else than the store's orders and checkout made one, by import or by hand.
        return store.customers.get(profile_id=identity.profile_id, merged_into=None)


def _program(store: Store, relation_name: str) -> Program:
    """The program of this relation, else the store's loyalty program, made on first use."""
    wallets = store.programs.filter(kind=Program.Kind.LOYALTY).order_by("id")
    found = wallets.filter(relation_name=relation_name).first() or wallets.first()
    if found:
        return found
    program, _ = Program.objects.get_or_create(
        store=store,
        kind=Program.Kind.LOYALTY,
        name="Loyalty",
        defaults={
            "relation_name": relation_name,
            "funding": Funding.PROMOTIONAL,
            "is_restricted": True,
            "is_reloadable": True,
        },
    )
    return program
