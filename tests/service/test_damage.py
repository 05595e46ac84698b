"""A snapshot whose file changes under a gateway that serves it: a defined answer for what is hit, and none else."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from structlog.testing import capture_logs

from catalogue.settings import Settings
from index import live
from index.arrays import read_arrays
from models import StandInEncoders
from service import metrics
from tests.service.conftest import client_of, photo, style_colour


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
    both = [{"product_id": "acme-03", "text": "mug"}, {"product_id": "acme-05", "text": "mug", "k": 50}]
    answers = damaged.post("/v1/search/batch", json={"queries": both}).json()["results"]
    assert answers[0]["error"]["type"] == "samestyle:snapshot-damaged"
    assert len(answers[1]["answer"]["hits"]) == 34
    for tab in ("same-style", "similar"):
        assert damaged.get(f"/v1/products/acme-03/{tab}").status_code == 503


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.post("/v1/search", json={"text": "mug", "k": 50}),
        lambda api: api.post("/v1/search", json={"product_id": "kestrel-03", "group_by": "supplier"}),
        lambda api: api.get("/v1/products/kestrel-03/same-style?collapse=false"),
        lambda api: api.get("/v1/products/acme-02/similar?k=50"),
        lambda api: api.get("/v1/products?limit=50"),
    ],
    ids=["search", "groups", "same-style", "similar", "browse"],
)
def test_lists_go_on_without_it_and_say_so_once(damaged: TestClient, ask: Callable[[TestClient], Response]) -> None:
    before = metrics.DAMAGED._value.get()
    assert damaged.get("/readyz").json()["status"] == "ready"
    with capture_logs() as logs:
        answers = [ask(damaged) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert '"acme-03"' not in answers[0].text
    assert answers[0].json().get("products") is None or answers[0].json()["total"] == 35
    assert metrics.DAMAGED._value.get() == before + 1
    assert [line["event"] for line in logs] == ["snapshot_damaged"]
    assert "snapshot shop-1 that cannot be read, and that no list shows: 1." in damaged.get("/readyz").text
    assert damaged.get("/v1/products/acme-03").status_code == 503


def test_styles_go_on_without_it(damaged: TestClient) -> None:
    """A changed product is of the style of its nearest in the snapshot that can be read."""
    own = base64.b64encode(photo(style_colour(3))).decode()
    for name in ("one", "other"):
        new = {
            "title": "lamp design3 from acme",
            "category": "Shop > lamps",
            "attributes": {"size": "M3"},
            "image": own,
        }
        assert damaged.put(f"/v1/products/{name}", json={**new, "supplier_id": "new"}).status_code == 200
    with capture_logs() as logs:
        answer = damaged.post("/v1/search", json={"product_id": "one", "k": 2, "group_by": "style"})
        groups = damaged.get("/v1/suppliers/new/duplicates").json()["groups"]
    assert answer.json()["hits"][0]["group"]["size"] == 3
    assert [listing["product_id"] for group in groups for listing in group["listings"]] == ["one", "other"]
    assert [line["event"] for line in logs] == ["snapshot_damaged"]


def test_no_page_is_shorter_and_none_shows_a_product_twice(damaged: TestClient) -> None:
    """The damaged one is among the hits of one of the pages, with and without filters, and with writes between."""
    for asked in ({"text": "mug"}, {"text": "mug", "filters": {"in_stock": True}}):
        shown: list[str] = []
        answer = damaged.post("/v1/search", json={**asked, "k": 5}).json()
        while True:
            shown += [hit["product_id"] for hit in answer["hits"]]
            if answer["next_cursor"] is None:
                break
            assert len(answer["hits"]) == 5
            assert damaged.delete("/v1/products/nobody").status_code == 204
            answer = damaged.post("/v1/search", json={"cursor": answer["next_cursor"], "k": 5}).json()
        assert len(set(shown)) == len(shown) == (35 if len(asked) == 1 else 23)


def test_too_many_are_told_as_before(damaged: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_DAMAGED", 0)
    for _ in range(2):
        assert damaged.get("/v1/products?limit=50").json()["type"] == "samestyle:snapshot-damaged"
    assert damaged.get("/v1/products?supplier=orion&limit=50").status_code == 200


@pytest.mark.parametrize("image", [None, base64.b64encode(photo((1, 2, 3))).decode()])
def test_a_new_version_of_it_mends_it(damaged: TestClient, image: str | None) -> None:
    """What is live is read from the delta then; only a photo that is kept would have to be looked up."""
    assert damaged.get("/v1/products?limit=50").json()["total"] == 35
    assert damaged.put("/v1/products/acme-03", json={"title": "mug"}).status_code == 503
    assert damaged.put("/v1/products/acme-03", json={"title": "mug", "image": image}).status_code == 200
    assert damaged.get("/v1/products/acme-03").json()["title"] == "mug"
    assert damaged.get("/v1/products?limit=50").json()["total"] == 36
    assert damaged.get("/readyz").json()["status"] == "ready"
    assert damaged.delete("/v1/products/acme-03").status_code == 204
    assert damaged.put("/v1/products/acme-03", json={"title": "mug"}).status_code == 200


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


@pytest.mark.parametrize("column", ["product_id", "title", "photo", "document", "attributes.values"])
def test_where_texts_begin_cannot_change_under_it(own_shop: Settings, embedder: StandInEncoders, column: str) -> None:
    """Arrow takes a beginning as it is: one that leads anywhere would end the process."""
    with client_of(own_shop, embedder) as api:
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        asked = "/v1/products?facets=attribute:size&sort=title&limit=50"
        before = api.get(asked).json()
        starts = read_arrays(file)[column].buffers()[1].to_pybytes()
        _change(file, starts, starts[::-1])
        after = api.get(asked).json()
        assert (after["products"], after["facets"]) == (before["products"], before["facets"])
        assert len(api.post("/v1/search", json={"text": "mug", "k": 50}).json()["hits"]) == 36


def test_an_order_that_cannot_be_used_says_so(own_shop: Settings, embedder: StandInEncoders) -> None:
    with client_of(own_shop, embedder) as api:
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        rows = read_arrays(file)["order.price"].to_numpy()
        _change(file, rows.tobytes(), (rows ^ np.uint32(1 << 20)).tobytes())
        assert api.get("/v1/products?sort=price").json()["type"] == "samestyle:snapshot-damaged"
        assert api.get("/v1/products?sort=title").status_code == 200


@pytest.mark.parametrize("column", ["attributes.values", "attributes.rows", "category.codes"])
def test_columns_that_cannot_be_used_say_so_and_all_else_goes_on(
    own_shop: Settings, embedder: StandInEncoders, column: str
) -> None:
    """Each value of an attribute no text, each row that has one none of the table, each code none of a text."""
    with client_of(own_shop, embedder) as api:
        file = own_shop.data / "snapshots" / "shop-1" / "products.arrow"
        array = read_arrays(file)[column]
        if column == "attributes.values":
            whole = array.buffers()[2].to_pybytes()
            _change(file, whole, b"\xff" * len(whole))
        else:
            numbers = array.to_numpy()
            _change(file, numbers.tobytes(), np.full_like(numbers, 250).tobytes())
        facet, condition = ("category", "category=Shop") if "category" in column else ("attribute:size", "size=M3")
        damaged = [api.get("/v1/products", params={"facets": facet})]
        if column != "category.codes":  # which are compared and lead nowhere
            damaged.append(api.get("/v1/products", params={"filter": condition}))
        for answer in damaged:
            assert (answer.status_code, answer.json()["type"]) == (503, "samestyle:snapshot-damaged")
            assert "snapshot shop-1 cannot be read" in answer.json()["detail"]
        for asked in ({}, {"filter": "supplier=acme"}, {"sort": "price"}):
            assert api.get("/v1/products", params={"facets": "supplier", **asked}).status_code == 200
        assert len(api.post("/v1/search", json={"text": "mug", "k": 50}).json()["hits"]) == 36
