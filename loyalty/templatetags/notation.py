"""Numbers in templates, as `loyalty.notation` writes them."""

from django import template

from loyalty.notation import shown_count, shown_percent

register = template.Library()

register.filter("count", shown_count)
register.filter("percent", shown_percent)
