"""`make bench-night`: a night in which much credit ends, and the proof of the books after it.

On servers of its own. Exit code 1 when something did not start, when credit that had ended is left,
or when the books are wrong afterwards.
"""

import argparse
import signal
import sys

import django

from config.embedded import EmbeddedError
from tests.bench.stack import Stack, StackError


def measure(grants: int) -> str:
    """In a process that is set up for the stack: the rows of the tables of docs/performance.md."""
    django.setup()
    from tests.bench import expiry, proof

    expiry.prepare(grants)
    return "\n".join([*expiry.measure(grants).lines, *proof.measure().lines])


def main(arguments: list[str]) -> int:
    """Start the servers, and this module once more as a process on them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.night", description=main.__doc__)
    parser.add_argument("--grants", type=int, default=1_000_000, help="that end in this night")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args(arguments)
    if wanted.inside:
        print(measure(wanted.grants))  # noqa: T201 - the answer to whoever started this
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stack() as stack:
            found = stack.run("tests.bench.night", "--inside", "--grants", str(wanted.grants))
    except (EmbeddedError, StackError) as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    except KeyboardInterrupt:
        return 130
    print(found)  # noqa: T201 - a command's output
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
