"""Make the credential that a store calls with, renew its token, or end it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from giftcard_provider.models import Credential
from loyalty.models import Store


class Command(BaseCommand):
    """Prints an AppToken once: only its hash is kept.

    Exit code 0 when it is done, 1 for an account or AppKey that does not exist, 2 for arguments
    that make no sense.
    """

    help = "Make a store's AppKey and AppToken, or rotate, retire or revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Exactly one of the four."""
        wanted = parser.add_mutually_exclusive_group(required=True)
        wanted.add_argument("--store", metavar="ACCOUNT", help="make a credential for this account")
        wanted.add_argument(
            "--rotate",
            metavar="APP_KEY",
            help="make a new AppToken; the one before stays valid until --retire-previous",
        )
        wanted.add_argument(
            "--retire-previous", metavar="APP_KEY", help="end the AppToken before the current one"
        )
        wanted.add_argument("--revoke", metavar="APP_KEY", help="end the credential")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do the one thing that was asked for, and say what it was."""
        if account := options["store"]:
            credential, token = Credential.objects.issue(_store(account))
            self._show(credential, token)
        elif app_key := options["rotate"]:
            credential = _credential(app_key)
            if not credential.is_active:
                raise CommandError(f"The credential {app_key!r} is revoked.")
            self._show(credential, credential.rotate())
        elif app_key := options["retire_previous"]:
            _credential(app_key).retire_previous()
            self.stdout.write(f"Only the current AppToken of {app_key} is valid now.")
        elif app_key := options["revoke"]:
            _credential(app_key).revoke()
            self.stdout.write(f"{app_key} is not valid any more.")
        else:
            raise CommandError("Name an account or an AppKey.", returncode=2)

    def _show(self, credential: Credential, token: str) -> None:
        self.stdout.write(f"AppKey    {credential.app_key}")
        self.stdout.write(f"AppToken  {token}")
        self.stderr.write("The AppToken cannot be shown again.")


def _store(account: str) -> Store:
    try:
        return Store.objects.get(account=account)
    except Store.DoesNotExist:
        raise CommandError(f"There is no store {account!r}.") from None


def _credential(app_key: str) -> Credential:
    try:
        return Credential.objects.get(app_key=app_key)
    except Credential.DoesNotExist:
        raise CommandError(f"There is no credential {app_key!r}.") from None
