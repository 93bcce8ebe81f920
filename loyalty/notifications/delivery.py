"""Sending what waits: claim and commit, send, mark. At most once for each row.

A row is claimed before the mail server hears of it, and only an answer of the server releases it:
refused for now, it waits and is tried again; accepted, it is sent. When the process dies between
claim and mark, or the connection breaks after the text went out, nobody can know whether the
message was accepted: the row is shown as unknown, and only a person sends it again.
"""

import datetime
import logging
import time
from collections import Counter

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import IntegrityError
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import audit, codes
from loyalty.models import AuditAction, Notification, NotificationStatus, Skipped
from loyalty.notifications.contents import content_of, refuse_unwanted
from loyalty.notifications.letters import NotToBeSent, written
from loyalty.notifications.mailer import Mailer, Refused, Unreachable, can_send, email_of, reason
from loyalty.notifications.smtp import OutcomeUnknown
from loyalty.notifications.texts import words_of

# Minutes until the next attempt, after each that was refused for now; then it has failed.
BACKOFF = (1, 5, 15, 60, 4 * 60, 12 * 60, 24 * 60)
# Longer than any attempt takes: whoever claimed a row this long ago is dead.
INTERRUPTED = datetime.timedelta(minutes=15)
SECONDS = 45

State = NotificationStatus
log = logging.getLogger(__name__)


def send_due(*, seconds: float = SECONDS) -> Counter[str]:
    """Send what is due for about so many seconds; how many ended in which state.

    Safe to run twice or at once: a row is claimed by one. Without a mail server everything waits.
    """
    done: Counter[str] = Counter()
    if not can_send():
        return done
    note_interrupted()
    until = time.monotonic() + seconds
    with Mailer() as mailer:
        while time.monotonic() < until and (row := claim()):
            try:
                done[deliver(row, mailer)] += 1
            except Unreachable:
                # The others wait for the next run: there is nobody to take them.
                done[State.WAITING] += 1
                break
    return done


def note_interrupted() -> int:
    """Show as unknown what somebody claimed and never came back from; how many."""
    gone = Notification.objects.filter(
        status=State.SENDING, claimed_at__lt=timezone.now() - INTERRUPTED
    )
    return gone.update(status=State.UNKNOWN)


def claim() -> Notification | None:
    """The next message that is due, from now on ours alone; None when there is none."""
    now = timezone.now()
    due = Notification.objects.filter(status=State.WAITING, next_attempt_at__lte=now)
    with atomic():
        row = due.select_for_update(skip_locked=True).order_by("next_attempt_at", "pk").first()
        if row is None:
            return None
        Notification.objects.filter(pk=row.pk).update(
            status=State.SENDING, claimed_at=now, attempts=row.attempts + 1
        )
    return loaded(row.pk)


def loaded(key: int) -> Notification:
    """A message with all that its words are made of. Raises `Notification.DoesNotExist`."""
    related = (
        "store",
        "customer",
        "program",
        "card__balance",
        "credit",
        "order",
        "tier_change__scheme",
    )
    row = Notification.objects.select_related(*related, "requested_by").get(pk=key)
    # All of them are of one store, and the card of the program: joined once is enough.
    for each in (row.customer, row.program, row.card):
        if each:
            each.store = row.store
    if row.card and row.program:
        row.card.program = row.program
    return row


def deliver(row: Notification, mailer: Mailer) -> State:
    """Send a claimed message and note what became of it, which is also the answer.

    Raises `Unreachable`, when that is noted. What stops it in between (a signal, a lost database)
    leaves the row claimed.
    """
    try:
        email = _email(row)
    except NotToBeSent as refusal:
        return _mark(row, State.SKIPPED, skipped=refusal.reason)
    except (LookupError, ValueError) as error:  # such as a code whose key is gone
        log.exception("Message %s could not be written.", row.pk)
        return _mark(row, State.FAILED, error=reason(error))
    try:
        mailer.send(email)
    except Refused as refusal:
        return _put_off(row, str(refusal), is_final=refusal.is_final)
    except Unreachable as error:
        _put_off(row, str(error), is_final=False)
        raise
    except OutcomeUnknown as error:
        log.warning("Nobody knows whether message %s was accepted.", row.pk)
        return _mark(row, State.UNKNOWN, error=reason(error.__cause__ or error))
    return _mark(row, State.SENT, sent_at=timezone.now(), error="")


def _email(row: Notification) -> EmailMultiAlternatives:
    """The e-mail; its address is this cause's from now on, and a code in it is in the trail."""
    refuse_unwanted(row)
    address = _address(row)
    try:
        validate_email(address)
    except ValidationError:
        raise NotToBeSent(Skipped.NO_ADDRESS) from None
    content = content_of(row)
    letter = written(content, words_of(row.program, row.kind, content.language))
    _take(row, address, content.language)
    if content.code and row.card:
        audit.record(
            AuditAction.CODE_MAILED,
            None,
            card=row.card,
            customer=row.customer,
            subject=row,
            request_id=f"notification:{row.pk}",
        )
    return email_of(letter, to=address, sender=row.store.name, name=f"message-{row.pk}")


def _address(row: Notification) -> str:
    """The customer's; of a test, that of whoever asked for it."""
    if row.customer:
        return row.customer.email
    return row.requested_by.email if row.requested_by else ""


def _take(row: Notification, address: str, language: str) -> None:
    """Let no other row of this cause write to this address."""
    digest = codes.address_digest(address)
    try:
        with atomic():
            Notification.objects.filter(pk=row.pk).update(address_digest=digest, language=language)
    except IntegrityError:
        raise NotToBeSent(Skipped.SAME_ADDRESS) from None


def _put_off(row: Notification, answer: str, *, is_final: bool) -> State:
    """Try again later, unless it was refused for good or often enough."""
    if is_final or row.attempts > len(BACKOFF):
        return _mark(row, State.FAILED, error=answer)
    wait = datetime.timedelta(minutes=BACKOFF[row.attempts - 1])
    return _mark(row, State.WAITING, error=answer, next_attempt_at=timezone.now() + wait)


def _mark(row: Notification, status: State, **values: object) -> State:
    # Unknown, when this process was taken for dead: what it knows now is better.
    mine = Notification.objects.filter(
        pk=row.pk, claimed_at=row.claimed_at, status__in=[State.SENDING, State.UNKNOWN]
    )
    mine.update(status=status, **values)
    return status
