"""What is told to Prometheus: everything there is to tell, and never more series than there are lists of labels."""

import asyncio
import random
import string
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from catalogue.errors import Overloaded
from catalogue.settings import Settings
from index import Snapshot, timing
from index.search import FlatIndex
from models import StandInEncoders
from service import metrics
from service.canary import Canary
from service.drift import QueryDrift
from service.middleware import BodyLimit
from service.ranking import Term
from service.redis_calls import RedisCalls
from service.swapping import open_serving
from service.templates import template_of
from service.trail import CURRENT, Trail, asked_at
from tests.service.conftest import StandIns, client_of, photo

STAGES = {"work", "decode", "tokenise", "image", "text", "fusion", "cache", "search", "rescore", "catalogue"}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def series(api: TestClient) -> set[str]:
    lines = api.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_no_series_says_when_another_was_made(api: TestClient) -> None:
    names = {name.partition("{")[0] for name in series(api)}
    assert {name for name in names if name.endswith("_created")} == set()


def ask(app: Callable[..., Awaitable[None]], requests: list[tuple[str, str, bytes]]) -> list[int]:
    """The statuses of requests (method, path, body), without a client's own work."""
    statuses: list[int] = []

    async def all_of_them() -> None:
        for method, path, body in requests:
            messages = [{"type": "http.request", "body": body, "more_body": False}]
            scope = {
                "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
                "root_path": "", "http_version": "1.1", "scheme": "http",
            }  # fmt: skip

            async def receive(messages: list[dict[str, Any]] = messages) -> dict[str, Any]:
                return messages.pop() if messages else {"type": "http.disconnect"}

            async def send(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            await app(scope, receive, send)

    asyncio.run(all_of_them())
    return statuses


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_random_paths_and_ids_add_no_series(own_shop: Settings, embedder: StandInEncoders, count: int) -> None:
    chance = random.Random(8)

    def word() -> str:
        return "".join(chance.choices(string.ascii_letters + string.digits + "-._~/", k=chance.randint(1, 40)))

    shapes: list[Callable[[], tuple[str, str, bytes]]] = [
        lambda: ("GET", f"/{word()}", b""),
        lambda: ("GET", f"/v1/products/{word()}", b""),
        lambda: ("GET", f"/v1/products/{word()}/same-style", b""),
        lambda: ("POST", "/v1/search", b'{"product_id": "%s", "alias": "%s"}' % (word().encode(), word().encode())),
        lambda: (f"BREW{chance.randint(0, 99)}", "/livez", b""),
    ]
    with client_of(own_shop, embedder) as api:
        for shape in shapes:  # what is refused for its shape is told, too
            ask(api.app, [shape() for _ in range(200)])
        ask(api.app, [("GET", "/livez/", b"")])  # goes elsewhere
        series(api)
        before = series(api)
        statuses = ask(api.app, [shapes[at % len(shapes)]() for at in range(count)])
        assert len(statuses) == count
        assert {status // 100 for status in statuses} <= {3, 4}
        assert series(api) - before == set()
    assert any('route="/v1/products/{product_id}"' in name for name in before)


def test_every_stage_of_a_search_is_told(own_shop: Settings, embedder: StandInEncoders) -> None:
    def told(name: str, label: str) -> dict[str, float]:
        found = (sample for metric in REGISTRY.collect() for sample in metric.samples if sample.name == name)
        return {sample.labels[label]: sample.value for sample in found}

    with client_of(own_shop, embedder) as api:
        before = told("samestyle_stage_seconds_count", "stage")
        shards = told("samestyle_shard_seconds_count", "shard")
        form = {"text": "a mug as nobody else has it"}
        assert api.post("/v1/search/upload", files={"image": photo((3, 141, 59))}, data=form).status_code == 200
        api.post("/v1/search", content=b"{%s}" % (b" " * 50_000), headers={"content-type": "application/json"})
        after = told("samestyle_stage_seconds_count", "stage")
        assert {stage for stage in after if after[stage] > before.get(stage, 0)} >= STAGES
        assert told("samestyle_shard_seconds_count", "shard")["exact"] > shards.get("exact", 0)
        text = api.get("/metrics").text
    for said in (
        'samestyle_queue_capacity{stage="image"} 128.0',
        "samestyle_index_shards 1.0",
        "samestyle_snapshot_recall_ratio 1.0",
        "samestyle_delta_capacity_products 100000.0",
        "samestyle_ready 1.0",
        'samestyle_rejected_total{reason="swap-failed"}',
        'samestyle_swaps_total{outcome="failed"}',
        'samestyle_cache_lookups_total{kind="vector",outcome="redis"}',
        'samestyle_build_info{python="',
        'samestyle_model_info{device="cpu",',
        "samestyle_requests_in_flight 1.0",
        'samestyle_query_drift_ratio{modality="image+text"}',
    ):
        assert said in text, said


def test_searches_are_told_by_what_they_gave_and_their_arm(own_shop: Settings, embedder: StandInEncoders) -> None:
    labels = {"modality": "text", "arm": "live"}
    names = (
        "samestyle_search_seconds_count",
        "samestyle_first_hit_score_ratio_count",
        "samestyle_searches_empty_total",
    )
    with client_of(own_shop, embedder) as api:

        def counted(body: dict[str, Any]) -> tuple[float, ...]:
            before = [value(name, **labels) for name in names]
            api.post("/v1/search", json=body)
            return tuple(value(name, **labels) - was for name, was in zip(names, before, strict=True))

        assert counted({"text": "mug"}) == (1, 1, 0)
        cursor = api.post("/v1/search", json={"text": "mug", "k": 2}).json()["next_cursor"]
        pages = value(names[0], modality="page", arm="live")
        assert counted({"cursor": cursor}) == (0, 0, 0)
        assert value(names[0], modality="page", arm="live") == pages + 1
        assert counted({"text": "mug", "min_score": 1.0, "filters": {"suppliers": ["nobody"]}}) == (1, 0, 1)
        failed = value("samestyle_searches_failed_total", arm="live", status="4xx")
        assert counted({"text": "mug", "target": "image"}) == (0, 0, 0)
        assert value("samestyle_searches_failed_total", arm="live", status="4xx") == failed + 1


def test_a_search_takes_as_long_as_its_body_waits_to_be_read(own_shop: Settings, embedder: StandInEncoders) -> None:
    labels = {"modality": "product", "arm": "live"}
    body = {"product_id": "acme-03", "exclude": ["x" * 100] * 200}
    with client_of(own_shop.model_copy(update={"cores": 1}), embedder) as api:
        api.post("/v1/search", json=body)
        pool = api.app.state.serving.pools.work.queue  # type: ignore[attr-defined]
        before = value("samestyle_search_seconds_sum", **labels)
        pool.submit(lambda: time.sleep(0.2))
        took_ms = api.post("/v1/search", json=body).json()["took_ms"]
    assert took_ms >= 150
    assert value("samestyle_search_seconds_sum", **labels) - before >= 0.15


def test_the_wait_for_a_body_is_its_clients() -> None:
    trail = Trail("x")
    messages = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"}]

    async def receive() -> Any:
        await asyncio.sleep(0.05)
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def read(_: Any, receive: Any, __: Any) -> None:
        for _again in range(3):  # the last time it looks whether the client is still there
            await receive()

    async def served() -> float:
        CURRENT.set(trail)  # for this task only
        scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": []}
        await BodyLimit(read)(scope, receive, receive)  # type: ignore[arg-type]
        return asked_at()

    from_then_on = asyncio.run(served())
    assert 0.1 <= trail.body_s <= time.monotonic() - trail.started - 0.05
    assert from_then_on == trail.started + trail.body_s
    assert CURRENT.get() is None


def test_labels_that_come_and_go_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_arms", set())  # or later tests would have none left
    labels = {metrics.arm_label(f"arm-{number}") for number in range(1_000)}
    assert len(labels) <= 33
    assert "other" in labels
    for number in (0, 31, 32, 999):
        with timing.timed(str(number)):
            pass
    shards = {labels[0] for labels in metrics.SHARD._metrics}
    assert {"0", "31", "other"} <= shards
    assert not {"32", "999"} & shards


def test_parts_of_a_search_are_told_to_who_listens() -> None:
    heard: list[tuple[str, float, float]] = []
    kept = [*timing._listeners]
    try:
        timing.listen(lambda *part: heard.append(part))
        vectors = np.eye(8, dtype=np.float16)
        FlatIndex(vectors, timing.DELTA).search(vectors[0].astype(np.float32), 3)
    finally:
        timing._listeners[:] = kept
    assert [part for part, _, _ in heard] == [timing.DELTA, timing.RESCORE]
    assert all(began <= ended for _, began, ended in heard)


def test_drift_is_none_where_queries_are_like_the_catalogue_and_grows_where_they_are_not() -> None:
    random_ = np.random.default_rng(3)
    catalogue = random_.normal(size=(3_000, 16)).astype(np.float32) + np.eye(16, dtype=np.float32)[0] * 4
    catalogue /= np.linalg.norm(catalogue, axis=1, keepdims=True)
    drift = QueryDrift(catalogue.astype(np.float16))
    assert drift.ratios() == {}
    for row in catalogue[:500]:
        drift.add("product", [Term("query", 1.0, row)])
    for row in catalogue:
        drift.add("image", [Term("query", 1.0, row)])
    for _ in range(3_000):
        drift.add("image", [Term("query", 1.0, np.eye(16, dtype=np.float32)[1])])
    assert drift.ratios()["product"] < 0.01
    assert drift.ratios()["image"] > 0.8
    assert QueryDrift(np.empty((0, 16), np.float16)).ratios() == {}
    assert abs(np.linalg.norm(catalogue, axis=1) - 1).max() < 1e-5  # queries are left as they were


def test_the_canary_tells_what_the_index_finds(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, swaps = open_serving(own_shop, StandIns(embedder))
    try:
        canary = Canary(serving, every_s=0.01)
        assert canary.look() == 1
        assert value("samestyle_canary_recall_ratio") == value("samestyle_canary_built_recall_ratio") == 1
        with serving.lease() as retrieval:
            snapshot = retrieval.live.snapshot
        monkeypatch.setattr(snapshot, "_canary", (snapshot._canary[0], snapshot._canary[1] + 1))  # type: ignore[index]
        assert canary.look() < 0.5
        low = value("samestyle_canary_recall_ratio")
        asked = iter([Overloaded("busy", retry_after=1), RuntimeError("a fault")])
        seen: list[float] = []

        def fails(_: Snapshot) -> float:
            seen.append(value("samestyle_canary_recall_ratio"))
            raise next(asked, None) or RuntimeError("still")

        monkeypatch.setattr(Snapshot, "canary_recall", fails)
        canary.start()
        until = time.monotonic() + 30
        while len(seen) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        canary.close()
        assert seen[:3] == [low, low, 0]  # a moment without an answer is no news, a fault is
    finally:
        swaps.close()
        asyncio.run(serving.close())


def test_what_becomes_of_calls_to_redis_is_told_before_there_are_any() -> None:
    for metric in (metrics.REDIS_ERRORS, metrics.REDIS_BYPASSED):
        with suppress(KeyError):
            metric.remove("limit")
    RedisCalls("limit", at_once=1)
    for name in ("samestyle_redis_errors_total", "samestyle_redis_bypassed_total"):
        assert REGISTRY.get_sample_value(name, {"operation": "limit"}) == 0


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"host": "elsewhere.example"}, "/v1/products/acme-01/similar", 403),
        ({"content-length": "30000000"}, "/v1/search", 413),
        ({}, "/v1/search", 429),
    ],
)
def test_who_is_refused_at_the_door_is_told_by_the_route_he_wanted(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], path: str, status: int
) -> None:
    """Or a flood is nobody's: dashboards and alerts ask by route."""
    if status == 429:
        monkeypatch.setattr("service.admission.MAX_IN_FLIGHT", 0)
    method = "POST" if path == "/v1/search" else "GET"
    route = path.replace("acme-01", "{product_id}")
    labels = {"route": route, "method": method, "status": "4xx"}
    before = value("samestyle_request_seconds_count", **labels)
    assert api.request(method, path, content=b"{}", headers=headers).status_code == status
    assert value("samestyle_request_seconds_count", **labels) == before + 1


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("POST", "/v1/products/bulk", "/v1/products/bulk"),
        ("PUT", "/v1/products/bulk", "/v1/products/{product_id}"),
        ("BREW", "/v1/search", "/v1/search"),
        ("GET", "/v1/products/a/b", "none"),
        ("GET", "/v1/products/a\ue000b", "/v1/products/{product_id}"),
        ("GET", "/", "/"),
        ("GET", "/wp-login.php", "none"),
    ],
)
def test_the_template_of_a_path(method: str, path: str, template: str) -> None:
    assert template_of(method, path) == template


def test_every_route_has_its_own_template(api: TestClient) -> None:
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert template_of(method.upper(), path) == path
