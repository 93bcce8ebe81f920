"""Play the VTEX accounts of the demo's stores on this machine, until stopped."""

import datetime
import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from giftcard_provider.models import VtexKeys
from giftcard_provider.stand_in import StandIn
from giftcard_provider.stand_in.account import scenario_of
from loyalty import demo, reconciliation
from loyalty.models import Store
from loyalty.order_sources import Window, WindowKind

HOST = "127.0.0.1"
LOOKS_BACK = datetime.timedelta(days=30)
NEWS_EVERY = 60  # seconds


class Command(BaseCommand):
    """A server for each store, with the store's keys for it, and once a comparison of a month.

    A store whose keys lead elsewhere keeps them and is left out. Only where DEVELOPMENT is set.
    """

    help = "Play the VTEX accounts of the demo's stores: orders and payments to compare with."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to write the addresses, as soon as they answer."""
        parser.add_argument("--output", metavar="PATH", required=True, type=Path)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve until stopped."""
        if not settings.DEVELOPMENT:
            raise CommandError("VTEX is played only in installations with DEVELOPMENT=true.")
        with ExitStack() as stack:
            played = {
                store: stack.enter_context(_server_of(store))
                for store in demo.stores()
                if _is_free(store)
            }
            addresses = {store.account: server.url for store, server in played.items()}
            for store, server in played.items():
                _keep_keys(store, server)
                _compare_once(store)
            options["output"].write_text(json.dumps(addresses, indent=2) + "\n")
            self.stdout.write(f"VTEX is played at {addresses}.")
            while True:
                sleep(NEWS_EVERY)
                # What was bought here meanwhile has its order there.
                for store, server in played.items():
                    server.scenario = scenario_of(store)


def _is_free(store: Store) -> bool:
    """Whether the store has no keys, or those of an earlier run of this command."""
    keys = VtexKeys.objects.filter(store=store).first()
    return keys is None or urlsplit(keys.orders_url).hostname == HOST


def _server_of(store: Store) -> StandIn:
    return StandIn(
        scenario_of(store),
        app_key=f"vtexappkey-{store.account}-DEMO",
        app_token=secrets.token_urlsafe(32),
    )


def _keep_keys(store: Store, server: StandIn) -> None:
    keys = VtexKeys.objects.filter(store=store).first() or VtexKeys(store=store)
    keys.app_key, keys.is_active = server.app_key, True
    keys.orders_url = keys.payments_url = server.url
    keys.seal(server.app_token)
    keys.save()


def _compare_once(store: Store) -> None:
    if not store.reconciliation_runs.exists():
        now = timezone.now()
        reconciliation.start(store, Window(WindowKind.AUTHORIZED, now - LOOKS_BACK, now))
