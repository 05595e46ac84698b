"""Nothing of a request stays behind once it is answered: neither for ever nor until garbage is collected."""

import base64
import gc
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient

from catalogue.settings import Settings
from models import StandInEncoders
from tests.service.conftest import client_of, copy_of, photo
from tests.waiting import wait_until

ROUNDS = 5
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def api(shop: Settings, tmp_path_factory: pytest.TempPathFactory, embedder: StandInEncoders) -> Iterator[TestClient]:

    with client_of(copy_of(shop, tmp_path_factory.mktemp("kept")), embedder) as client:
        yield client


def post(api: TestClient, path: str, body: Any) -> None:
    api.post(path, content=json.dumps(body), headers={"content-type": "application/json"})


def upload(api: TestClient, image: bytes) -> None:
    api.post("/v1/search/upload", files={"image": image}, data={"text": "mug"})


def bulk(api: TestClient, *lines: Any) -> None:
    api.post("/v1/products/bulk", content="\n".join(map(json.dumps, lines)), headers=NDJSON)


LONG = "x" * 6_000
EMPTY: dict[str, Any] = {"text": ""}
BAD_LINES = [
    {"product_id": "\u200b", "title": "a"},
    {"product_id": "p", "image": "?"},
    3,
    {"product_id": "p", "price": -1},
]
_ERRORS = {"ValidationError", "RequestValidationError"}
REQUESTS: dict[str, Callable[[TestClient], None]] = {
    "search": lambda api: post(api, "/v1/search", {"product_id": "acme-03"}),
    "words": lambda api: post(api, "/v1/search", {"text": "mug"}),
    "photo": lambda api: upload(api, photo((1, 2, 3))),
    "no photo": lambda api: upload(api, b"no photo"),
    "empty": lambda api: post(api, "/v1/search", EMPTY),
    "empty and large": lambda api: post(api, "/v1/search", {**EMPTY, "exclude": [LONG[:100]] * 60}),
    "too long": lambda api: post(api, "/v1/search", {"text": LONG * 2}),
    "batch": lambda api: post(api, "/v1/search/batch", {"queries": [{"text": "mug"}, EMPTY, {"k": 0}]}),
    "compare": lambda api: post(api, "/v1/compare", {"a": EMPTY, "b": {"image": "?"}}),
    "embed": lambda api: post(api, "/v1/embed", {"inputs": [EMPTY, {"image": LONG}, {"text": "mug"}]}),
    "bad filter": lambda api: _get(api, "/v1/products?filter=price%3E%22a%22&sort=nothing"),
    "bulk": lambda api: bulk(api, *BAD_LINES, {"product_id": "p", "delete": True}),
    "put": lambda api: _put(api, {"title": "mug", "image": base64.b64encode(b"no photo").decode()}),
}


def _get(api: TestClient, path: str) -> None:
    api.get(path)


def _put(api: TestClient, body: dict[str, Any]) -> None:
    api.put("/v1/products/p", json=body)


def kept() -> Counter[str]:
    """Objects of ours and errors of pydantic, by type, without the last few queries, which warm up another snapshot."""
    types = [type(each) for each in gc.get_objects()]
    names = [kind.__name__ for kind in types if str(kind.__module__).startswith("service.") or kind.__name__ in _ERRORS]
    return Counter(name for name in names if name not in {"Query", "Scope"})


@pytest.mark.parametrize("name", REQUESTS)
def test_nothing_stays_for_ever(api: TestClient, name: str) -> None:
    """Not even garbage that the garbage collection does not see."""
    for _ in range(2):
        REQUESTS[name](api)
    gc.collect()
    before, blocks = kept(), sys.getallocatedblocks()
    for _ in range(20):
        REQUESTS[name](api)
    gc.collect()
    assert kept() - before == Counter()
    assert sys.getallocatedblocks() - blocks < 20 * 100


@pytest.mark.parametrize("name", ["search", "words", "photo", "batch", "compare", "embed"])
def test_nor_until_garbage_is_collected(api: TestClient, name: str) -> None:
    REQUESTS[name](api)
    gc.collect()
    before = kept()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            REQUESTS[name](api)

        def stays() -> dict[str, int]:
            return {kind: count for kind, count in (kept() - before).items() if count >= ROUNDS}

        with suppress(AssertionError):  # what a thread still holds of the last one goes soon
            wait_until(lambda: not stays(), 5)
        assert stays() == {}
    finally:
        gc.enable()
