"""Settings that administrators make and change in forms; what money depends on stays."""

from typing import TypeVar

from django.db.models import Model

from loyalty.admin.editable import EditableAdmin
from loyalty.admin.staff import ConfirmedChanges

Row = TypeVar("Row", bound=Model)


class SettingsAdmin(ConfirmedChanges, EditableAdmin[Row]):
    """An editable page that asks for the password first."""
