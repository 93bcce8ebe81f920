"""Programs that write, and people whom they write to."""

from typing import Any

from loyalty.models import Customer, GiftCard, Notification, Program, Store
from tests.builders import make_card, make_customer, make_program, make_store, make_wallet, new_id
from tests.loyalty.earning.builders import make_earning_program, make_rule

ALL_ON = {
    "announces_issue": True,
    "announces_credit": True,
    "reminds_30_days": True,
    "reminds_7_days": True,
}


def make_writing_program(store: Store | None = None, **fields: Any) -> Program:
    """A program that sends every message, of a store that writes English."""
    store = store or make_store(name="Casa Aurora", language="en")
    return make_program(store, **ALL_ON | {"caption": "gift card"} | fields)


def make_telling_program(store: Store | None = None, **fields: Any) -> Program:
    """A program of points that tells all news of orders and tiers: a point for each real."""
    store = store or make_store(name="Casa Aurora", language="en")
    news = {"announces_earned": True, "announces_usable": True, "announces_tier": True}
    program = make_earning_program(
        store, **news | {"caption": "Clube", "unit_name": "pontos"} | fields
    )
    make_rule(program)
    return program


def make_announced_card(
    program: Program | None = None, owner: Customer | None = None, **options: Any
) -> GiftCard:
    """A card of 50.00 with a message to its owner that waits."""
    program = program or make_writing_program()
    owner = owner or make_customer(program.store, email=f"{new_id('ana')}@example.com")
    wanted: dict[str, Any] = {"balance": 50_00, "owner": owner}
    return make_card(program, **wanted | options)


def make_announced_wallet(program: Program | None = None, **options: Any) -> GiftCard:
    """An empty wallet: nothing is told until there is credit."""
    program = program or make_writing_program()
    return make_wallet(program, owner=make_customer(program.store), **options)


def waiting(**conditions: Any) -> list[tuple[str, str]]:
    """The kind and status of each message."""
    rows = Notification.objects.filter(**conditions).order_by("pk")
    return list(rows.values_list("kind", "status"))
