import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from giftcard_provider.models import Credential
from loyalty import demo, roles
from loyalty.demo.shop import BRAZIL, CHILE
from loyalty.models import GiftCard, Operation, SpendingLimit
from tests.giftcard_provider.commands.conftest import Ran

SERVICE, ADMIN = "http://127.0.0.1:8000/vtex", "http://127.0.0.1:8000/admin/"
Seed = Callable[..., Ran]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "demo.json"


@pytest.fixture
def seed(run: Seed, output: Path, monkeypatch: pytest.MonkeyPatch) -> Seed:
    """The command, with a demo of a few cards."""
    for name, plan in (("BRAZIL", BRAZIL), ("CHILE", CHILE)):
        monkeypatch.setattr(
            demo, name, replace(plan, cards=dict.fromkeys(plan.cards, 1) | {"gift_card": 6})
        )

    def seed(to: Path = output, service: str = SERVICE) -> Ran:
        words = ["--output", str(to), "--service-url", service, "--admin-url", ADMIN]
        return run("seed_demo", *words)

    return seed


def facts(path: Path) -> Any:
    return json.loads(path.read_text())


def test_writes_what_is_needed_to_try_everything(seed: Seed, output: Path, client: Client) -> None:
    ran = seed()

    found = facts(output)
    assert ran.code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    assert list(found) == [
        *("service_url", "admin_url", "app_key", "app_token", "staff", "customer", "cards")
    ]
    assert (found["service_url"], found["admin_url"]) == (SERVICE, ADMIN)
    caller = Credential.objects.caller(found["app_key"], found["app_token"])
    assert caller is not None
    assert caller.store_id == demo.brazilian_store().pk
    for secret in (found["app_token"], found["staff"]["viewer"]["password"]):
        assert secret not in ran.out + ran.err


def test_its_cards_can_be_found_and_spent(seed: Seed, output: Path, client: Client) -> None:
    seed()

    found = facts(output)
    assert len(found["cards"]) >= 3
    assert found["cards"][0]["balance"] == 500
    assert '"balance": 500.00' in output.read_text()
    for card in found["cards"]:
        answer = client.post(
            "/vtex/giftcards/_search",
            {"client": found["customer"], "cart": {"redemptionCode": card["code"]}},
            content_type="application/json",
            headers={
                "x-provider-api-appkey": found["app_key"],
                "x-provider-api-apptoken": found["app_token"],
            },
        )
        (hit,) = answer.json()
        assert (hit["id"], hit["balance"]) == (card["id"], card["balance"])
        assert GiftCard.objects.get(public_id=card["id"]).currency == card["currency"] == "BRL"


def test_its_customer_needs_no_code(seed: Seed, output: Path, client: Client) -> None:
    seed()

    found = facts(output)
    answer = client.post(
        "/vtex/giftcards/_search",
        {"client": found["customer"], "cart": {}},
        content_type="application/json",
        headers={
            "x-provider-api-appkey": found["app_key"],
            "x-provider-api-apptoken": found["app_token"],
        },
    )

    assert answer.json()


def is_password(username: str, password: str) -> bool:
    return User.objects.get(username=username).check_password(password)


def test_there_is_somebody_for_each_role_who_can_sign_in(
    seed: Seed, output: Path, client: Client
) -> None:
    seed()

    logins = facts(output)["staff"]
    assert list(logins) == ["administrator", "viewer", "support", "manager", "finance"]
    for login in logins.values():
        client.post("/admin/login/", login)
        assert client.get("/admin/loyalty/giftcard/").status_code == 200
        client.post("/admin/logout/")
    assert {
        user.username: [group.name for group in user.groups.all()] for user in User.objects.all()
    } == {
        "administrator": ["Administrator"],
        "viewer": ["Viewer"],
        "support": ["Support"],
        "manager": ["Manager"],
        "finance": ["Finance"],
    }
    assert [user.username for user in User.objects.filter(is_superuser=True)] == ["administrator"]
    assert roles.differences() == []


def test_support_and_managers_have_limits_that_stay_as_somebody_typed_them(seed: Seed) -> None:
    seed()
    rows = SpendingLimit.objects.order_by("group__name", "currency")
    columns = ("group__name", "currency", "per_action", "per_day")
    assert list(rows.values_list(*columns)) == [
        ("Manager", "BRL", 200_000, 2_000_000),
        ("Manager", "CLP", 400_000, 4_000_000),
        ("Support", "BRL", 20_000, 100_000),
        ("Support", "CLP", 40_000, 200_000),
    ]
    rows.filter(group__name="Support").update(per_action=1)

    seed()

    assert list(rows.values_list("per_action", flat=True)) == [200_000, 400_000, 1, 1]


def test_a_file_of_before_there_were_roles_gets_the_other_logins(seed: Seed, output: Path) -> None:
    seed()
    before = facts(output)
    known = {name: before["staff"][name] for name in ("administrator", "viewer")}
    output.write_text(json.dumps(before | {"staff": known}))

    seed()

    after = facts(output)["staff"]
    assert {name: after[name] for name in known} == known
    assert set(after) == set(before["staff"])
    assert is_password(**after["support"])
    assert not is_password(**before["staff"]["support"])


def test_a_second_run_changes_nothing(seed: Seed, output: Path) -> None:
    seed()
    before = output.read_bytes(), output.stat().st_mtime_ns, Operation.objects.count()
    people = list(User.objects.order_by("id").values())
    credentials = list(Credential.objects.values())

    ran = seed()

    assert ran.code == 0
    assert (output.read_bytes(), output.stat().st_mtime_ns, Operation.objects.count()) == before
    assert list(User.objects.order_by("id").values()) == people
    assert list(Credential.objects.values()) == credentials


def test_another_address_changes_only_the_address(seed: Seed, output: Path) -> None:
    seed()
    before = facts(output)

    seed(service="http://127.0.0.1:9000/vtex")

    assert facts(output) == before | {"service_url": "http://127.0.0.1:9000/vtex"}
    assert output.stat().st_mode & 0o777 == 0o600


def test_without_the_file_there_are_new_secrets(seed: Seed, output: Path) -> None:
    seed()
    before = facts(output)
    cards = GiftCard.objects.count()
    output.unlink()

    seed()

    after = facts(output)
    assert after["app_key"] == before["app_key"]
    assert Credential.objects.caller(after["app_key"], after["app_token"])
    assert Credential.objects.caller(before["app_key"], before["app_token"]) is None
    assert not is_password(**before["staff"]["viewer"])
    assert is_password(**after["staff"]["viewer"])
    assert after["cards"] == before["cards"]
    assert GiftCard.objects.count() == cards


def test_a_revoked_credential_is_replaced(seed: Seed, output: Path) -> None:
    seed()
    before = facts(output)
    Credential.objects.get(app_key=before["app_key"]).revoke()

    seed()

    after = facts(output)
    assert after["app_key"] != before["app_key"]
    assert Credential.objects.caller(after["app_key"], after["app_token"])


def test_a_file_of_another_database_is_written_anew(seed: Seed, output: Path) -> None:
    output.write_text(json.dumps({"app_key": "of-another-database"}))

    seed()

    assert Credential.objects.filter(app_key=facts(output)["app_key"]).exists()


@pytest.mark.parametrize("text", ["not json", "[]"])
def test_leaves_a_file_alone_that_it_did_not_write(text: str, seed: Seed, output: Path) -> None:
    output.write_text(text)

    ran = seed()

    assert (ran.code, ran.err) == (1, f"{output} is not a file of this command; move it away.")
    assert output.read_text() == text
    assert not GiftCard.objects.exists()


def test_a_folder_that_is_not_there(seed: Seed, tmp_path: Path) -> None:
    ran = seed(tmp_path / "nowhere" / "demo.json")

    assert ran.code == 1
    assert ran.err.endswith("cannot be used: No such file or directory.")
    assert not GiftCard.objects.exists()


def test_only_where_development_is_on(seed: Seed, settings: Any, output: Path) -> None:
    settings.DEVELOPMENT = False

    ran = seed()

    assert (ran.code, output.exists(), GiftCard.objects.exists()) == (1, False, False)
    assert ran.err == "Demo data is only for installations with DEVELOPMENT=true."
