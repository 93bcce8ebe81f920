"""Who may do what: one table from role to permissions, brought into the database by `sync_roles`.

A role is a Django group with the name below. A person may have several. Nobody may delete.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.db.transaction import atomic
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise


class Role(StrEnum):
    """The names of the groups."""

    VIEWER = "Viewer"
    SUPPORT = "Support"
    MANAGER = "Manager"
    FINANCE = "Finance"
    ADMINISTRATOR = "Administrator"


LABELS: Mapping[str, StrOrPromise] = {
    Role.VIEWER: _("Viewer"),
    Role.SUPPORT: _("Support"),
    Role.MANAGER: _("Manager"),
    Role.FINANCE: _("Finance"),
    Role.ADMINISTRATOR: _("Administrator"),
}
DUTIES: Mapping[str, StrOrPromise] = {
    Role.VIEWER: _("sees cards, customers and money; changes nothing"),
    Role.SUPPORT: _("helps customers: gives and corrects credit, blocks, extends, refunds"),
    Role.MANAGER: _("support, and codes, batches, imports, closing cards, other owners, approvals"),
    Role.FINANCE: _("sees the books and the audit trail, decides approvals; moves no money"),
    Role.ADMINISTRATOR: _(
        "manages stores, people, limits, credentials and privacy; moves no money"
    ),
}


def _view(*models: str) -> frozenset[str]:
    return frozenset(f"loyalty.view_{model}" for model in models)


_AUDIT = _view("auditevent")
_LIMITS = _view("spendinglimit", "spending")
_BOOKS = {"loyalty.view_books"} | _view(
    "bookday", "bookcohort", "bookprogress", "monthclosing", "monthclosingline"
)
# To begin a comparison; to assign, note and ignore what it finds. What moves money needs more.
_RECONCILE = {"loyalty.add_reconciliationrun", "loyalty.change_discrepancy"}
_VIEWER = _view(
    *("store", "program", "customer", "giftcard", "balance", "grant", "transaction", "operation"),
    *("entry", "batch", "batchowner", "importfile", "job", "approval"),
    *("openhold", "expiringmoney"),
    *("periodicwork", "alert", "proof", "proofdifference"),
    *("reconciliationrun", "discrepancy"),
    *("earningpolicy", "earningrule", "campaign", "rulesimulation"),
    *("shoporder", "earning", "earningmovement", "orderlistening"),
    *("tierscheme", "tierstanding", "tierchange", "tiergrant"),
    *("bookcause", "bookjoined"),
    *("notification", "pointvaluechange"),
) | {"giftcard_provider.view_failedcall"}
_SUPPORT = _VIEWER | {
    *("loyalty.credit_card", "loyalty.adjust_card", "loyalty.block_card", "loyalty.extend_card"),
    *("loyalty.issue_card", "loyalty.cancel_transaction"),
    *("loyalty.add_customer", "loyalty.change_customer", "loyalty.send_message"),
    *("loyalty.add_tiergrant", "loyalty.merge_customers"),
}
_MANAGER = _SUPPORT | {
    *("loyalty.close_card", "loyalty.change_owner", "loyalty.reveal_code"),
    *("loyalty.settle_transaction", "loyalty.reverse_operation", "loyalty.decide_approval"),
    *("loyalty.add_batch", "loyalty.reprint_batch", "loyalty.undo_batch", "loyalty.extend_batch"),
    *("loyalty.export_lists", "loyalty.run_jobs"),
    *_RECONCILE,
    *("loyalty.add_earningpolicy", "loyalty.change_earningpolicy", "loyalty.switch_earning"),
    *("loyalty.add_earningrule", "loyalty.change_earningrule", "loyalty.add_rulesimulation"),
    *("loyalty.add_campaign", "loyalty.change_campaign"),
    "loyalty.add_pointvaluechange",
    *("loyalty.add_tierscheme", "loyalty.change_tierscheme", "loyalty.switch_tierscheme"),
}
_FINANCE = (
    _VIEWER
    | _AUDIT
    | _BOOKS
    | _RECONCILE
    | {"loyalty.export_lists", "loyalty.decide_approval", "loyalty.add_monthclosing"}
)
_ADMINISTRATOR = (
    _VIEWER
    | _AUDIT
    | _LIMITS
    | _BOOKS
    | {
        *("loyalty.add_store", "loyalty.change_store"),
        *("loyalty.add_program", "loyalty.change_program"),
        *("auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group"),
        *("loyalty.view_staffprofile", "loyalty.add_staffprofile", "loyalty.change_staffprofile"),
        *("loyalty.add_spendinglimit", "loyalty.change_spendinglimit", "loyalty.unlock_staff"),
        "giftcard_provider.view_credential",
        *("giftcard_provider.add_credential", "giftcard_provider.change_credential"),
        *("giftcard_provider.view_vtexkeys", "giftcard_provider.change_vtexkeys"),
        *("giftcard_provider.view_hubchange", "giftcard_provider.add_hubchange"),
        *("giftcard_provider.view_selftest", "giftcard_provider.add_selftest"),
        *("loyalty.export_person", "loyalty.erase_person"),
        "loyalty.export_lists",
    }
)

TABLE: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: _VIEWER,
    Role.SUPPORT: _SUPPORT,
    Role.MANAGER: _MANAGER,
    Role.FINANCE: _FINANCE,
    Role.ADMINISTRATOR: _ADMINISTRATOR,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What a group has too little and too much of; `is_new` when there is no group."""

    role: Role
    missing: frozenset[str]
    surplus: frozenset[str]
    is_new: bool = False

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus or self.is_new)


def differences() -> list[Difference]:
    """Where the groups of the database are not those of the table; other groups do not count."""
    found = {
        role: set[str]()
        for role in Group.objects.filter(name__in=TABLE).values_list("name", flat=True)
    }
    given = Group.objects.filter(name__in=TABLE, permissions__isnull=False).values_list(
        "name", "permissions__content_type__app_label", "permissions__codename"
    )
    for name, app, codename in given:
        found[name].add(f"{app}.{codename}")
    compared = [
        Difference(
            role,
            missing=wanted - found.get(role, set()),
            surplus=frozenset(found.get(role, set())) - wanted,
            is_new=role not in found,
        )
        for role, wanted in TABLE.items()
    ]
    return [difference for difference in compared if difference]


def sync() -> list[Difference]:
    """Make the five groups what the table says; what was different. No other group is touched."""
    with atomic():
        changed = differences()
        for difference in changed:
            group, _ = Group.objects.get_or_create(name=difference.role)
            group.permissions.add(*_permissions(difference.missing))
            group.permissions.remove(*_permissions(difference.surplus))
    return changed


def label(name: str) -> StrOrPromise:
    """A role in the page's language; a group that is none as it is called."""
    return LABELS.get(name, name)


def _permissions(names: Iterable[str]) -> list[Permission]:
    """The rows of these permissions; `LookupError` for one that does not exist."""
    wanted = {(app, codename) for app, _, codename in (name.partition(".") for name in names)}
    rows = Permission.objects.filter(
        content_type__app_label__in={app for app, _ in wanted},
        codename__in={codename for _, codename in wanted},
    ).select_related("content_type")
    found = {(row.content_type.app_label, row.codename): row for row in rows}
    if unknown := wanted - found.keys():
        raise LookupError(f"No such permission: {sorted('.'.join(each) for each in unknown)}")
    return [found[each] for each in wanted]
