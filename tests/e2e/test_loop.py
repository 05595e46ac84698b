"""The closed loop, whole: the real service is searched, says what became of it, and training pairs come out."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from catalogue import demo
from tests.e2e.conftest import SAMESTYLE, Gateway

SHOPPERS = 6
PRODUCTS = 12


def samestyle(*words: str) -> str:
    done = subprocess.run([SAMESTYLE, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shop(client: httpx.Client) -> int:
    """Shoppers look for the same product from more suppliers, and choose two that are; returns how many events."""
    styles = {row["product_id"]: row["style_id"] for row in map(json.loads, demo.CATALOGUE.read_text().splitlines())}
    events: list[dict[str, Any]] = []
    used = 0
    for product in client.get("/v1/products", params={"limit": 200}).json()["products"]:
        path, own = f"/v1/products/{product['product_id']}/same-style", styles[product["product_id"]]
        if sum(styles[hit["product_id"]] == own for hit in client.get(path).json()["hits"]) < 2:
            continue
        used += 1
        for number in range(SHOPPERS):
            user = {"user_key": f"shopper-{number}-of-{used}"}
            tab = client.get(path, params=user).json()
            right = [at for at, hit in enumerate(tab["hits"]) if styles[hit["product_id"]] == own]
            for kind, at in (("impression", 0), ("click", right[0]), ("cart", right[1])):
                events.append(
                    {
                        "event_id": f"{tab['request_id']}-{kind}",
                        "type": kind,
                        "request_id": tab["request_id"],
                        "product_id": tab["hits"][at]["product_id"],
                        "position": at + 1,
                        **user,
                    }
                )
        if used == PRODUCTS:
            break
    for at in range(0, len(events), 100):
        for _ in range(2):  # a client that repeats itself
            answer = client.post("/v1/events", json={"events": events[at : at + 100]})
            assert answer.status_code == 200, answer.text
            assert answer.json()["refused"] == []
    return len(events)


def test_from_clicks_to_training_pairs(own_demo: Path, tmp_path: Path) -> None:
    with Gateway(own_demo) as gateway, httpx.Client(base_url=gateway.url, timeout=30) as client:
        sent = shop(client)
    events = own_demo / "events"
    assert not list(events.glob("spool-*-wal"))  # all of it became files when the gateway ended
    kept = pq.read_table(events / "events")
    assert len(kept) == sent
    out = tmp_path / "pairs.parquet"
    told = samestyle("pairs", "mine", str(events), str(demo.CATALOGUE), "--out", str(out), "--json", "--threads", "1")
    report = json.loads(told)
    # each click and cart on a tab is one on the product it was the tab of, too
    tab_choices = 2 * SHOPPERS * PRODUCTS
    assert report["rows"]["kept"] == sent - SHOPPERS * PRODUCTS + tab_choices
    pairs = pq.read_table(out).to_pylist()
    assert len(pairs) > PRODUCTS
    assert report["steps"][-1]["precision"]["share"] > 0.9
