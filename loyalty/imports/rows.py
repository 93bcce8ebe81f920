"""A file under one program: what each row asks for, and everything that is wrong with it."""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from loyalty import codes
from loyalty.exceptions import InvalidAmount, InvalidCode
from loyalty.identity import Identity, normalized_document, normalized_email
from loyalty.imports import cells
from loyalty.imports.columns import Row
from loyalty.imports.owners import Contradiction, KnownCustomers, People, Person
from loyalty.imports.problems import Problem
from loyalty.imports.sheet import Sheet
from loyalty.models import GiftCard, Language, Program
from loyalty.money import MAX_UNITS, exponent_of, to_decimal, to_units


@dataclass(frozen=True, slots=True)
class Wish:
    """The card that a row asks for, and what is wrong with it.

    `written` is the amount as typed, of `points` what they are worth.
    """

    row: Row
    problems: Sequence[Problem]
    amount: int = 0
    written: Decimal | None = None
    points: int = 0
    currency: str = ""
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    person: Person | None = None
    is_known: bool = False


class Survey:
    """What can only be known of all rows together: codes and owners that come twice."""

    def __init__(self, sheet: Sheet, program: Program) -> None:
        self.sheet = sheet
        self.program = program
        self.store = program.store
        self.people = People(sheet.rows)
        self._line_of_code: dict[str, int] = {}
        self._line_of_wallet: dict[int, int] = {}
        for row in sheet.rows:
            if row.code:
                self._line_of_code.setdefault(row.code, row.line)
            if program.relation_name and (person := self.people.of(row)):
                self._line_of_wallet.setdefault(person.number, row.line)

    def wishes(self, rows: Sequence[Row]) -> list[Wish]:
        """What these rows ask for, compared with the rest of the file and with the store."""
        store = _Store(self, rows)
        return [self._wish(row, store) for row in rows]

    def _wish(self, row: Row, store: "_Store") -> Wish:
        if row.is_ragged:
            return Wish(row, [Problem(row.line, "", "row_width")])
        reader = _Reader(self, row)
        amount = reader.amount()
        valid_from, expires_at = reader.dates()
        reader.code(self._line_of_code, store)
        person, is_known = reader.owner(self._line_of_wallet, store)
        return Wish(
            row,
            reader.problems,
            amount=amount,
            written=reader.written,
            points=reader.points,
            currency=row.currency.upper() or self.store.currency,
            valid_from=valid_from,
            expires_at=expires_at,
            person=person,
            is_known=is_known,
        )


class _Store:
    """What the store has of some rows, asked in a few queries."""

    def __init__(self, survey: Survey, rows: Sequence[Row]) -> None:
        self._digests = {row.code: codes.typed_digests(row.code) for row in rows if row.code}
        wanted = [digest for digests in self._digests.values() for digest in digests]
        known = GiftCard.objects.filter(store=survey.store, code_digest__in=wanted)
        self._known = {bytes(digest) for digest in known.values_list("code_digest", flat=True)}
        people = {person.number: person for row in rows if (person := survey.people.of(row))}
        self.customers = KnownCustomers(survey.store, people.values())
        self._wallets: set[int | None] = set()
        if relation := survey.program.relation_name:
            owners = [each.pk for each in self.customers.all()]
            wallets = GiftCard.objects.filter(
                store=survey.store, owner__in=owners, relation_name=relation
            ).exclude(status=GiftCard.Status.CLOSED)
            self._wallets = set(wallets.values_list("owner", flat=True))

    def has_code(self, code: str) -> bool:
        return any(digest in self._known for digest in self._digests[code])

    def has_wallet(self, customer_id: int) -> bool:
        return customer_id in self._wallets


class _Reader:
    """Reads one row, and notes what is wrong."""

    def __init__(self, survey: Survey, row: Row) -> None:
        self.survey = survey
        self.store = survey.store
        self.row = row
        self.problems: list[Problem] = []
        self.written: Decimal | None = None
        self.points = 0

    def note(self, column: str, code: str, *, value: str = "", other: int = 0) -> None:
        self.problems.append(Problem(self.row.line, column, code, value, other))

    def amount(self) -> int:
        row, currency = self.row, self.row.currency.upper()
        if currency and currency != self.store.currency:
            self.note("currency", "currency_wrong", value=cells.showable(row.currency))
        if row.balance and row.points:
            self.note("points", "balance_twice")
        elif row.points:
            return self._points(row.points)
        elif not row.balance and not self._may_be_empty:
            self.note("balance", "amount_missing")
        elif row.balance:
            return self._balance(row.balance)
        return 0

    def _points(self, text: str) -> int:
        program = self.survey.program
        if program.point_units is None:
            self.note("points", "points_unknown", value=cells.showable(text))
            return 0
        try:
            points = cells.points_of(text)
        except ValueError:
            self.note("points", "points_malformed", value=cells.showable(text))
            return 0
        units = points * program.point_units
        if points < 0 or not (points or self._may_be_empty):
            self.note("points", "amount_not_positive", value=cells.showable(text))
        elif units > MAX_UNITS:
            self.note("points", "amount_too_large", value=cells.showable(text))
        else:
            self.written, self.points = to_decimal(units, exponent=program.exponent), points
            return units
        return 0

    @property
    def _may_be_empty(self) -> bool:
        """A member may have nothing yet: an empty wallet, but no card without a balance."""
        return bool(self.survey.program.relation_name and self.survey.people.of(self.row))

    def _balance(self, text: str) -> int:
        try:
            self.written = cells.amount_of(text, self.survey.sheet.decimal_sign)
            if self.written == 0 and self._may_be_empty:
                return 0
            return to_units(
                self.written, currency=self.store.currency, exponent=self.survey.program.exponent
            )
        except (ValueError, InvalidAmount):
            self.note("balance", self._wrong_amount(), value=cells.showable(text))
            return 0

    def _wrong_amount(self) -> str:
        value = self.written
        if value is None:
            return "amount_malformed"
        if value <= 0:
            return "amount_not_positive"
        exponent = value.as_tuple().exponent
        digits = -exponent if isinstance(exponent, int) else 0
        finest = exponent_of(self.store.currency)
        return "amount_too_fine" if digits > finest else "amount_too_large"

    def dates(self) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        first, last = self._day("valid_from"), self._day("expires_at")
        valid_from = self.store.first_instant(first) if first else None
        expires_at = self.store.last_instant(last) if last else None
        now = timezone.now()
        start = valid_from or now
        end = expires_at or self.survey.program.expiry_after(start)
        if end is not None and end <= now:
            self.note("expires_at", "already_expired" if expires_at else "program_expired")
        elif end is not None and end <= start:
            self.note("expires_at", "date_order", value=cells.showable(self.row.expires_at))
        return valid_from, expires_at

    def _day(self, column: str) -> datetime.date | None:
        text: str = getattr(self.row, column)
        if not text:
            return None
        try:
            return cells.day_of(text, self.store)
        except ValueError:
            self.note(column, "date_malformed", value=cells.showable(text))
            return None

    def code(self, line_of_code: dict[str, int], store: _Store) -> None:
        code, line = self.row.code, self.row.line
        if not code:
            return
        shown = codes.masked(codes.last4(code))
        try:
            codes.imported(code)
        except InvalidCode:
            self.note("code", "code_invalid", value=shown)
            return
        if cells.is_rounded(code):
            self.note("code", "code_rounded")
        elif line_of_code[code] != line:
            self.note("code", "code_repeated", value=shown, other=line_of_code[code])
        elif store.has_code(code):
            self.note("code", "code_known", value=shown)

    def owner(self, line_of_wallet: dict[int, int], store: _Store) -> tuple[Person | None, bool]:
        self._check_owner_cells()
        people = self.survey.people
        if self.row.number in people.contradicting:
            self.note(self._owner_column(), "owner_contradicts")
            return None, False
        person = people.of(self.row)
        if person is None:
            self._nobody()
            return None, False
        try:
            customer = store.customers.of(person)
        except Contradiction as contradiction:
            self.note(self._owner_column(), contradiction.code)
            return None, False
        first = line_of_wallet.get(person.number, self.row.line)
        if first != self.row.line:
            self.note(self._owner_column(), "wallet_repeated", other=first)
        elif customer and store.has_wallet(customer.pk):
            self.note(self._owner_column(), "wallet_known")
        return person, customer is not None

    def _nobody(self) -> None:
        if self.problems_of_owner:
            return
        if self.survey.program.is_restricted:
            self.note("owner_email", "owner_missing")
        elif self.row.owner_name:
            self.note("owner_name", "owner_name_alone")

    @property
    def problems_of_owner(self) -> bool:
        return any(problem.column.startswith("owner_") for problem in self.problems)

    def _check_owner_cells(self) -> None:
        row = self.row
        if row.owner_email and not normalized_email(row.owner_email):
            self.note("owner_email", "owner_email_malformed")
        if row.owner_document and not normalized_document(row.owner_document):
            self.note("owner_document", "owner_document_malformed")
        if row.owner_language and not Language.meant_by(row.owner_language):
            self.note("owner_language", "language_unknown")
        if row.owner_profile_id and not Identity.of(profile_id=row.owner_profile_id):
            self.note("owner_profile_id", "owner_profile_malformed")

    def _owner_column(self) -> str:
        given = ("owner_email", "owner_document", "owner_profile_id")
        return next((column for column in given if getattr(self.row, column)), "")


def totals(wishes: Sequence[Wish]) -> dict[str, Decimal]:
    """The balances as the file writes them, by currency, whatever else is wrong with the rows."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for wish in wishes:
        if wish.written is not None:
            sums[wish.currency] += wish.written
    return sums


def all_problems(wishes: Sequence[Wish]) -> Iterator[Problem]:
    """The findings of these rows, in the order of the file."""
    for wish in wishes:
        yield from wish.problems


__all__ = ["Survey", "Wish", "all_problems", "totals"]
