"""What Prometheus is told of: the only module that knows its library.

Counting takes microseconds, asks the database nothing and never fails: a number less is no harm, an
answer less is. Every label has a closed list of values. With several web processes
(`PROMETHEUS_MULTIPROC_DIR`, set by `config.gunicorn`) each counts in a file of its own.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Metric = TypeVar("Metric", Counter, Histogram)

log = logging.getLogger(__name__)

CONTENT_TYPE: str = CONTENT_TYPE_LATEST

# Around what VTEX waits for: 1.5 s for a card, 15 s for anything else.
_ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3, 5, 10, 15)
_LOCK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 3)

_requests = Histogram(
    "giftcard_request_seconds",
    "Calls of the protocol, by what was called and how it ended.",
    ["endpoint", "outcome"],
    buckets=_ANSWER_BUCKETS,
)
_money = Counter(
    "giftcard_money_moved",
    "Amounts that the ledger moved, in major units of the currency, by verb.",
    ["verb", "currency"],
)
_declines = Counter(
    "giftcard_declines", "Requests that the ledger declined for good.", ["verb", "code"]
)
_replays = Counter(
    "giftcard_replays", "Requests that were answered as the first time, moving nothing.", ["verb"]
)
_locks = Histogram(
    "giftcard_lock_seconds",
    "How long a verb took to have its card locked and read.",
    buckets=_LOCK_BUCKETS,
)
_not_kept = Counter(
    "giftcard_failed_calls_not_kept",
    "Failed calls without a row in the log: over the bound, or the write failed.",
    ["why"],
)


def answered(endpoint: str, outcome: str, seconds: float) -> None:
    """A call of the protocol was answered."""
    _observe(_requests, seconds, endpoint, outcome)


def moved(verb: str, currency: str, units: int, exponent: int) -> None:
    """An amount was moved, and is committed."""
    # A float is what Prometheus counts in: for curves, never for the books.
    _count(_money, units / 10**exponent, verb, currency)


def declined(verb: str, code: str) -> None:
    """A request was declined, and the record of it is committed."""
    _count(_declines, 1, verb, code)


def replayed(verb: str) -> None:
    """A request was met again and got its first answer."""
    _count(_replays, 1, verb)


def locked(seconds: float) -> None:
    """A card was locked and read."""
    _observe(_locks, seconds)


def failed_call_not_kept(why: str) -> None:
    """A failed call got no row in the log of them."""
    _count(_not_kept, 1, why)


@cache
def _labelled(metric: Metric, *values: str) -> Metric:
    """The part of a metric with these values, found once: there are not many."""
    return metric.labels(*values) if values else metric


def _count(counter: Counter, amount: float, *labels: str) -> None:
    try:
        _labelled(counter, *labels).inc(amount)
    except Exception:
        log.warning("Something could not be counted.", exc_info=True)


def _observe(histogram: Histogram, seconds: float, *labels: str) -> None:
    try:
        _labelled(histogram, *labels).observe(seconds)
    except Exception:
        log.warning("Something could not be measured.", exc_info=True)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number as it is now, by the values of its labels; `labels` names them in that order."""

    name: str
    help: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()


class _Readings(Collector):
    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = list(gauges)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            for values, number in gauge.values.items():
                family.add_metric(values, number)
            yield family


def exposition(gauges: Iterable[Gauge]) -> bytes:
    """All that was counted in all processes, and these gauges, in Prometheus' text format."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        counted: bytes = generate_latest(registry)
    else:
        counted = generate_latest(REGISTRY)
    own = CollectorRegistry()
    own.register(_Readings(gauges))
    return counted + generate_latest(own)
