"""Errors to Sentry and traces to OpenTelemetry, for whoever sets their addresses.

Their packages are not among the dependencies and are imported only when they are asked for. Neither
gets a body, a query string or a header: codes and people are in them.
"""

import importlib
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_REQUEST_FACTS = {"method"}


def start(service: str) -> None:
    """Begin to report, in a process that has forked already. Does nothing when nothing is set.

    Raises `ImproperlyConfigured` when a package that is needed is not installed.
    """
    if settings.SENTRY_DSN:
        _start_sentry(service)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        _start_tracing(service)


def _start_sentry(service: str) -> None:
    sentry = _package("sentry_sdk", setting="SENTRY_DSN", install="sentry-sdk")
    sentry.init(
        dsn=settings.SENTRY_DSN,
        server_name=service,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=without_who,
    )


def without_who(event: dict[str, Any], _hint: object) -> dict[str, Any]:
    """An event of Sentry's without what says who called, for whom, or with which code."""
    request = event.get("request", {})
    event["request"] = {name: request[name] for name in _REQUEST_FACTS & request.keys()}
    for name in ("user", "breadcrumbs", "extra"):
        event.pop(name, None)
    return event


def _start_tracing(service: str) -> None:
    def package(name: str, install: str) -> Any:
        return _package(name, setting="OTEL_EXPORTER_OTLP_ENDPOINT", install=install)

    sdk = package("opentelemetry.sdk.trace", "opentelemetry-sdk")
    export = package("opentelemetry.sdk.trace.export", "opentelemetry-sdk")
    resources = package("opentelemetry.sdk.resources", "opentelemetry-sdk")
    otlp = package(
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry-exporter-otlp-proto-http",
    )
    django = package("opentelemetry.instrumentation.django", "opentelemetry-instrumentation-django")
    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": service}))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    django.DjangoInstrumentor().instrument(tracer_provider=provider)


def _package(name: str, *, setting: str, install: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"{setting} is set, but {install} is not installed: pip install {install}"
        raise ImproperlyConfigured(message) from error
