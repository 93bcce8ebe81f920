"""Whose cards the rows of an import are: rows of one person are one customer of the store.

Rows that share a profile id, a document or an e-mail name the same person, unless their documents
contradict each other (`loyalty.identity`). The same rule says whether the store knows them.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.identity import Identity
from loyalty.imports.columns import Row
from loyalty.models import Customer, Language, Store

_FIELDS = ("profile_id", "document", "corporate_document", "email")
_DOCUMENTS = ("document", "corporate_document")
_MAX_NAME = 200

Key = tuple[str, str]


class Contradiction(Exception):
    """The row's owner cannot be one person; `code` is the problem."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def identity_of(row: Row) -> Identity:
    """The owner as the row names them; nobody when it names nobody."""
    return Identity.of(
        profile_id=row.owner_profile_id, email=row.owner_email, document=row.owner_document
    )


def keys_of(identity: Identity) -> Iterator[Key]:
    """What a person is found by."""
    for name in _FIELDS:
        if value := getattr(identity, name):
            yield name, value


@dataclass(slots=True)
class Person:
    """One owner, by all that the rows say; `number` is the first of their rows."""

    number: int
    identity: Identity
    name: str
    language: str = ""
    keys: set[Key] = field(default_factory=set)

    def contradicts(self, identity: Identity) -> bool:
        """Whether a document of one kind is another."""
        return any(
            getattr(self.identity, kind)
            and getattr(identity, kind)
            and getattr(self.identity, kind) != getattr(identity, kind)
            for kind in _DOCUMENTS
        )

    def absorb(self, identity: Identity, name: str, language: str) -> None:
        """Learn what was not known yet."""
        known = {each: getattr(self.identity, each) or getattr(identity, each) for each in _FIELDS}
        self.identity = dataclasses.replace(self.identity, **known)
        self.name = self.name or name
        self.language = self.language or language
        self.keys.update(keys_of(identity))


class People:
    """The owners of all rows of a file."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_key: dict[Key, Person] = {}
        self.contradicting: set[int] = set()  # row numbers
        for row in rows:
            self._meet(row)

    def __len__(self) -> int:
        return len({id(person) for person in self._by_key.values()})

    def of(self, row: Row) -> Person | None:
        """The row's owner; None when it names nobody, or contradicts what other rows say."""
        if row.number in self.contradicting:
            return None
        key = next(keys_of(identity_of(row)), None)
        return self._by_key[key] if key else None

    def named(self, identity: Identity) -> bool:
        """Whether this person is among them."""
        known = (self._by_key.get(key) for key in keys_of(identity))
        return any(person and identity.matches(person.identity) for person in known)

    def _meet(self, row: Row) -> None:
        identity = identity_of(row)
        keys = list(keys_of(identity))
        if not keys:
            return
        met = {id(person): person for key in keys if (person := self._by_key.get(key))}
        people = sorted(met.values(), key=lambda person: person.number)
        if not people:
            people = [Person(row.number, identity, "", keys=set(keys))]
        elif _are_contradicting(people, identity):
            self.contradicting.add(row.number)
            return
        first, *others = people
        first.absorb(identity, row.owner_name[:_MAX_NAME], Language.meant_by(row.owner_language))
        for other in others:
            first.absorb(other.identity, other.name, other.language)
            first.keys |= other.keys
        for key in first.keys if others else keys:
            self._by_key[key] = first


def _are_contradicting(people: Sequence[Person], identity: Identity) -> bool:
    return any(
        person.contradicts(identity) or person.contradicts(people[0].identity) for person in people
    )


class KnownCustomers:
    """The customers of the store that some owners may be."""

    def __init__(self, store: Store, people: Iterable[Person]) -> None:
        wanted: dict[str, set[str]] = defaultdict(set)
        for person in people:
            for name, value in person.keys:
                wanted[name].add(value)
        self._by_key: dict[Key, list[Customer]] = defaultdict(list)
        # A query for each: an index serves one column, and none an OR of four.
        for name, values in wanted.items():
            found = store.customers.filter(**{f"{name}__in": values}).order_by("pk")
            for customer in found.select_related("merged_into"):
                self._by_key[name, getattr(customer, name)].append(customer.person)

    def all(self) -> set[Customer]:
        """Everybody who was found, whoever of the owners they are."""
        return {customer for found in self._by_key.values() for customer in found}

    def of(self, person: Person) -> Customer | None:
        """The one customer that this is, if the store knows them; else `Contradiction`."""
        strong = self._found(person, *_FIELDS[:3])
        by_email = self._found(person, "email")
        if len(strong) > 1:
            raise Contradiction("owner_is_two")
        [customer] = strong.values() or [None]
        same = {pk: each for pk, each in by_email.items() if not person.contradicts(each.identity)}
        if customer is None and by_email and not same:
            raise Contradiction("owner_email_taken")
        if customer is None:
            if len(same) > 1:
                raise Contradiction("owner_email_shared")
            return next(iter(same.values()), None)
        if person.contradicts(customer.identity):
            raise Contradiction("owner_contradicts")
        if len(same) < len(by_email):
            raise Contradiction("owner_email_taken")
        return customer

    def _found(self, person: Person, *names: str) -> Mapping[int, Customer]:
        return {
            customer.pk: customer
            for key in sorted(person.keys)
            if key[0] in names
            for customer in self._by_key.get(key, ())
        }


def find_or_create(store: Store, people: Iterable[Person]) -> dict[int, Customer]:
    """The customers that these owners are, by `Person.number`; new ones are made. Safe to repeat.

    Whom the store knows stays as they are. Raises `Contradiction`.
    """
    wanted = {person.number: person for person in people}
    known = KnownCustomers(store, wanted.values())
    unknown = [person for person in wanted.values() if known.of(person) is None]
    if unknown:
        # Somebody may have made one of them a moment ago: it is met by the look below.
        Customer.objects.bulk_create(
            [
                Customer(
                    store=store,
                    name=person.name,
                    language=person.language,
                    **{each: getattr(person.identity, each) for each in _FIELDS},
                )
                for person in unknown
            ],
            ignore_conflicts=True,
        )
        known = KnownCustomers(store, wanted.values())
    found = {number: known.of(person) for number, person in wanted.items()}
    return {number: customer for number, customer in found.items() if customer}


__all__ = [
    "Contradiction",
    "KnownCustomers",
    "People",
    "Person",
    "find_or_create",
    "identity_of",
]
