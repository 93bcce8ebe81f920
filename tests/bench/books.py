"""`make bench-books`: how long finance's pages take when there are millions of entries.

The cards of `tests.bench.prepare`, their history spread over two years, three programs and both
kinds of funding. The job makes the sums; then each page is asked through the whole of Django, in
one process, and its seconds are the server's.
"""

import argparse
import datetime
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.core.management import call_command
from django.db import connection
from django.db.transaction import atomic
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.embedded import EmbeddedError
from tests.bench.stack import Stack, StackError

if TYPE_CHECKING:
    from django.test import Client

DAYS = 730
LIMIT = 5.0  # seconds that a page of the books may take
# A card is issued on its day, pays a month later, and that is settled after another month.
SPREAD = """
    UPDATE loyalty_giftcard SET program_id = (%(programs)s::bigint[])[1 + id %% 3];

    UPDATE loyalty_grant SET
           created_at = %(now)s - make_interval(days => (card_id %% %(days)s)::int),
           funding = CASE WHEN card_id %% 4 = 0 THEN 'promotional' ELSE 'paid' END,
           expires_at = CASE WHEN card_id %% 5 = 0
                             THEN %(now)s + make_interval(days => (card_id %% 400)::int) END;

    UPDATE loyalty_entry SET created_at = least(%(now)s, %(now)s
           + make_interval(days => ((seq - 1) * 31 - card_id %% %(days)s)::int));
"""


def spread() -> None:
    """Give the cards' history dates, programs and funding."""
    from loyalty.models import Program

    store = Program.objects.get().store
    kinds = (Program.Kind.RETURN_CREDIT, Program.Kind.LOYALTY)
    for kind in kinds:
        Program.objects.create(store=store, kind=kind, name=str(kind.label))
    programs = list(Program.objects.order_by("pk").values_list("pk", flat=True))
    values: dict[str, Any] = {"programs": programs, "days": DAYS, "now": timezone.now()}
    for statement in SPREAD.split(";\n"):
        if statement.strip():
            with atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute("SET LOCAL synchronous_commit = off")
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
        cursor.execute("RESET statement_timeout")


def pages() -> Iterator[tuple[str, str]]:
    """What is measured, and its address."""
    from django.urls import reverse

    today = timezone.localdate()
    past = today - datetime.timedelta(days=200)
    year = f"first={today - datetime.timedelta(days=334):%Y-%m}&last={today:%Y-%m}"
    for title, name, query in (
        ("overview", "index", ""),
        ("outstanding now", "books_outstanding", ""),
        ("outstanding at the end of a past day", "books_outstanding", f"day={past}"),
        ("outstanding at a past instant", "books_outstanding", f"day={past}&time=15:30"),
        ("outstanding, CSV", "books_outstanding", "format=csv"),
        ("roll-forward of a year", "books_roll_forward", year),
        ("roll-forward, CSV", "books_roll_forward", f"{year}&format=csv"),
        ("redemption and breakage", "books_curves", ""),
        ("a program's figures", "program_figures", ""),
        ("a program's figures at a past instant", "program_figures", f"at={past}T15:30"),
        ("a program's members", "program_members", ""),
        ("expiring money", "books_expiring", "days=90"),
        ("open holds", "books_holds", "days=30"),
    ):
        yield title, f"{reverse(f'admin:{name}')}?{query}"


def measure(client: "Client", address: str, times: int) -> tuple[float, float, int]:
    """Median and longest seconds, and the statements, of a page."""
    found = []
    for _ in range(times):
        with CaptureQueriesContext(connection) as queries:
            started = time.perf_counter()
            answer = client.get(address)
            body = b"".join(answer) if answer.streaming else answer.content
            found.append(time.perf_counter() - started)
        if answer.status_code != HTTPStatus.OK or not body:
            raise StackError(f"{address}: {answer.status_code}")
    return statistics.median(found), max(found), len(queries)


def ties() -> tuple[int, int, int]:
    """What the store owes by the books and by the balances; sums that are not their entries'."""
    from django.db.models import F, Sum

    from loyalty.models import Balance, Store
    from loyalty.reports.amounts import finest
    from loyalty.reports.outstanding import Position, outstanding
    from loyalty.reports.sums import verify

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    owed = Position.total(outstanding(Store.objects.get()).values()).outstanding
    held = Balance.objects.aggregate(sum=Sum(F("available") + F("held")))["sum"]
    return owed, finest(int(held), currency="BRL", exponent=2), len(verify())


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the result


def _timed(what: str, work: Callable[[], object]) -> None:
    started = time.perf_counter()
    found = work()
    _say(f"{what}: {time.perf_counter() - started:.1f} s" + (f", {found}" if found else ""))


def run(times: int) -> int:
    """Spread, sum, measure, compare; 1 when a page is too slow or a figure does not tie."""
    os.environ |= {
        "STAFF_TOTP_REQUIRED": "false",
        "STATIC_ROOT": str(Path(os.environ["DATA_DIR"]) / "static"),
    }
    django.setup()
    call_command("collectstatic", interactive=False, verbosity=0)
    from django.contrib.auth.models import User
    from django.test import Client

    from loyalty import reports
    from loyalty.models import Entry

    _timed("history spread", spread)
    _timed("summed, entries", reports.aggregate_due)
    _timed("expiring money counted", reports.count_expiring)
    client = Client(SERVER_NAME="127.0.0.1", headers={"accept-language": "pt-BR"})
    client.force_login(User.objects.create_superuser("boss"))
    slow = 0
    _say(f"\n{Entry.objects.count():,} entries\n")
    _say("| page | median s | longest s | statements |\n|---|---|---|---|")
    for title, address in pages():
        client.get(address)
        median, longest, statements = measure(client, address, times)
        slow += longest > LIMIT
        _say(f"| {title} | {median:.2f} | {longest:.2f} | {statements} |")
    owed, held, wrong = ties()
    _say(f"\nowed by the books {owed}, on the cards {held}; sums that differ: {wrong}")
    return int(bool(slow) or owed != held or bool(wrong))


def main() -> int:
    """Start the services, fill them, and measure in a process of its own."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--cards", type=int, default=1_000_000, help="three entries each")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.run:
        return run(wanted.times)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stack() as stack:
            sample = ("--sample", "1", "--output", str(stack.folder / "sample"))
            stack.run("tests.bench.prepare", "--cards", str(wanted.cards), *sample)
            _say(stack.run("tests.bench.books", "--run", "--times", str(wanted.times)))
    except (StackError, EmbeddedError) as problem:
        _say(str(problem))
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
