"""Who may ask what: every route, with and without keys."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from catalogue.settings import Settings
from models import StandInEncoders
from service.access import role_for
from service.keys import Role, create_key, revoke_key
from tests.service.conftest import client_of, copy_of
from tests.waiting import wait_until

OPEN = {"GET /livez", "GET /readyz", "GET /docs", "GET /openapi.json", "GET /docs/oauth2-redirect"}
PAGE = {"GET /"}
SEARCH = {
    "POST /v1/search", "POST /v1/search/upload", "POST /v1/search/batch", "POST /v1/search/refine",
    "POST /v1/events", "POST /v1/compare", "POST /v1/embed",
    "GET /v1/products", "GET /v1/products/{product_id}", "GET /v1/products/{product_id}/image",
    "GET /v1/products/{product_id}/same-style", "GET /v1/products/{product_id}/similar",
    "GET /v1/suppliers/{supplier_id}/duplicates",
}  # fmt: skip
WRITE = {
    "PUT /v1/products/{product_id}", "PATCH /v1/products/{product_id}", "DELETE /v1/products/{product_id}",
    "POST /v1/products/bulk", "POST /v1/events",
}  # fmt: skip
ADMIN = {
    "GET /metrics", "GET /admin/v1/snapshots", "GET /admin/v1/status", "PUT /admin/v1/aliases/{alias}",
    "DELETE /admin/v1/aliases/{alias}", "POST /admin/v1/aliases/{alias}/rollback",
}  # fmt: skip


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    made = {role: create_key(file, role, [role]) for role in ("search", "write", "admin")}
    made["few"] = create_key(file, "few", ["search"], limits={"rate": 1e-4, "burst": 2, "quota": 100})
    made["daily"] = create_key(file, "daily", ["search"], limits={"quota": 1})
    made["tenfold"] = create_key(file, "tenfold", ["search"], limits={"quota": 10})
    made["ten lines"] = create_key(file, "ten-lines", ["write"], limits={"quota": 10})
    made["few lines"] = create_key(file, "few-lines", ["write"], limits={"rate": 1e-4, "burst": 12})
    made["paced"] = create_key(file, "paced", ["write"], limits={"rate": 100, "burst": 5})
    made["revoked"] = create_key(file, "revoked", ["search"])
    revoke_key(file, "revoked")
    return {**made, "file": str(file)}


@pytest.fixture(scope="module")
def keyed(
    shop: Settings, embedder: StandInEncoders, secrets: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    settings = copy_of(shop, tmp_path_factory.mktemp("keyed"))
    with client_of(settings.model_copy(update={"keys_file": Path(secrets["file"])}), embedder) as client:
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def routes_of(client: TestClient) -> set[str]:
    document = client.get("/openapi.json").json()
    return {f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found}


def expected_role(route: str) -> Role | None:
    roles: tuple[tuple[Role, set[str]], ...] = (("search", SEARCH), ("write", WRITE), ("admin", ADMIN))
    found = [role for role, routes in roles if route in routes]
    assert found or route in OPEN, f"say here who may ask {route}"
    return found[0] if found else None


def test_every_route_needs_the_role_it_should(keyed: TestClient, secrets: dict[str, str]) -> None:
    for route in sorted(routes_of(keyed)):
        method, template = route.split()
        path = template.format(product_id="acme-01", supplier_id="acme", alias="nowhere")
        role = expected_role(route)
        without = keyed.request(method, path).status_code
        assert (without == 401) == (role is not None), route
        for own in ("search", "write", "admin"):
            status = keyed.request(method, path, headers=bearer(secrets[own])).status_code
            allowed = role is None or own == role or (own == "write" and role == "search")
            assert (status == 403) != allowed, (route, own, status)
            assert status != 401


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "BREW", "get"]), st.text(max_size=40))
def test_what_nobody_knows_is_not_open(method: str, path: str) -> None:
    assert role_for(method, f"/{path}x") == "admin" or path.startswith(("v1/", "static-offline-docs/"))
    assert role_for(method, f"/v1/{path}") in {"search", "write"}
    if method not in {"GET", "POST"}:
        assert role_for(method, f"/v1/{path}") == "write"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/products/a%2Fb", "//v1/search", "/v1/../v1/products", "/V1/products", "/livez/", "/livez/../v1/products",
        "/static-offline-docs/../v1/products", "/docs/x", "/%76%31/products", "/admin", "/admin%2Fv1/status", "/web",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_in(keyed: TestClient, path: str) -> None:
    answer = keyed.get(path)
    assert answer.status_code in {401, 404}
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_refusal_says_what_to_do(keyed: TestClient, secrets: dict[str, str]) -> None:
    missing = keyed.get("/v1/products")
    assert missing.status_code == 401
    assert missing.headers["www-authenticate"].startswith("Bearer")
    assert missing.json()["type"] == "samestyle:unauthorized"
    assert "Authorization: Bearer" in missing.json()["detail"]
    refused = keyed.get("/admin/v1/status", headers=bearer(secrets["search"]))
    assert refused.json()["type"] == "samestyle:forbidden"
    assert "role admin" in refused.json()["detail"]


def test_unknown_revoked_and_malformed_keys_are_answered_alike(keyed: TestClient, secrets: dict[str, str]) -> None:
    sent: list[dict[str, str]] = [
        bearer("sms_unknown"),
        bearer(secrets["revoked"]),
        bearer("x" * 1_000),
        bearer(""),
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Key": secrets["revoked"]},
        {"X-API-Key": "sms_unknown", **bearer(secrets["search"])},
    ]
    answers = [keyed.get("/v1/products", headers=headers) for headers in sent]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert secrets["revoked"] not in answers[1].text


@pytest.mark.parametrize("header", ["Authorization", "authorization", "X-API-Key"])
def test_a_key_may_come_in_either_header(keyed: TestClient, secrets: dict[str, str], header: str) -> None:
    value = secrets["search"] if header == "X-API-Key" else f"bearer {secrets['search']}"
    assert keyed.get("/v1/products", headers={header: value}).status_code == 200


@pytest.mark.parametrize("value", [b"Bearer \xff\xfe", b"Bearer \xe4\xf6"])
def test_bytes_that_are_no_text_are_no_key(keyed: TestClient, value: bytes) -> None:
    assert keyed.get("/v1/products", headers=[(b"authorization", value)]).status_code == 401


def test_a_stranger_s_body_is_not_read(keyed: TestClient) -> None:
    taken: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(1_000):
            taken.append(number)
            yield b"x" * 1_000

    answer = keyed.post("/v1/search", content=parts(), headers={"content-type": "application/json"})
    assert answer.status_code == 401


def test_the_page_is_not_there_where_keys_are(keyed: TestClient, api: TestClient) -> None:
    assert api.get("/").status_code == api.get("/web/main.js").status_code == 200
    for path in ("/", "/web/main.js"):
        answer = keyed.get(path)
        assert answer.status_code == 404
        assert "without" in answer.json()["detail"] or "API keys" in answer.json()["detail"]


def test_too_fast_and_too_often_are_told_apart(keyed: TestClient, secrets: dict[str, str]) -> None:
    few = [keyed.get("/v1/products", headers=bearer(secrets["few"])) for _ in range(3)]
    assert [answer.status_code for answer in few] == [200, 200, 429]
    assert few[0].headers["ratelimit-policy"] == '"rate";q=2;w=20000, "day";q=100;w=86400'
    assert few[0].headers["ratelimit"].startswith('"rate";r=1;t=10000, "day";r=99;t=')
    assert few[2].json()["type"] == "samestyle:rate-limited"
    assert 9_000 < int(few[2].headers["retry-after"]) <= 10_000
    daily = [keyed.get("/v1/products", headers=bearer(secrets["daily"])) for _ in range(2)]
    assert [answer.status_code for answer in daily] == [200, 429]
    assert daily[1].json()["type"] == "samestyle:quota-exceeded"
    assert 0 < int(daily[1].headers["retry-after"]) <= 86_400
    assert "ratelimit" not in keyed.get("/v1/products", headers=bearer(secrets["search"])).headers


def test_who_is_refused_takes_nothing(keyed: TestClient, secrets: dict[str, str]) -> None:
    """Neither a role that does not suffice, nor health, counts."""
    for _ in range(5):
        assert keyed.get("/admin/v1/status", headers=bearer(secrets["daily"])).status_code == 403
        assert keyed.get("/livez", headers=bearer(secrets["daily"])).status_code == 200


def test_keys_are_in_no_metric(keyed: TestClient, secrets: dict[str, str]) -> None:
    keyed.get("/v1/products", headers=bearer(secrets["search"]))
    text = keyed.get("/metrics", headers=bearer(secrets["admin"])).text
    assert 'samestyle_rejected_total{reason="unauthorized"}' in text
    assert "sms_" not in text


def test_rotation_needs_no_restart(shop: Settings, embedder: StandInEncoders, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    old = create_key(file, "shop", ["search"])
    settings = copy_of(shop, tmp_path).model_copy(update={"keys_file": file})
    with client_of(settings, embedder) as client:

        def status(secret: str) -> int:
            return client.get("/v1/products", headers=bearer(secret)).status_code

        new = create_key(file, "shop-2", ["search"])
        wait_until(lambda: status(new) == 200)
        assert status(old) == 200
        revoke_key(file, "shop")
        wait_until(lambda: status(old) == 401)
        file.write_text("{")
        wait_until(lambda: client.get("/readyz").json()["status"] == "degraded")
        assert "keys file" in client.get("/readyz").json()["reasons"][0]
        assert status(new) == 200


def test_openapi_tells_who_may_ask_what(api: TestClient) -> None:
    document: dict[str, Any] = api.get("/openapi.json").json()
    assert document["components"]["securitySchemes"].keys() == {"bearer", "header"}
    for path, found in document["paths"].items():
        for method, operation in found.items():
            role = expected_role(f"{method.upper()} {path}")
            needed = [{"bearer": [role]}, {"header": [role]}] if role is not None else []
            assert operation["security"] == needed
            assert ({"401", "403"} <= operation["responses"].keys()) == (role is not None)


class TestWithoutKeys:
    """Everybody on this machine may ask; web pages of others may not have a browser on it change anything."""

    def test_every_role_is_open(self, api: TestClient) -> None:
        for path in ("/v1/products", "/admin/v1/status", "/metrics", "/"):
            assert api.get(path).status_code == 200
        assert api.get("/v1/products", headers=bearer("sms_whatever")).status_code == 200

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_pages_of_others_change_nothing(self, api: TestClient, site: str) -> None:
        headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}
        answer = api.post("/admin/v1/aliases/live/rollback", headers=headers)
        assert answer.status_code == 403
        assert api.get("/v1/products", headers=headers).status_code == 200

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_the_own_page_and_people_do(self, api: TestClient, site: str) -> None:
        answer = api.post("/v1/search", json={"text": "mug"}, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "[::2]"]
    )
    def test_a_page_whose_name_leads_here_reads_nothing(self, api: TestClient, host: str) -> None:
        """To a browser the gateway is that page's own server then, and says nothing of where the page is from."""
        for path in ("/v1/products", "/", "/admin/v1/status"):
            answer = api.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["type"]) == (403, "samestyle:forbidden")

    @pytest.mark.parametrize("host", ["localhost", "LocalHost:8000", "127.0.0.1:8000", "127.3.2.1", "[::1]:8000"])
    def test_this_machine_has_several_names(self, api: TestClient, host: str) -> None:
        assert api.get("/v1/products", headers={"Host": host}).status_code == 200

    def test_pages_that_are_named_do(self, shop: Settings, embedder: StandInEncoders, tmp_path: Path) -> None:
        settings = copy_of(shop, tmp_path).model_copy(update={"cors_origins": ("https://shop.example",)})
        with client_of(settings, embedder) as client:
            for origin, status in (("https://shop.example", 200), ("https://evil.example", 403)):
                headers = {"Sec-Fetch-Site": "cross-site", "Origin": origin}
                assert client.post("/v1/search", json={"text": "mug"}, headers=headers).status_code == status
            assert client.get("/v1/products", headers={"Host": "shop.example"}).status_code == 200


def test_each_port_answers_its_own(
    shop: Settings, embedder: StandInEncoders, secrets: dict[str, str], tmp_path: Path
) -> None:
    given = {"admin_port": 9000, "keys_file": Path(secrets["file"])}
    admin, search, there = bearer(secrets["admin"]), bearer(secrets["search"]), "http://localhost:9000"
    with client_of(copy_of(shop, tmp_path).model_copy(update=given), embedder) as client:
        for path in ("/admin/v1/status", "/metrics", "/nowhere"):
            assert client.get(path, headers=admin).status_code == 404
        assert client.get("/v1/products", headers=search).status_code == 200
        assert client.get(f"{there}/admin/v1/status", headers=admin).status_code == 200
        assert client.get(f"{there}/admin/v1/status").status_code == 401
        assert client.get(f"{there}/metrics").status_code == 200
        for path in ("/v1/products", "/docs", "/", "/nowhere"):
            assert client.get(f"{there}{path}", headers=search).status_code == 404
        for host in ("", there):
            assert client.get(f"{host}/livez").status_code == client.get(f"{host}/readyz").status_code == 200


def test_a_batch_counts_as_what_it_asks(keyed: TestClient, secrets: dict[str, str]) -> None:
    asked = {
        "/v1/search/batch": {"queries": [{"text": "mug"}] * 4},
        "/v1/embed": {"inputs": [{"text": "mug"}] * 5},
        "/v1/search": {"text": "mug"},
    }
    left = []
    for path, body in asked.items():
        answer = keyed.post(path, json=body, headers=bearer(secrets["tenfold"]))
        assert answer.status_code == 200
        left.append(int(answer.headers["RateLimit"].partition(";r=")[2].partition(";")[0]))
    assert left == [6, 1, 0]
    refused = keyed.post("/v1/embed", json=asked["/v1/embed"], headers=bearer(secrets["tenfold"]))
    assert (refused.status_code, refused.json()["type"]) == (429, "samestyle:quota-exceeded")


def bulk_of(keyed: TestClient, secret: str, lines: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The sums of a bulk that takes away what there is not, and its headers."""
    body = "".join(f'{{"product_id": "nobody-{number}", "delete": true}}\n' for number in range(lines))
    headers = {**bearer(secret), "content-type": "application/x-ndjson"}
    answer = keyed.post("/v1/products/bulk", content=body, headers=headers)
    assert answer.status_code == 200
    sums: dict[str, Any] = json.loads(answer.text.splitlines()[-1])
    return sums, dict(answer.headers)


def test_a_bulk_counts_as_its_lines(keyed: TestClient, secrets: dict[str, str]) -> None:
    sums, headers = bulk_of(keyed, secrets["ten lines"], 6)
    assert sums == {"lines": 6, "written": 6, "refused": 0}
    assert headers["ratelimit"].startswith('"day";r=4;')
    sums, _ = bulk_of(keyed, secrets["ten lines"], 6)
    assert (sums["lines"], sums["status"], sums["type"]) == (0, 429, "samestyle:quota-exceeded")


def test_a_bulk_beyond_its_rate_ends_with_the_reason(keyed: TestClient, secrets: dict[str, str]) -> None:
    """What was written before is in its report."""
    sums, _ = bulk_of(keyed, secrets["few lines"], 30)
    assert (sums["lines"], sums["written"], sums["status"]) == (8, 8, 429)
    assert sums["type"] == "samestyle:rate-limited"


def test_a_bulk_goes_no_faster_than_its_rate(keyed: TestClient, secrets: dict[str, str]) -> None:
    began = time.monotonic()
    sums, _ = bulk_of(keyed, secrets["paced"], 40)
    assert sums == {"lines": 40, "written": 40, "refused": 0}
    assert time.monotonic() - began > (40 - 8 - 5) / 100
