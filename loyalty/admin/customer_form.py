"""Adding a customer, and completing what is known of one."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from loyalty.admin.editable import EditableAdmin
from loyalty.admin.forms.customers import IDENTITY, CustomerForm
from loyalty.approvals import own_identity
from loyalty.models import Customer
from loyalty.sign_in.address import actor_of


class CustomerFormURLs(EditableAdmin[Customer]):
    """A mixin: `add/`, and `<key>/edit/` beside the customer's page, which only shows.

    Who somebody is can be completed, not changed: whose cards they are depends on it.
    """

    form = CustomerForm
    fields = ("store", "name", *IDENTITY, "language")
    fixed = ("store",)

    def get_urls(self) -> list[URLPattern]:
        """The form's address, before those of the pages."""
        form = path(
            "<int:pk>/edit/",
            self.admin_site.admin_view(self.edit_view),
            name="loyalty_customer_edit",
        )
        return [form, *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever has the permission; nobody for a person who was erased or merged."""
        return not (obj and obj.is_nobody) and super().has_change_permission(request, obj)

    def fixed_of(self, row: Customer) -> tuple[str, ...]:
        """What is known of the person stays."""
        return (*self.fixed, *(name for name in IDENTITY if getattr(row, name)))

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form, which knows who types."""
        form: Any = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"own": own_identity(actor_of(request).user)})

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form of a customer who is there."""
        if not self.has_change_permission(request, self.get_object(request, str(pk))):
            raise PermissionDenied
        return self.changeform_view(request, str(pk))

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """On to the customer's page."""
        return self._page_of(obj)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        """Back to the customer's page."""
        return self._page_of(obj)

    def _page_of(self, customer: Customer) -> HttpResponseRedirect:
        address = reverse("admin:loyalty_customer_change", args=[customer.pk])
        return HttpResponseRedirect(address)

    def form_button(self, request: HttpRequest, customer: Customer) -> list[dict[str, object]]:
        """The way to the form, for whoever may use it."""
        if not self.has_change_permission(request, customer):
            return []
        url = reverse("admin:loyalty_customer_edit", args=[customer.pk])
        return [{"label": _("Complete"), "url": url}]
