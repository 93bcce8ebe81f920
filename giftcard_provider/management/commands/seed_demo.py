"""The demo: data with history, a credential, staff, and one private file that names them."""

import os
import secrets
from pathlib import Path
from typing import Any

import simplejson
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser

from giftcard_provider.models import Credential
from loyalty import demo, roles
from loyalty.models import SpendingLimit, Store
from loyalty.roles import Role

# The administrator sees and does everything, so that one login shows all; it comes first.
STAFF = (Role.ADMINISTRATOR, Role.VIEWER, Role.SUPPORT, Role.MANAGER, Role.FINANCE)
# What a role may move alone, in minor units: an action, a day.
LIMITS = {
    (Role.SUPPORT, "BRL"): (200_00, 1_000_00),
    (Role.SUPPORT, "CLP"): (40_000, 200_000),
    (Role.MANAGER, "BRL"): (2_000_00, 20_000_00),
    (Role.MANAGER, "CLP"): (400_000, 4_000_000),
}


class Command(BaseCommand):
    """Safe to repeat: data is made once, and secrets only when there is no file that holds them.

    A file that is there keeps its secrets; its two addresses follow the arguments. Without it the
    credential gets a new token and the staff new passwords. Only where DEVELOPMENT is set.
    """

    help = "Fill an empty installation with demo data and write its credentials to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to write, and the addresses to write."""
        parser.add_argument("--output", metavar="PATH", required=True, type=Path)
        parser.add_argument("--service-url", metavar="URL", required=True)
        parser.add_argument("--admin-url", metavar="URL", required=True)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Seed, and leave the file; `CommandError` in one line for what is wrong."""
        if not settings.DEVELOPMENT:
            raise CommandError("Demo data is only for installations with DEVELOPMENT=true.")
        output = Path(options["output"])
        urls = {"service_url": options["service_url"], "admin_url": options["admin_url"]}
        try:
            known = _known(output)
            self.stdout.write("Demo data made." if demo.seed() else "The demo data is there.")
            store = demo.brazilian_store()
            roles.sync()
            _set_limits()
            facts = known if known and _is_of(store, known) else _facts(store)
            facts = facts | {"staff": _staff(facts.get("staff", {}))}
            if facts | urls != known:
                _write(output, facts, urls)
                self.stdout.write(f"Written: {output}")
        except OSError as problem:
            raise CommandError(f"{output} cannot be used: {problem.strerror}.") from None


def _known(path: Path) -> dict[str, Any] | None:
    """What the file says, if there is one."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise
        return None
    try:
        facts = simplejson.loads(text, use_decimal=True)
    except ValueError:
        raise CommandError(f"{path} is not a file of this command; move it away.") from None
    if not isinstance(facts, dict):
        raise CommandError(f"{path} is not a file of this command; move it away.")
    return facts


def _is_of(store: Store, facts: dict[str, Any]) -> bool:
    """Whether the file is about this very database."""
    live = Credential.objects.filter(store=store, is_active=True)
    return live.filter(app_key=facts.get("app_key")).exists()


def _facts(store: Store) -> dict[str, Any]:
    """The demo in figures, with new secrets."""
    credential, token = _new_token(store)
    customer = demo.first_customer(store)
    return {
        "app_key": credential.app_key,
        "app_token": token,
        "staff": {},
        "customer": {"email": customer.email, "document": customer.document},
        "cards": [
            {
                "id": card.public_id,
                "code": card.code,
                "balance": view.balance,
                "currency": card.currency,
            }
            for card, view in demo.spendable(store)
        ],
    }


def _new_token(store: Store) -> tuple[Credential, str]:
    """The store's credential with a token of which nobody holds an earlier one."""
    credential = store.credentials.filter(is_active=True).order_by("id").first()
    if credential is None:
        return Credential.objects.issue(store)
    token = credential.rotate()
    credential.retire_previous()
    return credential, token


def _staff(known: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """A login for each role: those that the file has, and new ones for the others."""
    names = {role: role.lower() for role in STAFF}
    return {name: known.get(name) or _new_login(role, name) for role, name in names.items()}


def _new_login(role: Role, username: str) -> dict[str, str]:
    """The staff user of this role, with a new password."""
    password = secrets.token_hex(10)
    user, _ = get_user_model().objects.get_or_create(username=username)
    user.set_password(password)
    user.is_active = user.is_staff = True
    user.is_superuser = role == Role.ADMINISTRATOR
    user.save()
    user.user_permissions.clear()
    user.groups.set(Group.objects.filter(name=role))
    return {"username": username, "password": password}


def _set_limits() -> None:
    """Limits of the roles where there are none; what somebody typed stays."""
    for (role, currency), (per_action, per_day) in LIMITS.items():
        SpendingLimit.objects.get_or_create(
            group=Group.objects.get(name=role),
            currency=currency,
            defaults={"per_action": per_action, "per_day": per_day},
        )


def _write(path: Path, facts: dict[str, Any], urls: dict[str, str]) -> None:
    """All of the file or none of it, for its owner only."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(simplejson.dumps(urls | facts | urls, use_decimal=True, indent=2) + "\n")
    new.rename(path)
