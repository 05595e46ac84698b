"""Traces for OpenTelemetry, where an endpoint is set (`pip install samestyle[otel]`).

A request's span begins with it, so that its trace is known to the log and to whom we ask; the spans of its stages are
made of its trail once it is answered. So no code that works for a request knows of traces, and threads and queues need
not hand anything on.
"""

from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from catalogue.errors import ConfigurationError
from catalogue.settings import TracingSettings
from service import metrics
from service.trail import CURRENT, Trail

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_CARRIED: Final = frozenset({b"traceparent", b"tracestate"})
_PATH: Final = "/v1/traces"


class Tracing:
    """Spans of requests and their stages; used on one event loop."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace  # noqa: PLC0415  # an extra
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._provider = provider
        self._tracer = provider.get_tracer("samestyle", metrics.VERSION)
        self._context = TraceContextTextMapPropagator()
        self._trace = trace

    def begin(self, trail: Trail, scope: Scope) -> None:
        """Begin a request's span, below the caller's where a `traceparent` says so."""
        carrier = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _CARRIED
        }
        trail.span = self._tracer.start_span(
            "request",
            context=self._context.extract(carrier),
            kind=self._trace.SpanKind.SERVER,
            start_time=trail.started_ns,
        )

    def end(self, trail: Trail, method: str, route: str, status: int) -> None:
        """End a request's span, with one below it for each stage."""
        span = trail.span
        if span.is_recording():
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status,
                    "samestyle.request_id": trail.request_id,
                    "samestyle.answers": trail.answers,
                }
            )
            if status >= 500:
                span.set_status(self._trace.StatusCode.ERROR)
            below = self._trace.set_span_in_context(span)
            for name, began, ended in [*trail.stages]:
                stage = self._tracer.start_span(name, context=below, start_time=trail.nanoseconds(began))
                stage.end(trail.nanoseconds(ended))
        span.end()

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


def headers_out() -> dict[str, str]:
    """What to send along to whomever is asked for the current request, so that a trace goes on there."""
    trail = CURRENT.get()
    if trail is None or trail.span is None:
        return {}
    context = trail.span.get_span_context()
    return {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"}


def check_installed() -> None:
    """Raise ConfigurationError where the extra is missing."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: F401, PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: F401, PLC0415
    except ImportError:
        raise ConfigurationError(
            "SAMESTYLE_TRACING__ENDPOINT is set, but OpenTelemetry is not installed: pip install 'samestyle[otel]'."
        ) from None


def make_tracing(settings: TracingSettings) -> Tracing | None:
    """What the settings ask for; None without an endpoint. Raises ConfigurationError where the extra is missing."""
    if settings.endpoint is None:
        return None
    check_installed()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.sample)),
        resource=Resource.create({"service.name": "samestyle", "service.version": metrics.VERSION}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=settings.endpoint.rstrip("/") + _PATH)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
