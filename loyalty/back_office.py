"""The admin site of the store's staff. Outside `loyalty.admin`, which registers on it."""

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class BackOfficeSite(AdminSite):
    """Django's admin under the product's name."""

    site_header = _("Gift cards and credit")
    site_title = _("Gift cards and credit")
    index_title = _("Overview")
    enable_nav_sidebar = True
