"""Staff for tests: people with permissions and limits."""

from django.contrib.auth.models import Permission, User

from loyalty.audit import Actor
from loyalty.models import SpendingLimit, StaffProfile
from tests.builders import new_id


def make_staff(
    *permissions: str,
    per_action: int | None = None,
    per_day: int | None = None,
    currency: str = "BRL",
    email: str = "",
    document: str = "",
) -> User:
    """A person with these permissions (`adjust_card`) and, when given, a limit of their own."""
    user = User.objects.create_user(new_id("staff"), email=email, password="x", is_staff=True)
    found = Permission.objects.filter(codename__in=permissions)
    assert len(found) == len(permissions), permissions
    user.user_permissions.set(found)
    if document:
        StaffProfile.objects.create(user=user, document=document)
    if per_action is not None:
        SpendingLimit.objects.create(
            user=user,
            currency=currency,
            per_action=per_action,
            per_day=per_action * 10 if per_day is None else per_day,
        )
    return User.objects.get(pk=user.pk)  # permissions are cached on the object


def acting(user: User) -> Actor:
    """The person at a desk."""
    return Actor(user, "192.0.2.7")
