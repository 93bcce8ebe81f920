"""The rights of the people in the data (LGPD): all that is known of a person, and to be forgotten.

Erasing empties the identity and keeps the amounts: the ledger is never rewritten. It cannot be
undone, and nothing is learned about that person again: a later reward makes another customer.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import audit
from loyalty.audit import Actor
from loyalty.models import (
    Approval,
    AuditAction,
    AuditEvent,
    Balance,
    Batch,
    Customer,
    GiftCard,
    ImportFile,
    Notification,
    NotificationStatus,
    Skipped,
    Transaction,
)
from loyalty.money import to_decimal

IDENTITY = ("name", "email", "document", "corporate_document", "profile_id")
REASONS = {
    "asked": _("the person asked for it"),
    "authority": _("an authority or court ordered it"),
    "no_purpose": _("there is no purpose for the data any more"),
}
AMOUNTS = ("credited", "available", "held", "spent", "expired", "removed")


class Traces(Protocol):
    """What another application keeps about people, and lets go of.

    `name` is its key in a copy, `title` and `labels` its words on a page.
    """

    name: str
    title: StrOrPromise
    labels: Mapping[str, StrOrPromise]

    def of(self, customer: Customer) -> list[dict[str, Any]]:
        """What is kept about a person: rows with a value for each of `labels`, ready for JSON."""

    def forget(self, customer: Customer) -> None:
        """Let nothing lead to the person any more, within the caller's transaction."""

    def purge(self) -> int:
        """Let go of what is older than it may get; how much."""


# Filled by the applications that keep something (`AppConfig.ready`).
elsewhere: list[Traces] = []


class CannotErase(Exception):
    """Why a person cannot be erased now; `reason` is a key of `REFUSALS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


REFUSALS = {
    "erased": _("This person is erased already."),
    "merged": _(
        "This customer was merged into another. Do it on that customer's page: it is for both."
    ),
    "money_held": _(
        "A purchase of this person is open: settle it or cancel it first, or wait for the store"
        " to do so."
    ),
    "approval_waits": _("A request about this person waits for a decision: have it decided first."),
    "unknown_reason": _("Choose why."),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person has, before they are erased. Amounts by currency."""

    available: dict[str, Decimal]
    held: dict[str, Decimal]
    cards: int
    restricted: int
    approvals: int
    imports: Sequence[Batch]

    @property
    def obstacle(self) -> str:
        """Why the person cannot be erased now, as a key of `REFUSALS`; empty when they can."""
        if self.held:
            return "money_held"
        return "approval_waits" if self.approvals else ""


def standing(customer: Customer) -> Standing:
    """The person's open cards and what is on them; what else waits with their name in it.

    Restricted cards are of no use to anybody once their owner is nobody.
    """
    cards = list(_cards(customer).exclude(status=GiftCard.Status.CLOSED))
    return Standing(
        available=_sums(cards, "available"),
        held=_sums(_cards(customer), "held"),
        cards=len([card for card in cards if card.balance.available]),
        restricted=len([card for card in cards if card.is_restricted and card.balance.available]),
        approvals=Approval.objects.filter(
            customer__in=_together(customer),
            status=Approval.Status.WAITING,
            expires_at__gt=timezone.now(),
        ).count(),
        imports=list(_open_imports().filter(program__store=customer.store_id)[:20]),
    )


def export(customer: Customer, *, actor: Actor) -> dict[str, Any]:
    """All that is kept about a person, as JSON; codes masked. Leaves an event.

    With all that is kept of whoever was merged into them.
    """
    store, together = customer.store, _together(customer)
    facts: dict[str, Any] = {
        "exported_at": timezone.now().isoformat(),
        "store": store.name,
        "person": {
            **{name: getattr(customer, name) for name in IDENTITY},
            "language": customer.language,
            "wants_no_reminders_since": _iso(customer.reminders_stopped_at),
            "known_since": customer.created_at.isoformat(),
            "erased_at": _iso(customer.erased_at),
        },
        "also_known_as": [
            {name: getattr(each, name) for name in IDENTITY} for each in customer.merged.all()
        ],
        "cards": [_card(card) for card in _cards(customer)],
        "messages": [
            {
                "at": message.created_at.isoformat(),
                "kind": message.kind,
                "status": message.status,
                "sent_at": _iso(message.sent_at),
            }
            for message in Notification.objects.filter(customer__in=together).order_by("id")
        ],
        "actions_of_staff": [
            {"at": event.at.isoformat(), "action": event.action}
            for event in AuditEvent.objects.filter(customer__in=together).order_by("id")
        ],
    }
    facts |= {
        traces.name: [row for each in together for row in traces.of(each)] for traces in elsewhere
    }
    audit.record(
        AuditAction.PERSON_EXPORTED,
        actor,
        customer=customer,
        subject=customer,
        after={"cards": len(facts["cards"])},
    )
    return facts


def erase(customer: Customer, *, reason: str, actor: Actor) -> None:
    """Forget who a customer is, for ever. Raises `CannotErase`, and then nothing has changed.

    Whoever was merged into them is forgotten too; one who was merged only with the other.
    """
    if reason not in REASONS:
        raise CannotErase("unknown_reason")
    with atomic():
        # In the order of every other lock: first the cards', so that no purchase begins meanwhile.
        owned = GiftCard.objects.filter(owner=customer).values("pk")
        list(Balance.objects.select_for_update(no_key=True).filter(card__in=owned).order_by("pk"))
        person = Customer.objects.select_for_update().get(pk=customer.pk)
        if person.erased_at or person.merged_into_id:
            raise CannotErase("erased" if person.erased_at else "merged")
        if obstacle := standing(person).obstacle:
            raise CannotErase(obstacle)
        known = [name for name in IDENTITY if getattr(person, name)]
        together = _together(person)
        for each in together:
            _forget_traces(each)
        Customer.objects.filter(pk__in=[each.pk for each in together]).update(
            **dict.fromkeys(IDENTITY, ""), language="", erased_at=timezone.now()
        )
        audit.record(
            AuditAction.PERSON_ERASED,
            actor,
            customer=person,
            subject=person,
            after={"fields": known},
            reason=reason,
        )


def purge() -> tuple[int, int]:
    """Let go of old files of unfinished imports and of failures to sign in; how many of each."""
    now = timezone.now()
    before = now - datetime.timedelta(days=settings.RETENTION_IMPORT_DAYS)
    with atomic():
        late = list(
            _open_imports()
            .filter(created_at__lt=before)
            .select_for_update(of=("self",))
            .values_list("pk", flat=True)
        )
        ImportFile.objects.filter(pk__in=late).update(content=b"", problems=[])
        Batch.objects.filter(pk__in=late).update(status=Batch.Status.DISCARDED)
    before = now - datetime.timedelta(days=settings.RETENTION_SIGN_IN_DAYS)
    forgotten = sum(
        model.objects.filter(attempt_time__lt=before).delete()[0]
        for model in (AccessAttempt, AccessLog)
    )
    return len(late), forgotten


def purge_elsewhere() -> int:
    """Let go of what other applications have kept long enough (`Traces`); how much."""
    return sum(traces.purge() for traces in elsewhere)


def _open_imports() -> QuerySet[Batch]:
    """Files that were neither applied nor discarded: they name people."""
    return (
        Batch.objects.filter(
            source=Batch.Source.IMPORTED, status__in=[Batch.Status.DRAFT, Batch.Status.WAITING]
        )
        .exclude(import_file__content=b"")
        .order_by("-pk")
    )


def _forget_traces(person: Customer) -> None:
    """Where the person is named outside their own row."""
    for traces in elsewhere:
        traces.forget(person)
    names = {getattr(person, name) for name in IDENTITY} - {""}
    files = ImportFile.objects.defer("content").filter(batch__program__store=person.store_id)
    for file in files.exclude(problems=[]):
        kept = [problem for problem in file.problems if problem.get("value") not in names]
        if kept != file.problems:
            ImportFile.objects.filter(pk=file.pk).update(problems=kept)
    messages = Notification.objects.filter(customer=person)
    messages.exclude(address_digest=b"").update(address_digest=b"")
    messages.filter(status=NotificationStatus.WAITING).update(
        status=NotificationStatus.SKIPPED, skipped=Skipped.ERASED
    )
    LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Customer), object_id=str(person.pk)
    ).update(object_repr=str(person.pk), change_message="")


def _together(customer: Customer) -> list[Customer]:
    """The person, and whoever was merged into them."""
    return [customer, *customer.merged.order_by("pk")]


def _cards(customer: Customer) -> QuerySet[GiftCard]:
    return customer.cards.select_related("balance", "program").order_by("pk")


def _sums(cards: Iterable[GiftCard], bucket: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for card in cards:
        if units := getattr(card.balance, bucket):
            amount = to_decimal(units, exponent=card.exponent)
            found[card.currency] = found.get(card.currency, Decimal(0)) + amount
    return found


def _card(card: GiftCard) -> dict[str, Any]:
    def amount(units: int) -> str:
        return str(to_decimal(units, exponent=card.exponent))

    return {
        "id": card.public_id,
        "code": str(card),
        "program": card.program.name,
        "currency": card.currency,
        "status": card.status,
        "issued_at": card.created_at.isoformat(),
        "valid_from": card.valid_from.isoformat(),
        "expires_at": _iso(card.expires_at),
        "amounts": {name: amount(getattr(card.balance, name)) for name in AMOUNTS},
        "grants": [
            {
                "at": grant.created_at.isoformat(),
                "origin": grant.origin,
                "funding": grant.funding,
                "amount": amount(grant.amount),
                "remaining": amount(grant.remaining),
                "valid_from": grant.valid_from.isoformat(),
                "expires_at": _iso(grant.expires_at),
            }
            for grant in card.grants.order_by("pk")
        ],
        "transactions": [_transaction(each, amount) for each in card.transactions.order_by("pk")],
        "operations": [
            {
                "at": operation.created_at.isoformat(),
                "kind": operation.kind,
                "outcome": operation.outcome,
                "amount": amount(operation.applied),
                "reason": operation.reason,
                "note": operation.note,
            }
            for operation in card.operations.order_by("pk")
        ],
    }


def _transaction(each: Transaction, amount: Any) -> dict[str, Any]:
    return {
        "id": each.public_id,
        "at": each.created_at.isoformat(),
        "kind": each.kind,
        "order": each.order_id,
        "amount": amount(each.amount),
        "settled": amount(each.settled),
        "released": amount(each.released),
        "refunded": amount(each.refunded),
    }


def _iso(instant: datetime.datetime | None) -> str | None:
    return instant.isoformat() if instant else None
