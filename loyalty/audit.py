"""The audit trail: one way to write it, from wherever staff act."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from loyalty.models import AuditAction, AuditEvent, Customer, GiftCard, Store


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person and the network address they act from."""

    user: User
    address: str | None = None

    @property
    def ledger_name(self) -> str:
        """How operations of the ledger name this person: by number, never by name."""
        return f"staff:{self.user.pk}"


def user_named(ledger_name: str) -> User | None:
    """The person whom the ledger names so; None for VTEX, jobs and rehearsals."""
    kind, _, number = ledger_name.partition(":")
    if kind != "staff" or not number.isdecimal():
        return None
    return User.objects.filter(pk=int(number)).first()


def record(
    action: AuditAction,
    actor: Actor | None,
    *,
    subject: Model | None = None,
    store: Store | None = None,
    card: GiftCard | None = None,
    customer: Customer | None = None,
    currency: str = "",
    amount: int | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    note: str = "",
    request_id: str = "",
    username: str = "",
    address: str | None = None,
) -> None:
    """Write one event; a request id that has one of this action already leaves it at that.

    No personal data of customers goes into `before`, `after` or `note`. Without an actor (a failed
    sign in) `username` and `address` say what is known.
    """
    event = AuditEvent(
        at=timezone.now(),
        user=actor.user if actor else None,
        username=username,
        address=actor.address if actor else address,
        action=action,
        subject=f"{subject._meta.label_lower}:{subject.pk}" if subject else "",
        store=store or (card.store if card else customer.store if customer else None),
        card=card,
        customer=customer,
        currency=currency,
        amount=amount,
        before=before or {},
        after=after or {},
        reason=reason,
        note=note,
        request_id=request_id,
    )
    AuditEvent.objects.bulk_create([event], ignore_conflicts=True)
