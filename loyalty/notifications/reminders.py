"""Reminders: a message for each card of which credit ends in so many days, found as days go by.

Each run looks at the grants whose end came within reach since the last one, in chunks that commit
with their progress. Credit that was within reach before reminders began is left alone, and so is
credit whose whole life is shorter than the notice. Credit that a merge brought to another card was
told of before, if it was.
"""

import datetime
from typing import Any

from django.db import connection
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.models import ReminderProgress
from loyalty.notifications.contents import REMINDERS, SWITCHES

CHUNK = 5_000

_DUE = """
    WITH due AS MATERIALIZED (
        SELECT id, card_id, expires_at, remaining, created_at, came_from_id
        FROM loyalty_grant
        WHERE expires_at >= %(reached)s AND (expires_at, id) > (%(reached)s, %(after)s)
          AND expires_at <= %(until)s
        ORDER BY expires_at, id LIMIT %(chunk)s
    ), made AS (
        INSERT INTO loyalty_notification (kind, cause, store_id, program_id, customer_id, card_id,
            ends_at, language, address_digest, status, skipped, attempts, created_at,
            next_attempt_at, error)
        SELECT %(kind)s, 'card:' || card.id || ':' || day, card.store_id, card.program_id,
               owner.id, card.id, max(due.expires_at), '', '', 'waiting', '', 0, %(now)s, %(now)s,
               ''
        FROM due
        JOIN loyalty_giftcard card ON card.id = due.card_id AND card.status = 'active'
        JOIN loyalty_store store ON store.id = card.store_id
        JOIN loyalty_program program ON program.id = card.program_id AND program.{switch}
        JOIN loyalty_customer owner ON owner.id = card.owner_id AND owner.email <> ''
            AND owner.erased_at IS NULL AND owner.reminders_stopped_at IS NULL
        CROSS JOIN LATERAL (SELECT (due.expires_at AT TIME ZONE store.time_zone)::date AS day) ends
        WHERE due.remaining > 0 AND due.created_at <= due.expires_at - %(notice)s
          AND NOT EXISTS (
            SELECT FROM loyalty_grant before
            JOIN loyalty_notification told
              ON told.kind = %(kind)s AND told.cause = 'card:' || before.card_id || ':' || day
            WHERE before.id = due.came_from_id AND told.status IN ('sending', 'sent', 'unknown'))
        GROUP BY card.id, owner.id, day
        ORDER BY card.id
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM due), expires_at, id
    FROM due ORDER BY expires_at DESC, id DESC LIMIT 1
"""


def schedule_reminders(*, chunk: int = CHUNK) -> int:
    """Leave a message for each card whose credit came within reach; how many.

    Safe to run twice, late, or at once: whoever comes second waits for the first one's chunk.
    """
    return sum(_schedule(kind, days, chunk) for kind, days in REMINDERS.items())


def _schedule(kind: str, days: int, chunk: int) -> int:
    made = 0
    while True:
        more, count = _schedule_chunk(kind, datetime.timedelta(days=days), chunk)
        made += count
        if not more:
            return made


def _schedule_chunk(kind: str, notice: datetime.timedelta, chunk: int) -> tuple[bool, int]:
    """The next grants by their end; whether more are within reach, and how many messages it made.

    Together they are one transaction with the progress, under its lock.
    """
    now = timezone.now()
    with atomic(), connection.cursor() as cursor:
        ReminderProgress.objects.bulk_create(
            [ReminderProgress(days=notice.days, reached=now + notice)], ignore_conflicts=True
        )
        known = ReminderProgress.objects.select_for_update().get(days=notice.days)
        values: dict[str, Any] = {
            "kind": kind,
            "now": now,
            "notice": notice,
            "chunk": chunk,
            "reached": known.reached,
            "after": known.after_id,
            "until": now + notice,
        }
        cursor.execute(_DUE.format(switch=SWITCHES[kind]), values)
        row = cursor.fetchone()
        if row is None:
            return False, 0
        made, seen, known.reached, known.after_id = row
        known.save(update_fields=["reached", "after_id"])
    return seen == chunk, made
