"""Real requests to the real process on a real snapshot."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import redis

from catalogue import Product, demo
from catalogue.readers import CatalogueRow, read_catalogue
from tests.e2e.conftest import SAMESTYLE, Gateway, copy_of
from tests.servers.process import free_port
from tests.servers.valkey import Valkey
from tests.waiting import wait_until

PRODUCTS: list[Product] = [row.product for row in read_catalogue(demo.CATALOGUE) if isinstance(row, CatalogueRow)]
HELD_OUT = [product for product in PRODUCTS if product.style_id is not None and demo.is_held_out(product.style_id)]
STYLES = {product.product_id: product.style_id for product in PRODUCTS}


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client


def photo_of(product: Product) -> bytes:
    return (demo.CATALOGUE.parent / product.images[0]).read_bytes()


def hits(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hits"]
    return found


def share_with_style_in_first(count: int, answers: list[tuple[Product, list[dict[str, Any]]]]) -> float:
    """Recall@count over the wire: how many queries have a product of their style among the first hits."""
    found = [
        any(STYLES[hit["product_id"]] == query.style_id for hit in answer if hit["product_id"] != query.product_id)
        for query, answer in answers
    ]
    assert all(len(answer) == count for _, answer in answers)
    return sum(found) / len(found)


def test_by_product_id(client: httpx.Client) -> None:
    answers = []
    for product in HELD_OUT:
        answer = hits(client.post("/v1/search", json={"product_id": product.product_id, "k": 5}))
        assert product.product_id not in {hit["product_id"] for hit in answer}
        answers.append((product, answer))
    assert share_with_style_in_first(5, answers) >= 0.8


def test_by_uploaded_photo(client: httpx.Client) -> None:
    for product in HELD_OUT[:8]:
        form = {"k": "3", "weights": json.dumps({"fused": 1})}
        answer = hits(client.post("/v1/search/upload", files={"image": photo_of(product)}, data=form))
        assert answer[0]["product_id"] == product.product_id  # its own photo


def test_by_base64_photo_equals_the_upload(client: httpx.Client) -> None:
    image = photo_of(HELD_OUT[0])
    uploaded = hits(client.post("/v1/search/upload", files={"image": image}))
    encoded = base64.b64encode(image).decode()
    assert hits(client.post("/v1/search", json={"image": encoded})) == uploaded


def test_by_words(client: httpx.Client) -> None:
    answers = [hits(client.post("/v1/search", json={"text": product.title, "k": 5})) for product in HELD_OUT]
    asked = list(zip(HELD_OUT, answers, strict=True))
    # Others sell the same under the same words, so a title is not always the first to be found by it. Bundle v1 finds
    # 0.75 of them among five: it weighs words less than v0, which found 0.92 (docs/model.md).
    own = [product.product_id in {hit["product_id"] for hit in answer} for product, answer in asked]
    same_kind = [answer[0]["category"] == product.category for product, answer in asked]
    assert sum(own) >= 0.72 * len(HELD_OUT)
    assert sum(same_kind) >= 0.95 * len(HELD_OUT)


def test_by_photo_and_words(client: httpx.Client) -> None:
    for product in HELD_OUT[:8]:
        form = {"text": product.title, "k": "3", "explain": "true"}
        answer = hits(client.post("/v1/search/upload", files={"image": photo_of(product)}, data=form))
        assert product.product_id in {hit["product_id"] for hit in answer}
        assert sum(answer[0]["explain"].values()) == pytest.approx(answer[0]["score"], abs=1e-4)


@pytest.mark.parametrize("base", ["words", "photo and words"])
def test_less_like_one_is_still_what_was_asked_for(client: httpx.Client, base: str) -> None:
    """Of the kind that was found, but fewer of the one that is not wanted."""
    kinds = ["Mugs", "Tote Bags", "Vases", "Table Lamps", "Paint Brushes", "Cushions"]
    examples = [next(p for p in PRODUCTS if (p.category or "").endswith(kind)) for kind in kinds]
    kept: list[float] = []
    before, left = 0, 0
    for kind, example in zip(kinds, examples, strict=True):
        query = {"text": kind.lower()} if base == "words" else {"text": "blue", "product_id": example.product_id}
        first = hits(client.post("/v1/search", json=query))
        unwanted = first[0]["product_id"]
        answer = hits(client.post("/v1/search", json={**query, "negatives": [unwanted]}))
        was_kind = [hit["category"] for hit in first].count(example.category)
        kept.append([hit["category"] for hit in answer].count(example.category) / was_kind)
        before += [STYLES[hit["product_id"]] for hit in first].count(STYLES[unwanted])
        left += [STYLES[hit["product_id"]] for hit in answer].count(STYLES[unwanted])
    assert sum(kept) / len(kept) >= 0.75
    assert left <= 0.5 * before


def test_the_tabs_and_photos_of_a_product(client: httpx.Client) -> None:
    product = HELD_OUT[0]
    for hit in hits(client.get(f"/v1/products/{product.product_id}/same-style")):
        assert hit["supplier_id"] != product.supplier_id
    similar = hits(client.get(f"/v1/products/{product.product_id}/similar"))
    assert similar
    photo = client.get(similar[0]["image_url"])
    assert photo.headers["content-type"] == "image/jpeg"
    assert photo.content[:2] == b"\xff\xd8"


def test_an_answer_does_not_depend_on_what_is_asked_beside_it(own_demo: Path) -> None:
    with Gateway(own_demo, CACHE__MEMORY_BYTES="0") as server, httpx.Client(base_url=server.url, timeout=30) as client:

        def ask(product: Product) -> list[float]:
            return [hit["score"] for hit in hits(client.post("/v1/search", json={"text": product.title, "k": 5}))]

        alone = [ask(product) for product in PRODUCTS[:24]]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(ask, PRODUCTS[:24]))
        largest = re.findall(r'samestyle_batch_size_bucket{le="1.0",stage="text"} (.*)', client.get("/metrics").text)
        assert float(largest[0]) < 48, "nothing was encoded together"
    assert np.allclose(together, alone, atol=1e-4)


def test_without_a_snapshot_it_says_what_to_run(tmp_path: Path) -> None:
    command = [SAMESTYLE, "serve", "--data", str(tmp_path), "--port", str(free_port())]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "samestyle build" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_gateways_share_embeddings_through_redis(own_demo: Path, tmp_path: Path, valkey: Valkey) -> None:
    settings = {"CACHE__REDIS_URL": valkey.url, "CACHE__REDIS_TIMEOUT_S": "1"}
    query = {"text": "a mug nobody asked for yet", "k": 5}
    other = copy_of(own_demo, tmp_path / "other")
    with Gateway(own_demo, **settings) as first, Gateway(other, **settings) as second:
        one = hits(httpx.post(f"{first.url}/v1/search", json=query))
        assert 'kind="vector",outcome="miss"} 1.0' in httpx.get(f"{first.url}/metrics").text
        with redis.Redis.from_url(valkey.url) as client:
            wait_until(lambda: client.dbsize() == 1, seconds=10)  # it is written a moment after the answer
        assert hits(httpx.post(f"{second.url}/v1/search", json=query)) == one
        assert 'kind="vector",outcome="redis"} 1.0' in httpx.get(f"{second.url}/metrics").text
