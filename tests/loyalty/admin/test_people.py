"""Who did something, in words: whatever the ledger noted, nobody reads our own shorthand."""

import pytest
from django.utils.translation import override

from loyalty.admin.people import Names, name_of
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ("vtex:casaaurora-1", "VTEX"),
        ("earning", "regras de ganho"),
        ("clock", "o sistema"),
        ("job:7", "o sistema"),
        ("points:3", "o sistema"),
        ("import of 2019", "import of 2019"),
    ],
)
def test_what_is_no_person_has_a_name_too(actor: str, expected: str) -> None:
    with override("pt-br"):
        assert name_of(actor) == expected


def test_a_person_is_named_and_one_who_is_gone_by_number() -> None:
    person = make_staff()

    names = Names([f"staff:{person.pk}", "staff:999999"])

    assert names[f"staff:{person.pk}"] == person.get_username()
    assert names["staff:999999"] == "999999"
