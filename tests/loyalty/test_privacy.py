"""A copy of all that is known of a person, forgetting them, and what is let go of in time."""

import datetime
import json
from io import StringIO
from typing import Any
from unittest.mock import ANY

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone, translation

from loyalty import audit, earning, lookup, notifications, privacy, wallets
from loyalty.audit import Actor
from loyalty.identity import Identity
from loyalty.models import Approval, AuditAction, AuditEvent, Batch, Customer, ImportFile
from loyalty.privacy import CannotErase
from loyalty.wallets import WalletRequest
from tests.builders import (
    history,
    make_card,
    make_customer,
    make_hold,
    make_merge,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
    new_id,
)
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    make_earning_program,
    make_scheme,
    take,
)

pytestmark = pytest.mark.django_db

WHO = {
    "name": "Ana Souza",
    "email": "ana@example.com",
    "document": "52998224725",
    "corporate_document": "11222333000181",
    "profile_id": "profile-of-ana",
}
IDENTITY = Identity.of(**{name: value for name, value in WHO.items() if name != "name"})


@pytest.fixture
def actor() -> Actor:
    return Actor(User.objects.create_user("ines", is_staff=True), "192.0.2.1")


@pytest.fixture
def ana() -> Customer:
    return make_customer(make_store(), **WHO)


def identity_of(customer: Customer) -> list[str]:
    return [getattr(Customer.objects.get(pk=customer.pk), name) for name in WHO]


def assert_refused(customer: Customer, actor: Actor, reason: str, why: str = "asked") -> None:
    before = identity_of(customer)
    with pytest.raises(CannotErase) as refusal:
        privacy.erase(customer, reason=why, actor=actor)
    assert refusal.value.reason == reason
    assert reason in privacy.REFUSALS
    assert identity_of(customer) == before
    assert not AuditEvent.objects.filter(action="person_erased").exists()


def make_import(customer: Customer, **fields: Any) -> Batch:
    user = User.objects.create_user(new_id("user"))
    batch = Batch.objects.create(
        program=make_program(customer.store),
        name="clientes.csv",
        source=Batch.Source.IMPORTED,
        count=1,
        total=0,
        created_by=user,
        **fields,
    )
    problems = [
        {"line": 2, "column": "email", "code": "invalid", "value": "ana@example.com"},
        {"line": 3, "column": "email", "code": "invalid", "value": "bia@example.com"},
    ]
    ImportFile.objects.create(
        batch=batch, name="clientes.csv", digest="x", content=b"sealed", problems=problems
    )
    return batch


# --- A copy --------------------------------------------------------------------------------------


def test_a_copy_has_everything_and_no_code(ana: Customer, actor: Actor) -> None:
    card = make_wallet(make_program(ana.store), balance=50_00, owner=ana)
    purchase = make_purchase(card, 12_34, order_id="1402310500123-01")
    make_card(make_program(ana.store), balance=99, owner=make_customer(ana.store))

    facts = privacy.export(ana, actor=actor)

    text = json.dumps(facts)
    assert {name: facts["person"][name] for name in WHO} == WHO
    [found] = facts["cards"]
    assert found["id"] == card.public_id
    assert found["amounts"] == {
        "credited": "50.00",
        "available": "37.66",
        "held": "0.00",
        "spent": "12.34",
        "expired": "0.00",
        "removed": "0.00",
    }
    assert [(grant["amount"], grant["remaining"]) for grant in found["grants"]] == [
        ("50.00", "37.66")
    ]
    assert [(each["order"], each["settled"]) for each in found["transactions"]] == [
        (purchase.order_id, "12.34")
    ]
    assert [each["kind"] for each in found["operations"]] == ["issue", "authorize", "settle"]
    assert card.code not in text
    assert card.token not in text
    event = AuditEvent.objects.get()
    assert (event.action, event.customer, event.after) == ("person_exported", ana, {"cards": 1})
    assert "ana@" not in str(event.after) + event.note


def test_a_copy_has_the_orders_and_the_tiers_with_their_history(
    ana: Customer, actor: Actor
) -> None:
    program = make_earning_program(ana.store, name="Aurora Pontos")
    make_scheme(program, starts_at=START - DAY)
    with time_machine.travel(START, tick=False):
        take(ana.store, an_order(120_00, order_id="v77-01", buyer=ana.identity))
        take(ana.store, an_order(900_00, buyer=Identity.of(email="rui@example.com")))
        earning.grant(
            program,
            ana,
            tier="Gold",
            until=START + DAY,
            reason="Waited long",
            by=actor.user,
            request_id="granted",
        )

    with translation.override("en"):
        facts = privacy.export(ana, actor=actor)

    [order] = facts["orders"]
    assert (order["order"], order["amount"], order["currency"]) == ("v77-01", "120.00", "BRL")
    columns = ("program", "what", "tier", "cause", "until", "reason")
    until = (START + DAY).isoformat()
    assert [tuple(row[name] for name in columns) for row in facts["tiers"]] == [
        ("Aurora Pontos", "now", "Gold", "granted by staff", ANY, ""),
        ("Aurora Pontos", "change of tier", "Silver", "reached", None, ""),
        ("Aurora Pontos", "change of tier", "Gold", "granted by staff", None, ""),
        ("Aurora Pontos", "granted tier", "Gold", "", until, "Waited long"),
    ]


def test_a_copy_names_what_staff_did(ana: Customer, actor: Actor) -> None:
    privacy.export(ana, actor=actor)

    facts = privacy.export(ana, actor=actor)

    assert [each["action"] for each in facts["actions_of_staff"]] == ["person_exported"]


# --- Being forgotten -----------------------------------------------------------------------------


def test_the_identity_goes_and_the_amounts_stay(ana: Customer, actor: Actor) -> None:
    card = make_wallet(make_program(ana.store), balance=50_00, owner=ana)
    make_purchase(card, 12_34)
    before = history(card)

    privacy.erase(ana, reason="asked", actor=actor)

    person = Customer.objects.get(pk=ana.pk)
    assert identity_of(person) == [""] * 5
    assert person.erased_at is not None
    assert history(card) == before
    event = AuditEvent.objects.get()
    assert (event.action, event.user, event.customer) == ("person_erased", actor.user, ana)
    assert (event.after, event.reason) == ({"fields": list(WHO)}, "asked")
    assert not any(value in str(vars(event)) for value in WHO.values())


def test_not_while_a_purchase_is_open(ana: Customer, actor: Actor) -> None:
    make_hold(make_card(make_program(ana.store), balance=1000, owner=ana), 10)

    assert_refused(ana, actor, "money_held")


def test_not_while_a_request_waits(ana: Customer, actor: Actor) -> None:
    now = timezone.now()
    approval = Approval.objects.create(
        action=AuditAction.CREDIT,
        parameters={},
        request_id="staff:1",
        store=ana.store,
        customer=ana,
        currency="BRL",
        exponent=2,
        amount=1,
        requested_by=actor.user,
        requested_at=now,
        expires_at=now + datetime.timedelta(hours=1),
    )

    assert_refused(ana, actor, "approval_waits")

    with time_machine.travel(approval.expires_at):
        privacy.erase(ana, reason="asked", actor=actor)


def test_not_twice_and_not_without_a_reason(ana: Customer, actor: Actor) -> None:
    assert_refused(ana, actor, "unknown_reason", why="because")
    privacy.erase(ana, reason="authority", actor=actor)

    with pytest.raises(CannotErase, match="erased"):
        privacy.erase(ana, reason="asked", actor=actor)

    assert AuditEvent.objects.count() == 1


def test_the_next_reward_makes_another_customer(ana: Customer, actor: Actor) -> None:
    program = make_program(ana.store, kind="loyalty", is_reloadable=True)
    request = WalletRequest(relation_name="loyalty-program", caption="", owner=IDENTITY)
    first = wallets.open_wallet(ana.store, request, actor="vtex")
    assert first.owner == ana
    privacy.erase(ana, reason="asked", actor=actor)

    second = wallets.open_wallet(ana.store, request, actor="vtex")

    assert second.pk != first.pk
    assert second.program == program
    assert second.owner is not None
    assert second.owner.pk != ana.pk
    assert second.owner.email == "ana@example.com"
    assert identity_of(ana) == [""] * 5


def test_nothing_is_learned_of_them_again(ana: Customer, actor: Actor) -> None:
    card = make_wallet(make_program(ana.store), balance=1, owner=ana)
    privacy.erase(ana, reason="asked", actor=actor)

    wallets.meet_owner(card.pk, IDENTITY, name="Ana Souza")
    ana.learn(IDENTITY, name="Ana Souza")

    assert identity_of(ana) == [""] * 5


def test_a_row_read_before_does_not_bring_them_back(ana: Customer, actor: Actor) -> None:
    stale = Customer.objects.get(pk=ana.pk)
    privacy.erase(ana, reason="asked", actor=actor)
    stale.name = "Ana S."

    with pytest.raises(IntegrityError, match="customer_erased_is_nobody"):
        stale.save()


def test_nobody_finds_them_or_their_cards_by_who_they_were(ana: Customer, actor: Actor) -> None:
    program = make_program(ana.store)
    free = make_card(program, balance=1000, owner=ana)
    bound = make_card(program, balance=1000, owner=ana, is_restricted=True)
    code, bound_code = free.code, bound.code
    privacy.erase(ana, reason="asked", actor=actor)

    assert lookup.cards_of(ana.store_id, IDENTITY) == []
    assert not ana.store.customers.identified_by(IDENTITY).exists()
    assert lookup.card_by_code(ana.store_id, code, Identity()) is not None
    assert lookup.card_by_code(ana.store_id, bound_code, IDENTITY) is None


def test_traces_elsewhere_go_too(ana: Customer, actor: Actor) -> None:
    batch = make_import(ana)
    LogEntry.objects.create(
        user=actor.user,
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(ana.pk),
        object_repr="Ana Souza",
        action_flag=CHANGE,
        change_message="ana@example.com",
    )

    privacy.erase(ana, reason="asked", actor=actor)

    problems = ImportFile.objects.get(pk=batch.pk).problems
    assert [problem["value"] for problem in problems] == ["bia@example.com"]
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.change_message) == (str(ana.pk), "")


def test_what_they_have_is_told_before(ana: Customer) -> None:
    program = make_program(ana.store)
    make_card(program, balance=10_00, owner=ana)
    make_card(program, balance=5_50, owner=ana, is_restricted=True)
    make_card(program, owner=ana)
    batch = make_import(ana)
    make_import(make_customer(make_store()))

    found = privacy.standing(ana)

    assert {name: str(amount) for name, amount in found.available.items()} == {"BRL": "15.50"}
    assert (found.held, found.cards, found.restricted) == ({}, 2, 1)
    assert (list(found.imports), found.obstacle) == ([batch], "")


# --- In time -------------------------------------------------------------------------------------


def test_old_files_of_unfinished_imports_are_emptied(ana: Customer) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        old, done = make_import(ana), make_import(ana, status=Batch.Status.ISSUED)
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        new = make_import(ana)

    with time_machine.travel("2026-03-31T13:00:00Z", tick=False):
        assert privacy.purge() == (1, 0)
        assert privacy.purge() == (0, 0)

    files = {file.pk: bytes(file.content) for file in ImportFile.objects.all()}
    assert files == {old.pk: b"", done.pk: b"sealed", new.pk: b"sealed"}
    assert ImportFile.objects.get(pk=old.pk).problems == []
    assert {batch.pk: batch.status for batch in Batch.objects.all()} == {
        old.pk: "discarded",
        done.pk: "issued",
        new.pk: "draft",
    }


def test_old_failures_to_sign_in_are_forgotten() -> None:
    for day in (1, 20):
        with time_machine.travel(f"2026-03-{day:02}T12:00:00Z", tick=False):
            AccessAttempt.objects.create(
                username=f"day {day}", failures_since_start=1, user_agent="", http_accept=""
            )
    out = StringIO()

    with time_machine.travel("2026-04-05T12:00:00Z", tick=False):
        call_command("purge_personal_data", stdout=out)

    assert out.getvalue() == "Import files emptied: 0. Failures to sign in: 1. Failed calls: 0.\n"
    assert AccessAttempt.objects.get().username == "day 20"


def test_a_copy_names_the_messages_and_the_wishes(ana: Customer, actor: Actor) -> None:
    notifications.request_statement(ana, token="a", actor=actor)
    notifications.stop_reminders(ana, actor=actor)

    facts = privacy.export(Customer.objects.get(pk=ana.pk), actor=actor)

    [message] = facts["messages"]
    assert (message["kind"], message["status"], message["sent_at"]) == (
        "statement",
        "waiting",
        None,
    )
    assert facts["person"]["wants_no_reminders_since"] is not None


# --- Merged customers ----------------------------------------------------------------------------


@pytest.fixture
def before_ana(ana: Customer) -> Customer:
    """Who Ana was under another e-mail, merged into her."""
    blank = dict.fromkeys(("name", "document", "corporate_document", "profile_id"), "")
    known = make_customer(ana.store, **blank | {"email": "old@example.com"})
    make_card(make_program(ana.store), balance=10_00, owner=known)
    audit.record(AuditAction.CHANGED, None, customer=known)
    make_merge(known, ana)
    return Customer.objects.get(pk=known.pk)


def test_a_copy_is_of_all_that_a_person_was(
    ana: Customer, before_ana: Customer, actor: Actor
) -> None:
    facts = privacy.export(ana, actor=actor)

    [also] = facts["also_known_as"]
    assert also == WHO | {"email": "old@example.com", "name": ""}
    assert [card["amounts"]["available"] for card in facts["cards"]] == ["10.00"]
    assert [each["action"] for each in facts["actions_of_staff"]] == ["changed"]


def test_forgetting_a_person_forgets_all_that_they_were(
    ana: Customer, before_ana: Customer, actor: Actor
) -> None:
    privacy.erase(ana, reason="asked", actor=actor)

    assert identity_of(ana) == identity_of(before_ana) == [""] * len(WHO)
    erased = Customer.objects.filter(erased_at__isnull=False)
    assert set(erased) == {ana, before_ana}
    assert lookup.cards_of(ana.store_id, Identity(email="old@example.com")) == []


def test_who_was_merged_is_forgotten_only_with_who_they_are(
    ana: Customer, before_ana: Customer, actor: Actor
) -> None:
    assert_refused(before_ana, actor, "merged")
