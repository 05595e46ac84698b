"""Photos by URL, fetched from a real server on loopback, in searches and writes."""

import asyncio
import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from pydantic import ValidationError
from starlette.types import Message

from catalogue.settings import FetchSettings, Settings
from models import StandInEncoders
from tests.catalogue.web import JPEG, Names, Web, fetcher_of, serving
from tests.service.conftest import client_of, copy_of

IMAGE = base64.b64encode(JPEG).decode()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def fetching(
    web: Web, shop: Settings, embedder: StandInEncoders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """Only the server of the test is allowed; two photos may be held at once."""
    names = Names(photos_example=[["127.0.0.1"]], inside_example=[["10.1.2.3"]])
    hosts = f"photos.example:{web.server_port},inside.example"
    own = copy_of(shop, tmp_path_factory.mktemp("fetching"))
    settings = own.model_copy(update={"fetch": FetchSettings(hosts=hosts, concurrency=2)})
    with client_of(settings, embedder, fetcher=fetcher_of(web, names=names, hosts=hosts, timeout_s=1)) as client:
        yield client


def application(api: TestClient) -> FastAPI:
    app = api.app
    assert isinstance(app, FastAPI)
    return app


def outcome(name: str) -> float:
    return REGISTRY.get_sample_value("samestyle_fetches_total", {"outcome": name}) or 0


def search(api: TestClient, **query: Any) -> tuple[int, dict[str, Any]]:
    answer = api.post("/v1/search", json=query)
    return answer.status_code, answer.json()


class TestSearch:
    def test_a_photo_by_url_finds_what_its_bytes_find(self, fetching: TestClient, web: Web) -> None:
        for more in ({}, {"text": "mug"}, {"crop": [0, 0, 0.5, 0.5]}, {"weights": {"fused": 0, "image": 1}}):
            status, by_url = search(fetching, image_url=f"{web.url}/a.jpg", k=5, **more)
            assert status == 200, by_url
            assert by_url["hits"] == search(fetching, image=IMAGE, k=5, **more)[1]["hits"]

    def test_it_is_compared_as_the_photo_it_is(self, fetching: TestClient, web: Web) -> None:
        for more in ({}, {"text": "mug"}):
            by_url, by_bytes = (
                fetching.post("/v1/compare", json={"a": {**photo, **more}, "b": {"text": "mug"}}).json()
                for photo in ({"image_url": f"{web.url}/a.jpg"}, {"image": IMAGE})
            )
            same = ("mode", "score", "verdict", "thresholds")
            assert [by_url[name] for name in same] == [by_bytes[name] for name in same]
            assert by_url["mode"] == ("m-t" if more else "i-t")

    def test_redirects_are_followed(self, fetching: TestClient, web: Web) -> None:
        assert search(fetching, image_url=f"{web.url}/hops/3")[0] == 200

    @pytest.mark.parametrize(
        ("path", "status", "slug"),
        [
            ("/none.jpg", 422, "fetch-failed"), ("/html", 422, "fetch-failed"), ("/drip", 422, "fetch-failed"),
            ("/loop", 422, "fetch-failed"), ("/encoded/gzip", 422, "fetch-failed"), ("/cut", 422, "undecodable-image"),
            ("/endless", 413, "too-large"), ("/to/http%3A%2F%2F10.1.2.3%2F", 400, "fetch-refused"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_fetched(self, fetching: TestClient, web: Web, path: str, status: int, slug: str) -> None:
        assert_refused(search(fetching, image_url=web.url + path), status, slug)

    @pytest.mark.parametrize("more", [{"image": IMAGE}, {"product_id": "acme-01"}])
    def test_one_of_the_three_ways_to_name_a_photo(self, fetching: TestClient, web: Web, more: dict[str, str]) -> None:
        assert_refused(search(fetching, image_url=f"{web.url}/a.jpg", **more), 400, "invalid-input")

    def test_what_is_refused_anyway_is_not_fetched(self, fetching: TestClient, web: Web) -> None:
        before = web.connections
        assert_refused(search(fetching, image_url=f"{web.url}/a.jpg", target="image"), 400, "invalid-input")
        assert search(fetching, image_url="http://photos.example/" + "a" * 2_000)[0] == 400
        assert web.connections == before

    def test_refusals_tell_nothing_about_the_inside(self, fetching: TestClient) -> None:
        hosts = ("inside.example", "nobody.example", "127.0.0.1", "169.254.169.254", "[::1]", "other.example")
        answers = [search(fetching, image_url=f"http://{host}/") for host in hosts]
        assert {json.dumps(answer) for answer in answers} == {json.dumps(answers[0])}
        assert_refused(answers[0], 400, "fetch-refused")

    def test_too_many_at_once_are_refused(self, fetching: TestClient, web: Web) -> None:
        room = application(fetching).state.serving.remote._room
        for _ in range(2):
            assert room.acquire(blocking=False)
        answer = fetching.post("/v1/search", json={"image_url": f"{web.url}/a.jpg"})
        assert_refused((answer.status_code, answer.json()), 429, "overloaded")
        assert answer.headers["retry-after"] == "1"
        room.release(2)
        for _ in range(3):  # what is answered, well or badly, is let go of
            assert search(fetching, image_url=f"{web.url}/a.jpg")[0] == 200
            assert search(fetching, image_url=f"{web.url}/none.jpg")[0] == 422

    @pytest.mark.parametrize(("method", "path"), [("POST", "/v1/search"), ("PUT", "/v1/products/of-nobody")])
    def test_a_client_that_goes_takes_the_fetch_along(
        self, fetching: TestClient, web: Web, method: str, path: str
    ) -> None:
        web.came.clear()
        web.gone.clear()
        body = json.dumps({"image_url": f"{web.url}/drip"} | ({"title": "x"} if method == "PUT" else {})).encode()
        messages: Iterator[Message] = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])
        before = outcome("gone")

        async def receive() -> Message:
            message = next(messages)
            if message["type"] == "http.disconnect":
                await asyncio.to_thread(web.came.wait, 10)
            return message

        async def send(message: Message) -> None:
            pass

        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1),
        }  # fmt: skip
        assert fetching.portal is not None
        fetching.portal.call(partial(application(fetching), scope, receive, send))
        assert web.gone.wait(10)
        assert outcome("gone") == before + 1
        assert fetching.get("/v1/products/of-nobody").status_code == 404

    def test_outcomes_are_counted(self, fetching: TestClient, web: Web) -> None:
        search(fetching, image_url=f"{web.url}/a.jpg")
        search(fetching, image_url="http://10.0.0.1/")
        metrics = fetching.get("/metrics").text
        assert 'samestyle_fetches_total{outcome="fetched"}' in metrics
        assert 'samestyle_fetches_total{outcome="refused"}' in metrics
        assert 'samestyle_stage_seconds_count{stage="fetch"}' in metrics


class TestWrites:
    def test_the_photo_is_stored(self, fetching: TestClient, web: Web) -> None:
        body = {"title": "by url", "image_url": f"{web.url}/a.jpg?signature=1"}
        assert fetching.put("/v1/products/by-url", json=body).status_code == 200
        product = fetching.get("/v1/products/by-url").json()
        assert product["image_url"].startswith("/v1/products/by-url/image?v=")
        before = web.connections
        assert fetching.get(product["image_url"]).content.startswith(b"\xff\xd8\xff")
        assert web.connections == before
        assert search(fetching, image=IMAGE, k=1)[1]["hits"][0]["product_id"] == "by-url"
        assert fetching.put("/v1/products/by-url", json={"title": "by url, changed"}).status_code == 200
        assert fetching.get("/v1/products/by-url").json()["image_url"] == product["image_url"]

    @pytest.mark.parametrize(
        ("more", "status", "slug"),
        [
            ({"image_url": "http://10.0.0.1/a.jpg"}, 400, "fetch-refused"),
            ({"image_url": "WEB/none.jpg"}, 422, "fetch-failed"),
            ({"image_url": "WEB/cut"}, 422, "undecodable-image"),
            ({"image_url": "WEB/a.jpg", "image": IMAGE}, 400, "invalid-input"),
            ({"image_url": "WEB/a.jpg", "image": None}, 400, "invalid-input"),
            ({"image_url": ""}, 400, "invalid-input"),
        ],
    )
    def test_nothing_is_written_without_it(
        self, fetching: TestClient, web: Web, more: dict[str, Any], status: int, slug: str
    ) -> None:
        body = {"title": "x"} | {key: value and value.replace("WEB", web.url) for key, value in more.items()}
        answer = fetching.put("/v1/products/not-written", json=body)
        assert_refused((answer.status_code, answer.json()), status, slug)
        assert fetching.get("/v1/products/not-written").status_code == 404

    def test_each_line_of_a_bulk_has_its_own(self, fetching: TestClient, web: Web) -> None:
        paths = ["/a.jpg", "/none.jpg", "/moved", "/a.jpg", "/html", "/a.jpg"]  # more than may be held at once
        lines = [{"product_id": f"bulk-{at}", "image_url": web.url + path} for at, path in enumerate(paths)]
        body = "\n".join(json.dumps(line) for line in [*lines, {"product_id": "bulk-6", "title": "plain"}])
        answer = fetching.post("/v1/products/bulk", content=body, headers={"content-type": "application/x-ndjson"})
        report = [json.loads(line) for line in answer.text.splitlines()]
        outcomes = [line.get("type", "written") for line in report[:-1]]
        failed = "samestyle:fetch-failed"
        assert outcomes == ["written", failed, "written", "written", failed, "written", "written"]


class TestSettings:
    def test_it_is_off_by_default(self, api: TestClient) -> None:
        answer = search(api, image_url="https://photos.example.com/a.jpg")
        assert_refused(answer, 400, "fetch-refused")
        assert "SAMESTYLE_FETCH__HOSTS" in answer[1]["detail"]

    def test_it_is_switched_on_by_hosts(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SAMESTYLE_FETCH__HOSTS", "photos.example.com, *.cdn.example.com:8443")
        allowed = Settings(data=tmp_path).fetch.host_list
        assert allowed.allows("a.cdn.example.com", 8443)
        assert not allowed.allows("example.com", 443)

    @pytest.mark.parametrize("hosts", ["localhost", "http://photos.example.com", "a b"])
    def test_hosts_that_cannot_be_meant(self, hosts: str) -> None:
        with pytest.raises(ValidationError, match="is no host"):
            FetchSettings(hosts=hosts)

    def test_the_form_takes_files_only(self, api: TestClient) -> None:
        form = api.get("/openapi.json").json()["components"]["schemas"]["SearchUpload"]
        assert "image_url" not in form["properties"]
        data = {"image_url": "https://photos.example.com/a.jpg"}
        answer = api.post("/v1/search/upload", files={"image": JPEG}, data=data)
        assert_refused((answer.status_code, answer.json()), 400, "invalid-input")


def assert_refused(answer: tuple[int, dict[str, Any]], status: int, slug: str) -> None:
    assert (answer[0], answer[1].get("type")) == (status, f"samestyle:{slug}"), answer
