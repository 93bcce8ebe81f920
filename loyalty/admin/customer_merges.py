"""Who was merged into a customer, on the customer's page."""

from typing import Any

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext_lazy as _

from loyalty.admin.columns import page_of
from loyalty.admin.parts import Fact
from loyalty.models import Customer


def with_merged(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Customers with who was merged into them, in the same statement (`merged_facts`)."""
    merged = Customer.objects.filter(merged_into=OuterRef("pk")).order_by()
    each = JSONObject(pk="pk", name="name", email="email")
    together = merged.values("merged_into").annotate(all=JSONBAgg(each, order_by="pk"))
    return customers.annotate(merged_known=Subquery(together.values("all")))


def merged_facts(customer: Customer) -> list[Fact]:
    """Who was merged into the customer, leading to their pages."""
    known: list[dict[str, Any]] = getattr(customer, "merged_known", None) or []
    found = [Customer(pk=each["pk"], name=each["name"], email=each["email"]) for each in known]
    return [
        Fact(_("also was"), each.email or f"{each} ({each.pk})", page_of(each)) for each in found
    ]
