"""Register this provider in the Gift Card Hub of a store's VTEX account, or take it out again."""

import json
from typing import Any

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    no_translations,
)

from giftcard_provider import registration
from giftcard_provider.models import HubChange
from giftcard_provider.vtex import hub
from loyalty.models import Store

Kind = HubChange.Kind

_MARKS = {hub.Fate.ADDED: "+", hub.Fate.CHANGED: "~", hub.Fate.GONE: "-"}


class Command(BaseCommand):
    """Prints what is different in the account; shows no token and needs none typed.

    Exit code 0 when the account is as it should be, 1 when it is not or VTEX could not be asked, 2
    for arguments that make no sense.
    """

    help = (
        "Register this provider in a store's Gift Card Hub. Keys of the VTEX account with the"
        " resources View and Edit Gift Card providers come from set_vtex_keys."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The store; account and provider id are the store's, and repeated to be sure."""
        parser.add_argument("--store", metavar="ACCOUNT", required=True)
        parser.add_argument("--account", help="the VTEX account: has to be the store's")
        parser.add_argument("--provider-id", help="our id in the Hub: has to be the store's")
        parser.add_argument("--service-url", metavar="URL", help="https://your-host/vtex")
        wanted = parser.add_mutually_exclusive_group()
        wanted.add_argument(
            "--dry-run", action="store_true", help="read the account, say what would be done"
        )
        wanted.add_argument("--unregister", action="store_true", help="take our provider out")
        wanted.add_argument(
            "--restore",
            action="store_true",
            help="put back the other providers that a registration changed (known issue 768954)",
        )

    @no_translations
    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, and say what the account has now."""
        store = _store(options)
        kind = _kind(options)
        if kind in {Kind.REGISTER, Kind.LOOK} and not options["service_url"]:
            raise CommandError("Name the service URL: --service-url.", returncode=2)
        waiting = registration.open_purchases(store) if kind == Kind.UNREGISTER else 0
        if waiting:
            self.stderr.write(
                f"Open purchases: {waiting}. Until it is registered again VTEX can neither settle"
                " nor cancel them."
            )
        change = registration.ask(store, kind, service_url=options["service_url"] or "")
        registration.carry_out(change)
        self._tell(change)
        if change.status == HubChange.Status.FAILED:
            raise CommandError(change.error or str(HubChange.Refusal(change.refusal).label))
        if registration.lost(change):
            raise CommandError(
                "Other providers of the account are not what they were: this is VTEX's known issue"
                " 768954. register_provider --restore puts them back; then register again."
            )

    def _tell(self, change: HubChange) -> None:
        if change.before is not None:
            self.stdout.write(f"The account had {_count(change.before)}; kept as it was:")
            for provider in change.before:
                self.stdout.write(f"  {_line(provider)}")
        is_done = change.status == HubChange.Status.DONE
        if change.kind == Kind.LOOK and is_done:
            self.stdout.write("Would be registered; nothing was sent:")
            entry = {"id": change.provider_id, **hub.entry(change.service_url)}
            self.stdout.write(f"  {_line(entry)}")
        if change.after is not None:
            self._tell_differences(change)
        if change.kind == Kind.REGISTER and is_done:
            self._tell_credentials(change)

    def _tell_differences(self, change: HubChange) -> None:
        differences = hub.changes(change.before or [], change.after or [])
        self.stdout.write("What is different now:" if differences else "Nothing is different now.")
        for each in differences:
            self.stdout.write(f"{_MARKS[each.fate]} {_line(each.after or each.before or {})}")

    def _tell_credentials(self, change: HubChange) -> None:
        self.stdout.write(f"VTEX calls with {change.credential} from now on.")
        for credential in registration.superseded(change):
            self.stdout.write(
                f"Once VTEX has called with the new one: create_credential --revoke"
                f" {credential.app_key}"
            )


def _store(options: dict[str, Any]) -> Store:
    store = Store.objects.filter(account=options["store"]).first()
    if store is None:
        raise CommandError(f"There is no store {options['store']!r}.")
    for name in ("account", "provider_id"):
        given, known = options[name], getattr(store, name)
        if given and given != known:
            raise CommandError(
                f"The store's {name.replace('_', ' ')} is {known!r}, not {given!r}.", returncode=2
            )
    return store


def _kind(options: dict[str, Any]) -> HubChange.Kind:
    if options["dry_run"]:
        return Kind.LOOK
    if options["unregister"]:
        return Kind.UNREGISTER
    return Kind.RESTORE if options["restore"] else Kind.REGISTER


def _count(providers: list[Any]) -> str:
    return "1 provider" if len(providers) == 1 else f"{len(providers)} providers"


def _line(provider: hub.Provider) -> str:
    shown = {name: value for name, value in provider.items() if name not in {"id", "_self"}}
    return f"{provider.get('id')} {json.dumps(shown, default=str, sort_keys=True)}"
