"""What people ask for: a statement, a message again, no more reminders. Each once, and audited."""

from django.db.transaction import atomic
from django.utils import timezone

from loyalty import audit
from loyalty.audit import Actor
from loyalty.models import (
    AuditAction,
    Customer,
    MessageKind,
    Notification,
    NotificationStatus,
    Program,
)

# Only of what is over: a row that waits or is being sent will come to an end by itself.
RESENDABLE = frozenset(
    {
        NotificationStatus.SENT,
        NotificationStatus.FAILED,
        NotificationStatus.SKIPPED,
        NotificationStatus.UNKNOWN,
    }
)


class CannotSend(Exception):
    """Why there is nothing to send; `reason` is a key of `loyalty.admin.messages.REFUSALS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def request_statement(customer: Customer, *, token: str, actor: Actor) -> Notification:
    """A statement for the customer; the one there is, when this form was sent before.

    Raises `CannotSend` for a person who was erased or has no e-mail.
    """
    _check_address(customer)
    return _new(
        Notification(
            kind=MessageKind.STATEMENT,
            cause=f"statement:{token}",
            store=customer.store,
            customer=customer,
        ),
        AuditAction.STATEMENT_SENT,
        actor,
        token,
    )


def request_test(
    program: Program, kind: str, language: str, *, token: str, actor: Actor
) -> Notification:
    """A program's words with made-up figures, to whoever asks; the one there is, when sent before.

    Raises `CannotSend` for somebody without an e-mail.
    """
    if not actor.user.email:
        raise CannotSend("own_address")
    return _new(
        Notification(
            kind=kind,
            cause=f"test:{token}",
            store=program.store,
            program=program,
            language=language,
        ),
        AuditAction.MESSAGE_TESTED,
        actor,
        token,
    )


def resend(row: Notification, *, token: str, actor: Actor) -> Notification:
    """The same message once more, as a row of its own; the one there is, when sent before.

    Raises `CannotSend` while it has not come to an end, and as for a statement.
    """
    if row.status not in RESENDABLE:
        raise CannotSend("not_over")
    if row.customer is None:
        raise CannotSend("test")
    _check_address(row.customer)
    return _new(
        Notification(
            kind=row.kind,
            cause=f"again:{row.pk}:{token}",
            store=row.store,
            program=row.program,
            customer=row.customer,
            card=row.card,
            credit=row.credit,
            ends_at=row.ends_at,
            order=row.order,
            tier_change=row.tier_change,
            resend_of=row,
        ),
        AuditAction.MESSAGE_RESENT,
        actor,
        token,
    )


def stop_reminders(customer: Customer, *, actor: Actor | None = None) -> bool:
    """No more reminders to this person, who asked for it themselves when there is no actor.

    False when there were none to stop.
    """
    wants = Customer.objects.filter(pk=customer.pk, erased_at=None, reminders_stopped_at=None)
    with atomic():
        changed = bool(wants.update(reminders_stopped_at=timezone.now()))
        if changed:
            audit.record(AuditAction.REMINDERS_STOPPED, actor, customer=customer, subject=customer)
    return changed


def resume_reminders(customer: Customer, *, actor: Actor | None = None) -> bool:
    """Reminders again; False when they were not stopped."""
    stopped = Customer.objects.filter(
        pk=customer.pk, erased_at=None, reminders_stopped_at__isnull=False
    )
    with atomic():
        changed = bool(stopped.update(reminders_stopped_at=None))
        if changed:
            audit.record(AuditAction.REMINDERS_RESUMED, actor, customer=customer, subject=customer)
    return changed


def _check_address(customer: Customer) -> None:
    if customer.erased_at:
        raise CannotSend("erased")
    if not customer.email:
        raise CannotSend("no_address")


def _new(row: Notification, action: AuditAction, actor: Actor, token: str) -> Notification:
    row.requested_by = actor.user
    row.created_at = row.next_attempt_at = timezone.now()
    with atomic():
        # A second click finds the row of the first, and leaves no second event.
        Notification.objects.bulk_create([row], ignore_conflicts=True)
        kept = Notification.objects.get(kind=row.kind, cause=row.cause, customer=row.customer)
        audit.record(
            action,
            actor,
            subject=kept,
            card=row.card,
            customer=row.customer,
            request_id=f"message:{token}",
        )
    return kept
