"""The pages of runs and differences: they show both sides, and change nothing."""

from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import reconciliation
from loyalty.models import Discrepancy, ReconciliationRun
from tests.builders import make_program, make_store, make_wallet
from tests.loyalty.reconciliation.records import (
    LATER,
    NOON,
    WEEK,
    Records,
    make_debit,
    make_purchase,
    payment_of,
)


@pytest.fixture
def difference(db: None) -> Discrepancy:
    """A refund that did not arrive, of a run with a debit that VTEX does not know, too."""
    store = make_store(name="Casa Aurora")
    records = Records(store)
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(make_program(store), balance=100_000)
    debit = make_debit(card)
    records.add(make_purchase(payment_of(debit, returned=Decimal("3.00"))))
    make_debit(card, group="v2str", settled=0)
    with time_machine.travel(LATER, tick=False):
        reconciliation.run(store, WEEK, records)
    return Discrepancy.objects.get(kind="refund")


@pytest.fixture
def boss(client: Client, admin_user: User) -> Client:
    client.force_login(admin_user)
    return client


def page(client: Client, name: str, *arguments: object) -> str:
    answer = client.get(
        reverse(f"admin:loyalty_{name}", args=arguments), headers={"Accept-Language": "en"}
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_shows_what_is_at_risk(difference: Discrepancy, boss: Client) -> None:
    text = page(boss, "discrepancy_changelist")

    assert text.count("badge-open") == 3  # two are open, one has money stuck
    assert text.count("badge-bad") == 1
    assert "v1str" in text
    assert "v2str" in text


def test_the_page_shows_both_sides(difference: Discrepancy, boss: Client) -> None:
    text = page(boss, "discrepancy_change", difference.pk)

    assert "given back: 3" in text
    assert "refunded: 0" in text
    assert "v1str-01" in text
    assert 'name="_save"' not in text


def test_the_run_shows_its_counts(difference: Discrepancy, boss: Client) -> None:
    run = ReconciliationRun.objects.get()

    listed, shown = (
        page(boss, "reconciliationrun_changelist"),
        page(boss, "reconciliationrun_change", run.pk),
    )

    assert "100%" in listed
    assert "new differences: 2" in shown
    assert "looked up one by one: 1" in shown


def test_nobody_deletes_or_changes(difference: Discrepancy, boss: Client) -> None:
    before = Discrepancy.objects.values().get(pk=difference.pk)

    for name in ("change", "delete"):
        path = reverse(f"admin:loyalty_discrepancy_{name}", args=[difference.pk])
        assert boss.post(path, {"status": "closed"}).status_code == 403

    assert Discrepancy.objects.values().get(pk=difference.pk) == before


def test_filters_find_what_they_name(difference: Discrepancy, boss: Client) -> None:
    path = reverse("admin:loyalty_discrepancy_changelist")

    answer = boss.get(path, {"kind__exact": "refund", "status__exact": "open"})

    assert [row.pk for row in answer.context["cl"].result_list] == [difference.pk]


def test_more_differences_take_no_more_statements(
    difference: Discrepancy, boss: Client, django_assert_max_num_queries: object
) -> None:
    now = timezone.now()
    same = {
        field.attname: getattr(difference, field.attname)
        for field in Discrepancy._meta.concrete_fields
        if not field.primary_key
    }
    Discrepancy.objects.bulk_create(
        Discrepancy(**same | {"key": f"key-{number}", "last_seen": now}) for number in range(30)
    )

    with django_assert_max_num_queries(15):  # type: ignore[operator]
        page(boss, "discrepancy_changelist")
