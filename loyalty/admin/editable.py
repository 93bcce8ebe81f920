"""Rows that people make and change in forms; whose other rows stay as they are."""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from loyalty import audit
from loyalty.admin.base import ReadOnlyAdmin
from loyalty.models import AuditAction, Customer, Store
from loyalty.sign_in.address import actor_of

Row = TypeVar("Row", bound=Model)


class EditableAdmin(ReadOnlyAdmin[Row]):
    """A page with a form; `fixed` are fields that nobody changes once the row is there."""

    fixed: ClassVar[Sequence[str]] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever has the permission."""
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever has the permission."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Also what is fixed, once the row is there."""
        shown = tuple(super().get_readonly_fields(request, obj))
        return (*shown, *self.fixed_of(obj)) if obj else shown

    def fixed_of(self, row: Any) -> Sequence[str]:
        """What stays of a row that is there."""
        return self.fixed

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a new row only what can be typed, and a word about what stays."""
        if obj:
            return super().get_fieldsets(request, obj)
        shown = self.get_readonly_fields(request)
        parts = [
            (title, {"fields": [name for name in options["fields"] if name not in shown]})
            for title, options in super().get_fieldsets(request)
        ]
        names = (str(label_for_field(name, self.model)) for name in self.fixed)
        stays = _("Cannot be changed later: %(fields)s.") % {"fields": ", ".join(names)}
        first, *rest = (part for part in parts if part[1]["fields"])
        return [(first[0], {**first[1], "description": stays}), *rest]

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """A plain choice: another row is made on its own page."""
        return db_field.formfield(**kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with its button for whoever may save."""
        row = context.get("original")
        context["can_save"] = (
            self.has_change_permission(request, row) if row else self.has_add_permission(request)
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """The row, and an event that names the fields."""
        super().save_model(request, obj, form, change)
        if change and not form.changed_data:
            return
        audit.record(
            AuditAction.CHANGED if change else AuditAction.ADDED,
            actor_of(request),
            subject=obj,
            store=obj if isinstance(obj, Store) else obj.store,
            customer=obj if isinstance(obj, Customer) else None,
            after={"fields": form.changed_data},
        )
