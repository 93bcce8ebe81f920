"""The credit system as a Django application, and Django's admin with our site."""

# The module, not the class: a second AppConfig in this namespace would make the default ambiguous.
from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _

from loyalty import checks


class LoyaltyConfig(AppConfig):
    """Cards, balances and transactions."""

    name = "loyalty"
    verbose_name = _("Gift cards and credit")
    default = True

    def ready(self) -> None:
        """Register the system checks."""
        register(checks.check_code_keys, Tags.security)
        register(checks.check_databases, Tags.security)
        register(checks.check_driver, Tags.security)
        register(checks.check_durability, Tags.database)
        register(checks.check_secrets, Tags.security, deploy=True)
        register(checks.check_alerts, Tags.security, deploy=True)
        register(checks.check_limits, Tags.security)
        register(checks.check_metrics, Tags.security)
        register(checks.check_metrics_behind_a_proxy, Tags.security, deploy=True)
        register(checks.check_messages, Tags.security)
        register(checks.check_mail_server, Tags.security, deploy=True)
        register(checks.check_roles, Tags.database)


class BackOfficeConfig(admin_apps.AdminConfig):
    """`django.contrib.admin`, served by `loyalty.back_office`."""

    default_site = "loyalty.back_office.BackOfficeSite"
    default = False
