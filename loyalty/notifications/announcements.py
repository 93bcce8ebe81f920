"""News of a loyalty program: rows for what orders earned, what became usable, and tiers reached.

The first and the last are written in the transaction of their cause. What becomes usable has no
cause but the clock: a periodic task looks at each credit of an order once, when it can be used.
One order is one message of a kind, whatever rules and campaigns it earned by.
"""

import datetime
from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.models import (
    Customer,
    MessageKind,
    Notification,
    Program,
    ShopOrder,
    TierChange,
)

CHUNK = 5_000

_USABLE = """
    WITH looked AS MATERIALIZED (
        SELECT id, earning_id, card_id, greatest(valid_from, created_at) AS since
        FROM loyalty_earningmovement
        WHERE kind = 'credit' AND status = 'done' AND NOT is_usable_noted
          AND valid_from <= %(now)s
        ORDER BY valid_from, id LIMIT %(chunk)s
        FOR UPDATE SKIP LOCKED
    ), noted AS (
        UPDATE loyalty_earningmovement SET is_usable_noted = true
        FROM looked WHERE loyalty_earningmovement.id = looked.id
    ), made AS (
        INSERT INTO loyalty_notification (kind, cause, store_id, program_id, customer_id, card_id,
            order_id, language, address_digest, status, skipped, attempts, created_at,
            next_attempt_at, error)
        SELECT DISTINCT %(kind)s, 'order:' || purchase.id || ':' || program.id, card.store_id,
               program.id, owner.id, card.id, purchase.id, '', ''::bytea, 'waiting', '', 0,
               %(now)s::timestamptz, %(now)s::timestamptz, ''
        FROM looked
        JOIN loyalty_earning earning ON earning.id = looked.earning_id AND earning.due > 0
            AND earning.credited > earning.taken + earning.forgiven
        JOIN loyalty_shoporder purchase ON purchase.id = earning.order_id
        JOIN loyalty_giftcard card ON card.id = looked.card_id AND card.status = 'active'
        JOIN loyalty_program program ON program.id = card.program_id AND program.announces_usable
            AND program.announces_usable_since <= looked.since
        JOIN loyalty_customer owner ON owner.id = card.owner_id AND owner.email <> ''
            AND owner.erased_at IS NULL AND owner.reminders_stopped_at IS NULL
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM looked)
"""


def announce_earned(program: Program, customer: Customer, orders: Iterable[ShopOrder]) -> None:
    """A message for each order that earns something now, and was paid since this was switched on.

    To be called in the transaction that writes the earnings. One that there is stays alone.
    """
    since = program.announces_earned_since
    if since is None or not _wants_news(customer):
        return
    at = timezone.now()
    Notification.objects.bulk_create(
        [
            _news(
                MessageKind.EARNED,
                f"order:{order.pk}:{program.pk}",
                program,
                customer,
                at,
                order=order,
            )
            for order in orders
            if order.paid_at and order.paid_at >= since
        ],
        ignore_conflicts=True,
    )


def announce_tier(program: Program, customer: Customer, change: TierChange) -> None:
    """A message for a higher tier. To be called in the transaction that writes the change."""
    if program.announces_tier and _wants_news(customer):
        at = timezone.now()
        _news(
            MessageKind.TIER_REACHED, f"tier:{change.pk}", program, customer, at, tier_change=change
        ).save()


def announce_usable(*, chunk: int = CHUNK) -> int:
    """Leave a message for each order whose earnings became usable; how many.

    Safe to run twice, late, or at once: each credit is claimed by one, and looked at once. What
    became usable before the program wrote such messages stays untold.
    """
    made = 0
    while True:
        count, looked = _announce_chunk(chunk)
        made += count
        if looked < chunk:
            return made


def _announce_chunk(chunk: int) -> tuple[int, int]:
    values: dict[str, Any] = {"kind": MessageKind.USABLE, "now": timezone.now(), "chunk": chunk}
    with atomic(), connection.cursor() as cursor:
        cursor.execute(_USABLE, values)
        made, looked = cursor.fetchone()
    return made, looked


def _wants_news(customer: Customer) -> bool:
    return bool(
        customer.email and customer.erased_at is None and customer.reminders_stopped_at is None
    )


def _news(
    kind: str,
    cause: str,
    program: Program,
    customer: Customer,
    at: datetime.datetime,
    **about: ShopOrder | TierChange,
) -> Notification:
    return Notification(
        kind=kind,
        cause=cause,
        store_id=program.store_id,
        program=program,
        customer=customer,
        created_at=at,
        next_attempt_at=at,
        **about,
    )
