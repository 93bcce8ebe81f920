"""What a message says, read at the moment it is sent: amounts, days and names as they are then."""

import datetime
from collections.abc import Mapping

from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from loyalty import codes
from loyalty.models import (
    DECLINABLE,
    Customer,
    GiftCard,
    MessageKind,
    Notification,
    Program,
    Skipped,
)
from loyalty.notifications import figures, links, news
from loyalty.notifications.letters import Account, Content, NotToBeSent
from loyalty.notifications.statements import accounts_of

# Where staff see what a customer sees.
SAMPLE_CODE = "XXXX-XXXX-XXXX-XXXX"
SWITCHES: Mapping[str, str] = {
    MessageKind.ISSUED: "announces_issue",
    MessageKind.CREDITED: "announces_credit",
    MessageKind.EXPIRING_30: "reminds_30_days",
    MessageKind.EXPIRING_7: "reminds_7_days",
    MessageKind.EARNED: "announces_earned",
    MessageKind.USABLE: "announces_usable",
    MessageKind.TIER_REACHED: "announces_tier",
}
REMINDERS: Mapping[str, int] = {MessageKind.EXPIRING_30: 30, MessageKind.EXPIRING_7: 7}


def refuse_unwanted(row: Notification) -> None:
    """Raise `NotToBeSent` for whoever was erased, wants no reminders, or has another card now."""
    customer, card = row.customer, row.card
    if customer is None:
        return
    if customer.erased_at:
        raise NotToBeSent(Skipped.ERASED)
    if row.is_declinable and customer.reminders_stopped_at:
        raise NotToBeSent(Skipped.UNSUBSCRIBED)
    # What a person sends again by hand does not ask the program.
    if row.program and not row.resend_of_id and not is_on(row.program, row.kind):
        raise NotToBeSent(Skipped.SWITCHED_OFF)
    if card and card.owner_id != customer.pk:
        raise NotToBeSent(Skipped.OTHER_OWNER)


def is_on(program: Program, kind: str) -> bool:
    """Whether a program sends this kind of message."""
    return kind not in SWITCHES or bool(getattr(program, SWITCHES[kind]))


def content_of(row: Notification) -> Content:
    """What the message says now. Raises `NotToBeSent` when there is nothing to tell any more."""
    if row.customer is None:
        assert row.program is not None  # noqa: S101  a test is one of a program's words
        return sample(row.program, row.kind, row.language)
    language = row.language or row.customer.spoken_language
    with translation.override(language):
        if row.kind in news.KINDS:
            return news.content_of(row, row.customer, language)
        if row.card:
            return _of_card(row, row.customer, row.card, language)
        return _statement(row, row.customer, language)


def sample(program: Program, kind: str, language: str) -> Content:
    """The same with made-up figures, for previews and tests of a program's words."""
    if kind in news.KINDS:
        with translation.override(language):
            return news.sample(program, kind, language)
    store, now = program.store, timezone.now()
    end = program.expiry_after(now) or now + datetime.timedelta(days=REMINDERS.get(kind, 30))
    is_issue = kind == MessageKind.ISSUED
    is_link = program.code_in_message == Program.CodeIn.LINK
    with translation.override(language):
        units = 100 * (program.point_units or 10**program.exponent)
        amount = figures.amount(units, program, currency=store.currency, exponent=program.exponent)
        values = {
            "name": "Ana Souza",
            "store": store.name,
            "program": figures.title(program),
            "card": codes.masked("7K4M"),
            "amount": amount,
            "balance": amount,
            "validity": figures.validity(program.expiry_after(now), store),
            "last_day": figures.day(end, store),
        }
        account = Account(values["program"], values["card"], amount, values["validity"], [])
        return Content(
            kind=kind,
            language=language,
            store=store.name,
            values=values,
            details=_details(values, kind),
            code=SAMPLE_CODE if is_issue and not is_link else "",
            link="#" if is_issue and is_link else "",
            unsubscribe="#" if kind in DECLINABLE else "",
            because=_because(kind),
            accounts=[account] if kind == MessageKind.STATEMENT else (),
        )


def shown_code(card: GiftCard) -> str:
    """The code as people read it: ours in groups, others to the letter."""
    return card.code if card.is_imported else codes.grouped(card.code)


def _statement(row: Notification, customer: Customer, language: str) -> Content:
    accounts = accounts_of(customer)
    if not accounts:
        raise NotToBeSent(Skipped.NOTHING_LEFT)
    return Content(
        kind=row.kind,
        language=language,
        store=row.store.name,
        values=figures.names(customer, row.store),
        accounts=accounts,
    )


def _of_card(row: Notification, customer: Customer, card: GiftCard, language: str) -> Content:
    units = _units(row, card)
    # A card that becomes valid later is announced at once.
    if not units or not card.is_valid_at(max(timezone.now(), card.valid_from)):
        raise NotToBeSent(Skipped.NOTHING_LEFT)
    end = _end(row, card)
    values = {
        **figures.names(customer, card.store),
        "program": figures.title(card.program, card.caption),
        "card": str(card),
        "amount": figures.amount_on(card, units),
        "balance": figures.amount_on(card, figures.usable(card)),
        "validity": figures.validity(end, card.store),
        "last_day": figures.day(end, card.store) if end else "",
    }
    is_issue = row.kind == MessageKind.ISSUED
    is_link = card.program.code_in_message == Program.CodeIn.LINK
    return Content(
        kind=row.kind,
        language=language,
        store=card.store.name,
        values=values,
        details=_details(values, row.kind),
        code=shown_code(card) if is_issue and not is_link else "",
        link=links.card_link(card) if is_issue and is_link else "",
        unsubscribe=links.unsubscribe_link(customer) if row.is_declinable else "",
        because=_because(row.kind),
    )


def _units(row: Notification, card: GiftCard) -> int:
    """What the message is about, in units of the card; 0 when nothing of it is left."""
    if row.credit:
        return row.credit.amount - row.credit.released - row.credit.refunded
    if row.ends_at:
        day = timezone.localdate(row.ends_at, card.store.zone)
        ends = (card.store.first_instant(day), card.store.last_instant(day))
        return figures.remaining(card, Q(expires_at__range=ends, expires_at__gt=timezone.now()))
    return card.balance.available


def _end(row: Notification, card: GiftCard) -> datetime.datetime | None:
    """When the credit ends that the message is about; of a new card, the last of what is on it."""
    if row.ends_at:
        return row.ends_at
    about = card.grants.filter(transaction=row.credit) if row.credit else card.grants.all()
    ends = list(about.values_list("expires_at", flat=True))
    known = [end for end in ends if end]
    return max(known, default=None) if len(known) == len(ends) else card.expires_at


def _because(kind: str) -> str:
    return _("You get this because credit of yours expires soon.") if kind in REMINDERS else ""


def _details(values: Mapping[str, str], kind: str) -> list[tuple[str, str]]:
    if kind == MessageKind.STATEMENT:
        return []
    lines = [(_("Amount"), values["amount"]), (_("Card"), values["card"])]
    if kind == MessageKind.CREDITED:
        lines.insert(1, (_("Usable now"), values["balance"]))
    return lines
