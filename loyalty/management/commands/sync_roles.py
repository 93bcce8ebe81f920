"""Bring the roles of the back office into the database."""

from typing import Any

from django.core.management.base import BaseCommand

from loyalty import roles


class Command(BaseCommand):
    """Safe to repeat. Says what it changed; groups of other names are left alone."""

    help = "Make the groups Viewer, Support, Manager, Finance and Administrator as in the code."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """One line for each permission given or taken, or one that nothing was to do."""
        changed = roles.sync()
        if not changed:
            self.stdout.write("The roles are as they should be.")
        for difference in changed:
            if difference.is_new:
                self.stdout.write(f"{difference.role}: made")
            for name in sorted(difference.missing):
                self.stdout.write(f"{difference.role}: may now {name}")
            for name in sorted(difference.surplus):
                self.stdout.write(f"{difference.role}: may no more {name}")
