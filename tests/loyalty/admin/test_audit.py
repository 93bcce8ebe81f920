"""The audit trail's pages."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, connection
from django.db.transaction import atomic
from django.test import Client

from loyalty import audit, roles
from loyalty.audit import Actor
from loyalty.models import AuditAction, AuditEvent
from loyalty.roles import Role
from tests.builders import make_card, make_customer, make_program, make_store

LIST = "/admin/loyalty/auditevent/"
SignedIn = Callable[[User], Client]


@pytest.fixture
def caio(db: None) -> User:
    return User.objects.create_user("caio", is_staff=True)


@pytest.fixture
def trail(caio: User, superuser: User) -> dict[str, AuditEvent]:
    store = make_store(name="Casa Aurora", time_zone="America/Sao_Paulo")
    other = make_store(name="Otra Tienda")
    card = make_card(make_program(store), balance=1000, owner=make_customer(store, name="Ana"))
    actor = Actor(caio, "192.0.2.7")
    audit.record(
        AuditAction.ADJUST,
        actor,
        card=card,
        subject=card,
        currency="BRL",
        amount=1234_56,
        before={"available": 1000, "expires_at": None},
        after={"available": 1234_56 + 1000, "expires_at": "2027-01-01T02:59:59.999999+00:00"},
        reason="correction",
        note="Late delivery",
        request_id="staff:1",
    )
    audit.record(AuditAction.EXPORT, Actor(superuser), store=other, after={"rows": 12})
    audit.record(
        AuditAction.CHANGED,
        Actor(superuser),
        subject=caio,
        before={"roles": ["Support"], "is_active": True},
        after={"roles": ["Finance", "Support"], "is_active": False, "fields": ["email"]},
    )
    audit.record(AuditAction.SIGN_IN_FAILED, None, username="caio", address="198.51.100.9")
    names = ("adjust", "export", "changed", "failed")
    return dict(zip(names, AuditEvent.objects.order_by("id"), strict=True))


def listed(client: Client, **query: str) -> list[int]:
    return [event.pk for event in client.get(LIST, query).context["cl"].result_list]


def text_of(client: Client, event: AuditEvent, **headers: str) -> str:
    return client.get(f"{LIST}{event.pk}/change/", headers=headers).content.decode()


def rows_of(client: Client, event: AuditEvent) -> list[tuple[str, str, str]]:
    changes = client.get(f"{LIST}{event.pk}/change/").context["changes"]
    return [(str(change.label), change.before, change.after) for change in changes]


def test_filters(trail: dict[str, AuditEvent], boss: Client, caio: User, superuser: User) -> None:
    ids = {name: event.pk for name, event in trail.items()}

    assert listed(boss) == sorted(ids.values(), reverse=True)
    assert listed(boss, person=str(caio.pk)) == [ids["failed"], ids["adjust"]]
    assert listed(boss, person=str(superuser.pk)) == [ids["changed"], ids["export"]]
    assert listed(boss, action__exact="export") == [ids["export"]]
    adjusted = trail["adjust"]
    assert listed(boss, store__id__exact=str(adjusted.store_id)) == [ids["adjust"]]
    assert listed(boss, at__gte="2100-01-01 00:00:00+00:00") == []


def test_searches(trail: dict[str, AuditEvent], boss: Client) -> None:
    card = trail["adjust"].card
    assert card is not None

    assert listed(boss, q=card.public_id) == [trail["adjust"].pk]
    assert listed(boss, q=" staff:1 ") == [trail["adjust"].pk]
    assert listed(boss, q="caio") == [trail["adjust"].pk]
    assert listed(boss, q="staff:2") == []


def test_shows_before_and_after_as_people_write_them(
    trail: dict[str, AuditEvent], boss: Client
) -> None:
    assert rows_of(boss, trail["adjust"]) == [
        ("available", "R$10.00", "R$1,244.56"),
        ("expires at", "never", "12/31/2026\u00a011:59\u00a0p.m."),
    ]
    assert rows_of(boss, trail["changed"]) == [
        ("roles", "Support", "Finance, Support"),
        ("account open", "yes", "no"),
        ("fields changed", "-", "e-mail"),
    ]
    assert rows_of(boss, trail["export"]) == [("rows", "-", "12")]


def test_shows_who_when_from_where_and_about_what(
    trail: dict[str, AuditEvent], boss: Client, caio: User
) -> None:
    text = text_of(boss, trail["adjust"])
    assert trail["adjust"].card is not None
    for word in (
        "caio",
        "192.0.2.7",
        "Casa Aurora",
        "Late delivery",
        "staff:1",
        "correction of a mistake",
    ):
        assert word in text
    assert f"/admin/loyalty/giftcard/{trail['adjust'].card_id}/change/" in text
    assert "R$1,234.56" in text

    assert f"/admin/auth/user/{caio.pk}/change/" in text_of(boss, trail["changed"])
    assert "198.51.100.9" in text_of(boss, trail["failed"])


def moments(client: Client) -> list[str]:
    page = client.get(LIST).context["cl"]
    return [page.model_admin.moment(event) for event in page.result_list]


def test_all_of_it_is_shown_by_the_clocks_of_the_stores(boss: Client) -> None:
    with time_machine.travel(datetime.datetime(2026, 7, 10, 12, tzinfo=datetime.UTC), tick=False):
        audit.record(AuditAction.SIGNED_OUT, None)
        without_stores = moments(boss)
        make_store(time_zone="America/Sao_Paulo")
        audit.record(AuditAction.EXPORT, None, store=make_store(time_zone="America/Santiago"))
        with_stores = moments(boss)

    assert without_stores == ["07/10/2026 noon UTC"]
    assert with_stores == ["07/10/2026 8 a.m. -04", "07/10/2026 9 a.m. -03"]


def test_a_name_that_nobody_has_is_said_so(boss: Client) -> None:
    audit.record(AuditAction.SIGN_IN_FAILED, None)

    assert "(nobody that we know)" in boss.get(LIST).content.decode()


def test_nobody_changes_or_deletes_it(trail: dict[str, AuditEvent], boss: Client) -> None:
    event = trail["adjust"]
    before = AuditEvent.objects.values().get(pk=event.pk)

    statuses = [
        boss.post(f"{LIST}{event.pk}/change/", {"note": "x", "_save": "1"}).status_code,
        boss.get(f"{LIST}add/").status_code,
        boss.post(f"{LIST}{event.pk}/delete/", {"post": "yes"}).status_code,
    ]

    assert statuses == [403, 403, 403]
    assert AuditEvent.objects.values().get(pk=event.pk) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE loyalty_auditevent SET note = 'x'",
        "DELETE FROM loyalty_auditevent",
        "TRUNCATE loyalty_auditevent",
    ],
)
def test_the_database_refuses_to_rewrite_it(statement: str, trail: dict[str, AuditEvent]) -> None:
    with pytest.raises(DatabaseError), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert AuditEvent.objects.count() == 4


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.VIEWER, 403),
        (Role.SUPPORT, 403),
        (Role.MANAGER, 403),
        (Role.FINANCE, 200),
        (Role.ADMINISTRATOR, 200),
    ],
)
def test_finance_and_administrators_read_it(
    role: Role, status: int, trail: dict[str, AuditEvent], signed_in: SignedIn, caio: User
) -> None:
    roles.sync()
    caio.groups.add(Group.objects.get(name=role))
    client = signed_in(caio)

    assert client.get(LIST).status_code == status
    assert client.get(f"{LIST}{trail['adjust'].pk}/change/").status_code == status


def test_more_events_take_no_more_statements(
    trail: dict[str, AuditEvent], boss: Client, caio: User, django_assert_max_num_queries: Any
) -> None:
    boss.get(LIST)
    for number in range(40):
        audit.record(
            AuditAction.BLOCK, Actor(caio), card=trail["adjust"].card, request_id=f"staff:x{number}"
        )

    with django_assert_max_num_queries(15):
        boss.get(LIST)
