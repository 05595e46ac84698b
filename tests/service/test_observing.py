"""What is logged of requests, by which id, and what never is."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from catalogue.errors import JournalUnavailable
from catalogue.settings import LogSettings, Settings
from models import StandInEncoders
from service import server
from service.keys import create_key
from service.observing import _Allowance
from service.trail import CURRENT, Trail
from tests.service.conftest import client_of, photo


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """The lines of the log as the process writes them."""
    out, lines = io.StringIO(), list[dict[str, Any]]()
    root = logging.getLogger()
    kept, level = [*root.handlers], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", out)
        server._configure_logs()
        try:
            yield lines
        finally:
            structlog.reset_defaults()
            root.handlers[:] = kept
            root.setLevel(level)
    lines += [json.loads(line) for line in out.getvalue().splitlines()]


def with_log(settings: Settings, **log: float) -> Settings:
    return settings.model_copy(update={"log": LogSettings(**log)})


def test_the_answer_gives_the_id_that_the_log_has(own_shop: Settings, embedder: StandInEncoders) -> None:
    with logged() as lines, client_of(with_log(own_shop, access_sample=1), embedder) as api:
        own = api.get("/v1/products/acme-01", headers={"X-Request-ID": "shop-7.a_b"}).headers["x-request-id"]
        new = api.get("/v1/products/acme-01").headers["x-request-id"]
        bad = api.get("/v1/products/acme-01", headers={"X-Request-ID": 'a" b' * 40}).headers["x-request-id"]
        answer = api.post("/v1/search", json={"text": "mug"})
    assert own == "shop-7.a_b"
    assert len({new, bad}) == 2
    assert all(len(each) == 36 for each in (new, bad))
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["request_id"] for line in requests] == [own, new, bad, answer.headers["x-request-id"]]
    assert requests[0]["route"] == "/v1/products/{product_id}"
    assert requests[0]["path"] == "/v1/products/acme-01"
    assert requests[3]["answers"] == [answer.json()["request_id"]]


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_share_of_requests_is_logged(own_shop: Settings, embedder: StandInEncoders, share: float) -> None:
    with logged() as lines, client_of(with_log(own_shop, access_sample=share), embedder) as api:
        for _ in range(300):
            api.get("/livez")
    count = sum(line["event"] == "request" for line in lines)
    assert 0.15 * 300 < count < 0.45 * 300 if share else count == 0


def test_a_slow_request_is_logged_with_its_stages(own_shop: Settings, embedder: StandInEncoders) -> None:
    with logged() as lines, client_of(with_log(own_shop, slow_s=1e-6), embedder) as api:
        form = {"text": "a mug as nobody else has it"}
        api.post("/v1/search/upload", files={"image": photo((9, 1, 7))}, data=form)
    (line,) = (line for line in lines if line["event"] == "slow_request")
    assert line["level"] == "warning"
    assert line["stages_ms"].keys() >= {
        "cache", "decode queue", "decode", "tokenise", "image queue", "image", "text queue", "text", "fusion queue",
        "fusion", "search", "rescore", "catalogue",
    }  # fmt: skip
    assert all(0 <= ms <= line["ms"] for ms in line["stages_ms"].values())


def test_a_slow_write_is_logged_with_what_it_waited_for(own_shop: Settings, embedder: StandInEncoders) -> None:
    with logged() as lines, client_of(with_log(own_shop, slow_s=1e-6), embedder) as api:
        api.put("/v1/products/new", json={"title": "a mug as nobody else has it"}).raise_for_status()
        api.delete("/v1/products/new").raise_for_status()
    put, delete = (line["stages_ms"] for line in lines if line["event"] == "slow_request")
    assert put.keys() >= {"text", "fusion", "journal", "visible"}
    assert delete.keys() == {"journal", "visible"}


def test_stages_of_a_batch_are_each_request_s_own(own_shop: Settings, embedder: StandInEncoders) -> None:
    with logged() as lines, client_of(with_log(own_shop, slow_s=1e-6), embedder) as api:
        api.get("/v1/products/acme-01")
        api.post("/v1/search", json={"text": "lamp of its own"})
        answer = api.post("/v1/search/batch", json={"queries": [{"text": f"mug {at}"} for at in range(40)]})
    product, search, batch = (line for line in lines if line["event"] == "slow_request")
    assert product["stages_ms"] == {}
    assert search["stages_ms"].keys() >= {"text", "fusion", "search"}
    assert len(batch["answers"]) == 16
    assert set(batch["answers"]) <= {result["answer"]["request_id"] for result in answer.json()["results"]}


def test_lines_about_slow_requests_are_bounded() -> None:
    allowance = _Allowance(3)
    assert [allowance.take() for _ in range(5)].count(True) in {3, 4, 5}  # the second may have turned
    assert not all(allowance.take() for _ in range(100))
    trail = Trail("x")
    for _ in range(10_000):
        trail.add("stage", 0, 1)
        trail.answered("id")
    assert (len(trail.stages), len(trail.answers)) == (256, 16)
    assert trail.milliseconds() == {"stage": 256_000.0}
    assert trail.nanoseconds(trail.started + 0.5) == trail.started_ns + 500_000_000


def test_what_failed_is_logged_with_its_reason(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise JournalUnavailable("The journal cannot be used (ReadOnlySqlTransaction).")

    with logged() as lines, client_of(with_log(own_shop, access_sample=1), embedder) as api:
        monkeypatch.setattr(api.app.state.serving.journal, "submit", read_only)  # type: ignore[attr-defined]
        assert api.delete("/v1/products/acme-03").status_code == 503
        assert api.get("/v1/products/acme-03?secret=1").status_code == 400
    reasons = {line["status"]: line.get("reason") for line in lines if "status" in line}
    assert reasons == {503: "The journal cannot be used (ReadOnlySqlTransaction).", 400: None}


def test_a_fault_is_logged_for_its_request(own_shop: Settings, embedder: StandInEncoders) -> None:
    with logged() as lines, client_of(with_log(own_shop, slow_s=60), embedder) as api:

        async def fault() -> None:
            raise RuntimeError("out of order")

        api.app.add_api_route("/fault", fault)  # type: ignore[attr-defined]
        assert api.get("/fault", headers={"X-Request-ID": "the-one"}).status_code == 500
        assert api.get("/livez").status_code == 200
    events = {line["event"]: line for line in lines}
    assert events["failed_request"]["request_id"] == "the-one"
    assert "out of order" in events["unexpected_error"]["exception"]
    assert CURRENT.get() is None


def test_neither_secrets_nor_photos_nor_bodies_are_logged(own_shop: Settings, embedder: StandInEncoders) -> None:
    path = own_shop.data / "keys.json"
    key = create_key(path, "engineer", ["admin"])
    settings = with_log(own_shop, access_sample=1, slow_s=1e-6).model_copy(update={"keys_file": path})
    image = photo((200, 10, 77))
    encoded = base64.b64encode(image).decode()
    with logged() as lines, client_of(settings, embedder) as api:
        bearer, other = {"Authorization": f"Bearer {key}"}, {"X-API-Key": key}
        api.post("/v1/search", json={"image": encoded, "text": "words of a shopper"}, headers=bearer)
        api.post("/v1/search/upload", files={"image": image}, headers=other)
        api.get(f"/v1/products?key={key}", headers=bearer)
        api.get("/v1/products", headers={"Authorization": "Bearer wrong-secret"})
        api.post("/v1/search", content=encoded, headers={"content-type": "application/json", **bearer})
    assert len([line for line in lines if line["event"] == "slow_request"]) == 5
    text = json.dumps(lines)
    for secret in (key, "wrong-secret", encoded[:40], "words of a shopper", repr(image[:20])[2:-1]):
        assert secret not in text


def test_libraries_log_as_we_do() -> None:
    with logged() as lines:
        CURRENT.set(Trail("of-this-request"))
        logging.getLogger("somebody.else").warning("disk %s", "full")
        CURRENT.set(None)
    assert (lines[0]["event"], lines[0]["level"], lines[0]["request_id"]) == ("disk full", "warning", "of-this-request")
