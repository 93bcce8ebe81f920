"""Sentry and OpenTelemetry: only when they are asked for, and never with who or which code."""

import sys
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from config import telemetry


def test_nothing_is_imported_that_was_not_asked_for() -> None:
    telemetry.start("web")

    assert not {"sentry_sdk", "opentelemetry"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("setting", "package"),
    [("SENTRY_DSN", "sentry-sdk"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry-sdk")],
)
def test_a_package_that_is_missing_is_named(settings: Settings, setting: str, package: str) -> None:
    setattr(settings, setting, "https://key@collector.example/1")

    with pytest.raises(ImproperlyConfigured, match=f"{setting} .* pip install {package}"):
        telemetry.start("web")


def test_sentry_starts_without_bodies_variables_and_people(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, Any] = {}
    module = ModuleType("sentry_sdk")
    vars(module)["init"] = started.update
    monkeypatch.setitem(sys.modules, "sentry_sdk", module)
    settings.SENTRY_DSN = "https://key@sentry.example/1"

    telemetry.start("web")

    assert started["dsn"] == settings.SENTRY_DSN
    assert started["max_request_body_size"] == "never"
    assert (started["send_default_pii"], started["include_local_variables"]) == (False, False)
    assert started["before_send"] is telemetry.without_who


def test_an_event_says_what_broke_and_not_for_whom() -> None:
    event = telemetry.without_who(
        {
            "exception": {"values": [{"type": "ZeroDivisionError"}]},
            "request": {
                "method": "GET",
                "url": "https://example.com/vtex/giftcards/K3M9-Q2RT",
                "query_string": "q=ana@example.com",
                "headers": {"X-PROVIDER-API-AppToken": "secret"},
                "data": {"email": "ana@example.com"},
            },
            "user": {"ip_address": "192.0.2.1"},
            "breadcrumbs": [{"message": "SELECT"}],
            "extra": {"sys.argv": []},
        },
        None,
    )

    assert event == {
        "exception": {"values": [{"type": "ZeroDivisionError"}]},
        "request": {"method": "GET"},
    }


class Recorder(ModuleType):
    """Stands in for any module of OpenTelemetry's: remembers what is called on it."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Recorder:
            self.calls.append((name, args, options))
            return Recorder("stand-in")

        call.create = call  # type: ignore[attr-defined]
        return call


def test_traces_go_out_when_a_collector_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "opentelemetry.sdk.trace",
        "opentelemetry.sdk.trace.export",
        "opentelemetry.sdk.resources",
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry.instrumentation.django",
    ):
        monkeypatch.setitem(sys.modules, name, Recorder(name))
    monkeypatch.setattr(Recorder, "calls", [])
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector.example:4318"

    telemetry.start("web")

    called = [name for name, _, _ in Recorder.calls]
    assert called[-2:] == ["DjangoInstrumentor", "instrument"]
    assert ("Resource", ({"service.name": "web"},), {}) in Recorder.calls
