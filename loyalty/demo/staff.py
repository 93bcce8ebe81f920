"""The demo's staff, as far as its history is about them."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User

from loyalty import roles
from loyalty.audit import Actor
from loyalty.roles import Role


def member(role: Role) -> User:
    """The login of a role. It gets its password with the others; until then nobody signs in."""
    user, is_new = User.objects.get_or_create(
        username=role.lower(), defaults={"password": make_password(None)}
    )
    if is_new:
        roles.sync()
        user.groups.set(Group.objects.filter(name=role))
    return user


def actor(role: Role) -> Actor:
    """The same, doing something."""
    return Actor(member(role))
