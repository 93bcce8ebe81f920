"""What a row is called where people meet it."""

import pytest
from django.apps import apps
from django.db.models import Model
from django.utils import translation

from tests.builders import make_credit, make_wallet

LOYALTY = apps.get_app_config("loyalty")


@pytest.mark.django_db
def test_money_says_what_it_is() -> None:
    card = make_wallet(balance=100)
    credit = make_credit(card, 50)
    operation = credit.operations.get()

    with translation.override("en"):
        assert str(card.balance) == str(card.pk)
        assert str(credit.grants.get()) == f"credit {credit.grants.get().pk}"
        assert str(operation) == f"credit {operation.oid}"
    assert [str(entry) for entry in card.entries.order_by("seq")] == [
        f"{card.pk}/1",
        f"{card.pk}/2",
    ]


@pytest.mark.parametrize("model", list(LOYALTY.get_models()))
def test_every_model_has_a_name_for_people(model: type[Model]) -> None:
    with translation.override("en"):
        name, plural = str(model._meta.verbose_name), str(model._meta.verbose_name_plural)

    assert name[0].islower()
    assert plural != name
