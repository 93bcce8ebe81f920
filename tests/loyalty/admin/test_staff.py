"""People, roles and limits: who may change whom, and what the audit trail says of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from loyalty import roles
from loyalty.models import AuditEvent, SpendingLimit, StaffProfile
from loyalty.roles import Role
from loyalty.sign_in import devices
from loyalty.sign_in.confirmation import CONFIRMED_AT
from tests.builders import make_store

PEOPLE = "/admin/auth/user/"
LIMITS = "/admin/loyalty/spendinglimit/"
CPF = "529.982.247-25"
SignedIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def synced(db: None) -> None:
    roles.sync()


def person(username: str, *names: Role, **fields: Any) -> User:
    user = User.objects.create_user(username, password="a long password", is_staff=True, **fields)
    user.groups.set(Group.objects.filter(name__in=names))
    return user


@pytest.fixture
def admin_user(synced: None) -> User:
    return person("ines", Role.ADMINISTRATOR)


@pytest.fixture
def administrator(admin_user: User, signed_in: SignedIn) -> Client:
    return signed_in(admin_user)


@pytest.fixture
def clerk(synced: None) -> User:
    return person("caio", Role.SUPPORT, email="caio@example.com")


def page(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def filled(
    user: User, *, document: str = "", profile: bool = False, **changes: Any
) -> dict[str, Any]:
    """What the form of a person sends when nothing but `changes` is different."""
    data: dict[str, Any] = {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_active": "on",
        "groups": [str(pk) for pk in user.groups.values_list("pk", flat=True)],
        "staff_profile-TOTAL_FORMS": "1",
        "staff_profile-INITIAL_FORMS": "1" if profile else "0",
        "staff_profile-0-user": str(user.pk),
        "staff_profile-0-document": document,
    } | changes
    return {name: value for name, value in data.items() if value is not None}


def ids_of(*names: Role) -> list[str]:
    return [str(pk) for pk in Group.objects.filter(name__in=names).values_list("pk", flat=True)]


def names_of(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def last_event() -> tuple[Any, ...]:
    event = AuditEvent.objects.latest("id")
    return event.action, event.user, event.subject, event.before, event.after


def test_gives_a_role_and_says_so_in_the_audit_trail(
    administrator: Client, admin_user: User, clerk: User
) -> None:
    answer = administrator.post(
        page(clerk), filled(clerk, groups=ids_of(Role.SUPPORT, Role.FINANCE))
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert names_of(clerk) == ["Finance", "Support"]
    assert last_event() == (
        "changed",
        admin_user,
        f"auth.user:{clerk.pk}",
        {"roles": ["Support"]},
        {"roles": ["Finance", "Support"]},
    )
    event = AuditEvent.objects.latest("id")
    assert event.address == "127.0.0.1"


def test_closes_an_account_instead_of_deleting_it(administrator: Client, clerk: User) -> None:
    answer = administrator.post(page(clerk), filled(clerk, is_active=None))

    assert answer.status_code == 302
    clerk.refresh_from_db()
    assert not clerk.is_active
    assert last_event()[3:] == ({"is_active": True}, {"is_active": False})


def test_private_fields_are_named_not_told(administrator: Client, clerk: User) -> None:
    administrator.post(page(clerk), filled(clerk, email="other@example.com", document=CPF))

    assert StaffProfile.objects.get(user=clerk).document == "52998224725"
    assert last_event()[3:] == ({}, {"fields": ["email", "document"]})


def test_saving_nothing_new_leaves_no_event(administrator: Client, clerk: User) -> None:
    assert administrator.post(page(clerk), filled(clerk)).status_code == 302

    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ("529.982.247-26", "This is not a CPF."),
        ("11.222.333/0001-82", "This is not a CNPJ."),
        ("76.086.428-5", ""),
        ("11.222.333/0001-81", ""),
    ],
)
def test_a_brazilian_document_is_one(
    document: str, error: str, administrator: Client, clerk: User
) -> None:
    answer = administrator.post(page(clerk), filled(clerk, document=document))

    if error:
        assert error in answer.content.decode()
        assert not StaffProfile.objects.exists()
    else:
        assert answer.status_code == 302


def test_makes_an_account_that_can_sign_in_once_it_has_a_role(
    administrator: Client, admin_user: User
) -> None:
    answer = administrator.post(
        f"{PEOPLE}add/",
        {"username": "nova", "password1": "quite a secret", "password2": "quite a secret"},
    )

    user = User.objects.get(username="nova")
    assert answer.status_code == 302
    assert (user.is_staff, user.is_superuser, names_of(user)) == (True, False, [])
    assert last_event() == (
        "added",
        admin_user,
        f"auth.user:{user.pk}",
        {},
        {"username": "nova", "is_active": True, "is_superuser": False, "roles": []},
    )


def test_nobody_gives_themselves_a_role(administrator: Client, admin_user: User) -> None:
    answer = administrator.post(page(admin_user), filled(admin_user, groups=ids_of(*Role)))

    assert answer.status_code == 403
    assert names_of(admin_user) == ["Administrator"]
    assert not AuditEvent.objects.exists()


def test_an_administrator_makes_no_superuser_and_gives_no_single_permission(
    administrator: Client, clerk: User
) -> None:
    from django.contrib.auth.models import Permission

    permission = Permission.objects.get(codename="delete_giftcard")

    administrator.post(
        page(clerk),
        filled(clerk, is_superuser="on", is_staff="on", user_permissions=[permission.pk]),
    )

    clerk.refresh_from_db()
    assert not clerk.is_superuser
    assert not clerk.user_permissions.exists()


def test_an_administrator_cannot_touch_a_superuser(administrator: Client, superuser: User) -> None:
    TOTPDevice.objects.create(user=superuser, name="x", confirmed=True)

    answers = [
        administrator.post(page(superuser), filled(superuser, groups=[], username="taken")),
        administrator.post(
            f"{PEOPLE}{superuser.pk}/password/",
            {"password1": "quite a secret", "password2": "quite a secret"},
        ),
        administrator.post(f"{PEOPLE}{superuser.pk}/reset-device/"),
        administrator.post(f"{PEOPLE}{superuser.pk}/unlock/"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]
    superuser.refresh_from_db()
    assert superuser.username == "boss"
    assert superuser.check_password("a long password")
    assert TOTPDevice.objects.filter(user=superuser).exists()
    assert not AuditEvent.objects.exists()


def test_a_superuser_makes_superusers_but_does_not_lock_themselves_out(
    boss: Client, superuser: User, clerk: User
) -> None:
    boss.post(page(clerk), filled(clerk, is_superuser="on"))
    boss.post(page(superuser), filled(superuser, is_active=None, is_superuser=None))

    clerk.refresh_from_db()
    superuser.refresh_from_db()
    assert clerk.is_superuser
    assert (superuser.is_active, superuser.is_superuser) == (True, True)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.MANAGER, Role.FINANCE])
def test_others_see_no_people_no_roles_and_no_limits(
    role: Role, signed_in: SignedIn, clerk: User
) -> None:
    client = signed_in(person("other", role))

    paths = [PEOPLE, f"{PEOPLE}add/", page(clerk), "/admin/auth/group/", LIMITS, f"{LIMITS}add/"]
    paths += [f"{PEOPLE}locked-out/", f"{PEOPLE}{clerk.pk}/reset-device/"]
    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 403)
    assert client.post(page(clerk), filled(clerk, groups=ids_of(*Role))).status_code == 403
    assert client.post(f"{PEOPLE}{clerk.pk}/unlock/").status_code == 403
    assert names_of(clerk) == ["Support"]


def test_nobody_deletes_people_roles_or_limits(boss: Client, clerk: User) -> None:
    limit = SpendingLimit.objects.create(user=clerk, currency="BRL", per_action=1, per_day=1)
    group = Group.objects.get(name=Role.VIEWER)
    for row, base in ((clerk, PEOPLE), (group, "/admin/auth/group/"), (limit, LIMITS)):
        assert boss.get(f"{base}{row.pk}/delete/").status_code == 403
        assert boss.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        boss.post(base, {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
        assert type(row)._default_manager.filter(pk=row.pk).exists()


def test_roles_are_only_shown(boss: Client, clerk: User) -> None:
    group = Group.objects.get(name=Role.SUPPORT)
    text = boss.get(f"/admin/auth/group/{group.pk}/change/").content.decode()

    answer = boss.post(f"/admin/auth/group/{group.pk}/change/", {"name": "x", "permissions": []})

    assert "loyalty.credit_card" in text
    assert answer.status_code == 403
    assert roles.differences() == []


def test_changing_a_person_asks_for_the_password_again(administrator: Client, clerk: User) -> None:
    session = administrator.session
    del session[CONFIRMED_AT]
    session.save()

    answers = [
        administrator.get(page(clerk)),
        administrator.post(page(clerk), filled(clerk, groups=[])),
        administrator.get(f"{PEOPLE}add/"),
        administrator.post(f"{PEOPLE}{clerk.pk}/password/", {}),
        administrator.post(f"{PEOPLE}{clerk.pk}/reset-device/"),
        administrator.get(f"{LIMITS}add/"),
    ]

    assert {answer["Location"].split("?")[0] for answer in answers} == {"/admin/sign-in/password/"}
    assert administrator.get(PEOPLE).status_code == 200
    assert names_of(clerk) == ["Support"]


def test_a_new_password_for_somebody_is_noted(
    administrator: Client, admin_user: User, clerk: User
) -> None:
    answer = administrator.post(
        f"{PEOPLE}{clerk.pk}/password/",
        {"password1": "quite a secret", "password2": "quite a secret", "usable_password": "true"},
    )

    assert answer.status_code == 302
    clerk.refresh_from_db()
    assert clerk.check_password("quite a secret")
    assert last_event() == ("password_changed", admin_user, f"auth.user:{clerk.pk}", {}, {})


def test_resets_the_one_time_passwords_of_who_lost_them(
    administrator: Client, admin_user: User, clerk: User
) -> None:
    TOTPDevice.objects.create(user=clerk, name="authenticator", confirmed=True)
    devices.new_backup_codes(clerk)
    link = f"{PEOPLE}{clerk.pk}/reset-device/"
    assert link in administrator.get(page(clerk)).content.decode()

    assert "make sure that it is really caio" in administrator.get(link).content.decode()
    assert TOTPDevice.objects.filter(user=clerk).exists()
    answer = administrator.post(link)

    assert answer["Location"] == page(clerk)
    assert not TOTPDevice.objects.filter(user=clerk).exists()
    assert not StaticToken.objects.exists()
    assert last_event() == ("totp_reset", admin_user, f"auth.user:{clerk.pk}", {}, {})


def test_unlocks_who_is_locked_out(administrator: Client, clerk: User) -> None:
    browser = Client()
    for _ in range(5):
        browser.post("/admin/login/", {"username": "caio", "password": "wrong"})
    listed = administrator.get(f"{PEOPLE}locked-out/").content.decode()
    assert "caio" in listed
    assert "127.0.0.1" in listed
    assert "Locked out at 127.0.0.1" in administrator.get(page(clerk)).content.decode()

    answer = administrator.post(f"{PEOPLE}{clerk.pk}/unlock/")

    assert answer.status_code == 302
    assert last_event()[:1] == ("unlocked",)
    assert "Nobody is locked out." in administrator.get(f"{PEOPLE}locked-out/").content.decode()
    right = {"username": "caio", "password": "a long password"}
    assert browser.post("/admin/login/", right).status_code == 302


def test_the_list_of_people_takes_the_same_statements_for_more(
    administrator: Client, clerk: User, django_assert_max_num_queries: Any
) -> None:
    administrator.get(PEOPLE)
    for number in range(20):
        person(f"other{number}", Role.VIEWER)

    with django_assert_max_num_queries(15):
        text = administrator.get(PEOPLE).content.decode()

    assert "other19" in text


# --- Limits --------------------------------------------------------------------------------------


def new_limit(**changes: str) -> dict[str, str]:
    return {"currency": "BRL", "per_action": "200.00", "per_day": "1,000.00"} | changes


def rows() -> list[tuple[Any, ...]]:
    return list(
        SpendingLimit.objects.values_list(
            "group__name", "user__username", "currency", "per_action", "per_day"
        )
    )


def test_sets_the_limit_of_a_role_in_money(administrator: Client, admin_user: User) -> None:
    make_store(currency="BRL")
    [support] = ids_of(Role.SUPPORT)

    answer = administrator.post(f"{LIMITS}add/", new_limit(group=support))

    assert answer.status_code == 302, answer.context["errors"]
    assert rows() == [("Support", None, "BRL", 20_000, 100_000)]
    event = AuditEvent.objects.get()
    assert (event.action, event.user, event.note) == ("added", admin_user, "Support")
    assert (event.before, event.after) == ({}, {"per_action": 20_000, "per_day": 100_000})


def test_amounts_are_typed_and_shown_as_the_language_writes_them(
    admin_user: User, clerk: User, signed_in: SignedIn
) -> None:
    make_store(currency="BRL")
    client = signed_in(admin_user)
    language = {"accept-language": "pt-br"}

    answer = client.post(
        f"{LIMITS}add/",
        new_limit(user=str(clerk.pk), per_action="1.200,50", per_day="3000"),
        headers=language,
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert rows() == [(None, "caio", "BRL", 120_050, 300_000)]
    limit = SpendingLimit.objects.get()
    text = client.get(f"{LIMITS}{limit.pk}/change/", headers=language).content.decode()
    assert 'value="1.200,50"' in text
    assert "R$\xa01.200,50" in client.get(LIMITS, headers=language).content.decode()


def test_currencies_without_cents_are_whole(administrator: Client, clerk: User) -> None:
    make_store(currency="CLP")

    administrator.post(
        f"{LIMITS}add/",
        new_limit(user=str(clerk.pk), currency="CLP", per_action="40,000", per_day="200,000"),
    )

    assert rows() == [(None, "caio", "CLP", 40_000, 200_000)]


def test_changes_the_amounts_and_nothing_else(administrator: Client, clerk: User) -> None:
    limit = SpendingLimit.objects.create(
        user=clerk, currency="BRL", per_action=20_000, per_day=100_000
    )

    answer = administrator.post(
        f"{LIMITS}{limit.pk}/change/",
        new_limit(per_action="0", per_day="50.00", currency="CLP", user="", group="1"),
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert rows() == [(None, "caio", "BRL", 0, 5_000)]
    event = AuditEvent.objects.get()
    assert (event.action, event.currency, event.note) == ("changed", "BRL", "caio")
    assert event.before == {"per_action": 20_000, "per_day": 100_000}
    assert event.after == {"per_action": 0, "per_day": 5_000}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "Choose a role or a person, one of them."),
        ({"group": "Support", "user": "caio"}, "Choose a role or a person, one of them."),
        ({"group": "Support", "per_action": "200,00,"}, "Type the amount like"),
        ({"group": "Support", "per_action": "-1"}, "Type the amount like"),
        ({"group": "Support", "per_day": "100.00"}, "Not less than the limit of an action."),
        ({"group": "Manager"}, "There is a limit in this currency: change that one."),
        ({"group": "Support", "currency": "XXX"}, "Select a valid choice."),
        ({"user": "ines"}, "Select a valid choice."),
        ({"group": "Administrator"}, "Select a valid choice."),
    ],
)
def test_refuses_limits_that_make_no_sense_or_are_ones_own(
    changes: dict[str, str], error: str, administrator: Client, clerk: User
) -> None:
    make_store(currency="BRL")
    manager = Group.objects.get(name=Role.MANAGER)
    SpendingLimit.objects.create(group=manager, currency="BRL", per_action=1, per_day=1)
    if "group" in changes:
        changes = changes | {"group": str(Group.objects.get(name=changes["group"]).pk)}
    if "user" in changes:
        changes = changes | {"user": str(User.objects.get(username=changes["user"]).pk)}

    answer = administrator.post(f"{LIMITS}add/", new_limit(**changes))

    assert error in answer.content.decode()
    assert SpendingLimit.objects.count() == 1
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("whose", ["own", "of a role"])
def test_nobody_changes_their_own_limit(
    whose: str, administrator: Client, admin_user: User
) -> None:
    owner: dict[str, Any] = (
        {"user": admin_user}
        if whose == "own"
        else {"group": Group.objects.get(name=Role.ADMINISTRATOR)}
    )
    limit = SpendingLimit.objects.create(currency="BRL", per_action=1, per_day=1, **owner)

    answer = administrator.post(f"{LIMITS}{limit.pk}/change/", new_limit())

    assert answer.status_code == 403
    limit.refresh_from_db()
    assert (limit.per_action, limit.per_day) == (1, 1)
    assert "R$0.01" in administrator.get(f"{LIMITS}{limit.pk}/change/").content.decode()
