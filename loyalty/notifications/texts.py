"""The words of messages: the usual ones, a program's own, and the placeholders they may have.

A text is plain text; `{name}` and a few more stand for what is known when it is sent. Nothing of it
is ever run: there are no tags, no filters, no attributes. Codes have no placeholder, so that no
text can carry one into a subject; the message shows the code or its link below the text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty.models import MessageKind, MessageText, Program

MEANINGS: Mapping[str, StrOrPromise] = {
    "name": gettext_lazy("the customer's name"),
    "store": gettext_lazy("the store's name"),
    "program": gettext_lazy("what shoppers call the program"),
    "card": gettext_lazy("the masked code of the card"),
    "amount": gettext_lazy("the amount that the message is about"),
    "balance": gettext_lazy("all that is usable on the card"),
    "validity": gettext_lazy("“valid until …”, or “without an end date”"),
    "last_day": gettext_lazy("the last day of the credit"),
    "order": gettext_lazy("the number of the order"),
    "usable": gettext_lazy("“usable from …”, or “usable 7 days after the invoice”"),
    "tier": gettext_lazy("the name of the tier"),
}
_REMINDER = ("name", "store", "program", "card", "amount", "last_day")
PLACEHOLDERS: Mapping[str, Sequence[str]] = {
    MessageKind.ISSUED: ("name", "store", "program", "card", "amount", "validity"),
    MessageKind.CREDITED: ("name", "store", "program", "card", "amount", "balance", "validity"),
    MessageKind.EXPIRING_30: _REMINDER,
    MessageKind.EXPIRING_7: _REMINDER,
    MessageKind.EARNED: ("name", "store", "program", "order", "amount", "usable"),
    MessageKind.USABLE: (
        *("name", "store", "program", "card", "order"),
        *("amount", "balance", "validity"),
    ),
    MessageKind.TIER_REACHED: ("name", "store", "program", "tier"),
    MessageKind.STATEMENT: ("name", "store"),
}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Words:
    """A subject and a text, before anything is filled in."""

    subject: str
    body: str


_REMINDER_SUBJECT = gettext_lazy("{amount} at {store} expire on {last_day}")
_REMINDER_BODY = gettext_lazy(
    "Hello {name},\n\n{amount} of your {program} can be used until {last_day}. After that day they"
    " expire.\n\nUse them at {store} before then."
)
_USUAL: Mapping[str, tuple[StrOrPromise, StrOrPromise]] = {
    MessageKind.ISSUED: (
        gettext_lazy("You have {amount} to spend at {store}"),
        gettext_lazy(
            "Hello {name},\n\n{store} has given you a {program} of {amount}, {validity}.\n\nTo pay"
            " with it, type its code at checkout."
        ),
    ),
    MessageKind.CREDITED: (
        gettext_lazy("You received {amount} at {store}"),
        gettext_lazy(
            "Hello {name},\n\n{amount} were added to your {program}, {validity}.\n\nYou can now use"
            " {balance} at {store}."
        ),
    ),
    MessageKind.EXPIRING_30: (_REMINDER_SUBJECT, _REMINDER_BODY),
    MessageKind.EXPIRING_7: (
        gettext_lazy("Last days: {amount} at {store} expire on {last_day}"),
        _REMINDER_BODY,
    ),
    MessageKind.EARNED: (
        gettext_lazy("You earned {amount} at {store}"),
        gettext_lazy(
            "Hello {name},\n\nthank you for buying from {store}. Your order {order} earned"
            " {amount} in {program}, {usable}."
        ),
    ),
    MessageKind.USABLE: (
        gettext_lazy("You can now use {amount} at {store}"),
        gettext_lazy(
            "Hello {name},\n\nwhat your order {order} earned can be used now: {amount}, {validity}."
            "\n\nWith it, {balance} of your {program} are waiting for you at {store}."
        ),
    ),
    MessageKind.TIER_REACHED: (
        gettext_lazy("You have reached {tier} at {store}"),
        gettext_lazy(
            "Hello {name},\n\nyou are now {tier} in {program}. Thank you for buying from"
            " {store}.\n\nThis is what it gives you:"
        ),
    ),
    MessageKind.STATEMENT: (
        gettext_lazy("Your credit at {store}"),
        gettext_lazy(
            "Hello {name},\n\nas you asked, this is all of your credit at {store}, with the latest"
            " movements."
        ),
    ),
}


def usual_words(kind: str, language: str) -> Words:
    """What a message says when the program has no words of its own."""
    with translation.override(language):
        subject, body = _USUAL[kind]
        return Words(str(subject), str(body))


def words_of(program: Program | None, kind: str, language: str) -> Words:
    """What a program's message says: its own words in this language, else the usual ones."""
    if program is not None:
        own = MessageText.objects.filter(program=program, kind=kind, language=language).first()
        if own:
            return Words(own.subject, own.body)
    return usual_words(kind, language)


def problems(kind: str, text: str) -> Iterator[str]:
    """What keeps a text from being used, one sentence each, in the reader's language."""
    allowed = PLACEHOLDERS[kind]
    for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
        if name not in allowed:
            yield _("There is no placeholder {%(name)s} here. Use one of: %(allowed)s.") % {
                "name": name,
                "allowed": ", ".join(f"{{{each}}}" for each in allowed),
            }
    rest = _PLACEHOLDER.sub("", text)
    if "{" in rest or "}" in rest:
        yield _("A brace { or } has no partner. Braces are only for placeholders, like {name}.")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled in; what is not known stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
