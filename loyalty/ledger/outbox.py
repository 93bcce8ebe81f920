"""What a verb leaves to be told: a row in its own transaction, so that neither exists alone.

Only programs that send such a message cost a statement more, one for all cards that are issued
together.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from loyalty.models import (
    Batch,
    Customer,
    GiftCard,
    MessageKind,
    Notification,
    Origin,
    Program,
    Transaction,
)

_ISSUED = """
    INSERT INTO loyalty_notification (kind, cause, store_id, program_id, customer_id, card_id,
        language, address_digest, status, skipped, attempts, created_at, next_attempt_at, error)
    SELECT %(kind)s, 'card:' || id, store_id, program_id, owner_id, id, '', '', %(waiting)s, '', 0,
           %(at)s, %(at)s, ''
    FROM loyalty_giftcard WHERE id = ANY(%(cards)s)
"""


def announce_issues(program: Program, cards: Iterable[GiftCard], *, at: datetime.datetime) -> None:
    """A message to the owner of each new card; cards from another system are no news to them."""
    if not program.announces_issue:
        return
    told = [card.pk for card in cards if card.owner_id and not _comes_from_elsewhere(card)]
    if told:
        waiting = Notification.Status.WAITING
        values: dict[str, Any] = {
            "kind": MessageKind.ISSUED,
            "waiting": waiting,
            "at": at,
            "cards": told,
        }
        with connection.cursor() as cursor:
            cursor.execute(_ISSUED, values)


def announce_credit(
    program: Program, card_id: int, credit: Transaction, *, origin: str, at: datetime.datetime
) -> None:
    """A message to the owner of the card, whose balance is locked; an order's has its own news."""
    if not program.announces_credit or origin == Origin.EARNING:
        return
    for owner in Customer.objects.filter(cards=card_id):
        Notification.objects.create(
            kind=MessageKind.CREDITED,
            cause=f"credit:{credit.pk}",
            store_id=owner.store_id,
            program=program,
            customer=owner,
            card_id=card_id,
            credit=credit,
            created_at=at,
            next_attempt_at=at,
        )


def reminders_go_along(
    customer: Customer, into: Customer, went_to: Mapping[int, int | None]
) -> None:
    """Reminders that wait are told to who stays; of credit that went to another card, of that.

    Where that card has a reminder of the day itself, it tells of both. Those that there were tell
    nobody any more: the card is another one's.
    """
    waiting = Notification.objects.filter(
        customer=customer,
        card__in=went_to,
        kind__in=[MessageKind.EXPIRING_30, MessageKind.EXPIRING_7],
        status=Notification.Status.WAITING,
    )
    told: list[Notification] = []
    for row in waiting.order_by("pk"):
        card_id = went_to[row.card_id or 0] or row.card_id
        told.append(
            Notification(
                kind=row.kind,
                cause=f"card:{card_id}:{row.cause.rpartition(':')[2]}",
                store_id=row.store_id,
                program_id=row.program_id,
                customer=into,
                card_id=card_id,
                ends_at=row.ends_at,
                created_at=row.created_at,
                next_attempt_at=row.next_attempt_at,
            )
        )
    Notification.objects.bulk_create(told, ignore_conflicts=True)


def _comes_from_elsewhere(card: GiftCard) -> bool:
    is_import = card.batch is not None and card.batch.source == Batch.Source.IMPORTED
    return card.is_imported or is_import
