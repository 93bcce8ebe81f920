"""The home page's figures, as a template tag: the page stays Django's own."""

from typing import Any

from django import template
from django.template import RequestContext

from loyalty.admin.home import overview

register = template.Library()


@register.inclusion_tag("admin/books/overview.html", takes_context=True)
def home_overview(context: RequestContext) -> dict[str, Any]:
    """Tiles and charts of what this person may see."""
    return overview(context["request"])
