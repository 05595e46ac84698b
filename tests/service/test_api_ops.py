"""Health, metrics, the API description and errors outside any route."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest
from fastapi.testclient import TestClient

from catalogue.errors import SamestyleError
from catalogue.settings import Settings
from models import StandInEncoders
from service.app import create_app
from service.problems import describe
from service.swapping import open_serving
from tests.service.conftest import StandIns, client_of


def test_ready_names_what_is_served(api: TestClient) -> None:
    assert api.get("/readyz").json() == {"status": "ready", "model": "standin", "snapshot": "shop-1", "products": 36}
    assert api.get("/livez").json()["status"] == "alive"


def test_ready_until_the_end(own_shop: Settings, embedder: StandInEncoders) -> None:
    before = Counter(thread.name for thread in threading.enumerate())
    with client_of(own_shop, embedder) as client:
        assert client.get("/readyz").status_code == 200
    for path in ("/readyz", "/v1/products/acme-01"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.json()["type"] == "samestyle:not-ready"
    assert client.get("/livez").status_code == 200
    assert not Counter(thread.name for thread in threading.enumerate()) - before


def test_unknown_routes_and_methods_are_problems(api: TestClient) -> None:
    missing = api.get("/nowhere")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    wrong = api.get("/v1/search")
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, "application/problem+json")
    assert "POST" in wrong.json()["detail"]
    several = api.post("/v1/products/acme-01")
    assert several.headers["allow"] == "DELETE, GET, PATCH, PUT"


def test_a_fault_is_a_problem_without_its_innards(shop: Settings, embedder: StandInEncoders) -> None:
    serving, swaps = open_serving(shop, StandIns(embedder))
    app = create_app(serving, swaps, cursor_secret=b"x")

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("secret innards")

    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/fault")
    assert answer.status_code == 500
    assert answer.json()["type"] == "samestyle:internal"
    assert "secret" not in answer.text


def test_every_answer_carries_the_safe_headers(api: TestClient) -> None:
    for path in ("/", "/livez", "/nowhere", "/v1/products/acme-01/image"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", 200), ("/readyz", 200), ("/", 200), ("/web/main.js", 200), ("/docs", 200), ("/v1/products", 200),
     ("/v1/products/acme-01/image", 200), ("/v1/products/nobody", 404), ("/v1/search", 405)],
)  # fmt: skip
def test_head_is_get_without_the_body(api: TestClient, path: str, status: int) -> None:
    head, whole = api.head(path), api.get(path)
    assert (head.status_code, whole.status_code, head.content) == (status, status, b"")
    assert whole.content
    assert {**head.headers, "x-request-id": ""} == {**whole.headers, "x-request-id": ""}


def test_openapi_describes_every_error_as_a_problem(api: TestClient) -> None:
    document: dict[str, Any] = api.get("/openapi.json").json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")):
                    schema = answer["content"]["application/problem+json"]["schema"]["$ref"]
                    assert schema.endswith("/Problem"), (path, status)
    assert api.get("/docs").status_code == 200


def test_every_error_has_a_status() -> None:
    def leaves(kind: type[SamestyleError]) -> list[type[SamestyleError]]:
        return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]

    inside = {"BackupInvalid", "CatalogueInvalid", "SamestyleError", "TrainingFailed"}
    for kind in leaves(SamestyleError):
        status, _ = describe(kind.__new__(kind))
        assert (status == 500) == (kind.__name__ in inside), kind


def test_a_client_that_leaves_amid_its_body_is_no_fault_of_ours(api: TestClient) -> None:
    sent: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b"{", "more_body": True},
    ]
    scope = {
        "type": "http", "method": "POST", "path": "/v1/search", "raw_path": b"/v1/search", "query_string": b"",
        "headers": [(b"content-type", b"application/json")], "root_path": "", "http_version": "1.1", "scheme": "http",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(api.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
