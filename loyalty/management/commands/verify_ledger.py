"""Prove that the books are right, or name the rows that are not."""

from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.ledger.invariants import MAX_ROWS, violations
from loyalty.ledger.promises import INVARIANTS
from loyalty.models import Store


class Command(BaseCommand):
    """One line for each invariant, with the rows that break it.

    Exit code 0 when the books are right, 1 when they are not, 2 for arguments that make no sense.
    Only reads, from one snapshot, and locks nothing: it can run at any time.
    """

    help = "Check every invariant of the ledger; exit code 1, with the rows, when one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--store` limits the check to the cards of one store."""
        parser.add_argument("--store", metavar="ACCOUNT", help="only this VTEX account's cards")

    def handle(self, *_args: Any, store: str | None = None, **_options: Any) -> None:
        """Print the result; `CommandError` carries the exit code."""
        store_id = None if store is None else _store_id(store)
        found = {
            name: list(rows)
            for name, rows in groupby(
                violations(store_id=store_id), key=lambda violation: violation.invariant.name
            )
        }
        for invariant in INVARIANTS:
            rows = found.get(invariant.name, [])
            self.stdout.write(
                f"{invariant.name:<4}{'BROKEN' if rows else 'holds':<7}{invariant.meaning}"
            )
            for violation in rows:
                self.stdout.write(f"      {violation.figures}")
            if len(rows) == MAX_ROWS:
                self.stdout.write(f"      and maybe more: only {MAX_ROWS} rows are shown")
        if found:
            raise CommandError(f"The books are wrong: {', '.join(found)}.", returncode=1)


def _store_id(account: str) -> int:
    try:
        return Store.objects.only("pk").get(account=account).pk
    except Store.DoesNotExist:
        raise CommandError(f"There is no store {account!r}.", returncode=2) from None
