"""What a run found: medians, ratios within each round, the table and the file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.load import Slice


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio of two rows, or the p99 of one, and the bound that it should keep."""

    name: str
    row: str
    base: str | None
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether the bound is kept."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f">= {self.at_least}" if self.at_least is not None else f"<= {self.at_most}"


TARGETS = (
    Target("authorize / floor", "authorize", "authorize floor", at_least=0.60),
    Target("authorize / plain", "authorize", "authorize plain", at_least=1.8),
    Target("GET card / floor", "GET card", "GET card floor", at_least=0.55),
    Target("authorize: small / large", "authorize", "authorize, large", at_most=1.2),
    Target("GET card: small / large", "GET card", "GET card, large", at_most=1.2),
)
P99 = Target("GET card, 64 clients: p99 ms", "GET card, 64 clients", None, at_most=150)


class Report:
    """Every slice of every row, in rounds that belong together."""

    def __init__(self, rounds: Mapping[str, Sequence[Slice]]) -> None:
        self._rounds = rounds

    def row(self, name: str) -> dict[str, float | str]:
        """The medians of one row."""
        slices = self._rounds[name]
        return {
            "name": name,
            "rps": round(median(each.rps for each in slices), 1),
            "p50_ms": round(median(each.p50_ms for each in slices), 2),
            "p99_ms": round(median(each.p99_ms for each in slices), 2),
            "cpu_ms": round(median(each.cpu_ms for each in slices), 3),
        }

    def ratio(self, target: Target) -> float:
        """The median, over the rounds, of how much faster a row was than its base."""
        assert target.base is not None
        pairs = zip(self._rounds[target.row], self._rounds[target.base], strict=True)
        return round(median(row.rps / base.rps for row, base in pairs), 3)

    def cpu_ratio(self, target: Target) -> float:
        """The same of the processor time that a request costs: above 1, the row is cheaper."""
        assert target.base is not None
        pairs = zip(self._rounds[target.row], self._rounds[target.base], strict=True)
        return round(median(base.cpu_ms / max(row.cpu_ms, 0.001) for row, base in pairs), 3)

    @property
    def measured(self) -> list[Target]:
        """The targets whose rows were run."""
        return [each for each in TARGETS if {each.row, each.base} <= self._rounds.keys()]

    def table(self) -> str:
        """Everything for people."""
        width = max(map(len, self._rounds))
        lines = [f"{'':{width}}  {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'cpu ms':>8}"]
        for name in self._rounds:
            row = self.row(name)
            figures = f"{row['rps']:>8} {row['p50_ms']:>8} {row['p99_ms']:>8} {row['cpu_ms']:>8}"
            lines.append(f"{name:{width}}  {figures}")
        lines += ["", f"{'ratio':30} {'req/s':>7} {'cpu':>7}   target"]
        for target in self.measured:
            lines.append(_line(target, self.ratio(target), self.cpu_ratio(target)))
        if P99.row in self._rounds:
            lines.append(_line(P99, float(self.row(P99.row)["p99_ms"]), ""))
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Everything for programs."""
        content = {
            "rows": [self.row(name) for name in self._rounds],
            "ratios": {target.name: self.ratio(target) for target in self.measured},
            "cpu_ratios": {target.name: self.cpu_ratio(target) for target in self.measured},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n")


def _line(target: Target, value: float, cpu: float | str) -> str:
    verdict = "holds" if target.holds(value) else "MISSED"
    return f"{target.name:30} {value:>7} {cpu:>7}   {target.bound} {verdict}"
