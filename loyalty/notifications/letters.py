"""From what is to be told to the e-mail that tells it: subject, plain text and HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.template.loader import render_to_string
from django.utils import translation

from loyalty.models import Skipped
from loyalty.notifications.texts import Words, filled


@dataclass(frozen=True, slots=True)
class Line:
    """A movement of a statement: the day, what it was, and what it changed."""

    day: str
    what: str
    amount: str


@dataclass(frozen=True, slots=True)
class Account:
    """A card of a statement."""

    title: str
    card: str
    balance: str
    validity: str
    lines: Sequence[Line]


class NotToBeSent(Exception):
    """Why a message is not sent after all."""

    def __init__(self, reason: Skipped) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Content:
    """All that a message can say, as text in its language.

    `because` says why the customer gets it, beside the link that stops such messages.
    """

    kind: str
    language: str
    store: str
    values: Mapping[str, str]
    details: Sequence[tuple[str, str]] = ()
    code: str = ""
    link: str = ""
    unsubscribe: str = ""
    because: str = ""
    accounts: Sequence[Account] = ()

    def for_staff(self, code: str) -> "Content":
        """The same for staff to see: neither the code nor a link that works."""
        return replace(
            self,
            code=code if self.code else "",
            link="#" if self.link else "",
            unsubscribe="#" if self.unsubscribe else "",
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail without its address."""

    subject: str
    text: str
    html: str
    unsubscribe: str = ""


def written(content: Content, words: Words) -> Letter:
    """The e-mail. Whatever the words and the data hold is text, never HTML."""
    context = _context(content, words)
    with translation.override(content.language):
        text = render_to_string("emails/message.txt", context)
        html = render_to_string("emails/message.html", context)
    return Letter(str(context["subject"]), f"{text.strip()}\n", html, content.unsubscribe)


def previewed(content: Content, words: Words) -> str:
    """A document of its own that shows staff the subject, the e-mail and its plain text."""
    context = _context(content, words) | {"text": written(content, words).text}
    with translation.override(content.language):
        return render_to_string("emails/preview.html", context)


def _context(content: Content, words: Words) -> dict[str, object]:
    return {
        "content": content,
        "subject": " ".join(filled(words.subject, content.values).split()),
        "body": filled(words.body.replace("\r\n", "\n").strip(), content.values),
    }
