import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import ledger, lookup, wallets
from loyalty.exceptions import (
    AlreadyMerged,
    BalanceLimitExceeded,
    CreditSpent,
    IdentitiesDiffer,
    InvalidRequestId,
    LedgerError,
    MergeTouched,
    NotMerged,
    ReasonRequired,
    RequestConflict,
    SameCustomer,
    TooManyCards,
    UnknownCustomer,
    WalletBlocked,
    WrongOwner,
)
from loyalty.identity import Identity
from loyalty.ledger import merging
from loyalty.ledger.invariants import violations
from loyalty.models import Customer, CustomerMerge, GiftCard, Operation, Program, ShopOrder, Store
from loyalty.money import MAX_UNITS
from tests.builders import (
    ACTOR,
    buckets,
    fresh,
    history,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_change_of_owner,
    make_closed_card,
    make_credit,
    make_customer,
    make_hold,
    make_merge,
    make_program,
    make_purchase,
    make_settlement,
    make_store,
    make_unmerge,
    make_wallet,
    moves,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

RELATION = "loyalty-program"
DAY = datetime.timedelta(days=1)
BLANK = {"profile_id": "", "email": "", "document": "", "corporate_document": "", "name": ""}


@pytest.fixture
def store() -> Store:
    return make_store()


@pytest.fixture
def loyalty(store: Store) -> Program:
    return make_program(
        store, kind=Program.Kind.LOYALTY, is_reloadable=True, is_restricted=True,
        relation_name=RELATION, funding="promotional",
    )  # fmt: skip


@pytest.fixture
def by_mail(store: Store) -> Customer:
    """Known by profile id and e-mail only."""
    return make_customer(store, **BLANK | {"profile_id": "P1", "email": "ana@example.com"})


@pytest.fixture
def by_cpf(store: Store) -> Customer:
    """The same person, known by CPF and another e-mail."""
    identity = {"document": "52998224725", "email": "ana@work.example", "name": "Ana"}
    return make_customer(store, **BLANK | identity)


def everything(*customers: Customer) -> list[Any]:
    """All that a merge may change, as it is."""
    cards = GiftCard.objects.filter(owner__in=customers).order_by("pk")
    return [
        *(Customer.objects.filter(pk__in=[each.pk for each in customers]).order_by("pk").values()),
        *(history(card) for card in cards),
        Operation.objects.count(),
        CustomerMerge.objects.count(),
    ]


def identity_of(customer: Customer) -> dict[str, str]:
    known = fresh(customer)
    return {name: value for name in BLANK if (value := getattr(known, name))}


def test_a_wallet_of_both_becomes_one_grant_by_grant(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    source = make_wallet(loyalty, owner=by_mail)
    target = make_wallet(loyalty, owner=by_cpf, balance=50)
    later = timezone.now() + 3 * DAY
    make_credit(source, 300, origin="reward", expires_at=timezone.now() + 9 * DAY, reference="O1")
    make_credit(source, 70, funding="paid", valid_from=later, expires_at=later + DAY)
    make_hold(source, 100)
    before = list(source.grants.order_by("pk"))

    merge = make_merge(by_mail, by_cpf)

    assert buckets(source) == {"credited": 100, "held": 100}
    assert buckets(target) == {"credited": 320, "available": 320}
    received = list(target.grants.filter(came_from__isnull=False).order_by("pk"))
    same = ("origin", "funding", "valid_from", "expires_at", "reference", "created_at")
    assert [
        (grant.came_from, grant.amount, grant.remaining, [getattr(grant, name) for name in same])
        for grant in received
    ] == [
        (old, amount, amount, [getattr(old, name) for name in same])
        for old, amount in zip(before, (200, 70), strict=True)
    ]
    sent = source.operations.get(kind="transfer")
    [arrived] = target.operations.filter(kind="transfer")
    assert moves(sent) == [("available", "outside", 200), ("available", "outside", 70)]
    assert moves(arrived) == [("outside", "available", 200), ("outside", "available", 70)]
    assert (arrived.counterpart, sent.counterpart) == (sent, None)
    assert {each.request_id for each in (sent, arrived)} == {merge.request_id}
    assert (fresh(source).owner, fresh(source).merged_into) == (by_cpf, target)


def test_other_cards_only_change_their_owner(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    gift = make_card(make_program(store), balance=900, owner=by_mail)
    closed = make_closed_card(make_program(store), balance=10, owner=by_mail)
    wallet = make_wallet(loyalty, owner=by_mail, balance=20)
    before = [history(card) for card in (gift, closed, wallet)]

    merge = make_merge(by_mail, by_cpf)

    for card, known in zip((gift, closed, wallet), before, strict=True):
        [row] = known.pop("card")
        now = history(card)
        assert now.pop("card") == [row | {"owner_id": by_cpf.pk}]
        assert now == known
    assert merge.cards == {str(card.pk): None for card in (gift, closed, wallet)}


def test_each_is_known_by_what_both_were_known_by(by_mail: Customer, by_cpf: Customer) -> None:
    merge = make_merge(by_mail, by_cpf)

    both = {"profile_id": "P1", "document": "52998224725"}
    assert identity_of(by_cpf) == both | {"email": "ana@work.example", "name": "Ana"}
    assert identity_of(by_mail) == both | {"email": "ana@example.com"}
    assert fresh(by_mail).merged_into == by_cpf
    assert (merge.known, merge.completed) == (["email", "profile_id"], ["profile_id"])


def test_who_wants_no_reminders_still_wants_none(by_mail: Customer, by_cpf: Customer) -> None:
    since = timezone.now()
    Customer.objects.filter(pk=by_mail.pk).update(reminders_stopped_at=since)

    make_merge(by_mail, by_cpf)

    assert fresh(by_cpf).reminders_stopped_at == since


@pytest.mark.parametrize(
    "identity",
    [
        Identity(profile_id="P1"),
        Identity(email="ana@example.com"),
        Identity(email="ana@work.example"),
        Identity(document="52998224725"),
    ],
)
def test_the_store_finds_the_one_who_stays_and_their_wallet(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer, identity: Identity
) -> None:
    make_wallet(loyalty, owner=by_mail, balance=20)
    wallet = make_wallet(loyalty, owner=by_cpf, balance=30)
    make_merge(by_mail, by_cpf)
    wanted = wallets.WalletRequest(RELATION, "", identity)

    found = lookup.cards_of(store.pk, identity)
    opened = wallets.open_wallet(store, wanted, actor=ACTOR)

    assert [(card.public_id, card.usable) for card in found] == [(wallet.public_id, 50)]
    assert opened == wallet
    assert wallets.customer_of(store, identity) == by_cpf
    debit = ledger.authorize(wallet.pk, amount=50, request_id="pay", actor=ACTOR, buyer=identity)
    assert debit.amount == 50


def test_a_typed_code_finds_the_card_for_whoever_has_the_old_email(
    store: Store, by_mail: Customer, by_cpf: Customer
) -> None:
    card = make_card(make_program(store), balance=30, owner=by_mail, is_restricted=True)
    make_merge(by_mail, by_cpf)

    found = lookup.card_by_code(store.pk, card.code, Identity(email="ana@example.com"))
    other = lookup.card_by_code(store.pk, card.code, Identity(email="bia@example.com"))

    assert found is not None
    assert other is None


def test_an_old_email_beside_another_document_finds_nobody(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    stranger = Identity(email="ana@example.com", document="11144477735")
    wallet = make_wallet(loyalty, owner=by_mail, balance=20)
    make_merge(by_mail, by_cpf)

    assert lookup.cards_of(store.pk, stranger) == []
    with pytest.raises(WrongOwner):
        make_hold(wallet, 20, buyer=stranger)


def test_a_document_that_is_learned_later_holds_for_the_old_email_too(
    store: Store, loyalty: Program, by_mail: Customer
) -> None:
    stays = make_customer(store, **BLANK | {"email": "other@example.com"})
    make_wallet(loyalty, owner=by_mail, balance=20)
    make_merge(by_mail, stays)
    fresh(stays).learn(Identity(document="52998224725"))

    stranger = Identity(email="ana@example.com", document="11144477735")

    assert lookup.cards_of(store.pk, stranger) == []


def test_nothing_new_is_opened_for_the_one_merged_away(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    card = make_card(make_program(store), balance=30)
    make_merge(by_mail, by_cpf)

    with pytest.raises(UnknownCustomer):
        make_wallet(loyalty, owner=by_mail)
    with pytest.raises(UnknownCustomer):
        make_wallet(loyalty, owner=fresh(by_mail))
    with pytest.raises(UnknownCustomer):
        make_change_of_owner(card, by_mail)
    with pytest.raises(IntegrityError, match="card_owner_not_merged"), atomic():
        GiftCard.objects.filter(pk=card.pk).update(owner=by_mail)


def test_the_empty_wallet_goes_on_answering_for_its_purchases(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    source = make_wallet(loyalty, owner=by_mail, balance=500)
    target = make_wallet(loyalty, owner=by_cpf)
    held, spent = make_hold(source, 100), make_purchase(source, 50)
    make_merge(by_mail, by_cpf)

    make_settlement(held, 60)
    make_cancellation(held, 100)
    make_cancellation(spent, 50)

    assert buckets(source) == {"credited": 150, "available": 150}
    assert buckets(target) == {"credited": 350, "available": 350}
    found = lookup.cards_of(store.pk, Identity(document="52998224725"))
    assert sorted(card.usable for card in found) == [150, 350]


def test_a_reward_that_the_store_takes_back_is_brought_back_first(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    source = make_wallet(loyalty, owner=by_mail)
    reward = make_credit(source, 300, origin="reward")
    make_credit(source, 40)
    target = make_wallet(loyalty, owner=by_cpf, balance=10)
    make_merge(by_mail, by_cpf)

    operation = make_cancellation(reward, 120)

    assert moves(operation) == [("available", "removed", 120)]
    assert [entry.grant for entry in operation.entries.all()] == [reward.grants.get()]
    assert buckets(source) == {"credited": 120, "removed": 120}
    assert buckets(target) == {"credited": 230, "available": 230}
    assert make_cancellation(reward, 180).applied == 180
    assert buckets(target) == {"credited": 50, "available": 50}


def test_a_reward_that_was_spent_after_the_merge_is_not_taken_from_elsewhere(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    source = make_wallet(loyalty, owner=by_mail)
    reward = make_credit(source, 300, origin="reward", expires_at=timezone.now() + DAY)
    target = make_wallet(loyalty, owner=by_cpf, balance=1000)
    make_merge(by_mail, by_cpf)
    make_purchase(target, 200)
    before = history(target), history(source)

    with pytest.raises(CreditSpent):
        make_cancellation(reward, 101)

    assert (history(target), history(source)) == before
    assert make_cancellation(reward, 100).applied == 100


def test_a_reward_is_found_wherever_merges_brought_it(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    third = make_customer(store, **BLANK | {"email": "third@example.com"})
    source = make_wallet(loyalty, owner=by_mail)
    reward = make_credit(source, 300)
    make_wallet(loyalty, owner=by_cpf)
    last = make_wallet(loyalty, owner=third, balance=5)
    make_merge(by_mail, by_cpf)
    make_merge(by_cpf, third)

    make_cancellation(reward, 300)

    assert buckets(last) == {"credited": 5, "available": 5}
    assert fresh(by_mail).merged_into == third


def test_what_has_ended_stays_and_ends_where_it_is(
    loyalty: Program, by_mail: Customer, by_cpf: Customer, time_machine: Any
) -> None:
    time_machine.move_to(datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC), tick=False)
    source = make_wallet(loyalty, owner=by_mail)
    make_credit(source, 30, expires_at=timezone.now() + DAY)
    make_credit(source, 40)
    target = make_wallet(loyalty, owner=by_cpf)
    time_machine.shift(2 * DAY)

    make_merge(by_mail, by_cpf)

    assert buckets(source) == {"credited": 30, "available": 30}
    assert buckets(target) == {"credited": 40, "available": 40}
    assert lookup.card_by_id(source.store_id, source.public_id).usable == 0


def test_what_came_back_too_late_for_its_grant_goes_to_the_other_wallet_too(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    now = timezone.now()
    with time_machine.travel(now - 2 * DAY, tick=False):
        source = make_wallet(loyalty, owner=by_mail)
        make_credit(source, 100, expires_at=now - DAY)
        debit = make_purchase(source, 70)
    make_cancellation(debit, 70)
    target = make_wallet(loyalty, owner=by_cpf)

    merge = make_merge(by_mail, by_cpf)

    assert buckets(target) == {"credited": 70, "available": 70}
    assert [grant.origin for grant in target.grants.all()] == ["refund"]
    assert violations() == []
    make_unmerge(merge)
    assert (buckets(source)["available"], buckets(target)) == (100, {})


def test_a_wallet_that_has_ended_lives_as_long_as_the_one_that_comes_to_it(
    loyalty: Program, by_mail: Customer, by_cpf: Customer, time_machine: Any
) -> None:
    time_machine.move_to(datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC), tick=False)
    end = timezone.now() + 30 * DAY
    make_wallet(loyalty, owner=by_mail, balance=40, expires_at=end)
    target = make_wallet(loyalty, owner=by_cpf, balance=7, expires_at=timezone.now() + DAY)
    time_machine.shift(2 * DAY)

    make_merge(by_mail, by_cpf)

    assert fresh(target).expires_at == end
    assert buckets(target) == {"credited": 47, "available": 40, "expired": 7}


def test_a_wallet_of_another_program_stays_beside_the_other(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    club = make_program(store, is_reloadable=True, relation_name=RELATION)
    source = make_wallet(club, owner=by_mail, balance=40)
    target = make_wallet(loyalty, owner=by_cpf, balance=7)

    make_merge(by_mail, by_cpf)

    assert (buckets(source)["available"], buckets(target)["available"]) == (40, 7)
    assert (fresh(source).owner, fresh(source).merged_into) == (by_cpf, target)


def test_orders_go_with_the_customer_and_are_looked_at_again(
    store: Store, by_mail: Customer, by_cpf: Customer
) -> None:
    mine = ShopOrder.objects.create(
        store=store, order_id="O1", customer=by_mail, announced_at=timezone.now()
    )
    merge = make_merge(by_mail, by_cpf)

    moved = ShopOrder.objects.get(pk=mine.pk)
    assert (moved.customer, moved.due_at is not None) == (by_cpf, True)
    make_unmerge(merge)
    assert ShopOrder.objects.get(pk=mine.pk).customer == by_mail


def test_asked_again_it_answers_with_the_first_merge(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    make_wallet(loyalty, owner=by_mail, balance=40)
    make_wallet(loyalty, owner=by_cpf)
    first = make_merge(by_mail, by_cpf, request_id="M1")
    before = everything(by_mail, by_cpf)

    assert make_merge(by_mail, by_cpf, request_id="M1") == first
    with pytest.raises(RequestConflict):
        make_merge(by_cpf, by_mail, request_id="M1")
    assert everything(by_mail, by_cpf) == before


def itself(mail: Customer, _cpf: Customer) -> None:
    make_merge(mail, mail)


def other_store(mail: Customer, _cpf: Customer) -> None:
    make_merge(mail, make_customer())


def erased(mail: Customer, _cpf: Customer) -> None:
    make_merge(mail, make_customer(mail.store, **BLANK, erased_at=timezone.now()))


def two_documents(mail: Customer, _cpf: Customer) -> None:
    make_merge(make_customer(mail.store, profile_id=""), make_customer(mail.store, profile_id=""))


def two_profiles(mail: Customer, _cpf: Customer) -> None:
    make_merge(mail, make_customer(mail.store, document=""))


def no_reason(mail: Customer, cpf: Customer) -> None:
    make_merge(mail, cpf, reason="")


def no_request_id(mail: Customer, cpf: Customer) -> None:
    make_merge(mail, cpf, request_id="")


@pytest.mark.parametrize(
    ("attempt", "refusal"),
    [
        (itself, SameCustomer),
        (other_store, UnknownCustomer),
        (erased, UnknownCustomer),
        (two_documents, IdentitiesDiffer),
        (two_profiles, IdentitiesDiffer),
        (no_reason, ReasonRequired),
        (no_request_id, InvalidRequestId),
    ],
)
def test_refuses_and_changes_nothing(
    loyalty: Program,
    by_mail: Customer,
    by_cpf: Customer,
    attempt: Callable[[Customer, Customer], None],
    refusal: type[LedgerError],
) -> None:
    make_wallet(loyalty, owner=by_mail, balance=40)
    make_wallet(loyalty, owner=by_cpf)
    before = everything(by_mail, by_cpf)

    with pytest.raises(refusal):
        attempt(by_mail, by_cpf)

    assert everything(by_mail, by_cpf) == before


def test_more_than_a_wallet_can_count_changes_nothing_of_any_card(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    make_card(make_program(store), balance=9, owner=by_mail)
    make_wallet(loyalty, owner=by_mail, balance=1)
    make_wallet(loyalty, owner=by_cpf, balance=MAX_UNITS)
    before = everything(by_mail, by_cpf)

    with pytest.raises(BalanceLimitExceeded):
        make_merge(by_mail, by_cpf)

    assert everything(by_mail, by_cpf) == before


@pytest.mark.parametrize("blocked", ["source", "target"])
def test_moves_nothing_out_of_or_into_a_blocked_wallet(
    loyalty: Program, by_mail: Customer, by_cpf: Customer, blocked: str
) -> None:
    source = make_wallet(loyalty, owner=by_mail, balance=40)
    target = make_wallet(loyalty, owner=by_cpf)
    card = source if blocked == "source" else target
    ledger.block(card.pk, request_id="B", actor=ACTOR)
    before = everything(by_mail, by_cpf)

    with pytest.raises(WalletBlocked):
        make_merge(by_mail, by_cpf)

    assert everything(by_mail, by_cpf) == before


def test_a_blocked_card_that_needs_no_transfer_stays_blocked(
    store: Store, by_mail: Customer, by_cpf: Customer
) -> None:
    card = make_blocked_card(make_program(store), balance=40, owner=by_mail)

    make_merge(by_mail, by_cpf)

    assert (fresh(card).status, fresh(card).owner) == ("blocked", by_cpf)


def test_nobody_is_merged_twice(store: Store, by_mail: Customer, by_cpf: Customer) -> None:
    third = make_customer(store, **BLANK | {"email": "third@example.com"})
    make_merge(by_mail, by_cpf)

    with pytest.raises(AlreadyMerged):
        make_merge(by_mail, third)
    with pytest.raises(AlreadyMerged):
        make_merge(by_cpf, by_mail)


def test_does_not_lock_more_cards_than_one_transaction_should(
    store: Store, by_mail: Customer, by_cpf: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MAX_CARDS", 1)
    make_card(make_program(store), owner=by_mail)
    make_card(make_program(store), owner=by_cpf)

    with pytest.raises(TooManyCards):
        make_merge(by_mail, by_cpf)


# --- undoing


def test_undone_everything_is_as_it_was(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    gift = make_card(make_program(store), balance=900, owner=by_mail)
    source = make_wallet(loyalty, owner=by_mail, balance=300)
    make_credit(source, 70, funding="paid")
    make_hold(source, 100)
    target = make_wallet(loyalty, owner=by_cpf, balance=50)
    people = [identity_of(by_mail), identity_of(by_cpf)]
    cards = (gift, source, target)
    before = [(fresh(card).owner_id, fresh(card).merged_into_id, buckets(card)) for card in cards]
    left = list(source.grants.order_by("pk").values_list("pk", "remaining"))
    merge = make_merge(by_mail, by_cpf)

    undone = make_unmerge(merge)

    assert [identity_of(by_mail), identity_of(by_cpf)] == people
    assert fresh(by_mail).merged_into is None
    after = [(fresh(card).owner_id, fresh(card).merged_into_id, buckets(card)) for card in cards]
    assert after == before
    assert list(source.grants.order_by("pk").values_list("pk", "remaining")) == left
    sent, received = (card.operations.get(kind="transfer") for card in (source, target))
    assert [
        (each.card, each.reverses, moves(each))
        for each in Operation.objects.filter(kind="reverse").order_by("card_id")
    ] == [
        (source, sent, [("outside", "available", 200), ("outside", "available", 70)]),
        (target, received, [("available", "outside", 200), ("available", "outside", 70)]),
    ]
    assert (undone.undone_by, undone.undone_at is not None) == (ACTOR, True)
    assert wallets.customer_of(store, Identity(email="ana@example.com")) == by_mail


def test_undone_the_two_can_be_merged_again(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    source = make_wallet(loyalty, owner=by_mail, balance=300)
    target = make_wallet(loyalty, owner=by_cpf, balance=50)
    make_unmerge(make_merge(by_mail, by_cpf))

    make_merge(by_cpf, by_mail)

    assert (buckets(source), buckets(target)) == ({"credited": 350, "available": 350}, {})


def test_a_hold_that_was_released_leaves_it_untouched(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    source = make_wallet(loyalty, owner=by_mail, balance=300)
    target = make_wallet(loyalty, owner=by_cpf)
    merge = make_merge(by_mail, by_cpf)
    debit = make_hold(target, 10)

    with pytest.raises(MergeTouched):
        make_unmerge(merge)
    make_cancellation(debit, 10)
    make_unmerge(merge)

    assert (buckets(source), buckets(target)) == ({"credited": 300, "available": 300}, {})


def spend(_store: Store, target: GiftCard, _gift: GiftCard, _into: Customer) -> None:
    make_purchase(target, 1)


def give_on(store: Store, _target: GiftCard, gift: GiftCard, _into: Customer) -> None:
    make_change_of_owner(gift, make_customer(store))


def take_off(_store: Store, target: GiftCard, _gift: GiftCard, _into: Customer) -> None:
    ledger.adjust(target.pk, change=-1, request_id="A", actor=ACTOR, reason="fraud")


def merge_on(store: Store, _target: GiftCard, _gift: GiftCard, into: Customer) -> None:
    make_merge(into, make_customer(store, **BLANK | {"email": "third@example.com"}))


def close(_store: Store, target: GiftCard, _gift: GiftCard, _into: Customer) -> None:
    ledger.close(target.pk, request_id="C", actor=ACTOR, reason="fraud")


@pytest.mark.parametrize("touch", [spend, give_on, take_off, merge_on, close])
def test_what_was_used_or_moved_on_is_not_undone(
    store: Store,
    loyalty: Program,
    by_mail: Customer,
    by_cpf: Customer,
    touch: Callable[[Store, GiftCard, GiftCard, Customer], None],
) -> None:
    gift = make_card(make_program(store), balance=9, owner=by_mail)
    make_wallet(loyalty, owner=by_mail, balance=300)
    target = make_wallet(loyalty, owner=by_cpf)
    merge = make_merge(by_mail, by_cpf)
    touch(store, target, gift, by_cpf)
    before = everything(by_mail, by_cpf)

    with pytest.raises(MergeTouched):
        make_unmerge(merge)

    assert everything(by_mail, by_cpf) == before
    assert fresh(merge).undone_at is None


def test_undoing_moves_nothing_out_of_a_blocked_wallet(
    loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    make_wallet(loyalty, owner=by_mail, balance=300)
    target = make_wallet(loyalty, owner=by_cpf)
    merge = make_merge(by_mail, by_cpf)
    ledger.block(target.pk, request_id="B", actor=ACTOR)
    before = everything(by_mail, by_cpf)

    with pytest.raises(WalletBlocked):
        make_unmerge(merge)

    assert everything(by_mail, by_cpf) == before


def test_is_undone_once(loyalty: Program, by_mail: Customer, by_cpf: Customer) -> None:
    make_wallet(loyalty, owner=by_mail, balance=300)
    make_wallet(loyalty, owner=by_cpf)
    merge = make_merge(by_mail, by_cpf)
    first = make_unmerge(merge, request_id="U1")
    before = everything(by_mail, by_cpf)

    assert make_unmerge(merge, request_id="U1").undone_at == first.undone_at
    with pytest.raises(NotMerged):
        make_unmerge(merge, request_id="U2")
    assert everything(by_mail, by_cpf) == before


def test_merges_are_undone_from_the_last_to_the_first(
    store: Store, loyalty: Program, by_mail: Customer, by_cpf: Customer
) -> None:
    third = make_customer(store, **BLANK | {"email": "third@example.com"})
    cards = [
        make_wallet(loyalty, owner=owner, balance=balance)
        for owner, balance in ((by_mail, 10), (by_cpf, 20), (third, 30))
    ]
    first = make_merge(by_mail, by_cpf)
    second = make_merge(by_cpf, third)
    assert [buckets(card).get("available", 0) for card in cards] == [0, 0, 60]

    make_unmerge(second)
    assert fresh(by_mail).merged_into == by_cpf
    make_unmerge(first)

    assert [buckets(card)["available"] for card in cards] == [10, 20, 30]
    assert [fresh(card).owner for card in cards] == [by_mail, by_cpf, third]
