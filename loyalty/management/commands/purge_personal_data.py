"""Let go of personal data that is not needed any more."""

from typing import Any

from django.core.management.base import BaseCommand

from loyalty import privacy


class Command(BaseCommand):
    """Safe to repeat; beat does the same every day."""

    help = (
        "Empty files of unfinished imports, forget failures to sign in and failed calls,"
        " after their days."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """One line: how many of each."""
        files, failures = privacy.purge()
        calls = privacy.purge_elsewhere()
        self.stdout.write(
            f"Import files emptied: {files}. Failures to sign in: {failures}."
            f" Failed calls: {calls}."
        )
