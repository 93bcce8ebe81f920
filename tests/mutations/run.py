"""Run the mutations: `python -m tests.mutations.run [--only NAME]`.

Each is applied to a copy of the tree; its tests run there, up to the first failure, with this
interpreter. Exit code 1 when one survives. Without `--only` the result goes to docs/mutations.md.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.embedded import Postgres, Valkey
from tests.mutations.database import DATABASE
from tests.mutations.earning import EARNING
from tests.mutations.ledger import LEDGER
from tests.mutations.merging import TOGETHER
from tests.mutations.mutation import Mutation
from tests.mutations.protocol import PROTOCOL
from tests.mutations.staff import STAFF

MUTATIONS = [*LEDGER, *STAFF, *DATABASE, *PROTOCOL, *EARNING, *TOGETHER]

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".git", ".venv", ".cache", ".local", ".*_cache", ".hypothesis", "__pycache__")
PATIENCE = 600  # seconds; a mutation that makes the tests hang is noticed too
# A module that cannot be imported is no test that noticed.
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::\w+)", re.MULTILINE)
PYTEST_FAILED = 1  # other codes mean that the tests did not run

HEADER = """# Mutations

Rules of the ledger, of the protocol and of earning, each broken on purpose in one place, and the
first test that notices. Written by `python -m tests.mutations.run`; a survivor is a test that is
missing.

| | broken rule | in | killed by |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation: the test that killed it, or empty when it survived."""

    mutation: Mutation
    killed_by: str


def main() -> int:
    """Run them and print a line for each; 1 when one survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations.run")
    parser.add_argument("--only", metavar="NAME", help="the mutations whose name has this in it")
    only = parser.parse_args().only
    chosen = [mutation for mutation in MUTATIONS if only is None or only in mutation.name]
    if not chosen:
        parser.error(f"no mutation has {only!r} in its name")
    verdicts: list[Verdict] = []
    with Postgres(fsync=False) as database, Valkey() as redis:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "LONG"},
            "TEST_DATABASE_URL": database.url,
            "TEST_REDIS_URL": redis.url,
        }
        if failed := noticed(unbroken(chosen), environment):
            sys.stdout.write(f"Nothing is broken yet, and {failed} fails.\n")
            return 1
        for mutation in chosen:
            verdict = Verdict(mutation, noticed(mutation, environment))
            verdicts.append(verdict)
            sys.stdout.write(f"{verdict.killed_by or 'SURVIVED':<90} {mutation.name}\n")
            sys.stdout.flush()
    if only is None:
        (ROOT / "docs" / "mutations.md").write_text(HEADER + "".join(rows(verdicts)))
    survivors = [verdict for verdict in verdicts if not verdict.killed_by]
    sys.stdout.write(f"{len(verdicts) - len(survivors)} killed, {len(survivors)} survived\n")
    return 1 if survivors else 0


def noticed(mutation: Mutation, environment: dict[str, str]) -> str:
    """Break the rule in a copy of the tree and run its tests: the first that fails, or nothing."""
    with copy_of_the_tree() as root:
        mutation.apply(root)
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", *mutation.tests.split()),
                    *("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
                    *("-p", "tests.mutations.no_shrinking"),
                    # The next one finds the tables made, unless this is about making them.
                    *([] if "/migrations/" in mutation.file else ["--reuse-db"]),
                ],
                cwd=root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "time ran out"
    if done.returncode == 0:
        return ""
    found = FAILED.search(done.stdout)
    if done.returncode != PYTEST_FAILED or not found:
        raise RuntimeError(f"{mutation.name}: the tests did not run:\n{done.stdout}{done.stderr}")
    return found.group(1)


def unbroken(mutations: list[Mutation]) -> Mutation:
    """A mutation that changes nothing: all the tests together have to pass."""
    tests = dict.fromkeys(test for mutation in mutations for test in mutation.tests.split())
    return Mutation("nothing", "manage.py", "import os\n", "import os\n", " ".join(tests))


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """What the tests need of this checkout, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        root = Path(folder) / "tree"
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*NOT_COPIED))
        yield root


def rows(verdicts: list[Verdict]) -> Iterator[str]:
    """The lines of the table."""
    for number, verdict in enumerate(verdicts, start=1):
        killed_by = f"`{verdict.killed_by}`" if verdict.killed_by else "**survived**"
        killed_by = killed_by.replace("tests/", "", 1).replace(".py::", ": ")
        mutation = verdict.mutation
        yield f"| {number} | {mutation.name} | {mutation.file} | {killed_by} |\n"


if __name__ == "__main__":
    sys.exit(main())
