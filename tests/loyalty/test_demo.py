import datetime
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone
from localflavor.br.validators import BRCPFValidator

from loyalty import demo
from loyalty.demo.clock import Dice, Story, stopped, tell
from loyalty.demo.people import cpf, rut
from loyalty.demo.shop import BRAZIL, CHILE
from loyalty.identity import is_cnpj
from loyalty.ledger.invariants import violations
from loyalty.models import (
    Approval,
    AuditEvent,
    Customer,
    CustomerMerge,
    Earning,
    Entry,
    GiftCard,
    Grant,
    Job,
    Operation,
    Outcome,
    PointValueChange,
    Program,
    Store,
    TierChange,
    TierGrant,
    TierScheme,
    TierStanding,
    Transaction,
)
from tests.builders import make_card

NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of a few cards, for tests that are about something else."""
    for name, plan in (("BRAZIL", BRAZIL), ("CHILE", CHILE)):
        monkeypatch.setattr(demo, name, replace(plan, cards=dict.fromkeys(plan.cards, 1)))


def rows() -> dict[str, int]:
    models: tuple[type[Model], ...] = (
        *(Store, Program, Customer, GiftCard, Grant, Transaction, Operation, Entry),
        *(TierScheme, TierStanding, TierChange, TierGrant, Earning),
        *(Approval, CustomerMerge, PointValueChange, Job, AuditEvent, User),
    )
    return {model.__name__: model._default_manager.count() for model in models}


def test_tells_everything_that_happens_to_credit_and_the_books_are_right(db: None) -> None:
    assert demo.seed()

    operations = Counter(Operation.objects.values_list("kind", "outcome"))
    declines = set(
        Operation.objects.exclude(decline_code="").values_list("decline_code", flat=True)
    )
    states = Counter(transaction.state for transaction in Transaction.objects.all())
    now = timezone.now()
    waiting = Grant.objects.filter(remaining__gt=0, expires_at__lte=now)
    assert violations() == []
    assert {kind for kind, outcome in operations if outcome == Outcome.OK} == set(
        Operation.Kind.values
    ) - {"extend", "reverse"}
    assert declines >= {
        "insufficient_balance",
        "wrong_owner",
        "card_expired",
        "card_blocked",
        "exceeds_hold",
    }
    assert set(states) >= {
        Transaction.State.HELD,
        Transaction.State.SETTLED,
        Transaction.State.PARTIALLY_REFUNDED,
        Transaction.State.CANCELED,
        Transaction.State.CREDITED,
    }
    assert set(GiftCard.objects.values_list("status", flat=True)) == set(GiftCard.Status.values)
    assert set(Grant.objects.values_list("origin", flat=True)) >= {
        *("issue", "reward", "adjustment", "refund")
    }
    assert waiting.exists()
    for wallet in GiftCard.objects.filter(program__kind=Program.Kind.LOYALTY):
        assert (wallet.expires_at, wallet.is_reloadable) == (None, True)
    for renewal in Operation.objects.filter(kind="renew"):
        assert renewal.card.grants.filter(created_at__gt=renewal.created_at).exists()
    _assert_decided(now)
    assert GiftCard.objects.filter(is_imported=True).exists()
    assert GiftCard.objects.filter(valid_from__gt=now).exists()
    assert 180 <= GiftCard.objects.count() <= 260
    assert len(demo.spendable(demo.brazilian_store())) == 5
    for store in Store.objects.all():
        assert set(store.programs.values_list("kind", flat=True)) == set(Program.Kind.values)
    assert set(Store.objects.values_list("account", "currency", "time_zone")) == {
        ("demobrasil", "BRL", "America/Sao_Paulo"),
        ("demochile", "CLP", "America/Santiago"),
    }


def _assert_decided(now: datetime.datetime) -> None:
    """In each store one merge is done and another waits; a point changed its value weeks ago."""
    asked = Counter(Approval.objects.values_list("action", "status"))
    assert asked == {("merge", "done"): 2, ("merge", "waiting"): 2, ("point_value", "done"): 1}
    for merge in CustomerMerge.objects.select_related("customer", "into"):
        wallet = merge.into.cards.get(relation_name="loyalty-program", merged_into=None)
        moved = Operation.objects.filter(kind="transfer", request_id__contains=merge.request_id)
        assert merge.customer.merged_into == merge.into
        assert merge.into.name == merge.customer.name
        assert merge.into.cards.count() >= 3
        assert moved.filter(card=wallet).exists()
    change = PointValueChange.objects.get()
    adjusted = Operation.objects.filter(kind="revalue", outcome=Outcome.OK)
    assert (change.before, change.after, change.is_under_way) == (25, 30, False)
    assert now - change.changed_at > datetime.timedelta(weeks=3)
    assert adjusted.count() >= 10
    assert set(adjusted.values_list("created_at", flat=True)) == {change.changed_at}
    assert not User.objects.filter(is_staff=True).exists()


def test_has_customers_with_documents_that_are_valid(small: None, db: None) -> None:
    demo.seed()

    brazilians = Customer.objects.filter(store=demo.brazilian_store())
    companies = brazilians.exclude(corporate_document="")
    assert Customer.objects.count() >= 40
    for customer in brazilians.exclude(document=""):
        BRCPFValidator()(customer.document)
    assert [is_cnpj(company.corporate_document) for company in companies] == [True, True]
    assert sum(not company.corporate_document.isdecimal() for company in companies) == 1
    assert not Customer.objects.exclude(email__endswith="@example.com").exists()


def test_history_happened_in_the_past_and_in_order(small: None, db: None) -> None:
    before = timezone.now()

    demo.seed()

    instants = list(Operation.objects.order_by("id").values_list("created_at", flat=True))
    assert instants == sorted(instants)
    assert instants[-1] < before
    assert before - instants[0] > datetime.timedelta(days=90)
    assert not GiftCard.objects.filter(owner__created_at__gt=before).exists()


def test_customers_are_at_each_tier_and_one_was_granted_the_highest(small: None, db: None) -> None:
    demo.seed()

    for store in Store.objects.all():
        scheme = TierScheme.objects.get(program__store=store)
        names = [tier["name"] for tier in scheme.tiers]
        standings = TierStanding.objects.filter(program__store=store)
        at = Counter(standings.values_list("tier", flat=True))
        upgrades = TierChange.objects.filter(program__store=store, before__in=names[:-1])
        granted = TierGrant.objects.get(program__store=store)
        assert min(at[name] for name in names) >= 2
        assert upgrades.filter(cause="reached").exists()
        assert (granted.tier, standings.get(customer=granted.customer).cause) == (
            names[-1],
            "granted",
        )


def test_a_second_run_changes_nothing(small: None, db: None) -> None:
    demo.seed()
    before = rows()

    assert not demo.seed()

    assert rows() == before


def test_an_interrupted_run_is_carried_on(
    small: None, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(stories: Iterable[Story], *, until: datetime.datetime) -> None:
        tell(stories, until=until - datetime.timedelta(days=1))
        raise KeyboardInterrupt

    # Among them is a card whose code was imported, which nobody can have twice.
    module = import_module("loyalty.demo.stories")  # the package has a function of this name
    monkeypatch.setattr(module, "_IMPORTED", frozenset({0}))
    with monkeypatch.context() as patch:
        patch.setattr(demo, "tell", interrupted)
        with pytest.raises(KeyboardInterrupt):
            demo.seed()
    assert GiftCard.objects.exists()
    assert not Store.objects.filter(account="demobrasil").exists()

    assert demo.seed()

    assert set(Store.objects.values_list("account", flat=True)) == {"demobrasil", "demochile"}
    # Each gift card once: the one of its story, and the one that pays where VTEX disagrees.
    gifts = GiftCard.objects.filter(program__kind=Program.Kind.GIFT_CARD)
    assert Counter(gifts.values_list("store__account", flat=True)) == {
        "demobrasil": 2,
        "demochile": 2,
    }
    assert violations() == []


def test_the_first_spendable_card_is_a_plain_one_with_a_round_balance(
    small: None, db: None
) -> None:
    demo.seed()
    store = demo.brazilian_store()

    (card, view), *_ = demo.spendable(store)

    assert (card.owner, card.is_restricted, card.program.kind) == (None, False, "gift_card")
    assert str(view.balance) == "500.00"
    assert view.public_id == card.public_id


def test_points_are_finer_than_the_currency(small: None, db: None) -> None:
    demo.seed()

    (program,) = Program.objects.exclude(unit_name="")
    assert (program.exponent, str(program.point_value)) == (4, "0.0030")
    assert program.cards.filter(balance__credited__gt=0).exists()


def test_a_stopped_clock_reaches_the_ledger(db: None) -> None:
    with stopped(NOON):
        card = make_card(balance=100)

    assert timezone.now() != NOON
    assert card.created_at == NOON
    assert set(card.operations.values_list("created_at", flat=True)) == {NOON}
    assert set(card.entries.values_list("created_at", flat=True)) == {NOON}


def test_stories_are_told_in_the_order_of_time() -> None:
    told: list[tuple[str, datetime.datetime]] = []

    def story(name: str, *minutes: int) -> Story:
        for minute in minutes:
            yield NOON + minute * MINUTE
            told.append((name, timezone.now()))

    def nothing() -> Iterator[datetime.datetime]:
        yield from ()

    tell([story("a", 1, 4, 9), story("b", 2, 3), nothing()], until=NOON + 9 * MINUTE)

    assert told == [
        (name, NOON + minute * MINUTE) for name, minute in (("a", 1), ("b", 2), ("b", 3), ("a", 4))
    ]


def test_dice_fall_the_same_everywhere() -> None:
    dice = Dice("a name")

    assert [dice.below(100) for _ in range(3)] == [96, 40, 84]
    assert {Dice(str(number)).between(1, 3) for number in range(50)} == {1, 2, 3}
    assert len(Dice("id").hexadecimal(32)) == 32


def test_documents_have_the_right_check_digits() -> None:
    for _, document in zip(range(300), cpf(Dice("cpf")), strict=False):
        BRCPFValidator()(document)
    documents = dict(zip(range(300), rut(Dice("rut")), strict=False)).values()

    assert {document[-1] for document in documents} == set("0123456789K")
    # 11 minus the weighted sum, as the civil registry works it out.
    for document in documents:
        weights = [2, 3, 4, 5, 6, 7, 2, 3]
        total = sum(
            int(digit) * weight
            for digit, weight in zip(reversed(document[:-1]), weights, strict=False)
        )
        assert document[-1] == {11: "0", 10: "K"}.get(11 - total % 11, str(11 - total % 11))
