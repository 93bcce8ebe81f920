import datetime

import pytest
from django.core.exceptions import ValidationError

from loyalty.models import Language, Store


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "XXX"),
        ("currency", "brl"),
        ("time_zone", "Brasilia"),
        ("time_zone", "America/Sao_Paolo"),
        ("account", "two words"),
        ("refund_grace_days", -1),
    ],
)
@pytest.mark.django_db
def test_refuses(field: str, value: object) -> None:
    fields = {
        "name": "Loja",
        "account": "loja",
        "provider_id": "ourcredit",
        "currency": "BRL",
        "time_zone": "America/Sao_Paulo",
    }

    Store(**fields).full_clean()
    with pytest.raises(ValidationError) as refused:
        Store(**fields | {field: value}).full_clean()

    assert list(refused.value.message_dict) == [field]


def test_begins_and_ends_its_days_in_its_own_zone() -> None:
    store = Store(time_zone="America/Sao_Paulo")
    day = datetime.date(2026, 3, 10)

    assert store.first_instant(day).isoformat() == "2026-03-10T00:00:00-03:00"
    assert store.last_instant(day).isoformat() == "2026-03-10T23:59:59.999999-03:00"


def test_ends_a_day_of_23_hours_when_it_ends() -> None:
    store = Store(time_zone="America/Santiago")
    day = datetime.date(2026, 9, 5)  # the clocks go forward at midnight

    end, next_start = store.last_instant(day), store.first_instant(day + datetime.timedelta(days=1))

    assert end.astimezone(datetime.UTC) < next_start.astimezone(datetime.UTC)
    assert end.isoformat() == "2026-09-05T23:59:59.999999-04:00"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("pt-BR", "pt-br"),
        ("pt_PT", "pt-br"),
        (" Português ", "pt-br"),
        ("es-CL", "es"),
        ("Español", "es"),
        ("EN", "en"),
        ("de-DE", ""),
        ("", ""),
        ("-", ""),
    ],
)
def test_a_language_is_known_by_its_code_or_its_own_name(text: str, language: str) -> None:
    assert Language.meant_by(text) == language


def test_is_called_by_its_name() -> None:
    assert str(Store(name="Loja")) == "Loja"
