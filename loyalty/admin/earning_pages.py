"""What the pages about earning share: a form below a program, the audit trail, the way back."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django_stubs_ext import StrOrPromise

from loyalty import audit
from loyalty.admin.columns import address, page_of
from loyalty.models import AuditAction, Program
from loyalty.sign_in.address import actor_of


def need(request: HttpRequest, *permissions: str) -> None:
    """Refuse whoever has not all of these."""
    user = cast("User", request.user)
    if not all(user.has_perm(f"loyalty.{each}") for each in permissions):
        raise PermissionDenied


def has(request: HttpRequest, permission: str) -> bool:
    """Whether the person may."""
    return cast("User", request.user).has_perm(f"loyalty.{permission}")


def earning_url(program: Program) -> str:
    """The page of a program's earning."""
    return reverse("admin:loyalty_program_earning", args=[program.pk])


def earning_page(
    request: HttpRequest,
    template: str,
    row: Model,
    title: StrOrPromise,
    **context: object,
) -> HttpResponse:
    """A page about a program, rule or campaign."""
    return TemplateResponse(
        request,
        f"admin/earning/{template}.html",
        {
            **admin.site.each_context(request),
            "title": title,
            "opts": row._meta,
            "row": row,
            "row_url": page_of(row),
            "list_url": address(type(row), "changelist"),
            **context,
        },
    )


def note_change(
    request: HttpRequest, row: Model, program: Program, *, before: Mapping[str, Any] | None
) -> None:
    """An event with the fields that changed; without `before` the row is new."""
    after = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name not in {"id", "created_at"}
    }
    changed = {
        name: value for name, value in after.items() if before is None or before[name] != value
    }
    audit.record(
        AuditAction.ADDED if before is None else AuditAction.CHANGED,
        actor_of(request),
        subject=row,
        store=program.store,
        currency=program.store.currency,
        before={} if before is None else {name: _plain(before[name]) for name in changed},
        after={name: _plain(value) for name, value in changed.items()},
    )


def as_it_was(row: Model) -> dict[str, Any]:
    """The row's columns before a form changes them."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _plain(value: Any) -> Any:
    is_plain = value is None or isinstance(value, bool | int | str | list)
    return value if is_plain else str(value)
