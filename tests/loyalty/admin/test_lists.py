import datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty import batches
from loyalty.admin.lists import BoundedPaginator, LargeChangeList, LargeList, first_id_since
from loyalty.batches import Plan
from loyalty.models import (
    Approval,
    Balance,
    Batch,
    Customer,
    Entry,
    GiftCard,
    Grant,
    ImportFile,
    Operation,
    Transaction,
)
from tests.builders import (
    make_adjustment,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_closed_card,
    make_customer,
    make_expired_card,
    make_hold,
    make_program,
    make_purchase,
    make_settlement,
    make_store,
)

LARGE = [model for model, page in admin.site._registry.items() if isinstance(page, LargeList)]


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def keys(client: Client, model: type[Model], **parameters: object) -> list[int]:
    values = {name: str(value) for name, value in parameters.items()}
    answer = client.get(list_of(model), values)
    assert answer.status_code == 200
    return [row.pk for row in answer.context["cl"].result_list]


def in_days(days: int) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(days=days)


def test_the_large_tables_have_large_lists() -> None:
    large = {GiftCard, Balance, Grant, Transaction, Operation, Entry, Customer}

    assert large <= set(LARGE)


def test_cards_are_filtered_by_what_they_can_do_now(db: None, boss: Client) -> None:
    program = make_program()
    cards = {
        "active": make_card(program, balance=100),
        "blocked": make_blocked_card(program, balance=100),
        "closed": make_closed_card(program),
        "expired": make_expired_card(program, balance=100),
        "later": make_card(program, balance=100, valid_from=in_days(3)),
    }

    found = {state: keys(boss, GiftCard, state=state) for state in cards}

    assert found == {state: [card.pk] for state, card in cards.items()}


def test_cards_are_filtered_by_their_money(db: None, boss: Client) -> None:
    program = make_program()
    full, empty = make_card(program, balance=100), make_card(program)
    all_held = make_card(program, balance=100)
    make_hold(all_held, 100)

    assert keys(boss, GiftCard, money="some") == [full.pk]
    assert keys(boss, GiftCard, money="held") == [all_held.pk]
    assert keys(boss, GiftCard, money="none") == [empty.pk]
    assert keys(boss, Balance, money="held") == [all_held.pk]


def test_cards_are_filtered_by_when_their_money_ends(db: None, boss: Client) -> None:
    program = make_program()
    week, month, quarter = (
        make_card(program, balance=100, expires_at=in_days(days)) for days in (5, 25, 80)
    )
    spent = make_card(program, balance=100, expires_at=in_days(5))
    make_purchase(spent, 100)
    make_expired_card(program, balance=100)
    make_card(program, balance=100, expires_at=in_days(100))
    make_card(program, balance=100)
    credit = Grant.objects.get(card=week)

    assert keys(boss, GiftCard, expiring="7") == [week.pk]
    assert keys(boss, GiftCard, expiring="30") == [month.pk, week.pk]
    assert keys(boss, GiftCard, expiring="90") == [quarter.pk, month.pk, week.pk]
    assert keys(boss, Grant, expiring="7") == [credit.pk]


def test_cards_are_filtered_by_store_program_owner_code_and_batch(
    db: None, boss: Client, superuser: User
) -> None:
    store, other_store = make_store(), make_store()
    program, other = make_program(store), make_program(other_store)
    owned = make_card(program, balance=100, owner=make_customer(store))
    imported = make_card(other, balance=100, imported_code="Kept-1")
    plan = Plan(
        program=program,
        name="Christmas",
        amount=100,
        count=2,
        valid_from=None,
        expires_at=None,
        reason="campaign",
        note="",
        owners=(),
    )
    batch = batches.draft(plan, created_by=superuser)
    job = batches.start(batch, requested_by=superuser)
    batches.issue_chunk(job)
    of_batch = list(
        GiftCard.objects.filter(batch=batch).order_by("-pk").values_list("pk", flat=True)
    )

    assert len(of_batch) == 2
    assert keys(boss, GiftCard, store__id__exact=other_store.pk) == [imported.pk]
    assert keys(boss, GiftCard, program__id__exact=program.pk) == [*of_batch, owned.pk]
    assert keys(boss, GiftCard, owned="yes") == [owned.pk]
    assert keys(boss, GiftCard, code="imported") == [imported.pk]
    assert keys(boss, GiftCard, batch=batch.pk) == of_batch
    assert keys(boss, GiftCard, batch=batch.pk, owned="yes") == []
    assert "Christmas" in boss.get(list_of(GiftCard)).content.decode()


def test_a_batch_that_is_not_among_the_latest_can_still_be_asked_for(
    db: None, boss: Client, superuser: User
) -> None:
    program = make_program()
    old, *_newer = (
        Batch.objects.create(
            program=program, name=f"Batch {number}", count=1, total=0, created_by=superuser
        )
        for number in range(31)
    )

    text = boss.get(list_of(GiftCard)).content.decode()
    asked = boss.get(list_of(GiftCard), {"batch": old.pk}).content.decode()

    assert ">Batch 30<" in text
    assert ">Batch 0<" not in text
    assert ">Batch 0<" in asked


def test_purchases_are_filtered_by_what_is_left_of_them(db: None, boss: Client) -> None:
    card = make_card(balance=10_000)
    held, settled, refunded, released = (make_hold(card, 1_000) for _ in range(4))
    make_settlement(settled, 1_000)
    make_settlement(refunded, 1_000)
    make_cancellation(refunded, 400)
    make_cancellation(released, 1_000)

    assert keys(boss, Transaction, state="open") == [held.pk]
    assert keys(boss, Transaction, state="settled") == [refunded.pk, settled.pk]
    assert keys(boss, Transaction, state="refunded") == [refunded.pk]
    assert keys(boss, Transaction, state="canceled") == [released.pk]


def test_days_are_those_of_the_store(db: None, boss: Client) -> None:
    store = make_store(time_zone="America/Sao_Paulo")
    card = make_card(make_program(store), balance=100)
    today = timezone.localdate(timezone=store.zone)
    yesterday, tomorrow = (today + datetime.timedelta(days=days) for days in (-1, 1))

    assert keys(boss, GiftCard, **{"from": today, "to": today}) == [card.pk]
    assert keys(boss, GiftCard, to=yesterday) == []
    assert keys(boss, GiftCard, **{"from": tomorrow}) == []
    assert keys(boss, GiftCard, **{"from": "nonsense"}) == [card.pk]


def test_the_first_id_of_a_day_is_found_by_halves(db: None) -> None:
    cards = [make_card(balance=1) for _ in range(9)]
    moments = list(GiftCard.objects.order_by("pk").values_list("created_at", flat=True))

    with CaptureQueriesContext(connection) as queries:
        found = [first_id_since(GiftCard, "created_at", moment) for moment in moments]

    assert found == [card.pk for card in cards]
    assert first_id_since(GiftCard, "created_at", in_days(1)) == cards[-1].pk + 1
    assert len(queries) == len(cards)


@pytest.fixture
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that look through four rows at a time, in one step."""
    monkeypatch.setattr(LargeChangeList, "steps", (4,))


def test_a_rare_row_is_found_by_looking_further_back(
    db: None, boss: Client, short_looks: None
) -> None:
    program = make_program()
    rare = make_blocked_card(program, balance=100)
    for _ in range(9):
        make_card(program, balance=100)

    found = [boss.get(list_of(GiftCard), {"state": "blocked"}).context["cl"]]
    for _ in range(2):
        found.append(boss.get(list_of(GiftCard) + found[-1].look.further).context["cl"])

    assert [each.look.rows for each in found] == [4, 4, 4]
    assert [[row.pk for row in each.result_list] for each in found] == [[], [], [rare.pk]]


def test_it_stops_looking_when_there_is_no_time(
    db: None, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LargeChangeList, "steps", (4, 4, 4))
    monkeypatch.setattr(LargeChangeList, "seconds", 0.0)
    cards = [make_blocked_card(balance=100), *(make_card(balance=100) for _ in range(9))]

    page = boss.get(list_of(GiftCard), {"state": "blocked"})

    assert page.context["cl"].look.rows == 4
    assert str(cards[-4].pk) in page.context["cl"].look.further
    assert "Only the newest 4 rows were looked through." in page.content.decode()


def test_what_an_index_finds_needs_no_looking(db: None, boss: Client, short_looks: None) -> None:
    owner = make_customer(make_store())
    card = make_card(make_program(owner.store), balance=100, owner=owner)
    for _ in range(9):
        make_card(balance=100)

    page = boss.get(list_of(GiftCard), {"owner__id__exact": str(owner.pk)})

    assert [row.pk for row in page.context["cl"].result_list] == [card.pk]
    assert page.context["cl"].look is None


def test_pages_of_a_filtered_list_follow_each_other(
    db: None, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LargeList, "list_per_page", 3)
    cards = [make_card(balance=100).pk for _ in range(8)]

    pages = [keys(boss, GiftCard, money="some", p=number) for number in (1, 2, 3)]
    beyond = boss.get(list_of(GiftCard), {"money": "some", "p": "4"})

    assert [key for page in pages for key in page] == cards[::-1]
    assert beyond.status_code == 302


def test_no_more_is_counted_than_a_person_would_leaf_through(
    db: None, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "limit", 2)
    for _ in range(3):
        make_card(balance=100)

    assert boss.get(list_of(GiftCard), {"money": "some"}).context["cl"].result_count == 2


@pytest.mark.parametrize("model", LARGE, ids=lambda model: model.__name__)
def test_no_order_can_be_asked_for_that_would_sort_a_table(
    model: type[Model], db: None, boss: Client
) -> None:
    make_card(balance=100, owner=None)

    with CaptureQueriesContext(connection) as queries:
        boss.get(list_of(model), {"o": "2"})

    ordered = [
        query["sql"].rpartition("ORDER BY ")[2] for query in queries if " LIMIT 50" in query["sql"]
    ]
    table = model._meta.db_table
    assert ordered == [] or ordered[-1].startswith(f'"{table}"."{model._meta.pk.column}" DESC')


@pytest.mark.parametrize("model", [Batch, Approval, ImportFile], ids=lambda model: model.__name__)
def test_small_lists_say_how_many_rows_each_filter_has(
    model: type[Model], db: None, boss: Client, superuser: User
) -> None:
    for number in range(3):
        Batch.objects.create(
            program=make_program(), name=f"{number}", count=1, total=0, created_by=superuser
        )
    boss.get(list_of(model))

    with CaptureQueriesContext(connection) as queries:
        page = boss.get(list_of(model), {"_facets": "True"})

    assert page.context["cl"].add_facets
    assert len(queries) <= 15
    if model is Batch:
        assert "draft (3)" in page.content.decode()


def test_who_did_it_takes_no_statement_for_each_row(
    db: None, boss: Client, superuser: User
) -> None:
    card = make_card(balance=10_000)
    people = [User.objects.create_user(f"clerk{number}") for number in range(5)]
    for person in people:
        make_adjustment(card, 1, actor=f"staff:{person.pk}")
    make_adjustment(card, 1, actor="staff:00000000000000000000000999")
    make_adjustment(card, 1, actor="vtex:store")
    boss.get(list_of(Operation))

    with CaptureQueriesContext(connection) as queries:
        text = boss.get(list_of(Operation)).content.decode()

    assert len(queries) <= 12
    assert [person.username in text for person in people] == [True] * 5
    assert "VTEX" in text


def test_far_pages_begin_with_keys(db: None, boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LargeList, "list_per_page", 3)
    cards = [make_card(balance=100).pk for _ in range(8)]

    pages = [keys(boss, GiftCard, p=number) for number in (1, 2, 3)]

    assert [key for page in pages for key in page] == cards[::-1]
