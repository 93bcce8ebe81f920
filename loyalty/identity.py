"""Who somebody is: one normalizer and one rule for search, debit, import and back office.

VTEX sends a person's CPF and a company's CNPJ in either field, with or without punctuation, and
many shoppers half known. Rule: the same profile id, personal document or company document is the
same customer; the same e-mail is too, unless documents of one kind contradict each other.
"""

import re
from dataclasses import dataclass
from typing import Self

from django.core.exceptions import ValidationError
from localflavor.br.validators import BRCNPJValidator

_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Z]")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_MAX_LENGTH = 254


@dataclass(frozen=True, slots=True)
class Identity:
    """A customer as known to somebody; an empty string means not known."""

    profile_id: str = ""
    email: str = ""
    document: str = ""
    corporate_document: str = ""

    @classmethod
    def of(
        cls,
        *,
        profile_id: object = None,
        email: object = None,
        document: object = None,
        corporate_document: object = None,
    ) -> Self:
        """Normalize whatever came; what identifies nobody (null, masked, wrong type) is empty."""
        personal = corporate = ""
        for given in (normalized_document(corporate_document), normalized_document(document)):
            if is_cnpj(given):
                corporate = corporate or given
            else:
                personal = given or personal
        return cls(
            profile_id=_text(profile_id),
            email=normalized_email(email),
            document=personal,
            corporate_document=corporate,
        )

    def __bool__(self) -> bool:
        return bool(self.profile_id or self.email or self.document or self.corporate_document)

    def matches(self, other: "Identity") -> bool:
        """Whether both are the same customer; `identity_filter` is the same rule in SQL."""
        if any(
            mine and mine == theirs
            for mine, theirs in (
                (self.profile_id, other.profile_id),
                (self.document, other.document),
                (self.corporate_document, other.corporate_document),
            )
        ):
            return True
        contradicted = any(
            mine and theirs and mine != theirs
            for mine, theirs in (
                (self.document, other.document),
                (self.corporate_document, other.corporate_document),
            )
        )
        return bool(self.email) and self.email == other.email and not contradicted

    def differs_from(self, other: "Identity") -> bool:
        """Whether they do not match although something is known of both that could have."""
        comparable = any(
            mine and theirs
            for mine, theirs in (
                (self.profile_id, other.profile_id),
                (self.email, other.email),
                (self.document, other.document),
                (self.corporate_document, other.corporate_document),
            )
        )
        return comparable and not self.matches(other)


def normalized_email(value: object) -> str:
    """Trimmed and in lower case; empty when it is no address."""
    email = _text(value).lower()
    return _text(email) if "@" in email and "*" not in email else ""


def normalized_document(value: object) -> str:
    """Letters and digits only, in upper case; empty when masked (`***.123.***-**`)."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    document = _text(str(value) if is_number else value)
    return "" if "*" in document else _text(_NOT_ALPHANUMERIC.sub("", document.upper()))


def is_cnpj(document: str) -> bool:
    """Whether a normalized document is a CNPJ, digits only or alphanumeric (from 2026)."""
    if not _CNPJ.fullmatch(document):
        return False
    try:
        BRCNPJValidator()(document)
    except ValidationError:
        return False
    return True


def _text(value: object) -> str:
    # Applied again after a change of case, which can make a text too long.
    if not isinstance(value, str) or len(value) > _MAX_LENGTH or "\x00" in value:
        return ""
    return value.encode("utf-8", "ignore").decode().strip()
