"""Filters of the work list: what is open comes first, whatever else is asked for."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.models import Discrepancy
from loyalty.sign_in.address import actor_of

Choices = Iterable[tuple[str, StrOrPromise]]

ALL = "all"


class StateFilter(admin.SimpleListFilter):
    """What is open, unless something else is asked for."""

    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What is not open, and all."""
        ignored, closed = Discrepancy.Status.IGNORED, Discrepancy.Status.CLOSED
        return [(ignored, ignored.label), (closed, closed.label), (ALL, _("all"))]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The first one, of no parameter, is what is open."""
        first, *others = super().choices(changelist)
        yield {**first, "display": Discrepancy.Status.OPEN.label}
        for other in others:
            yield {**other}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of that status."""
        if self.value() == ALL:
            return queryset
        return queryset.filter(status=self.value() or Discrepancy.Status.OPEN)


class AgeFilter(admin.SimpleListFilter):
    """Since when it is there."""

    title = _("age")
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """In days."""
        return [
            ("1", _("older than a day")),
            ("7", _("older than 7 days")),
            ("30", _("older than 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What was first seen before that."""
        if self.value() not in {"1", "7", "30"}:
            return queryset
        age = datetime.timedelta(days=int(self.value() or 0))
        return queryset.filter(first_seen__lte=timezone.now() - age)


class AssigneeFilter(admin.SimpleListFilter):
    """Who looks after it."""

    title = _("assigned to")
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Oneself, nobody, somebody."""
        return [("me", _("me")), ("nobody", _("nobody")), ("somebody", _("somebody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Theirs."""
        match self.value():
            case "me":
                return queryset.filter(assigned_to=actor_of(request).user)
            case "nobody" | "somebody":
                return queryset.filter(assigned_to__isnull=self.value() == "nobody")
        return queryset
