"""`/v1/products`: browsing, photos and the two tabs."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalogue.settings import Settings
from models import StandInEncoders
from service.build import build
from tests.service.conftest import STYLES, client_of, photo


def get(api: TestClient, path: str, **params: Any) -> dict[str, Any]:
    answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def pages(api: TestClient, **params: Any) -> list[dict[str, Any]]:
    """All products of a listing, page by page."""
    products: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = get(api, "/v1/products", **params, **({"cursor": cursor} if cursor else {}))
        products += page["products"]
        assert page["total"] >= len(products)
        cursor = page["next_cursor"]
        if cursor is None:
            return products


class TestBrowse:
    def test_a_parameter_given_twice_is_refused_unless_it_is_a_list(self, api: TestClient) -> None:
        answer = api.get("/v1/products?filter=supplier=acme&filter=price<=3")
        assert answer.status_code == 400
        assert "'filter' is given 2 times" in answer.json()["detail"]
        assert api.get("/v1/products?supplier=acme&supplier=orion").json()["total"] == 24
        assert api.get("/v1/products/acme-01/similar?k=1&k=2").status_code == 400

    @pytest.mark.parametrize(
        ("method", "path", "there_are"),
        [
            ("GET", "/v1/products", "limit"),
            ("GET", "/v1/products/acme-01", "there are none"),
            ("GET", "/v1/products/acme-01/image", "w, v."),
            ("GET", "/v1/products/acme-01/same-style", "collapse"),
            ("GET", "/v1/products/acme-01/similar", "diversity"),
            ("GET", "/v1/suppliers/acme/duplicates", "limit, cursor."),
            ("GET", "/admin/v1/status", "there are none"),
            ("POST", "/v1/search", "there are none"),
        ],
    )
    def test_a_parameter_that_nobody_knows_is_refused(
        self, api: TestClient, method: str, path: str, there_are: str
    ) -> None:
        answer = api.request(method, path, params={"product_id": "x"})
        assert answer.status_code == 400
        assert "no parameter 'product_id'" in answer.json()["detail"]
        assert there_are in answer.json()["detail"]

    def test_health_and_the_page_take_whatever_a_link_adds(self, api: TestClient) -> None:
        assert {api.get(f"{path}?utm=x").status_code for path in ("/livez", "/readyz", "/metrics", "/")} == {200}

    @pytest.mark.parametrize("limit", [1, 5, 36, 200])
    def test_pages_hold_every_product_once(self, api: TestClient, limit: int) -> None:
        ids = [product["product_id"] for product in pages(api, limit=limit)]
        assert ids == sorted(ids)
        assert len(set(ids)) == len(ids) == 3 * STYLES

    def test_sorts_by_price_with_unpriced_last(self, api: TestClient) -> None:
        up = [product["price"] for product in pages(api, sort="price", limit=7)]
        down = [product["price"] for product in pages(api, sort="-price", limit=7)]
        assert up[:24] == sorted(up[:24])
        assert down[:24] == sorted(down[:24], reverse=True)
        assert set(up[24:]) == set(down[24:]) == {None}

    def test_filters_and_facets_agree(self, api: TestClient) -> None:
        page = get(api, "/v1/products", category="Shop > mugs", supplier=["acme", "orion"], limit=200)
        assert page["total"] == len(page["products"]) == 6
        facets = {name: {item["value"]: item["count"] for item in items} for name, items in page["facets"].items()}
        assert facets["supplier"] == Counter(product["supplier_id"] for product in page["products"])
        assert facets["category"] == {"Shop > mugs": 6}

    @pytest.mark.parametrize(
        ("text", "apart"),
        [
            ('category="Shop > mugs"', {"category": "Shop > mugs"}),
            ("supplier=acme,orion", {"supplier": ["acme", "orion"]}),
            ("price=3..5.1", {"min_price": 3, "max_price": 5.1}),
            ("in_stock=false", {"in_stock": False}),
            ("supplier=acme in_stock=true price>=2", {"supplier": "acme", "in_stock": True, "min_price": 2}),
        ],
    )
    def test_a_filter_in_one_line_is_the_parameters(self, api: TestClient, text: str, apart: dict[str, Any]) -> None:
        page = get(api, "/v1/products", filter=text, limit=200)
        assert page == get(api, "/v1/products", **apart, limit=200)
        assert 0 < page["total"] < 36

    def test_a_filter_and_parameters_hold_together(self, api: TestClient) -> None:
        page = pages(api, filter="SIZE=M3,M4 supplier!=orion id!=acme-03 currency=EUR", min_price=3.5, limit=1)
        assert [product["product_id"] for product in page] == ["acme-04", "kestrel-04"]

    def test_what_is_counted_is_chosen(self, api: TestClient) -> None:
        names = ["category:2", "currency", "in_stock", "price", "attribute:SIZE"]
        facets = get(api, "/v1/products", filter="supplier=kestrel", facets=names)["facets"]
        assert list(facets) == [name.casefold() for name in names]
        assert [item["count"] for item in facets["category:2"]] == [3, 3, 3, 3]
        assert facets["currency"] == [{"value": "EUR", "count": 12}]
        assert facets["in_stock"] == [{"value": "false", "count": 12}]
        assert sum(item["count"] for item in facets["price"]) == 12
        assert facets["attribute:size"][0] == {"value": "M0", "count": 1}
        value = facets["price"][0]["value"]
        assert (
            get(api, "/v1/products", filter=f"supplier=kestrel price={value}")["total"] == facets["price"][0]["count"]
        )

    @pytest.mark.parametrize(
        ("params", "says"),
        [
            ({"filter": "supplier"}, "character 9: expected = or !="),
            ({"filter": "price<=cheap"}, "character 8"),
            ({"filter": "category=A", "category": "B"}, "category is in filter and"),
            ({"filter": "price=1..2", "max_price": 5}, "max_price is in filter and"),
            ({"filter": "a=" + "x" * 10_000}, "filter"),
            ({"facets": "colour"}, "facets"),
            ({"facets": ["supplier"] * 17}, "facets"),
        ],
    )
    def test_what_cannot_be_used_is_told(self, api: TestClient, params: dict[str, Any], says: str) -> None:
        answer = api.get("/v1/products", params=params)
        assert answer.status_code == 400
        assert says in answer.json()["detail"]

    def test_ground_truth_and_paths_stay_inside(self, api: TestClient) -> None:
        product = get(api, "/v1/products", limit=1)["products"][0]
        assert not {"style_id", "images"} & set(product)

    @pytest.mark.parametrize(
        "params",
        [
            {"limit": 0}, {"limit": 201}, {"sort": "colour"}, {"min_price": "nan"}, {"min_price": -1},
            {"cursor": "made up"}, {"cursor": "WzAsImEiXQ.x"}, {"in_stock": "perhaps"}, {"k": 2},
            {"supplier": "x" * 1001}, {"category": "x" * 2000},
        ],
    )  # fmt: skip
    def test_bad_parameters(self, api: TestClient, params: dict[str, Any]) -> None:
        answer = api.get("/v1/products", params=params)
        assert answer.status_code == 400
        assert answer.json()["type"] == "samestyle:invalid-input"

    def test_a_cursor_of_another_listing_is_refused(self, api: TestClient) -> None:
        cursor = get(api, "/v1/products", limit=2)["next_cursor"]
        answer = api.get("/v1/products", params={"cursor": cursor, "sort": "price"})
        assert answer.status_code == 400
        assert "Start again" in answer.json()["detail"]


class TestProduct:
    def test_one_product(self, api: TestClient) -> None:
        product = get(api, "/v1/products/acme-03")
        assert product["title"] == "lamp design3 from acme"
        assert product["attributes"] == {"size": "M3"}
        assert product["image_url"].startswith("/v1/products/acme-03/image?v=")

    @pytest.mark.parametrize("path", ["", "/image", "/similar", "/same-style"])
    def test_an_unknown_one_is_a_404(self, api: TestClient, path: str) -> None:
        answer = api.get(f"/v1/products/nobody{path}")
        assert answer.status_code == 404
        assert answer.json()["type"] == "samestyle:not-found"


def test_an_id_with_slashes_has_all_its_routes(tmp_path: Path) -> None:
    rows = [
        {"product_id": name, "title": f"mug {name}", "images": ["a.jpg"]} for name in ("a/b", "a/similar", "a", "/")
    ]
    (tmp_path / "a.jpg").write_bytes(photo((1, 2, 3)))
    (tmp_path / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = StandInEncoders()
    build(tmp_path / "shop.jsonl", tmp_path / "data", "s", embedder, decode_threads=1)
    with client_of(Settings(data=tmp_path / "data"), embedder) as client:
        for row in rows:
            url = f"/v1/products/{quote(str(row['product_id']), safe='')}"
            assert get(client, url)["product_id"] == row["product_id"]
            assert "hits" in get(client, f"{url}/similar")
            assert client.get(get(client, url)["image_url"]).status_code == 200


class TestPhoto:
    @pytest.mark.parametrize(("asked", "width"), [(1, 64), (160, 64), (1280, 64), (None, 64)])
    def test_is_a_jpeg_that_is_never_enlarged(self, api: TestClient, asked: int | None, width: int) -> None:
        answer = api.get("/v1/products/acme-03/image", params={"w": asked} if asked else {})
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).width == width

    def test_the_url_of_a_hit_may_be_cached_for_good(self, api: TestClient) -> None:
        url = get(api, "/v1/products/acme-03")["image_url"]
        first = api.get(url)
        assert "immutable" in first.headers["cache-control"]
        again = api.get(url, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert not again.content

    def test_a_product_without_one(self, api: TestClient) -> None:
        assert get(api, "/v1/products/acme-11")["image_url"] is None
        assert api.get("/v1/products/acme-11/image").status_code == 404
        assert api.get("/v1/products/acme-11/image", headers={"if-none-match": '"-640"'}).status_code == 404

    @pytest.mark.parametrize("width", ["0", "-1", "100000", "wide"])
    def test_widths_out_of_bounds(self, api: TestClient, width: str) -> None:
        assert api.get(f"/v1/products/acme-03/image?w={width}").status_code == 400


class TestTabs:
    def test_same_style_is_the_style_from_other_suppliers(self, api: TestClient) -> None:
        hits = get(api, "/v1/products/acme-03/same-style")["hits"]
        assert {hit["product_id"] for hit in hits} == {"kestrel-03", "orion-03"}

    def test_similar_is_below_the_same_style_threshold_and_above_its_own(self, api: TestClient) -> None:
        hits = get(api, "/v1/products/acme-03/similar", k=36)["hits"]
        assert hits
        assert all(0.6 <= hit["score"] < 0.9 for hit in hits)
        assert not {"acme-03", "kestrel-03", "orion-03"} & {hit["product_id"] for hit in hits}

    def test_similar_finds_k_behind_any_number_of_same_ones(self, api: TestClient) -> None:
        everything = get(api, "/v1/products/acme-03/similar", k=36)["hits"]
        assert get(api, "/v1/products/acme-03/similar", k=1)["hits"] == everything[:1]

    @settings(max_examples=40, deadline=None)
    @given(
        tab=st.sampled_from(
            [
                ("same-style", {"collapse": False}),
                ("same-style", {"other_suppliers": False}),
                ("similar", {"diversity": 0}),
            ]
        ),
        conditions=st.lists(
            st.sampled_from(
                ["supplier=acme,kestrel", "supplier!=orion", "in_stock=true", "currency=EUR price<=8", "size=M3,M7"]
            ),
            unique_by=lambda condition: condition.split("=")[0],
        ),
        product_id=st.sampled_from(["acme-03", "kestrel-07", "orion-11"]),
    )
    def test_a_filter_leaves_what_passes_in_its_order(
        self, api: TestClient, tab: tuple[str, dict[str, Any]], conditions: list[str], product_id: str
    ) -> None:
        path, how = f"/v1/products/{product_id}/{tab[0]}", tab[1]
        text = " ".join(conditions)
        passing = {product["product_id"] for product in pages(api, filter=text, limit=200)}
        everything = get(api, path, k=1_000, **how)["hits"]
        page = get(api, path, k=2, filter=text, **how)
        filtered = page["hits"]
        while cursor := page["next_cursor"]:
            page = get(api, path, k=2, filter=text, **how, cursor=cursor)
            filtered += page["hits"]
        assert filtered == [hit for hit in everything if hit["product_id"] in passing]

    def test_a_diverse_tab_is_filtered_too_and_gone_on_with(self, api: TestClient) -> None:
        path = "/v1/products/acme-03/similar"
        first = get(api, path, k=1, filter="supplier=kestrel")
        assert first["hits"][0]["supplier_id"] == "kestrel"
        other = api.get(path, params={"cursor": first["next_cursor"], "filter": "supplier=orion"})
        assert (other.status_code, "Start again" in other.json()["detail"]) == (400, True)
        turn = api.post("/v1/search/refine", json={"cursor": first["refine_cursor"], "text": "mug", "k": 36}).json()
        assert {hit["supplier_id"] for hit in turn["hits"]} == {"kestrel"}
        assert api.get(path, params={"filter": "supplier"}).status_code == 400

    @pytest.mark.parametrize("k", [0, 1001, "x"])
    def test_bad_k(self, api: TestClient, k: Any) -> None:
        assert api.get("/v1/products/acme-03/similar", params={"k": k}).status_code == 400
