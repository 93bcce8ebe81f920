import itertools
import re

import pytest
from django.db import connection
from django.db.models import ProtectedError
from django.db.transaction import atomic

from loyalty.identity import Identity
from loyalty.models import Customer, GiftCard, Store
from loyalty.models.customer import identity_filter
from tests.builders import fresh, make_card, make_customer, make_program, make_store

pytestmark = pytest.mark.django_db

CPF, CNPJ = "52998224725", "11222333000181"


def test_is_kept_in_the_form_in_which_it_is_searched() -> None:
    customer = make_customer(
        profile_id=" P1 ",
        email=" Ana@Example.com",
        document="529.982.247-25",
        corporate_document="11.222.333/0001-81",
    )

    assert fresh(customer).identity == Identity("P1", "ana@example.com", CPF, CNPJ)


def test_keeps_each_document_in_its_field() -> None:
    customer = make_customer(document=CNPJ, corporate_document="")

    assert (fresh(customer).document, fresh(customer).corporate_document) == ("", CNPJ)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": "Ana"}, "Ana"),
        ({"name": "", "email": "ana@example.com"}, "ana@example.com"),
        ({"name": "", "email": "", "document": CPF}, CPF),
        ({"name": "", "email": "", "document": "", "corporate_document": CNPJ}, CNPJ),
    ],
)
def test_is_called_by_what_is_known(fields: dict[str, str], text: str) -> None:
    assert str(Customer(**fields)) == text


def test_is_called_by_a_number_when_nothing_is_known() -> None:
    assert str(Customer(pk=7)) == "7"


def test_learns_what_was_not_known() -> None:
    customer = make_customer(email="", document="", corporate_document="", name="")

    customer.learn(Identity("P2", "ana@example.com", CPF, CNPJ), name=" Ana Souza ", language="es")

    stored = fresh(customer)
    for learned in (customer, stored):
        assert learned.identity == Identity(stored.profile_id, "ana@example.com", CPF, CNPJ)
        assert (learned.name, learned.language) == ("Ana Souza", "es")


def test_never_forgets_what_was_known() -> None:
    customer = make_customer(email="ana@example.com", document=CPF, corporate_document=CNPJ)
    before = fresh(customer).identity

    customer.learn(Identity("P2", "bruno@example.com", "11144477735", "1"), name="Bruno")
    Customer.objects.update(language="en")
    fresh(customer).learn(Identity(), language="es")

    assert fresh(customer).identity == customer.identity == before
    assert (fresh(customer).name, fresh(customer).language) == ("Ana Souza", "en")


def test_learns_nothing_from_nothing() -> None:
    customer = make_customer(email="", name="")

    customer.learn(Identity())

    assert (fresh(customer).email, fresh(customer).name) == ("", "")


def test_does_not_overwrite_what_somebody_else_learned_a_moment_ago() -> None:
    customer = make_customer(email="")
    fresh(customer).learn(Identity(email="first@example.com"))

    customer.learn(Identity(email="second@example.com"))

    assert fresh(customer).email == "first@example.com"


def test_is_not_deleted_while_cards_are_there() -> None:
    owner = make_customer()
    make_card(make_program(owner.store), owner=owner)

    with pytest.raises(ProtectedError):
        owner.delete()


def test_can_be_deleted_without_cards() -> None:
    make_customer().delete()

    assert not Customer.objects.exists()


@pytest.fixture
def everybody() -> list[Customer]:
    """A customer for every way to know two profiles, e-mails and documents, or not to."""
    stores = Store.objects.bulk_create(
        Store(name=f"{number}", account=f"{number}", currency="BRL", time_zone="UTC")
        for number in range(81)
    )
    known = itertools.product(
        ["", "P1", "P2"], ["", "a@b", "c@d"], ["", CPF, "11144477735"], ["", CNPJ, "19131243000197"]
    )
    return Customer.objects.bulk_create(
        Customer(store=store, profile_id=profile, email=email, document=one, corporate_document=two)
        for store, (profile, email, one, two) in zip(stores, known, strict=True)
    )


def test_is_identified_by_sql_exactly_as_by_the_rule(everybody: list[Customer]) -> None:
    for somebody in everybody:
        identity = somebody.identity

        found = set(Customer.objects.identified_by(identity))

        assert found == {one for one in everybody if identity.matches(one.identity)}


def test_identifies_the_owners_of_cards_too() -> None:
    owner = make_customer(email="ana@example.com")
    card = make_card(make_program(owner.store), owner=owner)
    make_card()

    found = GiftCard.objects.filter(identity_filter(Identity(email="ana@example.com"), "owner__"))
    nobody = GiftCard.objects.filter(identity_filter(Identity(), "owner__"))

    assert list(found) == [card]
    assert list(nobody) == []


def test_may_have_the_same_profile_in_another_store() -> None:
    stores = make_store(), make_store()

    customers = [make_customer(store, profile_id="P1") for store in stores]

    assert [customer.profile_id for customer in customers] == ["P1", "P1"]


@pytest.mark.parametrize("field", ["profile_id", "email", "document", "corporate_document"])
def test_is_found_by_an_index_whatever_is_known(field: str) -> None:
    with atomic(), connection.cursor() as cursor:
        # Of a few rows the planner would read all.
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Customer.objects.filter(**{field: "x"}).order_by().explain()

    assert re.search(rf"Index Cond: .*\b{field}\b", plan), plan
