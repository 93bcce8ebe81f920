"""Keys for VTEX from the back office: sealed, never shown, and only after the password."""

import pytest
from django.test import Client
from django.urls import reverse

from giftcard_provider.models import VtexKeys
from loyalty.models import AuditEvent, Store
from tests.builders import make_store
from tests.loyalty.admin.conftest import confirm_password
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

TOKEN = "A-TOKEN-THAT-NOBODY-SEES"


@pytest.fixture
def store() -> Store:
    return make_store(account="loja")


def signed_in(*permissions: str) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_staff(*permissions))
    confirm_password(client)
    return client


@pytest.fixture
def keeper() -> Client:
    return signed_in("view_vtexkeys", "change_vtexkeys")


def typed(store: Store, **data: object) -> dict[str, object]:
    given = {"store": store.pk, "app_key": "vtexappkey-loja-A", "app_token": TOKEN}
    return {**given, "payment_name": "Vale", "amount_digits": "", **data}


def test_keys_are_set_sealed_and_audited(store: Store, keeper: Client) -> None:
    answer = keeper.post(reverse("admin:set_vtex_keys"), typed(store))

    keys = VtexKeys.objects.get(store=store)
    assert answer["Location"] == reverse("admin:giftcard_provider_vtexkeys_change", args=[keys.pk])
    assert (keys.app_key, keys.app_token, keys.is_active) == ("vtexappkey-loja-A", TOKEN, True)
    assert TOKEN.encode() not in bytes(keys.token_sealed)
    event = AuditEvent.objects.get()
    assert (event.action, event.after) == ("vtex_keys_set", {"app_key": "vtexappkey-loja-A"})


def test_the_token_is_on_no_page(store: Store, keeper: Client) -> None:
    refused = keeper.post(reverse("admin:set_vtex_keys"), typed(store, orders_url="http://x.com"))
    keeper.post(reverse("admin:set_vtex_keys"), typed(store))
    keys = VtexKeys.objects.get()

    pages = [refused] + [
        keeper.get(reverse(f"admin:{name}", args=arguments))
        for name, arguments in (
            ("giftcard_provider_vtexkeys_changelist", []),
            ("giftcard_provider_vtexkeys_change", [keys.pk]),
            ("change_vtex_keys", [keys.pk]),
        )
    ]

    assert [page.status_code for page in pages] == [200] * 4
    for page in pages:
        assert TOKEN not in page.content.decode()
        assert "token_sealed" not in page.content.decode()


def test_the_token_stays_when_none_is_typed(store: Store, keeper: Client) -> None:
    keeper.post(reverse("admin:set_vtex_keys"), typed(store))
    keys = VtexKeys.objects.get()
    url = reverse("admin:change_vtex_keys", args=[keys.pk])

    keeper.post(url, typed(store, app_token="", payment_name="Gift", amount_digits="2"))

    keys.refresh_from_db()
    assert (keys.app_token, keys.payment_name, keys.amount_digits) == (TOKEN, "Gift", 2)


@pytest.mark.parametrize(
    "data",
    [
        {"app_key": "vtexappkey-loja-B", "app_token": ""},
        {"orders_url": "https://elsewhere.example.com", "app_token": ""},
        {"orders_url": "http://vtex.example.com"},
        {"payments_url": "ftp://127.0.0.1"},
        {"amount_digits": "5"},
        {"app_key": ""},
    ],
)
def test_what_would_be_wrong_or_leak_the_token_changes_nothing(
    store: Store, keeper: Client, data: dict[str, object]
) -> None:
    keeper.post(reverse("admin:set_vtex_keys"), typed(store))
    before = VtexKeys.objects.values().get()
    url = reverse("admin:change_vtex_keys", args=[before["id"]])

    answer = keeper.post(url, typed(store, **data))

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert VtexKeys.objects.values().get() == before


def test_a_store_has_one_set_of_keys(store: Store, keeper: Client) -> None:
    keeper.post(reverse("admin:set_vtex_keys"), typed(store))

    answer = keeper.post(reverse("admin:set_vtex_keys"), typed(store, app_key="other"))

    assert answer.context["form"].errors
    assert VtexKeys.objects.get().app_key == "vtexappkey-loja-A"


def test_their_use_ends_and_begins_again(store: Store, keeper: Client) -> None:
    keeper.post(reverse("admin:set_vtex_keys"), typed(store))
    keys = VtexKeys.objects.get()
    end = reverse("admin:end_vtex_keys", args=[keys.pk])

    keeper.post(end)
    keeper.post(end)
    keys.refresh_from_db()
    ended = keys.is_active
    keeper.post(reverse("admin:change_vtex_keys", args=[keys.pk]), typed(store, app_token=""))
    keys.refresh_from_db()

    assert (ended, keys.is_active, keys.app_token) == (False, True, TOKEN)
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == [
        "vtex_keys_set",
        "vtex_keys_ended",
        "vtex_keys_set",
    ]


def test_the_password_is_asked_for_again(store: Store) -> None:
    client = Client()
    client.force_login(make_staff("view_vtexkeys", "change_vtexkeys"))

    answer = client.post(reverse("admin:set_vtex_keys"), typed(store))

    assert answer["Location"].startswith(reverse("admin:confirm_password"))
    assert not VtexKeys.objects.exists()


def test_nobody_else_sets_or_ends_them(store: Store, keeper: Client) -> None:
    keeper.post(reverse("admin:set_vtex_keys"), typed(store))
    keys = VtexKeys.objects.get()
    viewer = signed_in("view_vtexkeys")

    statuses = [
        viewer.post(reverse("admin:set_vtex_keys"), typed(store)).status_code,
        viewer.post(reverse("admin:change_vtex_keys", args=[keys.pk]), typed(store)).status_code,
        viewer.post(reverse("admin:end_vtex_keys", args=[keys.pk])).status_code,
    ]

    assert statuses == [403] * 3
    keys.refresh_from_db()
    assert keys.is_active
