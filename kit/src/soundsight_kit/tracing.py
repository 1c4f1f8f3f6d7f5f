"""OpenTelemetry traces: exported when configured, carried over gRPC in any case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, propagate, trace

from soundsight_kit.settings import KitSettings

_TRACER = trace.get_tracer("soundsight")


def configure_tracing(kit: KitSettings, name: str) -> None:
    """Exports the spans of the service `name` to the configured collector, if there is one."""
    if kit.otlp_endpoint is None:
        return
    # Imported here: it takes a while, and most processes export nothing.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"soundsight-{name}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(kit.otlp_endpoint)))
    trace.set_tracer_provider(provider)


@contextmanager
def server_span(method: str, metadata: Mapping[str, str | bytes]) -> Iterator[trace.Span]:
    """The span of a call that is served, a child of the caller's."""
    carrier = {key: value for key, value in metadata.items() if isinstance(value, str)}
    token = context.attach(propagate.extract(carrier))
    try:
        # The name is without the leading slash, as OpenTelemetry's conventions for gRPC have it.
        # What the caller is told ends in an exception too: the interceptor says what is a fault.
        with _TRACER.start_as_current_span(
            method.lstrip("/"),
            kind=trace.SpanKind.SERVER,
            attributes={"rpc.system": "grpc"},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span
    finally:
        context.detach(token)


def to_metadata() -> list[tuple[str, str]]:
    """The present trace as gRPC metadata (`traceparent`)."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return list(carrier.items())
