"""Parts that several pages show: facts, purchases, what waits for approval, what staff did."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django_stubs_ext import StrOrPromise

from loyalty.admin.columns import linked, order_link, page_of
from loyalty.admin.formats import NOTHING, shown_amount, shown_moment
from loyalty.admin.pages import may_see
from loyalty.admin.states import transaction_badge
from loyalty.models import Approval, AuditEvent, Store, Transaction

_LATEST = 10


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what is to say; it may lead somewhere."""

    label: StrOrPromise
    text: object
    url: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that stands alone, with what is said below it: of points what they are worth."""

    label: StrOrPromise
    figure: str
    note: str = ""


def fact_of(label: StrOrPromise, row: Model) -> Fact:
    """A related row, leading to its page."""
    return Fact(label, row, page_of(row))


@dataclass(frozen=True, slots=True)
class Purchase:
    """A transaction as a line of another page."""

    order: str
    badge: SafeString
    kind: str
    amount: str
    when: str
    card: str
    link: str


def purchases_of(transactions: Iterable[Transaction]) -> list[Purchase]:
    """Transactions, which come with their card and its store, as lines."""
    return [
        Purchase(
            order=order_link(each.order_id),
            badge=transaction_badge(each),
            kind=each.get_kind_display(),
            amount=shown_amount(each.amount, each.card),
            when=shown_moment(each.created_at, each.card.store),
            card=linked(each.card),
            link=linked(each),
        )
        for each in transactions
    ]


def open_approvals(request: HttpRequest, condition: Q) -> Sequence[Approval]:
    """What waits for another person about a card or customer, for whoever may see it."""
    if not may_see(request, Approval):
        return []
    waiting = Approval.objects.filter(
        condition, status=Approval.Status.WAITING, expires_at__gt=timezone.now()
    )
    return list(waiting.select_related("requested_by").order_by("-id")[:_LATEST])


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the audit trail."""

    when: str
    who: str
    what: StrOrPromise
    note: str


def events_of(request: HttpRequest, events: QuerySet[AuditEvent], store: Store) -> list[Event]:
    """The latest events, in the store's time, for whoever may see the audit trail."""
    if not may_see(request, AuditEvent):
        return []
    return [
        Event(
            when=shown_moment(event.at, store),
            who=event.user.username if event.user else event.username or NOTHING,
            what=event.get_action_display(),
            note=event.note,
        )
        for event in events.select_related("user").order_by("-id")[:_LATEST]
    ]
