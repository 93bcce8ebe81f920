"""Which pages there are to open: found on the site itself, so that a new one is measured too."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from loyalty.admin.filters import DayFilter
from loyalty.models import Customer, GiftCard, Transaction
from tests.bench.pages.report import Visit
from tests.bench.pages.variety import CARD, CUSTOMER, ORDER

LAST_PAGE = 200  # of what a list counts
TERMS = ("nobody@example.com", "Souza", "shopper1234@example.com")
# They end the session, or change it, or go elsewhere.
LEFT_OUT = {"logout", "login", "verify", "enrol", "jsi18n", "autocomplete", "view_on_site"}


def every_visit(client: Client) -> Iterator[Visit]:
    """Every list with every filter, every search, the page of rows, and all other pages."""
    yield from _searches()
    yield from _long_histories()
    for model, page in admin.site._registry.items():
        yield from _list(client, model, page)
        yield from _rows(model)
    for path in dict.fromkeys(_plain(admin.site.get_urls(), reverse("admin:index"))):
        yield Visit("other pages", path)


def _list(client: Client, model: type[Model], page: admin.ModelAdmin[Any]) -> Iterator[Visit]:
    """As it opens, its far pages, in each order, with each choice of each filter, and a search."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    answer = client.get(path)
    changes: ChangeList = answer.context["cl"]
    queries = [
        "",
        *(f"?p={number}" for number in (2, LAST_PAGE) if number in changes.paginator.page_range),
        *_orders(changes, page, answer.wsgi_request),
        *_choices(changes),
        *(f"?q={term}" for term in TERMS if changes.search_fields),
    ]
    for query in queries:
        yield Visit(f"list: {model._meta.verbose_name_plural}", path + query)


def _orders(
    changes: ChangeList, page: admin.ModelAdmin[Any], request: HttpRequest
) -> Iterator[str]:
    if page.get_sortable_by(request):
        yield from (f"?o=-{number}" for number in range(1, len(changes.list_display) + 1))


def _choices(changes: ChangeList) -> Iterator[str]:
    for spec in changes.filter_specs:
        if isinstance(spec, DayFilter):
            yield "?from=2025-06-01&to=2025-06-30"
        for choice in spec.choices(changes):
            if not choice.get("selected") and "display" in choice:
                yield str(choice["query_string"])


def _rows(model: type[Model]) -> Iterator[Visit]:
    """The page of the oldest, of the newest, and of one in the middle."""
    rows = model._default_manager.order_by("pk")
    keys = {row.pk for row in (rows.first(), rows.last()) if row}
    group = f"one of: {model._meta.verbose_name_plural}"
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    for key in sorted(keys):
        yield Visit(group, reverse(name, args=[key]))


def _long_histories() -> Iterator[Visit]:
    """What thousands of rows belong to."""
    group = "long histories"
    card = reverse("admin:loyalty_giftcard_change", args=[CARD])
    owner = Customer.objects.get(pk=CUSTOMER)
    yield Visit(group, card)
    yield Visit(group, reverse("admin:loyalty_customer_change", args=[owner.pk]))
    yield Visit(group, reverse("admin:loyalty_order", args=[ORDER]))
    yield Visit(
        group, reverse("admin:loyalty_giftcard_changelist") + f"?owner__id__exact={owner.pk}"
    )
    for name in ("operation", "entry", "transaction"):
        path = reverse(f"admin:loyalty_{name}_changelist")
        yield Visit(group, f"{path}?card__id__exact={CARD}")
    why = {"store": str(owner.store_id), "email": owner.email}
    yield Visit(group, reverse("admin:verdicts"), why)


def _searches() -> Iterator[Visit]:
    """The search box, by everything that it takes; of the rare, the frequent and the absent."""
    card, path = GiftCard.objects.get(pk=123_456), reverse("admin:search")
    debit, owner = Transaction.objects.get(pk=123_456), Customer.objects.get(pk=61_728)
    terms = [
        *(debit.order_id, ORDER, "v9999999nothing-01", debit.public_id, debit.request_id),
        *(card.public_id, f"*{card.code_last4}", card.code_last4, "ZZZZ-ZZZZ-ZZZZ-ZZZZ"),
        *(owner.email, owner.document, "123.456.789-09", str(owner.profile_id)),
        *(owner.name, "Souza", "Ana Silva", "Xyzzy", "Ana", "nobody@example.com"),
    ]
    for term in terms:
        yield Visit("the search box", path, {"typed": term})


def _plain(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    """The addresses that name no row; no files, which are streamed for as long as they are."""
    for each in patterns:
        route = str(each.pattern)
        if "<" in route or "(" in route:
            continue
        if isinstance(each, URLResolver):
            yield from _plain(each.url_patterns, prefix + route)
        elif each.name not in LEFT_OUT and not str(each.name).endswith(("changelist", "export")):
            yield prefix + route
