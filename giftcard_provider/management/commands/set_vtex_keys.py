"""Keep the keys with which a store's orders and payments are read from VTEX."""

import sys
from typing import Any

from cryptography.exceptions import InvalidTag
from django.core.management.base import BaseCommand, CommandError, CommandParser

from giftcard_provider.models import VtexKeys, is_safe_address
from loyalty.models import Store


class Command(BaseCommand):
    """Seals the AppToken, which is read from standard input: arguments are seen by everybody.

    With `--reseal` every token that there is comes under the first of LOYALTY_CODE_KEYS.
    """

    help = "Keep the AppKey and AppToken (from standard input) that read a store's orders."

    def add_arguments(self, parser: CommandParser) -> None:
        """A store and its AppKey, or `--reseal`."""
        wanted = parser.add_mutually_exclusive_group(required=True)
        wanted.add_argument("--store", metavar="ACCOUNT")
        wanted.add_argument("--reseal", action="store_true", help="seal all with the current key")
        parser.add_argument("--app-key")
        parser.add_argument("--orders-url", default="")
        parser.add_argument("--payments-url", default="")
        parser.add_argument("--payment-name", default="Vale", help='"" reads every order')
        parser.add_argument("--amount-digits", type=int, help="default: those of the currency")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, and say so without a secret."""
        if options["reseal"]:
            self._reseal()
            return
        store = Store.objects.filter(account=options["store"]).first()
        if store is None:
            raise CommandError(f"There is no store {options['store']!r}.")
        if not options["app_key"]:
            raise CommandError("Name the AppKey: --app-key.", returncode=2)
        token = sys.stdin.readline().strip()
        if not token:
            raise CommandError("Give the AppToken on standard input.", returncode=2)
        keys = VtexKeys.objects.filter(store=store).first() or VtexKeys(store=store)
        keys.app_key, keys.is_active = options["app_key"], True
        keys.orders_url = _address(options["orders_url"])
        keys.payments_url = _address(options["payments_url"])
        keys.payment_name, keys.amount_digits = options["payment_name"], options["amount_digits"]
        keys.seal(token)
        keys.save()
        self.stdout.write(f"The orders of {store.account} are read with {keys.app_key}.")

    def _reseal(self) -> None:
        done = 0
        for keys in VtexKeys.objects.select_related("store"):
            try:
                keys.seal(keys.app_token)
            except (LookupError, InvalidTag):
                raise CommandError(
                    f"No key of LOYALTY_CODE_KEYS opens the token of {keys.store.account};"
                    " set it again."
                ) from None
            keys.save(update_fields=["token_sealed", "changed_at"])
            done += 1
        self.stdout.write(f"{done} tokens are sealed with the current key.")


def _address(url: str) -> str:
    """An address of VTEX or of a stand-in on this machine: the keys go there."""
    if url and not is_safe_address(url):
        raise CommandError(f"{url!r} is no https address.", returncode=2)
    return url.rstrip("/")
