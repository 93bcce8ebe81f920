"""Failed calls in the back office: searched, read, and found from a card, an order, a customer."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

import simplejson
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from rest_framework import status

from giftcard_provider.models import FailedCall, Outcome
from loyalty.admin.base import NOTHING, ReadOnlyAdmin
from loyalty.admin.columns import badge, link, order_link, page_of
from loyalty.admin.filters import Choice, ChoicesFilter, DayFilter, PartOfFilter, RelationFilter
from loyalty.admin.formats import shown_moment
from loyalty.admin.lists import LargeList
from loyalty.admin.related import Subject, Table, additions, latest
from loyalty.identity import normalized_document, normalized_email
from loyalty.models import Customer, GiftCard, Store, Transaction

_COLOR = {Outcome.DECLINED: "open", Outcome.NO_MATCH: "neutral", Outcome.FAILED: "bad"}
_STATUSES = (
    status.HTTP_200_OK,
    status.HTTP_400_BAD_REQUEST,
    status.HTTP_401_UNAUTHORIZED,
    status.HTTP_403_FORBIDDEN,
    status.HTTP_404_NOT_FOUND,
    status.HTTP_405_METHOD_NOT_ALLOWED,
    status.HTTP_409_CONFLICT,
    status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    status.HTTP_422_UNPROCESSABLE_ENTITY,
    status.HTTP_429_TOO_MANY_REQUESTS,
    status.HTTP_500_INTERNAL_SERVER_ERROR,
    status.HTTP_503_SERVICE_UNAVAILABLE,
)
_LATEST = 10
# Calls without valid credentials belong to no store: their times are UTC.
_NO_STORE = Store(time_zone="UTC")


class StatusFilter(Choice):
    """By the status that was answered."""

    title = _("status")
    parameter_name = "answered"
    labels: ClassVar = tuple((str(each), str(each)) for each in _STATUSES)

    def conditions(self) -> dict[str, Q]:
        """The status itself."""
        return {str(each): Q(status=each) for each in _STATUSES}


class OutcomeFilter(ChoicesFilter):
    """By how it ended; what was served is not here."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Every way but that one."""
        return (
            choice
            for choice in super().choices(changelist)
            if choice["display"] != Outcome.OK.label
        )


@admin.register(FailedCall)
class FailedCallAdmin(LargeList[FailedCall], ReadOnlyAdmin[FailedCall]):
    """What VTEX asked for and did not get."""

    list_display = (
        "when",
        "endpoint",
        "result",
        "status",
        "code",
        "store",
        "card_link",
        "order_id",
        "milliseconds",
    )
    list_filter = (
        ("outcome", OutcomeFilter),
        StatusFilter,
        ("endpoint", ChoicesFilter),
        ("store", RelationFilter),
        DayFilter,
        ("card", PartOfFilter),
        ("customer", PartOfFilter),
    )
    list_select_related = ("store", "card", "card__store", "customer")
    search_fields = ("operation_id", "request_id", "order_id", "card__public_id", "path")
    search_help_text = _(
        "VTEX operation id, order, request id, id of a card, path, or a customer's e-mail, document"
        " or profile id."
    )
    card_link = link("card", _("gift card"))
    customer_link = link("customer", _("customer"))
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "when",
                    "store",
                    "app_key",
                    "endpoint",
                    "called",
                    "result",
                    "status",
                    "code",
                    "milliseconds",
                )
            },
        ),
        (
            _("What it was about"),
            {"fields": ("card_link", "order", "customer_link", "request_id", "operation_id")},
        ),
        (_("Bodies, without who and without codes"), {"fields": ("sent", "answered")}),
    )
    readonly_fields = (
        *("when", "called", "result", "card_link", "order", "customer_link", "sent", "answered"),
    )

    def search_conditions(self, term: str) -> Iterator[Q]:
        """Also by the customer; an order also without the part after the dash."""
        for name in self.search_fields:
            yield Q(**{name: term})
        yield Q(order_id__startswith=f"{term}-")
        people = Q(profile_id=term)
        for name, form in (
            ("email", normalized_email(term)),
            ("document", normalized_document(term)),
            ("corporate_document", normalized_document(term)),
        ):
            people |= Q(**{name: form}) if form else Q()
        yield Q(customer__in=Customer.objects.filter(people).values("pk"))

    @admin.display(description=_("at"), ordering="created_at")
    def when(self, call: FailedCall) -> str:
        """The moment, in the store's time zone."""
        return shown_moment(call.created_at, call.store or _NO_STORE)

    @admin.display(description=_("at"))
    def moment_link(self, call: FailedCall) -> str:
        """The moment, leading to the call."""
        return format_html('<a href="{}">{}</a>', page_of(call), self.when(call))

    @admin.display(description=_("result"))
    def result(self, call: FailedCall) -> SafeString:
        """How it ended, in a word."""
        return badge(_COLOR.get(Outcome(call.outcome), "neutral"), call.get_outcome_display())

    @admin.display(description=_("path"))
    def called(self, call: FailedCall) -> str:
        """Method and path."""
        return f"{call.method} {call.path}"

    @admin.display(description=_("order"))
    def order(self, call: FailedCall) -> str:
        """The order, leading to its page where it has one."""
        if not call.order_id:
            return NOTHING
        has_page = Transaction.objects.filter(order_id=call.order_id).exists()
        return order_link(call.order_id) if has_page else call.order_id

    @admin.display(description=_("what was sent"))
    def sent(self, call: FailedCall) -> str:
        """The request's body, masked."""
        return _body(call.request_body)

    @admin.display(description=_("what was answered"))
    def answered(self, call: FailedCall) -> str:
        """The answer's body, masked."""
        return _body(call.answer)


def _body(text: str) -> str:
    if not text:
        return NOTHING
    with suppress(ValueError):  # cut off, or no JSON to begin with: as it is
        text = simplejson.dumps(
            simplejson.loads(text, use_decimal=True), use_decimal=True, ensure_ascii=False, indent=2
        )
    return format_html('<pre class="body" tabindex="0">{}</pre>', text)


def failed_calls_of(request: HttpRequest, subject: Subject) -> Table | None:
    """The latest failed calls about a card, an order or a customer."""
    match subject:
        case GiftCard():
            condition, query = Q(card=subject), {"card__id__exact": str(subject.pk)}
        case Customer():
            condition, query = Q(customer=subject), {"customer__id__exact": str(subject.pk)}
        case order_id:
            condition, query = Q(order_id=order_id), {"q": order_id}
    page = admin.site.get_model_admin(FailedCall)
    columns = ("moment_link", "endpoint", "result", "status", "code")
    return latest(request, page, condition, columns=columns, query=query, rows=_LATEST)


additions.append(failed_calls_of)
