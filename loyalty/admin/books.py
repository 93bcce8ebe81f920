"""The closed months, and the way to every page of the books."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from loyalty.admin import curves, expiring, holds, roll_forward
from loyalty.admin.base import ReadOnlyAdmin, badge, shown_moment
from loyalty.admin.book_pages import (
    BOOKS,
    CLOSE,
    Cell,
    Row,
    Table,
    allowed,
    chosen_store,
    money_text,
    month_of,
    month_text,
    summed,
    tabs,
)
from loyalty.admin.outstanding import currency_part, outstanding_page, program_names
from loyalty.models import Funding, MonthClosing, Origin, Store
from loyalty.reports.closings import (
    MonthNotOver,
    changes_since,
    close_month,
    closed_positions,
    open_months,
)
from loyalty.reports.flows import currencies_of
from loyalty.sign_in.address import actor_of


@admin.register(MonthClosing)
class MonthClosingAdmin(ReadOnlyAdmin[MonthClosing]):
    """The closed months, and the way to every page of the books."""

    list_display = ("month_shown", "store", "taken", "by")
    list_filter = ("store",)
    list_select_related = ("store", "taken_by")
    change_list_template = "admin/books/closings.html"
    change_form_template = "admin/books/closing.html"
    fields = ("store", "month_shown", "taken", "by")
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Those who may see the books."""
        return bool(request.user.has_perm(BOOKS))

    @admin.display(description=_("month"), ordering="month")
    def month_shown(self, closing: MonthClosing) -> str:
        """The month by its name."""
        return month_text(closing.month)

    @admin.display(description=_("taken at"), ordering="taken_at")
    def taken(self, closing: MonthClosing) -> str:
        """When, by the clock of the store."""
        return shown_moment(closing.taken_at, closing.store)

    @admin.display(description=_("taken by"))
    def by(self, closing: MonthClosing) -> str | SafeString:
        """Who, or that it was the clock."""
        return str(closing.taken_by) if closing.taken_by else badge("neutral", _("automatic"))

    def get_urls(self) -> list[URLPattern]:
        """The pages of the books before the model's own."""
        return [*urls(self.admin_site), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, and the months that can be closed."""
        store = chosen_store(request).store
        may_close = request.user.has_perm(CLOSE)
        waiting = list(open_months(store)) if store and may_close else []
        context = {
            "tabs": tabs(request, "loyalty_monthclosing_changelist"),
            "closing_store": store,
            "open_months": [(f"{month:%Y-%m}", month_text(month)) for month in waiting],
        }
        # The store of the tabs is no filter of this list.
        asked: Any = request.GET.copy()
        asked.pop("store", None)
        request.GET = asked
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The figures as they were, and what the entries say now where that differs."""
        closing = cast("MonthClosing", context["original"])
        closed = closed_positions(closing)
        names = program_names([closing.store])
        changes = changes_since(closing)
        context |= {
            "tabs": tabs(request),
            "currencies": [currency_part(each, closed, names) for each in currencies_of(closed)],
            "changes": _changes(changes, names) if changes else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)


def _changes(changes: Sequence[Any], names: Mapping[int, str]) -> Table:
    table = Table(
        _("What the entries say now"),
        [
            *(Cell(_("program")), Cell(_("funding")), Cell(_("origin")), Cell(_("bucket"))),
            *(Cell(_("then"), is_figure=True), Cell(_("now"), is_figure=True)),
            Cell(_("difference"), is_figure=True),
        ],
    )
    labels = {
        "credited": _("credited"),
        "available": _("available"),
        "held": _("held"),
        "spent": _("spent"),
        "expired": _("expired"),
        "removed": _("removed"),
    }
    for change in changes:
        kind = change.kind
        for name, label in labels.items():
            then, now = getattr(change.closed, name), getattr(change.now, name)
            if then != now:
                texts = [money_text(each, kind.currency) for each in (then, now, now - then)]
                heading = (names.get(kind.program_id, ""), Funding(kind.funding).label)
                table.rows.append(
                    Row(
                        [
                            *(Cell(text) for text in (*heading, Origin(kind.origin).label, label)),
                            *(Cell(text, is_figure=True) for text in texts),
                        ]
                    )
                )
    return table


@require_POST
def close(request: HttpRequest) -> HttpResponse:
    """Close a month of a store now instead of by the clock."""
    month = month_of(request.POST.get("month"))
    store = Store.objects.filter(pk=request.POST.get("store", "0").rjust(1, "0")).first()
    back = HttpResponseRedirect(reverse("admin:loyalty_monthclosing_changelist"))
    if store is None or month is None:
        messages.error(request, _("Choose a month from the list."))
        return back
    try:
        closing, is_new = close_month(store, month, actor=actor_of(request))
    except MonthNotOver:
        messages.error(request, _("This month is not over yet. Close it when it is."))
        return back
    if is_new:
        messages.success(request, _("The month is closed. Its figures stay as they are now."))
    else:
        messages.info(request, _("This month was closed before. Nothing has changed."))
    return HttpResponseRedirect(reverse("admin:loyalty_monthclosing_change", args=[closing.pk]))


def urls(site: admin.AdminSite) -> list[URLPattern]:
    """The pages of the books, open holds and expiring money."""
    pages = (
        ("outstanding/", BOOKS, outstanding_page, "books_outstanding"),
        ("roll-forward/", BOOKS, roll_forward.roll_forward_page, "books_roll_forward"),
        ("curves/", BOOKS, curves.curves_page, "books_curves"),
        ("close/", CLOSE, close, "books_close"),
    )
    return [
        *(
            path(route, site.admin_view(allowed(permission, summed(view))), name=name)
            for route, permission, view, name in pages
        ),
        *expiring.urls(site),
        *holds.urls(site),
    ]
