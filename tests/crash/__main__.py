"""`python -m tests.crash`: the control and the short form, with their numbers; `--long` for more.

Exit code 1 when a promise was broken, 2 when the control showed no loss.
"""

import argparse
import signal
import sys

from tests.crash.run import LONG, SHORT, control_run, crash_run


def main(arguments: list[str]) -> int:
    """Run both and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="minutes instead of seconds")
    wanted = parser.parse_args(arguments)
    for ending in signal.SIGINT, signal.SIGTERM:  # a shell's background jobs ignore the first
        signal.signal(ending, signal.default_int_handler)
    control = control_run()
    for verdict in control:
        print("control:", verdict, flush=True)  # noqa: T201
    result = crash_run(LONG if wanted.long else SHORT)
    print(result, *result.verdict.faults[:20], sep="\n")  # noqa: T201
    if not control[-1].lost:
        return 2
    return 1 if result.verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
