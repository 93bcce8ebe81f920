"""What can be wrong with a row of an import, in words, and what to do about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.imports.columns import LABELS

MAX_KEPT = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding, as it is kept: of the cell only what is neither a person nor a whole code.

    `other` is another line of the file that it is about.
    """

    line: int
    column: str
    code: str
    value: str = ""
    other: int = 0

    @property
    def what(self) -> str:
        """What is wrong, in the reader's language."""
        return str(WORDS[self.code][0]) % {"other": self.other}

    @property
    def advice(self) -> StrOrPromise:
        """What to do about it."""
        return WORDS[self.code][1]

    @property
    def label(self) -> StrOrPromise:
        """The column, in the reader's language."""
        return LABELS[self.column]

    def kept(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {name: value for name, value in asdict(self).items() if value or name == "line"}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Problem":
        """The finding that was kept."""
        return cls(**{"column": "", **kept})


WORDS: Mapping[str, tuple[StrOrPromise, StrOrPromise]] = {
    "row_width": (
        _("This row has more or fewer cells than the header."),
        _("Look for a separator inside a text, or a missing one; put texts in quotation marks."),
    ),
    "code_invalid": (
        _("A code needs 4 to 255 printable characters."),
        _("Correct the code, or leave it empty: a new one is made."),
    ),
    "code_rounded": (
        _("A spreadsheet has rounded this code."),
        _("Export again, and open the file with this column as text."),
    ),
    "code_repeated": (
        _("The same code is in line %(other)s."),
        _("Keep one of the two rows."),
    ),
    "code_known": (
        _("The store already has a card that this code would find."),
        _("Take the row out, or give it another code or none."),
    ),
    "amount_missing": (
        _("There is no balance."),
        _("Write what is left on the card, or take the row out."),
    ),
    "amount_malformed": (
        _("This is no amount with the file's decimal sign."),
        _("Write it with digits, such as 1234.50 or 1234,50, like the other rows."),
    ),
    "amount_not_positive": (
        _("The balance must be above zero."),
        _(
            "Take cards without a balance out of the file. Only the wallet of an owner may be"
            " empty."
        ),
    ),
    "amount_too_fine": (
        _("The balance is finer than the currency allows."),
        _("Round it to the currency's digits; the difference is yours to book."),
    ),
    "amount_too_large": (
        _("The balance is larger than a card can hold."),
        _("Look whether the decimal sign was read rightly."),
    ),
    "total_too_large": (
        _("With this row the total is larger than can be counted."),
        _("Look whether the decimal sign was read rightly."),
    ),
    "points_malformed": (
        _("These are no whole points."),
        _("Write them with digits only, such as 1234."),
    ),
    "points_unknown": (
        _("This program counts in money, not in points."),
        _("Write what is left as the balance, or choose a program that counts in points."),
    ),
    "balance_twice": (
        _("This row has a balance and points."),
        _("Keep one of the two: the points are worth what the program says."),
    ),
    "language_unknown": (
        _("This is no language that messages are written in."),
        _("Write pt-BR, es or en, or leave it empty: then it is the store's."),
    ),
    "currency_wrong": (
        _("The currency is not the store's."),
        _("Import these cards into a store of their currency: nothing is exchanged."),
    ),
    "date_malformed": (
        _("This is no day."),
        _("Write days as 2026-12-31 or 31/12/2026."),
    ),
    "date_order": (
        _("The card would end before it begins."),
        _("Correct one of the two days."),
    ),
    "already_expired": (
        _("The card has expired already."),
        _("Take the row out, or give it a later last day."),
    ),
    "program_expired": (
        _("By the program's validity, counted from its first day, the card has expired already."),
        _("Give the row a last day of its own."),
    ),
    "owner_email_malformed": (
        _("This is no e-mail address."),
        _("Correct it or leave it empty; masked addresses name nobody."),
    ),
    "owner_document_malformed": (
        _("This is no document."),
        _("Write the whole CPF or CNPJ, or leave it empty; masked ones name nobody."),
    ),
    "owner_profile_malformed": (
        _("This is no profile id."),
        _("Write it as VTEX gives it, or leave it empty."),
    ),
    "owner_missing": (
        _("The program is only for its owners, and the row names none."),
        _("Give the owner's e-mail, document or profile id, or choose another program."),
    ),
    "owner_name_alone": (
        _("A name alone does not say who the owner is."),
        _("Add the owner's e-mail, document or profile id, or take the name out."),
    ),
    "owner_contradicts": (
        _("What the row says of its owner contradicts another row or what the store knows."),
        _("Compare the documents of everybody with this e-mail or profile id."),
    ),
    "owner_is_two": (
        _("The owner would be two customers of the store at once."),
        _("Leave only what belongs to one of them: the document, or the profile id."),
    ),
    "owner_email_taken": (
        _("In the store this e-mail belongs to a customer with another document."),
        _("Correct the e-mail or the document, or leave the e-mail out."),
    ),
    "owner_email_shared": (
        _("Several customers of the store have this e-mail."),
        _("Add the owner's document or profile id."),
    ),
    "wallet_repeated": (
        _("The program gives each owner one wallet, and this one has another in line %(other)s."),
        _("Add both balances up in one row, or choose a program without a relation name."),
    ),
    "wallet_known": (
        _("The owner already has this program's wallet in the store."),
        _(
            "Give them the balance as credit (Batches → Credit for many customers), or choose a"
            " program without a relation name."
        ),
    ),
    "refused": (
        _("The card could not be issued."),
        _("Import this row again, in a file of its own."),
    ),
    "control_total": (
        _("The balances add up to another total than the one that you expected."),
        _("Compare the file with the report that it comes from: rows may be missing or doubled."),
    ),
}
