"""Pages of single rows that tell a story instead of showing a form."""

from typing import Any, TypeVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from loyalty.admin.actions import buttons
from loyalty.admin.columns import address

Row = TypeVar("Row", bound=Model)

MAX_DIGITS = 18  # of a key that the database can compare


class StoryPage(admin.ModelAdmin[Row]):
    """A mixin: the page of a row is `story_template` with what `story` says of it."""

    story_template = ""
    story_related: tuple[str, ...] = ()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page; nothing is ever posted to it."""
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        row = self.row_of(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": self.story_title(row),
            "subtitle": None,
            "opts": self.opts,
            "list_url": address(self.model, "changelist"),
            "row": row,
            "buttons": buttons(request, row),
            **self.story(request, row),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.story_template, context)

    def row_of(self, request: HttpRequest, object_id: str) -> Row:
        """The row, for whoever may see it."""
        if not (object_id.isdecimal() and len(object_id) <= MAX_DIGITS):
            raise Http404
        rows = self.story_rows(self.get_queryset(request).select_related(*self.story_related))
        row = rows.filter(pk=int(object_id)).first()
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def story_rows(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """With what else the page shows of the row, to be read in the same statement."""
        return rows

    def story_title(self, row: Row) -> str:
        """What the page is called."""
        return str(row)

    def story(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        """What the template tells."""
        raise NotImplementedError


def may_see(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the person may see rows of a model on another row's page."""
    page = admin.site._registry.get(model)
    return page is not None and page.has_view_permission(request)


def key_of(request: HttpRequest, name: str) -> int | None:
    """A key in the address of a page, such as the row after which a list goes on."""
    given = request.GET.get(name, "")
    return int(given) if given.isdecimal() and len(given) <= MAX_DIGITS else None
