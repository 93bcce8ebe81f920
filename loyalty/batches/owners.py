"""The people that a batch is for: a list of e-mails, documents or profile ids becomes customers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from localflavor.br.validators import BRCPFValidator

from loyalty.identity import Identity, is_cnpj, normalized_email
from loyalty.models import Customer, GiftCard, Program, Store

_LINES_A_STATEMENT = 1000
_KEYS = ("profile_id", "email", "document", "corporate_document")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that names nobody who can get a card, and why.

    `code` is unknown, ambiguous, repeated, wallet_exists or malformed.
    """

    line: int
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The customers in the order of the lines, new ones among them, and what is wrong."""

    customers: Sequence[Customer] = ()
    problems: Sequence[Problem] = ()

    def create_missing(self) -> int:
        """Save those who were not known; how many they were. Inside the draft's transaction."""
        new = [customer for customer in self.customers if customer.pk is None]  # type: ignore[redundant-expr]
        for customer in new:
            customer.save()
        return len(new)


@dataclass(slots=True)
class _Line:
    number: int
    text: str
    identity: Identity
    found: list[Customer] = field(default_factory=list)


def find_owners(program: Program, texts: Iterable[str], *, creates: bool) -> Wanted:
    """Who is meant by each line; empty lines are passed over.

    With `creates`, an e-mail, CPF or CNPJ that nobody has stands for a new customer. A few
    statements for a thousand lines.
    """
    seen: dict[object, int] = {}
    customers, problems = [], []
    lines = _lines(texts)
    while chunk := list(islice(lines, _LINES_A_STATEMENT)):
        _look_up(program.store, chunk)
        with_wallet = _with_wallet(program, chunk)
        for line in chunk:
            who = _who(line, program.store, creates=creates)
            problem = who if isinstance(who, str) else _objection(who, seen, with_wallet)
            if problem or isinstance(who, str):
                problems.append(Problem(line.number, line.text, problem))
            else:
                seen[_key(who)] = line.number
                customers.append(who)
    return Wanted(customers, problems)


def find_people(store: Store, texts: Iterable[str], *, creates: bool) -> Iterator[Customer | str]:
    """Who is meant by each text, the same new customer once; or unknown, ambiguous or malformed."""
    new: dict[object, Customer] = {}
    lines = (_Line(number, text, _identity(text)) for number, text in enumerate(texts, start=1))
    while chunk := list(islice(lines, _LINES_A_STATEMENT)):
        _look_up(store, chunk)
        for line in chunk:
            who = _who(line, store, creates=creates)
            yield who if isinstance(who, str) or who.pk else new.setdefault(_key(who), who)


def _lines(texts: Iterable[str]) -> Iterator[_Line]:
    for number, text in enumerate(texts, start=1):
        typed = text.strip().strip('"').strip()
        if typed:
            yield _Line(number, typed, _identity(typed))


def _identity(typed: str) -> Identity:
    # A profile id has no form of its own: whatever was typed may be one.
    document = "" if "@" in typed else typed
    return Identity.of(profile_id=typed, email=typed, document=document)


def _look_up(store: Store, chunk: Sequence[_Line]) -> None:
    """Give each line its customers: by each kind of identity in a statement, each by its index."""
    candidates: dict[tuple[str, str], list[Customer]] = {}
    for key in _KEYS:
        values = {value for line in chunk if (value := getattr(line.identity, key))}
        known = Customer.objects.filter(Q(**{f"{key}__in": values}), store=store)
        for customer in known.select_related("merged_into"):
            candidates.setdefault((key, getattr(customer, key)), []).append(customer)
    for line in chunk:
        found = {
            customer.person.pk: customer.person
            for key in _KEYS
            for customer in candidates.get((key, getattr(line.identity, key)), ())
            if getattr(line.identity, key) and customer.identity.matches(line.identity)
        }
        line.found = list(found.values())


def _with_wallet(program: Program, chunk: Sequence[_Line]) -> set[int]:
    """The customers among them who have their one card of the program's relation already."""
    if not program.relation_name:
        return set()
    ids = [customer.pk for line in chunk for customer in line.found]
    wallets = GiftCard.objects.filter(
        store=program.store_id, owner__in=ids, relation_name=program.relation_name
    ).exclude(status=GiftCard.Status.CLOSED)
    return set(wallets.values_list("owner_id", flat=True))


def _who(line: _Line, store: Store, *, creates: bool) -> Customer | str:
    """The one customer of a line, perhaps a new one, or what is wrong."""
    if len(line.found) > 1:
        return "ambiguous"
    if line.found:
        return line.found[0]
    if not creates:
        return "unknown"
    new = _new_identity(line.text)
    return Customer(store=store, **new) if new else "malformed"


def _new_identity(typed: str) -> dict[str, str]:
    """What a new customer can be known by: a valid e-mail, CPF or CNPJ."""
    if "@" in typed:
        try:
            validate_email(typed)
        except ValidationError:
            return {}
        email = normalized_email(typed)
        return {"email": email} if email else {}
    identity = Identity.of(document=typed)
    if is_cnpj(identity.corporate_document):
        return {"corporate_document": identity.corporate_document}
    try:
        BRCPFValidator()(identity.document)
    except ValidationError:
        return {}
    return {"document": identity.document}


def _objection(who: Customer, seen: dict[object, int], with_wallet: set[int]) -> str:
    if _key(who) in seen:
        return "repeated"
    return "wallet_exists" if who.pk in with_wallet else ""


def _key(who: Customer) -> object:
    return who.pk or (who.email, who.document, who.corporate_document)
