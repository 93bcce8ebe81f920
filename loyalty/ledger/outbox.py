"""What a verb leaves to be told: a row in its own transaction, so that neither exists alone.

Only programs that send such a message cost a statement more, one for all cards that are issued
together.
"""

import datetime
from collections.abc import Iterable
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


def _comes_from_elsewhere(card: GiftCard) -> bool:
    is_import = card.batch is not None and card.batch.source == Batch.Source.IMPORTED
    return card.is_imported or is_import
