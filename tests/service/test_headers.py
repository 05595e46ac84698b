"""The headers of every answer, and which pages may call."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from catalogue.settings import Settings
from models import StandInEncoders
from tests.service.conftest import client_of, copy_of

ORIGIN = "https://shop.example"


@pytest.mark.parametrize(
    "path",
    ["/", "/web/main.js", "/docs", "/static-offline-docs/swagger-ui.css", "/openapi.json", "/livez", "/metrics",
     "/nowhere", "/v1/products", "/v1/products/acme-01/image", "/v1/products/nobody", "/admin/v1/status"],
)  # fmt: skip
def test_every_answer_is_kept_in_its_place(api: TestClient, path: str) -> None:
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "cross-origin-resource-policy" in headers
    assert "cache-control" in headers
    assert "strict-transport-security" not in headers
    assert "server" not in headers
    assert len(headers.get_list("content-security-policy")) == len(headers.get_list("cache-control")) == 1


def test_only_photos_are_for_other_pages_and_for_caches(api: TestClient) -> None:
    photo = api.get("/v1/products/acme-01/image").headers
    assert photo["cross-origin-resource-policy"] == "cross-origin"
    assert "public" in photo["cache-control"]
    answer = api.get("/v1/products").headers
    assert answer["cross-origin-resource-policy"] == "same-origin"
    assert answer["cache-control"] == "no-store"
    script = api.get("/web/main.js").headers  # TestClient takes gzip
    assert (script["cache-control"], script["content-encoding"]) == ("no-cache", "gzip")


def test_scripts_run_in_pages_only(api: TestClient) -> None:
    assert "script-src 'self';" in api.get("/").headers["content-security-policy"]
    assert "script-src" not in api.get("/v1/products").headers["content-security-policy"]


def test_no_other_page_may_call(api: TestClient) -> None:
    assert "access-control-allow-origin" not in api.get("/v1/products", headers={"Origin": ORIGIN}).headers


def test_pages_that_are_named_may_call_and_see_their_limits(
    shop: Settings, embedder: StandInEncoders, tmp_path: Path
) -> None:
    settings = copy_of(shop, tmp_path).model_copy(update={"cors_origins": (ORIGIN,), "hsts": True})
    with client_of(settings, embedder) as client:
        asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        asked = client.options("/v1/search", headers={"Origin": ORIGIN, **asking})
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in asked.headers
        assert client.options("/v1/search", headers={"Origin": "https://evil.example", **asking}).status_code == 400
        answer = client.get("/v1/products", headers={"Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        other = client.get("/v1/products", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
