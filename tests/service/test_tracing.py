"""Traces: a span for each request and each of its stages, in the caller's trace and on to whom we ask."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from catalogue.addresses import HostList
from catalogue.errors import ConfigurationError
from catalogue.fetch import Fetcher
from catalogue.settings import Settings, TracingSettings
from models import StandInEncoders
from service.app import create_app
from service.swapping import open_serving
from service.tracing import Tracing, headers_out, make_tracing
from tests.service.conftest import StandIns, photo

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = CALLER[:-1] + "0"


@contextmanager
def traced(
    settings: Settings, embedder: StandInEncoders, fetcher: Fetcher | None = None
) -> Iterator[tuple[TestClient, InMemorySpanExporter]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    serving, swaps = open_serving(settings, StandIns(embedder), fetcher)
    app = create_app(serving, swaps, cursor_secret=b"test", tracing=Tracing(provider))

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("out of order")

    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client, exporter


def root_of(spans: tuple[ReadableSpan, ...]) -> ReadableSpan:
    (root,) = (span for span in spans if span.kind is SpanKind.SERVER)
    return root


def test_a_search_is_a_span_with_one_for_each_stage(own_shop: Settings, embedder: StandInEncoders) -> None:
    with traced(own_shop, embedder) as (api, exporter):
        form = {"text": "a mug as nobody else has it"}
        answer = api.post("/v1/search/upload", files={"image": photo((2, 7, 1))}, data=form)
        spans = exporter.get_finished_spans()
    root = root_of(spans)
    assert root.name == "POST /v1/search/upload"
    assert root.attributes is not None
    assert dict(root.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/search/upload",
        "http.response.status_code": 200,
        "samestyle.request_id": answer.headers["x-request-id"],
        "samestyle.answers": (answer.json()["request_id"],),
    }
    stages = [span for span in spans if span is not root]
    assert {span.name for span in stages} >= {
        "cache", "decode queue", "decode", "tokenise", "image", "text", "fusion", "search", "rescore", "catalogue",
    }  # fmt: skip
    for span in stages:
        assert span.parent is not None
        assert root.context is not None
        assert span.parent.span_id == root.context.span_id
        assert root.start_time <= span.start_time <= span.end_time <= root.end_time + 1_000_000  # type: ignore[operator]
    began = {span.name: span.start_time or 0 for span in stages}
    assert began["decode"] <= began["image"] <= began["fusion"] <= began["search"] <= began["catalogue"]


def test_a_caller_s_trace_goes_on(own_shop: Settings, embedder: StandInEncoders) -> None:
    with traced(own_shop, embedder) as (api, exporter):
        api.get("/v1/products/acme-01", headers={"traceparent": CALLER, "tracestate": "shop=1"})
        root = root_of(exporter.get_finished_spans())
        assert root.context is not None
        assert root.parent is not None
        assert f"{root.context.trace_id:032x}" == CALLER[3:35]
        assert f"{root.parent.span_id:016x}" == CALLER[36:52]
        assert root.context.trace_state.get("shop") == "1"
        exporter.clear()
        api.get("/v1/products/acme-01", headers={"traceparent": UNSAMPLED})
        assert exporter.get_finished_spans() == ()  # the caller has decided
        api.get("/v1/products/acme-01", headers={b"traceparent": b"00-nonsense-\xff"})
        assert root_of(exporter.get_finished_spans()).parent is None


def test_errors_of_ours_are_marked_and_those_of_callers_are_not(own_shop: Settings, embedder: StandInEncoders) -> None:
    with traced(own_shop, embedder) as (api, exporter):
        api.get("/v1/products/nobody")
        assert root_of(exporter.get_finished_spans()).status.status_code is StatusCode.UNSET
        exporter.clear()
        api.get("/fault")
        fault = root_of(exporter.get_finished_spans())
        assert (fault.name, fault.status.status_code) == ("GET /fault", StatusCode.ERROR)
        exporter.clear()
        api.get("/nowhere/else")
        assert root_of(exporter.get_finished_spans()).name == "GET none"


class _Photos(http.server.BaseHTTPRequestHandler):
    """Serves one photo, and keeps what it was asked with."""

    asked: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers))
        body = photo((1, 2, 3))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def http_server(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_hosts_of_photos_are_told_of_the_trace(own_shop: Settings, embedder: StandInEncoders) -> None:
    with http_server(_Photos) as port:
        fetcher = Fetcher(HostList.parse(f"127.0.0.1:{port}"), timeout_s=10, allows=lambda *_: True)
        with traced(own_shop, embedder, fetcher) as (api, exporter):
            body = {"image_url": f"http://127.0.0.1:{port}/1.jpg"}
            assert api.post("/v1/search", json=body, headers={"traceparent": CALLER}).status_code == 200
            root = root_of(exporter.get_finished_spans())
            assert "fetch" in {span.name for span in exporter.get_finished_spans()}
    assert root.context is not None
    sent = {name.lower(): value for name, value in _Photos.asked[-1].items()}
    assert sent["traceparent"] == f"{CALLER[:35]}-{root.context.span_id:016x}-01"
    assert headers_out() == {}


class _Collector(http.server.BaseHTTPRequestHandler):
    """An OpenTelemetry collector, as far as it takes bodies."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_traces_reach_a_collector(own_shop: Settings, embedder: StandInEncoders) -> None:
    with http_server(_Collector) as port:
        tracing = TracingSettings(endpoint=f"http://127.0.0.1:{port}", sample=1)
        settings = own_shop.model_copy(update={"tracing": tracing})
        serving, swaps = open_serving(settings, StandIns(embedder))
        with TestClient(create_app(serving, swaps, cursor_secret=b"test"), base_url="http://localhost") as api:
            assert api.post("/v1/search", json={"text": "mug"}).status_code == 200
    (path, body), *_ = _Collector.taken
    assert path == "/v1/traces"
    assert b"POST /v1/search" in body
    assert b"samestyle" in body


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_tracing(TracingSettings()) is None
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"samestyle\[otel\]"):
        make_tracing(TracingSettings(endpoint="http://127.0.0.1:4318"))


def test_the_service_runs_without_the_extra() -> None:
    code = "import sys; sys.modules.update({name: None for name in sys.argv[1:]}); import service.app, service.server"
    absent = ["opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.exporter.otlp"]
    subprocess.run([sys.executable, "-c", code, *absent], capture_output=True, check=True)
