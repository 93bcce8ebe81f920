"""The dashboard and the alert rules ask for metrics and label values that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone

from giftcard_provider.models import Endpoint, Outcome
from loyalty import gauges, metrics
from loyalty.models import Job, PeriodicWork

FOLDER = Path(__file__).parent.parent / "docs" / "observability"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text())
NAME = re.compile(r"\bgiftcard_\w+")
LABEL = re.compile(r'(\w+)="(\w+)"')
VALUES = {
    "outcome": set(Outcome.values),
    "endpoint": set(Endpoint.values),
    "status": set(Job.Status.values),
    "why": {"bound", "error"},
}


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


@pytest.fixture
def known(db: None) -> set[str]:
    """Every name that a scrape has, or would have after the first event."""
    PeriodicWork.objects.create(name="watch", started_at=timezone.now())
    text = metrics.exposition(gauges.read()).decode()
    families = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    suffixes = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + end for name, kind in families for end in suffixes.get(kind, ("",))}


def test_every_metric_that_is_asked_for_exists(known: set[str]) -> None:
    asked = {name for each in expressions() for name in NAME.findall(each)}

    assert asked - known == set()


def test_every_metric_of_ours_is_on_the_dashboard(known: set[str]) -> None:
    shown = {
        re.sub("_(bucket|count|sum)$", "", name)
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in NAME.findall(target["expr"])
    }
    ours = {re.sub("_(bucket|count|sum)$", "", each) for each in known if NAME.match(each)}

    assert {name for name in ours if not name.endswith("_created")} - shown == set()


def test_every_label_that_is_asked_for_has_that_value() -> None:
    asked = {pair for each in expressions() for pair in LABEL.findall(each)}

    assert asked
    assert [(name, value) for name, value in asked if value not in VALUES[name]] == []


def test_every_alert_says_how_urgent_it_is_and_what_to_look_at() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "action"} == rule["annotations"].keys()
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_panels_do_not_lie_on_each_other() -> None:
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in DASHBOARD["panels"]]

    assert len(set(places)) == len(places) == len({each["id"] for each in DASHBOARD["panels"]})
