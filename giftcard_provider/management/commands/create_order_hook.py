"""Make the token with which a store's VTEX account tells that an order changed."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from giftcard_provider.hooks import TOKEN_HEADER
from giftcard_provider.models import OrderHook
from loyalty.models import Store

STATUSES = ["payment-approved", "invoiced", "canceled"]


class Command(BaseCommand):
    """Prints what to send to VTEX, once: the token is kept as a hash. The one before ends."""

    help = "Make the token of a store's order hook, and print VTEX's configuration of it."

    def add_arguments(self, parser: CommandParser) -> None:
        """A store, and where this installation is reached."""
        parser.add_argument("--store", required=True, metavar="ACCOUNT")
        parser.add_argument("--url", required=True, help="https://credit.example.com")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the body of `POST /api/orders/hook/config`."""
        store = Store.objects.filter(account=options["store"]).first()
        if store is None:
            raise CommandError(f"There is no store {options['store']!r}.")
        if not options["url"].startswith("https://"):
            raise CommandError("VTEX calls https addresses only.", returncode=2)
        address = options["url"].rstrip("/") + reverse("order_hook", args=[store.account])
        configuration = {
            "filter": {"type": "FromWorkflow", "status": STATUSES},
            "hook": {"url": address, "headers": {TOKEN_HEADER: OrderHook.issue(store)}},
        }
        self.stdout.write(json.dumps(configuration, indent=2))
