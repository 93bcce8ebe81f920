"""What a benchmark says of its figures."""

import json
from pathlib import Path

import pytest

from tests.bench.load import Slice
from tests.bench.report import P99, TARGETS, Report


def slices(*rates: float, cpu_ms: float = 1, p99_ms: float = 20) -> list[Slice]:
    return [Slice(100, rate, 5, p99_ms, cpu_ms) for rate in rates]


@pytest.fixture
def report() -> Report:
    return Report(
        {
            "authorize": slices(600, 300, 660, cpu_ms=2),
            "authorize floor": slices(1000, 1000, 1000),
            "authorize plain": slices(300, 200, 600, cpu_ms=5),
            "GET card, 64 clients": slices(900, 900, 900, p99_ms=151),
        }
    )


def test_a_ratio_is_the_median_of_those_of_each_round(report: Report) -> None:
    floor, plain, *_ = TARGETS

    assert report.ratio(floor) == 0.6
    assert report.ratio(plain) == 1.5
    assert report.cpu_ratio(floor) == 0.5
    assert report.cpu_ratio(plain) == 2.5


def test_the_table_says_which_targets_hold(report: Report) -> None:
    lines = {line.split("  ")[0].strip(): line for line in report.table().splitlines()}

    assert lines["authorize / floor"].endswith(">= 0.6 holds")
    assert lines["authorize / plain"].endswith(">= 1.8 MISSED")
    assert lines[P99.name].endswith("<= 150 MISSED")


def test_what_was_not_run_has_no_ratio(report: Report) -> None:
    assert [target.name for target in report.measured] == ["authorize / floor", "authorize / plain"]


def test_the_file_has_the_rows_and_the_ratios(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "bench.json"

    report.write(path)

    content = json.loads(path.read_text())
    assert content["rows"][0] == {
        "name": "authorize",
        "rps": 600,
        "p50_ms": 5,
        "p99_ms": 20,
        "cpu_ms": 2,
    }
    assert content["ratios"] == {"authorize / floor": 0.6, "authorize / plain": 1.5}
