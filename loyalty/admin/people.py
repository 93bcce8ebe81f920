"""Who did something, as the ledger names them, in words for staff."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db.models import BigIntegerField, Case, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Cast, Substr
from django.utils.translation import gettext as _

from loyalty.models import Operation

_STAFF, _VTEX, _EARNING = "staff:", "vtex:", "earning"
# The clock that books what has expired, and jobs that nobody asked for.
_OURS = ("clock", "system:", "job:", "points:")


class Names:
    """The names behind actors of the ledger, read in one query."""

    def __init__(self, actors: Iterable[str]) -> None:
        keys = {
            int(actor.removeprefix(_STAFF))
            for actor in actors
            if actor.startswith(_STAFF) and actor.removeprefix(_STAFF).isdecimal()
        }
        self._users: Mapping[str, str] = (
            {str(key): name for key, name in _usernames(keys)} if keys else {}
        )

    def __getitem__(self, actor: str) -> str:
        """A person's user name; VTEX; or what of the system it was."""
        if actor.startswith(_STAFF):
            who = actor.removeprefix(_STAFF)
            return self._users.get(who, who)
        if actor.startswith(_VTEX):
            return _("VTEX")
        if actor == _EARNING:
            return _("earning rules")
        if actor.startswith(_OURS):
            return _("the system")
        return actor


def with_staff_names(operations: QuerySet[Operation]) -> QuerySet[Any]:
    """Operations, each with `staff_name`: of the person who did it, None for everybody else."""
    key = Case(
        When(
            actor__regex=rf"^{_STAFF}[0-9]{{1,18}}$",
            then=Cast(Substr("actor", len(_STAFF) + 1), BigIntegerField()),
        )
    )
    person = User.objects.filter(pk=OuterRef("staff_key")).values("username")
    return operations.annotate(staff_key=key).annotate(staff_name=Subquery(person[:1]))


def _usernames(keys: Iterable[int]) -> Iterable[tuple[int, str]]:
    return User.objects.filter(pk__in=keys).values_list("pk", "username")


def name_of(actor: str) -> str:
    """The name behind one actor."""
    return Names([actor])[actor]
