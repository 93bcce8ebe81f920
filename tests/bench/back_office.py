"""`make bench-pages`: every page of the back office on 1,000,000 cards and 3,000,000 entries.

Fails when one takes longer, or more statements, than is promised, or reads a large table without an
index. What is in memory of the database is not emptied between the pages.
"""

import argparse
import json
import signal
import sys

from config.embedded import EmbeddedError
from tests.bench.pages.report import Answer, Visit, table
from tests.bench.stack import Stack, StackError

SETTINGS = "tests.bench.pages.settings"


def main(arguments: list[str]) -> int:
    """Fill a database, open every page, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.back_office")
    parser.add_argument("--cards", type=int, default=1_000_000, help="at least 800,000")
    parser.add_argument("--only", default="", help="pages whose address or group has this")
    wanted = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stack() as stack:
            print("Filling the database ...", file=sys.stderr, flush=True)  # noqa: T201
            output = str(stack.folder / "cards.sample")
            counts = ("--cards", str(wanted.cards), "--sample", "1000")
            stack.run("tests.bench.prepare", *counts, "--output", output)
            found = stack.run(
                "tests.bench.pages", "--vary", "--only", wanted.only, settings=SETTINGS
            )
    except (EmbeddedError, StackError) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    answers = answers_of(found)
    print(table(answers))  # noqa: T201 - a command's output
    return 0 if all(answer.is_ok for answer in answers) else 1


def answers_of(lines: str) -> list[Answer]:
    """What the process that opened the pages has printed."""
    rows = [json.loads(line) for line in lines.splitlines()]
    return [Answer(**{**row, "visit": Visit(**row["visit"])}) for row in rows]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
