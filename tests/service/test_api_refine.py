"""`POST /v1/search/refine`: "like this, but ..." over several turns."""

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.settings import CacheSettings, Settings
from models import StandInEncoders
from service.build import build
from tests.service.conftest import client_of, photo, style_colour
from tests.service.test_api_paging import all_hits
from tests.service.test_api_products import get
from tests.service.test_api_search import JSON, encoded, ids, search


def refine(api: TestClient, before: dict[str, Any], **change: Any) -> dict[str, Any]:
    answer = api.post("/v1/search/refine", json={"cursor": before["refine_cursor"], **change})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def refused(api: TestClient, status: int, **body: Any) -> str:
    answer = api.post("/v1/search/refine", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def scores(answer: dict[str, Any]) -> dict[str, float]:
    return {hit["product_id"]: hit["score"] for hit in answer["hits"]}


BASES = st.sampled_from(
    [
        {"text": "mug"},
        {"product_id": "acme-03"},
        {"product_id": "acme-03", "crop": [0, 0, 0.5, 1]},
        {"image": encoded(photo(style_colour(4)))},
    ]
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from(["chair design6", "lamp from orion"]),
        "add_negatives": st.lists(st.sampled_from(["lamp", "acme-01", "bolt"]), max_size=2, unique=True),
        "filters": st.fixed_dictionaries({}, optional={"suppliers": st.just(["orion"])}),
        "k": st.integers(1, 36),
    },
)


class TestTurns:
    @settings(max_examples=40, deadline=None)
    @given(base=BASES, change=CHANGES)
    def test_a_turn_answers_as_the_search_it_stands_for(
        self, api: TestClient, base: dict[str, Any], change: dict[str, Any]
    ) -> None:
        turned = refine(api, search(api, **base, k=5), **change)
        whole = {**base, "k": 5, **change}
        whole["negatives"] = whole.pop("add_negatives", [])
        expected = search(api, **whole)
        assert ids(turned) == ids(expected)
        assert list(scores(turned).values()) == pytest.approx(list(scores(expected).values()), abs=1e-4)

    def test_several_turns_from_a_photo(self, api: TestClient) -> None:
        image = encoded(photo(style_colour(4)))
        first = search(api, image=image, k=36)
        words = refine(api, first, text="chair design6")
        assert scores(words)["acme-06"] > scores(first)["acme-06"]
        mostly_words = refine(api, words, weights={"fused": 0, "image": 0.2, "text": 0.8})
        assert ids(mostly_words)[0][-2:] == "06"
        mostly_photo = refine(api, mostly_words, weights={"fused": 0, "image": 0.9, "text": 0.1}, k=3)
        assert {name[-2:] for name in ids(mostly_photo)} == {"04"}
        without = refine(api, mostly_photo, add_negatives=["acme-04"], k=36)
        assert scores(without)["acme-04"] < scores(mostly_photo)["acme-04"]
        again = refine(api, without, remove_negatives=["acme-04", "nobody"], k=3)
        assert again["hits"] == mostly_photo["hits"]
        only_words = refine(api, again, drop_photo=True)
        assert ids(only_words) == ids(search(api, text="chair design6", k=3))
        only_photo = refine(api, again, text=None)
        assert ids(only_photo) == ids(search(api, image=image, k=3))

    def test_a_crop_stays(self, api: TestClient) -> None:
        image = encoded(photo(style_colour(4)))
        first = search(api, image=image, crop=[0.1, 0.1, 0.9, 0.9], k=3)
        assert refine(api, first, k=3)["hits"] == first["hits"]

    def test_a_crop_goes_with_its_product(self, api: TestClient) -> None:
        first = search(api, product_id="acme-03", text="chair design6", crop=[0, 0, 0.5, 1], k=3)
        assert ids(refine(api, first, drop_photo=True)) == ids(search(api, text="chair design6", k=3))

    def test_its_pages_go_on_by_the_cursor(self, api: TestClient) -> None:
        turned = refine(api, search(api, image=encoded(photo(style_colour(4)))), text="chair", k=5)
        pages = [turned, search(api, cursor=turned["next_cursor"])]
        whole = refine(api, search(api, image=encoded(photo(style_colour(4)))), text="chair", k=10)
        assert all_hits(pages) == whole["hits"]
        assert pages[1]["refine_cursor"] is None

    def test_filters_and_facets_change_and_go(self, api: TestClient) -> None:
        first = search(api, text="mug", k=36, filters={"suppliers": ["acme"]})
        other = refine(api, first, filters={"suppliers": ["orion"]}, facets=["supplier"])
        assert {hit["supplier_id"] for hit in other["hits"]} == {"orion"}
        assert other["facets"]["supplier"] == [{"value": "orion", "count": 12}]
        everything = refine(api, other, filters=None, facets=None, explain=True)
        assert len(everything["hits"]) == 36
        assert everything["facets"] == {}
        assert everything["hits"][0]["explain"]

    def test_of_a_last_page_and_of_an_upload_and_of_a_batch(self, api: TestClient) -> None:
        assert search(api, text="mug", k=1_000)["next_cursor"] is None
        upload = api.post("/v1/search/upload", files={"image": photo(style_colour(4))}, data={"k": "3"}).json()
        batch = api.post("/v1/search/batch", json={"queries": [{"product_id": "acme-06", "k": 3}]}).json()
        for answer in (upload, batch["results"][0]["answer"]):
            assert refine(api, answer, text="chair design6")["hits"]

    def test_without_a_cache_too(self, own_shop: Settings, embedder: StandInEncoders) -> None:
        bare = own_shop.model_copy(update={"cache": CacheSettings(memory_bytes=0, tokens_memory_bytes=0)})
        with client_of(bare, embedder) as api:
            first = search(api, image=encoded(photo(style_colour(4))), text="chair", k=36)
            assert scores(refine(api, first)) == pytest.approx(scores(first), abs=1e-4)


class TestTokens:
    def test_a_photo_travels_in_bounded_room(self, api: TestClient) -> None:
        large = photo(style_colour(4), (2_000, 2_000))
        assert len(search(api, image=encoded(large))["refine_cursor"]) < 50_000
        assert len(search(api, text="mug")["refine_cursor"]) < 600

    def test_another_model_asks_for_the_photo_again(self, own_shop: Settings, embedder: StandInEncoders) -> None:
        other = StandInEncoders(dim=64)
        assert other.fingerprint != embedder.fingerprint
        with client_of(own_shop, embedder, other) as api:
            by_photo = search(api, image=encoded(photo(style_colour(4))), text="mug")
            by_words = search(api, text="mug")
            build(own_shop.data.parent / "rows.jsonl", own_shop.data, "shop-2", other, decode_threads=1)
            assert api.put("/admin/v1/aliases/live", json={"snapshot": "shop-2"}).status_code == 200
            told = refused(api, 410, cursor=by_photo["refine_cursor"])
            assert "Search with the photo again" in told
            assert refine(api, by_photo, drop_photo=True)["snapshot"] == "shop-2"
            assert refine(api, by_words)["snapshot"] == "shop-2"

    @pytest.fixture(autouse=True)
    def _rows(self, own_shop: Settings) -> None:
        (own_shop.data.parent / "rows.jsonl").write_text('{"product_id": "p", "title": "mug"}\n')

    def test_a_cursor_that_is_none(self, api: TestClient) -> None:
        first = search(api, text="mug", k=2)
        cursor = first["refine_cursor"]
        tampered = base64.urlsafe_b64encode(b"\x00" * 40).decode() + "." + cursor.partition(".")[2]
        for bad in ("x", cursor[:-1], "A" + cursor[1:], first["next_cursor"], tampered, "\u00e9", "a.b.c"):
            assert "cursor" in refused(api, 400, cursor=bad)
        for bad in ("", None, 5, "x" * 3_000_000):
            assert "cursor" in refused(api, 400, cursor=bad)
        assert api.post("/v1/search", json={"cursor": cursor}).status_code == 400

    def test_bad_changes(self, api: TestClient) -> None:
        words, by_photo = search(api, text="mug"), search(api, image=encoded(photo(style_colour(4))))
        assert "Nothing is left" in refused(api, 400, cursor=words["refine_cursor"], text=None)
        assert "Nothing is left" in refused(api, 400, cursor=words["refine_cursor"], text="  ")
        assert "Nothing is left" in refused(api, 400, cursor=by_photo["refine_cursor"], drop_photo=True)
        assert "no text" in refused(api, 400, cursor=by_photo["refine_cursor"], weights={"text": 0.5})
        assert "cancel" in refused(api, 400, cursor=words["refine_cursor"], weights={"fused": 0.5, "text": -0.5})
        many = [f"word {number}" for number in range(10)]
        more = refine(api, words, add_negatives=many)
        assert "negatives" in refused(api, 400, cursor=more["refine_cursor"], add_negatives=["a", *"bcdefgh"])
        assert "product_id" in refused(api, 400, cursor=words["refine_cursor"], product_id="acme-01")
        gone = search(api, product_id="acme-03")["refine_cursor"]
        assert api.post("/v1/search/refine", content=b"{", headers=JSON).status_code == 400
        assert api.post("/v1/search/refine", json={"cursor": gone, "k": 0}).status_code == 400
        assert api.post("/v1/search/refine", content=b"x", headers={"content-type": "text/plain"}).status_code == 415


def test_a_product_that_went_is_a_404(own_shop: Settings, embedder: StandInEncoders) -> None:
    with client_of(own_shop, embedder) as api:
        first = search(api, product_id="acme-03")
        tab = get(api, "/v1/products/acme-03/similar")
        api.delete("/v1/products/acme-03")
        assert "acme-03" in refused(api, 404, cursor=first["refine_cursor"], text="red")
        assert "acme-03" in refused(api, 404, cursor=tab["refine_cursor"], text="red")
