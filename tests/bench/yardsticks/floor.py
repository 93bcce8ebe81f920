"""The least that a Django view can do for the same rows: one statement, nothing checked.

No authentication, no validation, no replay, no framework beyond the view. What the protocol costs
above this is the price of its promises.
"""

import json
import secrets

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

_CARD = """
    SELECT card.public_id, card.code_last4, card.currency, card.created_at, card.expires_at,
           balance.available
    FROM loyalty_giftcard card
    JOIN loyalty_balance balance ON balance.card_id = card.id
    WHERE card.public_id = %s
"""

# The same rows as a debit: transaction, operation, balance, grant, entry.
_AUTHORIZE = """
    WITH balance AS (
        UPDATE loyalty_balance
        SET available = available - %(amount)s, held = held + %(amount)s, version = version + 1
        FROM loyalty_giftcard card
        WHERE card.public_id = %(card)s AND loyalty_balance.card_id = card.id
        RETURNING card_id, available, held, version
    ), lot AS (
        UPDATE loyalty_grant SET remaining = remaining - %(amount)s
        FROM balance WHERE loyalty_grant.card_id = balance.card_id
        RETURNING loyalty_grant.id
    ), txn AS (
        INSERT INTO loyalty_transaction (public_id, card_id, kind, amount, settled, released,
            refunded, request_id, order_id, order_sequence, created_at)
        SELECT %(transaction)s, card_id, 'debit', %(amount)s, 0, 0, 0, %(request)s, %(order)s, '',
               %(now)s
        FROM balance RETURNING id
    ), operation AS (
        INSERT INTO loyalty_operation (oid, card_id, transaction_id, kind, request_id, amount,
            applied, outcome, decline_code, actor, reason, note, created_at)
        SELECT %(oid)s, card_id, txn.id, 'authorize', %(request)s, %(amount)s, %(amount)s, 'ok',
               '', 'floor', '', '', %(now)s
        FROM balance, txn RETURNING id
    )
    INSERT INTO loyalty_entry (card_id, seq, operation_id, transaction_id, grant_id, source,
        target, amount, available_after, held_after, created_at)
    SELECT card_id, version, operation.id, txn.id, lot.id, 'available', 'held', %(amount)s,
           available, held, %(now)s
    FROM balance, lot, txn, operation
"""


def card(request: HttpRequest, public_id: str) -> JsonResponse:
    """The card and its balance."""
    with connection.cursor() as cursor:
        cursor.execute(_CARD, [public_id])
        [(public_id, last4, currency, created_at, expires_at, available)] = cursor.fetchall()
    link = f"giftcards/{public_id}/transactions"
    return JsonResponse(
        {
            "id": public_id,
            "redemptionCode": last4,
            "balance": available / 100,
            "emissionDate": created_at,
            "expiringDate": expires_at,
            "currencyCode": currency,
            "discount": False,
            "transaction": {"href": link},
            "transactions": {"href": link},
        }
    )


def authorize(request: HttpRequest, public_id: str) -> JsonResponse:
    """Hold an amount, whoever asks and whether it is there or not."""
    body = json.loads(request.body)
    transaction = secrets.token_hex(16)
    with connection.cursor() as cursor:
        cursor.execute(
            _AUTHORIZE,
            {
                "amount": round(body["value"] * 100),
                "card": public_id,
                "transaction": transaction,
                "oid": secrets.token_hex(16),
                "request": body["requestId"],
                "order": body["orderInfo"]["orderId"],
                "now": timezone.now(),
            },
        )
    href = f"giftcards/{public_id}/transactions/{transaction}"
    return JsonResponse({"cardId": public_id, "id": transaction, "_self": {"href": href}})
