"""Who may call, in the back office. No token and no hash of one is on any page."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from giftcard_provider.models import Credential
from loyalty.admin.base import ReadOnlyAdmin, moment


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin[Credential]):
    """The AppKeys of each store; `manage.py create_credential` makes and ends them."""

    list_display = ("app_key", "store", "is_active", "is_rotating", "created")
    list_filter = ("is_active", "store")
    list_select_related = ("store",)
    search_fields = ("app_key", "store__account")
    search_help_text = _("AppKey or VTEX account.")
    created = moment("created_at", _("created at"))
    fields = ("store", "app_key", "is_active", "is_rotating", "created")
    readonly_fields = ("is_rotating", "created")

    @admin.display(description=_("previous token still valid"), boolean=True)
    def is_rotating(self, credential: Credential) -> bool:
        """Whether the AppToken before the current one is still accepted."""
        return bool(credential.previous_token_hash)
