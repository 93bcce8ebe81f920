"""One process that brings a workstation's database, static files and demo up to date.

`config.launch` runs it between the services and the servers. One process, and no work on static
files that did not change, because a second start should take seconds.
"""

import argparse
import hashlib
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect_static_files() -> None:
    """Collect, hash and compress them into STATIC_ROOT, unless it holds exactly these already."""
    done = Path(settings.STATIC_ROOT) / ".collected"
    fingerprint = _fingerprint()
    if done.exists() and done.read_text() == fingerprint:
        return
    done.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=1)
    done.write_text(fingerprint)


def _fingerprint() -> str:
    known = hashlib.sha256(f"{django.__version__} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            modified = storage.get_modified_time(path)
            known.update(f"\n{path} {storage.size(path)} {modified}".encode())
    return known.hexdigest()


def _sum_the_books() -> None:
    """What the worker would do within minutes: the first page that somebody opens is complete."""
    from loyalty import reports  # noqa: PLC0415 - it has models: Django comes first

    reports.aggregate_due()
    reports.count_expiring()


def main() -> None:
    """Migrate, collect static files, fill in the demo and its sums."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name in ("--output", "--service-url", "--admin-url"):
        parser.add_argument(name, required=True)
    demo = vars(parser.parse_args())
    django.setup()
    call_command("migrate", interactive=False)
    collect_static_files()
    call_command("seed_demo", **demo)
    _sum_the_books()


if __name__ == "__main__":
    main()
