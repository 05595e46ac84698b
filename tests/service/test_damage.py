"""A snapshot whose file changes under a gateway that serves it: a defined answer for what is hit, and none else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from catalogue.settings import Settings
from index.arrays import read_arrays
from models import StandInEncoders
from service import metrics
from tests.service.conftest import client_of


@pytest.fixture
def damaged(own_shop: Settings, embedder: StandInEncoders) -> Iterator[TestClient]:
    """The document of acme-03 is no JSON any more."""
    with client_of(own_shop, embedder) as api:
        assert api.get("/v1/products/acme-03").status_code == 200
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        _change(file, b'"product_id":"acme-03"', b"x")
        yield api


def _change(file: Path, where: bytes, what: bytes) -> None:
    at = file.read_bytes().index(where)
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(what)


def test_what_cannot_be_read_says_what_to_do_and_is_counted(damaged: TestClient) -> None:
    before = metrics.DAMAGED._value.get()
    with capture_logs() as logs:
        answer = damaged.get("/v1/products/acme-03")
    assert (answer.status_code, answer.json()["type"]) == (503, "samestyle:snapshot-damaged")
    for word in ("shop-1", "samestyle snapshot verify", "roll back"):
        assert word in answer.json()["detail"]
    assert metrics.DAMAGED._value.get() == before + 1
    assert [line["event"] for line in logs] == ["snapshot_damaged", "failed_request"]
    batch = damaged.post("/v1/search/batch", json={"queries": [{"product_id": "acme-03", "text": "mug"}]})
    assert batch.status_code == 200


def test_other_products_go_on(damaged: TestClient) -> None:
    assert damaged.get("/v1/products/acme-05").status_code == 200
    answer = damaged.post("/v1/search", json={"product_id": "acme-05", "k": 50, "exclude": ["acme-03"]})
    assert answer.status_code == 200
    assert len(answer.json()["hits"]) == 34
    assert damaged.post("/v1/search", json={"text": "mug", "k": 50}).status_code == 503
    assert damaged.get("/v1/products?supplier=orion&limit=50").status_code == 200


def test_a_new_version_of_it_mends_it(damaged: TestClient) -> None:
    """What is live is read from the delta then."""
    assert damaged.delete("/v1/products/acme-03").status_code == 204
    assert damaged.put("/v1/products/acme-03", json={"title": "mug"}).status_code == 200
    assert damaged.get("/v1/products/acme-03").json()["title"] == "mug"


def test_an_id_that_cannot_be_read_holds_up_no_write(own_shop: Settings, embedder: StandInEncoders) -> None:
    with client_of(own_shop, embedder) as api:
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        _change(file, b"acme-00", b"\xff")
        assert api.get("/v1/products/acme-00").status_code == 200
        assert api.delete("/v1/products/acme-00").status_code == 204
        assert api.get("/v1/products/acme-00").status_code == 404
        assert api.put("/v1/products/new", json={"title": "mug"}).status_code == 200
        assert api.get("/v1/products/new").status_code == 200


def test_an_id_whose_row_is_not_there_holds_up_no_write(own_shop: Settings, embedder: StandInEncoders) -> None:
    with client_of(own_shop, embedder) as api:
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        rows = read_arrays(file)["hash.rows"].to_numpy()
        _change(file, rows.tobytes(), (rows ^ np.uint32(1 << 20)).tobytes())
        assert api.get("/v1/products/acme-00").json()["type"] == "samestyle:snapshot-damaged"
        assert api.delete("/v1/products/acme-00").status_code == 204
        assert api.put("/v1/products/new", json={"title": "mug"}).status_code == 200
        assert api.get("/v1/products/new").status_code == 200


def test_an_order_that_cannot_be_used_says_so(own_shop: Settings, embedder: StandInEncoders) -> None:
    with client_of(own_shop, embedder) as api:
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        rows = read_arrays(file)["order.price"].to_numpy()
        _change(file, rows.tobytes(), (rows ^ np.uint32(1 << 20)).tobytes())
        assert api.get("/v1/products?sort=price").json()["type"] == "samestyle:snapshot-damaged"
        assert api.get("/v1/products?sort=title").status_code == 200
