from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from loyalty import roles
from loyalty.roles import TABLE, Role
from loyalty.sign_in.policy import STRONG_PERMISSIONS

pytestmark = pytest.mark.django_db

MOVES_MONEY = {
    *("loyalty.issue_card", "loyalty.credit_card", "loyalty.adjust_card", "loyalty.extend_card"),
    *("loyalty.close_card", "loyalty.change_owner", "loyalty.settle_transaction"),
    *("loyalty.cancel_transaction", "loyalty.reverse_operation", "loyalty.add_batch"),
    *("loyalty.undo_batch", "loyalty.extend_batch"),
}
ABOUT_PEOPLE = {
    *("auth.view_user", "auth.add_user", "auth.change_user", "loyalty.unlock_staff"),
    *("loyalty.view_spendinglimit", "loyalty.change_spendinglimit"),
    *("giftcard_provider.view_credential", "giftcard_provider.change_credential"),
}


def synced() -> str:
    out = StringIO()
    call_command("sync_roles", stdout=out)
    return out.getvalue()


def held_by(name: str) -> set[str]:
    user = User.objects.create_user(f"one-{name}", is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    return user.get_all_permissions()


def test_makes_the_five_roles_with_what_the_table_says() -> None:
    text = synced()

    assert set(Group.objects.values_list("name", flat=True)) == set(Role)
    assert {role: held_by(role) for role in Role} == {role: set(TABLE[role]) for role in Role}
    assert "Manager: made\n" in text
    assert "Manager: may now loyalty.reveal_code\n" in text


def test_a_second_time_there_is_nothing_to_do() -> None:
    synced()
    before = list(Group.permissions.through.objects.order_by("id").values_list("id"))

    assert synced() == "The roles are as they should be.\n"
    assert list(Group.permissions.through.objects.order_by("id").values_list("id")) == before


def test_takes_away_what_somebody_gave_a_role_and_gives_back_what_they_took() -> None:
    synced()
    viewer = Group.objects.get(name=Role.VIEWER)
    viewer.permissions.add(Permission.objects.get(codename="adjust_card"))
    viewer.permissions.remove(Permission.objects.get(codename="view_giftcard"))

    text = synced()

    assert text == (
        "Viewer: may now loyalty.view_giftcard\nViewer: may no more loyalty.adjust_card\n"
    )
    assert roles.differences() == []


def test_leaves_other_groups_and_people_alone() -> None:
    other = Group.objects.create(name="Warehouse")
    other.permissions.add(Permission.objects.get(codename="view_giftcard"))
    person = User.objects.create_user("person")
    person.user_permissions.add(Permission.objects.get(codename="view_store"))

    synced()

    assert [p.codename for p in other.permissions.all()] == ["view_giftcard"]
    assert [p.codename for p in person.user_permissions.all()] == ["view_store"]


def test_a_permission_that_does_not_exist_is_no_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roles, "TABLE", {Role.VIEWER: frozenset({"loyalty.fly"})})

    with pytest.raises(LookupError, match=r"loyalty\.fly"):
        roles.sync()

    assert not Group.objects.exists()


def test_nobody_has_delete() -> None:
    assert [
        name
        for names in TABLE.values()
        for name in names
        if name.split(".")[1].startswith("delete")
    ] == []


def test_viewers_only_look_and_not_at_people_limits_credentials_or_the_audit_trail() -> None:
    names = TABLE[Role.VIEWER]

    assert {name.split(".")[1].split("_")[0] for name in names} == {"view"}
    assert not names & (ABOUT_PEOPLE | {"loyalty.view_auditevent", "loyalty.view_books"})


def test_each_role_has_what_the_one_below_it_has() -> None:
    assert TABLE[Role.VIEWER] < TABLE[Role.SUPPORT] < TABLE[Role.MANAGER]
    assert TABLE[Role.VIEWER] < TABLE[Role.FINANCE]
    assert TABLE[Role.VIEWER] < TABLE[Role.ADMINISTRATOR]


def test_finance_and_administrators_move_no_money() -> None:
    for role in (Role.VIEWER, Role.FINANCE, Role.ADMINISTRATOR):
        assert not TABLE[role] & MOVES_MONEY


def test_only_administrators_manage_people() -> None:
    for role in (Role.VIEWER, Role.SUPPORT, Role.MANAGER, Role.FINANCE):
        assert not TABLE[role] & ABOUT_PEOPLE
    assert TABLE[Role.ADMINISTRATOR] >= ABOUT_PEOPLE


def test_whoever_moves_money_or_administers_needs_one_time_passwords() -> None:
    assert {role for role in Role if TABLE[role] & STRONG_PERMISSIONS} == {
        *(Role.SUPPORT, Role.MANAGER, Role.ADMINISTRATOR),
        Role.FINANCE,  # decides approvals
    }
    assert MOVES_MONEY <= STRONG_PERMISSIONS


def test_every_role_has_its_name_and_what_it_is_for() -> None:
    assert set(roles.LABELS) == set(roles.DUTIES) == set(Role)
    assert str(roles.label("Warehouse")) == "Warehouse"
