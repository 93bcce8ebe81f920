"""Filters of the large lists. Each says whether an index finds its rows (`is_narrow`).

`is_active` tells the list (`loyalty.admin.lists`) that something is asked for.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.admin.lists import BEFORE, first_id_since
from loyalty.models import Balance, Batch, GiftCard, Grant, Store

Choices = Iterable[tuple[str, StrOrPromise]]
Parameters = dict[str, list[str]]

# What is looked at of the money that ends within the asked days: the soonest.
SOONEST = 5_000
_RECENT_BATCHES = 30
_STORE_PARAMETERS = ("store__id__exact", "card__store__id__exact")
# Midnights of the first and last days of the calendar cannot be moved between time zones.
_FIRST_DAY = datetime.date.min + datetime.timedelta(days=2)
_LAST_DAY = datetime.date.max - datetime.timedelta(days=2)


class ChoicesFilter(admin.ChoicesFieldListFilter):
    """By a field with a closed list of values."""

    is_narrow = False

    @property
    def is_active(self) -> bool:
        """Whether a value was chosen."""
        return bool(self.lookup_val)


class ProgramKindFilter(ChoicesFilter):
    """By the program's kind, told apart from a row's own kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("kind of program")


class RelationFilter(admin.RelatedFieldListFilter):
    """By one of few related rows: a store, a program. Its own column is an index."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_narrow = "__" not in self.field_path

    @property
    def is_active(self) -> bool:
        """Whether one was chosen."""
        return bool(self.lookup_val)

    def has_output(self) -> bool:
        """Also when there is only one to choose, if it was chosen."""
        return super().has_output() or self.is_active


class PartOfFilter(admin.RelatedFieldListFilter):
    """The rows of one card, customer or transaction.

    Never a list to choose from, only a link to all of them.
    """

    template = "admin/part_of_filter.html"
    is_narrow = True

    def field_choices(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:  # type: ignore[override]
        """Nothing: there are millions."""
        return []

    @property
    def is_active(self) -> bool:
        """Whether the list is of one of them."""
        return bool(self.lookup_val)

    def has_output(self) -> bool:
        """Only as long as it narrows the list."""
        return self.is_active

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Which one, and the link to all rows."""
        model: type[Model] = self.field.remote_field.model  # type: ignore[union-attr]
        row = model._default_manager.filter(pk__in=self.lookup_val[-1:]).first()  # type: ignore[index]
        yield {
            "display": str(row or ""),
            "query_string": changelist.get_query_string(remove=[self.lookup_kwarg]),
        }


class Choice(admin.SimpleListFilter):
    """By one of a few questions; `conditions` has the answer of each."""

    is_narrow = False
    labels: ClassVar[Choices]

    @property
    def is_active(self) -> bool:
        """Whether one was chosen."""
        return self.value() in {value for value, _label in self.lookup_choices}

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """The questions, in order."""
        return self.labels

    def conditions(self) -> Mapping[str, Q]:
        """What each asks of a row."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that answer."""
        if not self.is_active:
            return queryset
        return queryset.filter(self.conditions()[str(self.value())])


class CardStateFilter(Choice):
    """By what a card can do now, dates included."""

    title = _("state")
    parameter_name = "state"
    labels = (
        ("active", _("active")),
        ("blocked", _("blocked")),
        ("closed", _("closed")),
        ("expired", _("expired")),
        ("later", _("not valid yet")),
    )

    def conditions(self) -> Mapping[str, Q]:
        """As `GiftCard.is_valid_at`, and why not."""
        now, active = timezone.now(), Q(status=GiftCard.Status.ACTIVE)
        not_ended = Q(expires_at=None) | Q(expires_at__gt=now)
        return {
            "active": active & not_ended & Q(valid_from__lte=now),
            "blocked": Q(status=GiftCard.Status.BLOCKED),
            "closed": Q(status=GiftCard.Status.CLOSED),
            "expired": active & Q(expires_at__lte=now),
            "later": active & Q(valid_from__gt=now),
        }


class MoneyFilter(Choice):
    """By what is on a card."""

    title = _("money")
    parameter_name = "money"
    labels = (
        ("some", _("has balance")),
        ("held", _("something is held")),
        ("none", _("empty")),
    )

    def conditions(self) -> Mapping[str, Q]:
        """From the card's amounts."""
        path = "" if issubclass(self.model, Balance) else "balance__"
        return {
            "some": Q(**{f"{path}available__gt": 0}),
            "held": Q(**{f"{path}held__gt": 0}),
            "none": Q(**{f"{path}available": 0, f"{path}held": 0}),
        }

    def __init__(
        self,
        request: HttpRequest,
        params: Parameters,
        model: type[Model],
        model_admin: admin.ModelAdmin[Any],
    ) -> None:
        self.model = model
        super().__init__(request, params, model, model_admin)  # type: ignore[arg-type]


class OwnerFilter(Choice):
    """By whether a card has an owner."""

    title = _("owner")
    parameter_name = "owned"
    labels = (("yes", _("with an owner")), ("no", _("bearer card")))

    def conditions(self) -> Mapping[str, Q]:
        """From the card itself."""
        return {"yes": Q(owner__isnull=False), "no": Q(owner=None)}


class OriginFilter(Choice):
    """By where the code comes from."""

    title = _("code")
    parameter_name = "code"
    labels = (("ours", _("made by us")), ("imported", _("made elsewhere")))

    def conditions(self) -> Mapping[str, Q]:
        """From the card itself."""
        return {"ours": Q(is_imported=False), "imported": Q(is_imported=True)}


class OpenFilter(Choice):
    """By what is left of a purchase."""

    title = _("state")
    parameter_name = "state"
    labels = (
        ("open", _("something is held")),
        ("settled", _("settled")),
        ("canceled", _("canceled")),
        ("refunded", _("something was refunded")),
    )

    def conditions(self) -> Mapping[str, Q]:
        """From its counters (`Transaction.state`)."""
        debit, given_back = Q(kind="debit"), F("released") + F("refunded")
        return {
            "open": debit & Q(amount__gt=F("settled") + F("released")),
            "settled": debit & Q(amount=F("settled") + F("released")) & Q(amount__gt=given_back),
            "canceled": Q(amount=given_back),
            "refunded": Q(refunded__gt=0),
        }


class ExpiringFilter(Choice):
    """By when money ends: of grants, or of the cards that have them."""

    title = _("expires within")
    parameter_name = "expiring"
    is_narrow = is_small = True
    is_whole = False
    labels = (("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows whose money ends soonest; on a page no more than `SOONEST` grants of it."""
        if not self.is_active:
            return queryset
        now = timezone.now()
        end = now + datetime.timedelta(days=int(str(self.value())))
        grants = Grant.objects.filter(expires_at__gt=now, expires_at__lte=end, remaining__gt=0)
        if not self.is_whole:
            grants = grants.order_by("expires_at")[:SOONEST]
        if issubclass(queryset.model, Grant):
            return queryset.filter(pk__in=grants.values("pk"))
        return queryset.filter(pk__in=grants.values("card_id"), status=GiftCard.Status.ACTIVE)


class BatchFilter(Choice):
    """By one of the latest batches."""

    title = _("batch")
    parameter_name = "batch"
    is_narrow = True

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """The latest, and the one that is asked for."""
        batches = list(Batch.objects.order_by("-pk").values_list("pk", "name")[:_RECENT_BATCHES])
        asked = self.value() or ""
        if asked.isdecimal() and int(asked) not in {key for key, _name in batches}:
            batches += Batch.objects.filter(pk=int(asked[:18])).values_list("pk", "name")
        return [(str(key), name) for key, name in batches]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Its cards."""
        return queryset.filter(batch=int(str(self.value()))) if self.is_active else queryset


class DayFilter(admin.ListFilter):
    """By the day on which a row was made, from and to: a day of the store.

    Of the store that the list is filtered by, else of the first one; the form names the zone.
    """

    title = _("date")
    template = "admin/day_filter.html"
    column = "created_at"
    is_narrow = False
    # Not `is_active`: the ids that it gives bound the list by themselves.
    _FROM, _TO = "from", "to"
    # What an id may be out of the order of time: rows wait for locks, never for hours.
    _SLACK = datetime.timedelta(hours=6)

    def __init__(
        self,
        request: HttpRequest,
        params: Parameters,
        model: type[Model],
        model_admin: admin.ModelAdmin[Any],
    ) -> None:
        super().__init__(request, params, model, model_admin)  # type: ignore[arg-type]
        self._model = model
        self._days: dict[str, datetime.date | None] = {}
        for name in self.expected_parameters():
            self._days[name] = _day(params.pop(name, [""])[-1])
        asked = next((request.GET[name] for name in _STORE_PARAMETERS if name in request.GET), "")
        self._store_id = int(asked[:18]) if asked.isdecimal() else 0

    def expected_parameters(self) -> list[str]:  # type: ignore[override]
        """From and to."""
        return [self._FROM, self._TO]

    def has_output(self) -> bool:
        """Always: there is something to type."""
        return True

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The form's values, and the other parameters, which it keeps."""
        kept = {
            name: values[-1]
            for name, values in changelist.filter_params.items()
            if name not in {self._FROM, self._TO, BEFORE}
        }
        days = {name: day.isoformat() if day else "" for name, day in self._days.items()}
        yield {
            "first": days[self._FROM],
            "last": days[self._TO],
            "kept": kept,
            "zone": self._store.time_zone if self._store else "",
            "selected": any(self._days.values()),
            "query_string": changelist.get_query_string(remove=[self._FROM, self._TO]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of these days, found by their ids: the column needs no index."""
        low, high = self.ids
        begin, end = self._instants
        if begin:
            queryset = queryset.filter(**{f"{self.column}__gte": begin}, pk__gte=low)
        if end:
            queryset = queryset.filter(**{f"{self.column}__lt": end}, pk__lt=high)
        return queryset

    @cached_property
    def ids(self) -> tuple[int, int | None]:
        """The first id that may be of these days, and the first that is later, if any."""
        begin, end = self._instants
        return (
            first_id_since(self._model, self.column, begin - self._SLACK) if begin else 0,
            first_id_since(self._model, self.column, end + self._SLACK) if end else None,
        )

    @cached_property
    def _store(self) -> Store | None:
        stores = Store.objects.order_by("pk")
        return (self._store_id and stores.filter(pk=self._store_id).first()) or stores.first()

    @cached_property
    def _instants(self) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        first, last = self._days[self._FROM], self._days[self._TO]
        if not (self._store and (first or last)):
            return None, None
        following = last + datetime.timedelta(days=1) if last and last < _LAST_DAY else None
        return (
            self._store.first_instant(first) if first and first > _FIRST_DAY else None,
            self._store.first_instant(following) if following else None,
        )


def _day(typed: str) -> datetime.date | None:
    try:
        return parse_date(typed)
    except ValueError:
        return None
