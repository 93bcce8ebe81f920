"""`make bench`: how fast the protocol is, beside a floor and a plain version, in one run.

Every row is run for a few seconds, in turn, and again, in rounds: what disturbs the machine for a
moment disturbs neighbors alike. Exit code 2 when wrk is missing, 1 when a run failed.
"""

import argparse
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from config.embedded import NAME, EmbeddedError
from tests.bench import load
from tests.bench.cpu import seconds_used_by
from tests.bench.load import Load, LoadError, Slice
from tests.bench.report import Report
from tests.bench.stack import ROOT, Server, Stack, StackError

LARGE = "large"  # the other database
YARDSTICKS = "tests.bench.yardsticks.settings"
FEW, HOT = 100, 1  # cards of the samples for replays and for the hot card


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a kind of request to one of the servers."""

    name: str
    kind: str
    server: str = "protocol"
    prefix: str = "/vtex"
    sample: str = "small"
    clients: int = 8


ROWS = (
    Row("authorize", "authorize"),
    Row("authorize floor", "authorize", "yardsticks", "/floor"),
    Row("authorize plain", "authorize", "yardsticks", "/plain"),
    Row("authorize, large", "authorize", LARGE, sample=LARGE),
    Row("GET card", "card"),
    Row("GET card floor", "card", "yardsticks", "/floor"),
    Row("GET card plain", "card", "yardsticks", "/plain"),
    Row("GET card, large", "card", LARGE, sample=LARGE),
    Row("settle", "settle"),
    Row("cancel", "cancel"),
    Row("_search by code", "code"),
    Row("_search by identity", "identity"),
    Row("authorize, replayed", "replay", sample="few"),
    Row("authorize, one hot card, 16 clients", "authorize", sample="hot", clients=16),
    Row("the same, floor", "authorize", "yardsticks", "/floor", sample="hot", clients=16),
    Row("GET card, 64 clients", "card", clients=64),
)


class Bench:
    """The databases, the servers and the samples of one run."""

    def __init__(self, stack: Stack, *, cards: int, many: int) -> None:
        self._stack = stack
        self._cards, self._many = cards, many
        self._credential: dict[str, str] = {}
        self._servers: dict[str, Server] = {}

    def prepare(self) -> None:
        """Fill the databases and start the servers."""
        small = self._sample("small")
        counts = ("--cards", str(self._cards), "--sample", str(self._cards))
        out = self._stack.run("tests.bench.prepare", *counts, "--output", str(small))
        self._credential = json.loads(out.splitlines()[-1])
        lines = small.read_text().splitlines(keepends=True)
        self._sample("few").write_text("".join(lines[:FEW]))
        self._sample("hot").write_text("".join(lines[:HOT]))
        if self._many:
            self._prepare_large()
        self._servers["protocol"] = self._stack.serve("protocol")
        self._servers["yardsticks"] = self._stack.serve("yardsticks", settings=YARDSTICKS)

    def _prepare_large(self) -> None:
        """A copy of the small database, with more of the same."""
        connection = psycopg2.connect(self._stack.postgres.url_of("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {LARGE} TEMPLATE {NAME}")
        connection.close()
        self._stack.run(
            "tests.bench.prepare",
            *("--have", str(self._cards), "--cards", str(self._many)),
            *("--sample", str(self._cards), "--output", str(self._sample(LARGE))),
            database=LARGE,
        )
        self._servers[LARGE] = self._stack.serve(LARGE, database=LARGE)

    @property
    def rows(self) -> list[Row]:
        """The rows whose server runs."""
        return [row for row in ROWS if row.server in self._servers]

    def measure(self, row: Row, *, seconds: int, word: str) -> Slice:
        """One slice of one row."""
        server = self._servers[row.server]
        order = Load(
            address=server.address,
            prefix=row.prefix,
            kind=row.kind,
            sample=self._sample(row.sample),
            app_key=self._credential["app_key"],
            app_token=self._credential["app_token"],
            clients=row.clients,
        )
        before = self._used(server)
        try:
            found = load.run(order, seconds=seconds, word=word)
        except LoadError as problem:
            raise LoadError(f"{row.name}: {problem}\n{server.last_words()}") from None
        return found.costing(self._used(server) - before)

    def _used(self, server: Server) -> float:
        processes = (server.process, self._stack.postgres.process)
        return sum(seconds_used_by(process.pid) for process in processes if process)

    def _sample(self, name: str) -> Path:
        return self._stack.folder / f"{name}.sample"


def run(bench: Bench, *, seconds: int, rounds: int) -> Report:
    """A round to warm up, then those that count; neighbors change places from round to round."""
    slices: dict[str, list[Slice]] = {row.name: [] for row in bench.rows}
    for number in range(rounds + 1):
        rows = bench.rows if number % 2 else bench.rows[::-1]
        for index, row in enumerate(rows):
            found = bench.measure(row, seconds=seconds, word=f"{number}-{index}")
            if number:
                slices[row.name].append(found)
        _say(f"round {number} of {rounds}")
    return Report(slices)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a command's output


def main(arguments: list[str]) -> int:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=main.__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="of each slice")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cards", type=int, default=10_000, help="in the small database")
    parser.add_argument("--many", type=int, default=1_000_000, help="in the large; 0: without it")
    parser.add_argument("--output", type=Path, default=ROOT / ".local" / "bench.json")
    wanted = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if load.wrk() is None:
        _say("The benchmark needs wrk: apt-get install wrk")
        return 2
    try:
        with Stack() as stack:
            bench = Bench(stack, cards=wanted.cards, many=wanted.many)
            _say("Filling the databases ...")
            bench.prepare()
            report = run(bench, seconds=wanted.seconds, rounds=wanted.rounds)
    except (EmbeddedError, StackError, LoadError) as problem:
        _say(str(problem))
        return 1
    except KeyboardInterrupt:
        return 130
    print(report.table())  # noqa: T201 - a command's output
    report.write(wanted.output)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
