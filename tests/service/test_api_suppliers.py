"""`GET /v1/suppliers/{id}/duplicates`: those of the snapshot, and what joined or left them since."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from catalogue.settings import Settings
from models import StandInEncoders
from service.build import build
from tests.service.conftest import client_of
from tests.service.test_api_products import get
from tests.service.test_api_writes import put

MUG, GNOME, BOLT = "red mug of glazed clay", "garden gnome with a lantern", "hex bolt"


@pytest.fixture
def shop_api(tmp_path: Path, embedder: StandInEncoders) -> Iterator[TestClient]:
    """acme lists three mugs and two bolts M6, kestrel one mug."""
    rows: list[dict[str, Any]] = [{"product_id": f"mug-{n}", "title": MUG, "supplier_id": "acme"} for n in range(3)]
    rows.append({"product_id": "mug-k", "title": MUG, "supplier_id": "kestrel"})
    rows += [
        {"product_id": f"bolt-{n}", "title": BOLT, "supplier_id": "acme", "attributes": {"thread": "M6"}}
        for n in range(2)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build(tmp_path / "rows.jsonl", tmp_path / "data", "s", embedder, decode_threads=1)
    with client_of(Settings(data=tmp_path / "data"), embedder) as client:
        yield client


def groups(api: TestClient, supplier: str = "acme", **params: Any) -> list[list[str]]:
    answer = get(api, f"/v1/suppliers/{supplier}/duplicates", **params)
    assert all(group["size"] == len(group["listings"]) for group in answer["groups"])
    return [sorted(listing["product_id"] for listing in group["listings"]) for group in answer["groups"]]


MUGS, BOLTS = ["mug-0", "mug-1", "mug-2"], ["bolt-0", "bolt-1"]


def test_the_largest_first_in_pages(shop_api: TestClient) -> None:
    assert groups(shop_api) == [MUGS, BOLTS]
    first = get(shop_api, "/v1/suppliers/acme/duplicates", limit=1)
    assert (first["total"], len(first["groups"])) == (2, 1)
    assert first["groups"][0]["listings"][0]["score"] == pytest.approx(1, abs=1e-3)
    second = get(shop_api, "/v1/suppliers/acme/duplicates", limit=1, cursor=first["next_cursor"])
    assert second["groups"][0]["style_group"] == "bolt-0"
    assert second["next_cursor"] is None


def test_others_have_none(shop_api: TestClient) -> None:
    for supplier in ("kestrel", "nobody", "a%2Fb"):
        assert groups(shop_api, supplier) == []


def test_what_was_deleted_or_became_another_product_leaves(shop_api: TestClient) -> None:
    shop_api.delete("/v1/products/mug-0")
    put(shop_api, "bolt-1", title=GNOME, supplier_id="acme")
    assert groups(shop_api) == [["mug-1", "mug-2"]]
    shop_api.delete("/v1/products/mug-1")
    assert groups(shop_api) == []


def test_what_came_since_joins_its_nearest(shop_api: TestClient) -> None:
    put(shop_api, "mug-3", title=MUG, supplier_id="acme")
    put(shop_api, "bolt-2", title=BOLT, supplier_id="acme", attributes={"thread": "M8"})
    put(shop_api, "mug-k2", title=MUG, supplier_id="kestrel")
    assert groups(shop_api) == [[*MUGS, "mug-3"], BOLTS]
    assert groups(shop_api, "kestrel") == [["mug-k", "mug-k2"]]
    answer = get(shop_api, "/v1/suppliers/kestrel/duplicates")
    assert answer["groups"][0]["style_group"] == "mug-0"


def test_what_came_since_makes_groups_of_its_own(shop_api: TestClient) -> None:
    for number in range(3):
        put(shop_api, f"gnome-{number}", title=GNOME, supplier_id="acme")
    assert ["gnome-0", "gnome-1", "gnome-2"] in groups(shop_api)
    shop_api.delete("/v1/products/gnome-0")
    assert ["gnome-1", "gnome-2"] in groups(shop_api)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"cursor": "x"}])
def test_bad_input(shop_api: TestClient, params: dict[str, Any]) -> None:
    assert shop_api.get("/v1/suppliers/acme/duplicates", params=params).status_code == 400


def test_a_model_without_a_threshold_has_no_groups(own_shop: Settings, tmp_path: Path) -> None:
    embedder = StandInEncoders()
    embedder.thresholds = {}
    (tmp_path / "rows.jsonl").write_text(json.dumps({"product_id": "p", "title": MUG, "supplier_id": "acme"}))
    build(tmp_path / "rows.jsonl", tmp_path / "bare", "s", embedder, decode_threads=1)
    with client_of(Settings(data=tmp_path / "bare"), embedder) as api:
        answer = api.get("/v1/suppliers/acme/duplicates")
    assert answer.status_code == 409
    assert "no style groups" in answer.json()["detail"]
