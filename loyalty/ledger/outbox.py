"""What a verb leaves to be told: a row in its own transaction, so that neither exists alone.

Only programs that send such a message cost a statement more, one for all cards of a batch's chunk.
"""

import datetime
from collections.abc import Iterable

from loyalty.models import (
    Batch,
    Customer,
    GiftCard,
    MessageKind,
    Notification,
    Program,
    Transaction,
)


def announce_issues(program: Program, cards: Iterable[GiftCard], *, at: datetime.datetime) -> None:
    """A message to the owner of each new card; cards from another system are no news to them."""
    if program.announces_issue:
        Notification.objects.bulk_create(
            Notification(
                kind=MessageKind.ISSUED,
                cause=f"card:{card.pk}",
                store_id=card.store_id,
                program=program,
                customer_id=card.owner_id,
                card=card,
                created_at=at,
                next_attempt_at=at,
            )
            for card in cards
            if card.owner_id and not _comes_from_elsewhere(card)
        )


def announce_credit(
    program: Program, card_id: int, credit: Transaction, *, at: datetime.datetime
) -> None:
    """A message to the owner of the card, whose balance is locked."""
    if not program.announces_credit:
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
