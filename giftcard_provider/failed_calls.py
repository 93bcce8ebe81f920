"""The log of calls that got nothing: failed, declined, or a code for which no card was found.

A row is written when its answer has left, by the thread that gave it, in a short transaction of its
own: VTEX never waits for it, and nothing that goes wrong with it can touch an answer. A call that
was served writes nothing and asks the database nothing. A flood is bounded: of each store, and of
all calls without valid credentials together, a process keeps `FAILED_CALLS_PER_MINUTE`.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.signals import request_finished
from django.db import connection
from django.db.transaction import atomic
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import status
from rest_framework.response import Response

from giftcard_provider.masking import masked_body, masked_path, scrubbed
from giftcard_provider.models import Caller, Credential, Endpoint, FailedCall, Outcome
from loyalty import codes, metrics
from loyalty.identity import Identity
from loyalty.models import Customer, GiftCard

log = logging.getLogger(__name__)

_NOTES = "giftcard_provider.notes"
_OUTCOMES: Mapping[int, Outcome] = {
    status.HTTP_401_UNAUTHORIZED: Outcome.NO_ENTRY,
    status.HTTP_403_FORBIDDEN: Outcome.NO_ENTRY,
    status.HTTP_404_NOT_FOUND: Outcome.UNKNOWN,
    status.HTTP_409_CONFLICT: Outcome.CONFLICT,
    status.HTTP_422_UNPROCESSABLE_ENTITY: Outcome.DECLINED,
    status.HTTP_429_TOO_MANY_REQUESTS: Outcome.TOO_MANY,
    status.HTTP_503_SERVICE_UNAVAILABLE: Outcome.BUSY,
}


@dataclass(slots=True)
class Notes:
    """What is remembered of a call while it is served: by reference, so that it costs nothing."""

    body: bytes = b""
    unfound_code: str = ""


def notes_of(meta: dict[str, Any]) -> Notes:
    """The notes of the request with this META."""
    notes: Notes = meta.setdefault(_NOTES, Notes())
    return notes


def outcome_of(request: HttpRequest, response: Response) -> Outcome:
    """How a call ended, in one word."""
    if response.status_code in _OUTCOMES:
        return _OUTCOMES[response.status_code]
    if response.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
        return Outcome.FAILED
    if response.status_code >= status.HTTP_400_BAD_REQUEST:
        return Outcome.MALFORMED
    notes: Notes | None = request.META.get(_NOTES)
    return Outcome.NO_MATCH if notes and notes.unfound_code else Outcome.OK


@dataclass(frozen=True, slots=True)
class Call:
    """An answered call that may have to be kept."""

    request: HttpRequest
    response: Response
    outcome: Outcome
    path: str
    seconds: float


# The call of this thread whose answer is on its way.
_pending: ContextVar[Call | None] = ContextVar("failed_call", default=None)


def remember(call: Call) -> None:
    """Keep a call once its answer has left, unless too many were kept this minute."""
    caller = getattr(call.request, "user", None)
    key = caller.store_id if isinstance(caller, Caller) else None
    if _bound.allows(key):
        _pending.set(call)
    else:
        metrics.failed_call_not_kept("bound")


def _write_pending(**_: object) -> None:
    call = _pending.get()
    if call is None:
        return
    _pending.set(None)
    try:
        with _short_transaction():
            _row(call).save(force_insert=True)
    except Exception:
        metrics.failed_call_not_kept("error")
        log.warning("A failed call could not be kept.", exc_info=True)


# Sent by the response's `close`, which a WSGI server calls after the last byte was sent.
request_finished.connect(_write_pending, dispatch_uid="giftcard_provider.failed_calls")


@contextmanager
def _short_transaction() -> Iterator[None]:
    with atomic(), connection.cursor() as cursor:
        # Lost in a power cut, it is no loss: no purchase shares a disk's wait with this.
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'off', true),"
            " set_config('statement_timeout', '2s', true)"
        )
        yield


def _row(call: Call) -> FailedCall:
    caller = getattr(call.request, "user", None)
    store_id, app_key = (
        (caller.store_id, caller.app_key)
        if isinstance(caller, Caller)
        else _claimed(call.request.headers.get("X-Provider-Api-AppKey", ""))
    )
    notes = notes_of(call.request.META)
    body = _parsed(notes.body)
    order = _object(body.get("orderInfo"))
    card = _card(call, store_id, notes.unfound_code)
    match = call.request.resolver_match
    return FailedCall(
        created_at=timezone.now(),
        store_id=store_id,
        app_key=app_key,
        endpoint=(match.url_name if match else None) or Endpoint.ELSEWHERE,
        method=(call.request.method or "")[:8],
        path=masked_path(call.path)[:255],
        outcome=call.outcome,
        status=call.response.status_code,
        code=_code(call.response.data),
        request_body=masked_body(notes.body) if notes.body else "",
        answer=masked_body(call.response.content) if call.response.content else "",
        milliseconds=round(call.seconds * 1000),
        operation_id=_text(call.request.headers.get("X-Vtex-Operation-Id"), limit=128),
        request_id=_text(body.get("requestId"), limit=128),
        order_id=_text(order.get("orderId"), limit=64),
        card=card,
        customer_id=_customer(store_id, body, order, card),
    )


def _claimed(app_key: str) -> tuple[int | None, str]:
    """Whose credential it would have been; what is no AppKey of ours may be a secret of theirs."""
    known = Credential.objects.filter(app_key=app_key if app_key.isprintable() else "")
    store_id = known.values_list("store_id", flat=True).first()
    return (store_id, app_key) if store_id else (None, "")


def _card(call: Call, store_id: int | None, unfound_code: str) -> GiftCard | None:
    """The card of the path; of a search, the one that has the code and could not be used."""
    if store_id is None:
        return None
    match = call.request.resolver_match
    of_store = GiftCard.objects.filter(store_id=store_id).select_related("owner")
    if unfound_code:
        return of_store.filter(code_digest__in=codes.typed_digests(unfound_code)).first()
    card_id = match.kwargs.get("card_id", "") if match else ""
    return of_store.filter(public_id=card_id).first() if card_id else None


def _customer(
    store_id: int | None, body: Mapping[str, Any], order: Mapping[str, Any], card: GiftCard | None
) -> int | None:
    """Who asked, if we know them; else the owner of the card."""
    if store_id is None:
        return None
    person = _object(body.get("client")) or _object(order.get("clientProfile")) or body
    profile_id = person.get("id") or person.get("profileId") or person.get("userProfileId")
    identity = Identity.of(
        profile_id=profile_id,
        email=person.get("email"),
        document=person.get("document"),
        corporate_document=person.get("corporateDocument"),
    )
    known = Customer.objects.filter(store_id=store_id).identified_by(identity)
    found = known.people().first() if identity else None
    owner = card.owner if card else None
    return found or (owner.pk if owner and not owner.erased_at else None)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return _object(json.loads(body.decode("utf-8-sig")))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, *, limit: int) -> str:
    """An id as it may be kept: what looks like a person or a code is not in it."""
    is_text = isinstance(value, str) and value.isprintable()
    return scrubbed(str(value)[:limit]) if is_text else ""


def _code(data: object) -> str:
    return str(_object(_object(data).get("error")).get("code", ""))[:64]


@dataclass(slots=True)
class _Bound:
    """How many rows each store has used up of this minute, in this process."""

    clock: Callable[[], float] = time.monotonic
    minute: int = 0
    used: dict[int | None, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def allows(self, key: int | None) -> bool:
        """Take one of the minute's rows; False when there is none left."""
        with self.lock:
            minute = int(self.clock() // 60)
            if minute != self.minute:
                self.minute, self.used = minute, {}
            self.used[key] = self.used.get(key, 0) + 1
            return self.used[key] <= int(settings.FAILED_CALLS_PER_MINUTE)


_bound = _Bound()
