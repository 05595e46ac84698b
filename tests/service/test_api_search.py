"""`/v1/search` and `/v1/search/upload`."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.service.conftest import STYLES, photo, style_colour

JSON = {"content-type": "application/json"}


def search(api: TestClient, **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/search", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["product_id"] for hit in answer["hits"]]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def refused(api: TestClient, status: int, body: Any) -> str:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = api.post("/v1/search", content=content, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"].startswith("samestyle:")
    assert problem["status"] == status
    return str(problem["detail"])


class TestQueries:
    def test_words(self, api: TestClient) -> None:
        answer = search(api, text="chair design6", k=3)
        assert {hit["product_id"][-2:] for hit in answer["hits"]} == {"06"}
        assert answer["model"] == "standin"
        assert answer["snapshot"] == "shop-1"
        assert answer["alias"] == "live"
        assert answer["took_ms"] > 0

    def test_a_photo_finds_products_of_its_style(self, api: TestClient) -> None:
        answer = search(api, image=encoded(photo(style_colour(4))), k=3)
        assert {identifier[-2:] for identifier in ids(answer)} == {"04"}

    def test_a_data_url_is_a_photo_too(self, api: TestClient) -> None:
        image = encoded(photo(style_colour(4)))
        plain = search(api, image=image)
        assert ids(search(api, image=f"data:image/jpeg;base64,{image}")) == ids(plain)

    def test_photo_and_words_together_differ_from_each_alone(self, api: TestClient) -> None:
        image = encoded(photo(style_colour(4)))
        both = {hit["product_id"]: hit["score"] for hit in search(api, image=image, text="chair design6", k=36)["hits"]}
        by_photo = {hit["product_id"]: hit["score"] for hit in search(api, image=image, k=36)["hits"]}
        by_words = {hit["product_id"]: hit["score"] for hit in search(api, text="chair design6", k=36)["hits"]}
        assert both["acme-06"] > by_photo["acme-06"]
        assert both["acme-04"] > by_words["acme-04"]

    @pytest.mark.parametrize("query", [{"product_id": "acme-03"}, {"image": encoded(photo(style_colour(4)))}])
    def test_a_blank_search_box_says_nothing(self, api: TestClient, query: dict[str, Any]) -> None:
        without = search(api, **query)["hits"]
        assert all(search(api, **query, text=blank)["hits"] == without for blank in ("", " \n\t"))

    def test_a_product_is_never_in_its_own_answer(self, api: TestClient) -> None:
        answer = search(api, product_id="acme-03", k=36)
        assert "acme-03" not in ids(answer)
        assert len(answer["hits"]) == 3 * STYLES - 1
        assert ids(answer)[0] in {"kestrel-03", "orion-03"}

    def test_product_with_words_moves_towards_the_words(self, api: TestClient) -> None:
        changed = search(api, product_id="acme-03", text="bolt design9", k=36)
        words = {hit["product_id"]: hit["score"] for hit in changed["hits"]}
        plain = {hit["product_id"]: hit["score"] for hit in search(api, product_id="acme-03", k=36)["hits"]}
        assert words["acme-09"] > plain["acme-09"]

    def test_a_product_without_a_photo_can_be_the_query(self, api: TestClient) -> None:
        assert ids(search(api, product_id="acme-11", text="lamp", k=2))

    def test_a_crop_counts_for_the_query(self, api: TestClient) -> None:
        two = np.zeros((64, 128, 3), np.uint8)
        two[:, :64], two[:, 64:] = style_colour(1), style_colour(2)
        image = encoded(_png(two))
        left = search(api, image=image, crop=[0, 0, 0.5, 1], k=3)
        right = search(api, image=image, crop=[0.5, 0, 1, 1], k=3)
        assert {identifier[-2:] for identifier in ids(left)} == {"01"}
        assert {identifier[-2:] for identifier in ids(right)} == {"02"}

    def test_a_crop_of_a_product_is_of_its_photo_and_leaves_its_text_out(self, api: TestClient) -> None:
        crop = {"crop": [0.1, 0, 0.6, 0.5], "k": 35}
        for words in ({}, {"text": "chair"}):
            cropped = search(api, product_id="acme-03", **words, **crop)
            by_photo = search(api, image=encoded(photo(style_colour(3))), exclude=["acme-03"], **words, **crop)
            assert cropped["hits"] == by_photo["hits"]
        assert "needs a photo" in refused(api, 400, {"product_id": "acme-11", "text": "lamp", "crop": [0, 0, 0.5, 1]})


class TestAlgebra:
    def test_contributions_add_up_to_the_score(self, api: TestClient) -> None:
        answer = search(
            api,
            image=encoded(photo(style_colour(4))),
            text="chair design6",
            weights={"fused": 0.5, "image": 0.3, "text": -0.2},
            negatives=["acme-01", "lamp"],
            explain=True,
            k=36,
        )
        for hit in answer["hits"]:
            assert set(hit["explain"]) == {"fused", "image", "text", "negative 1", "negative 2"}
            assert sum(hit["explain"].values()) == pytest.approx(hit["score"], abs=1e-5)

    def test_without_explain_there_is_none(self, api: TestClient) -> None:
        assert search(api, text="mug")["hits"][0]["explain"] is None

    def test_weights_choose_the_modality(self, api: TestClient) -> None:
        query = {"image": encoded(photo(style_colour(4))), "text": "chair design6", "k": 3}
        by_photo = search(api, weights={"fused": 0, "image": 1}, **query)
        by_words = search(api, weights={"fused": 0, "text": 1}, **query)
        assert {identifier[-2:] for identifier in ids(by_photo)} == {"04"}
        assert {identifier[-2:] for identifier in ids(by_words)} == {"06"}

    def test_a_negative_product_lowers_its_own_score(self, api: TestClient) -> None:
        plain = search(api, text="mug", k=36)
        worst_wanted = ids(plain)[0]
        with_negative = search(api, text="mug", negatives=[worst_wanted], k=36)
        scores = {hit["product_id"]: hit["score"] for hit in with_negative["hits"]}
        assert scores[worst_wanted] < plain["hits"][0]["score"]

    @pytest.mark.parametrize("wanted", [[], ["acme-01"], ["acme-00"], ["acme-00", "acme-01"]])
    def test_a_negative_where_little_is_found(self, api: TestClient, wanted: list[str]) -> None:
        answer = search(api, text="mug", negatives=["acme-01", "lamp"], filters={"ids": wanted or ["nobody"]})
        assert sorted(ids(answer)) == wanted

    def test_terms_that_cancel_out_are_refused(self, api: TestClient) -> None:
        detail = refused(api, 400, {"text": "mug", "weights": {"fused": 0.5, "text": -0.5}})
        assert "cancel" in detail

    def test_a_weight_for_a_missing_modality_is_refused(self, api: TestClient) -> None:
        assert "no image" in refused(api, 400, {"text": "mug", "weights": {"image": 0.5}})

    def test_a_target_the_snapshot_lacks_is_refused(self, api: TestClient) -> None:
        assert "fusion" in refused(api, 400, {"text": "mug", "target": "image"})


class TestScope:
    @pytest.mark.parametrize(
        ("filters", "passes"),
        [
            ({"suppliers": ["acme"]}, lambda hit: hit["supplier_id"] == "acme"),
            ({"not_suppliers": ["acme"]}, lambda hit: hit["supplier_id"] != "acme"),
            ({"category": "Shop > mugs"}, lambda hit: hit["category"] == "Shop > mugs"),
            ({"category": "Shop"}, lambda hit: True),
            ({"category": "Sho"}, lambda hit: False),
            ({"min_price": 3, "max_price": 5.1}, lambda hit: hit["price"] is not None and 3 <= hit["price"] <= 5.1),
            ({"in_stock": False}, lambda hit: hit["in_stock"] is False),
            ({"currency": "USD"}, lambda hit: False),
            ({"attributes": {"Size": ["M3", "M5"]}}, lambda hit: hit["attributes"]["size"] in {"M3", "M5"}),
            ({"ids": ["acme-03", "nobody"]}, lambda hit: hit["product_id"] == "acme-03"),
            ({"not_ids": ["acme-03"]}, lambda hit: hit["product_id"] != "acme-03"),
        ],
    )
    def test_filters_give_just_what_passes(self, api: TestClient, filters: dict[str, Any], passes: Any) -> None:
        everything = search(api, text="mug", k=36)["hits"]
        filtered = search(api, text="mug", k=36, filters=filters)["hits"]
        assert sorted(hit["product_id"] for hit in filtered) == sorted(h["product_id"] for h in everything if passes(h))

    def test_facets_count_all_that_passes_the_filters(self, api: TestClient) -> None:
        filters = {"suppliers": ["acme", "kestrel"]}
        answer = search(api, text="mug", k=1, filters=filters, facets=["supplier", "category:2"])
        listing = api.get("/v1/products", params={"filter": "supplier=acme,kestrel", "facets": list(answer["facets"])})
        assert answer["facets"] == listing.json()["facets"]
        assert answer["facets"]["supplier"] == [{"value": "acme", "count": 12}, {"value": "kestrel", "count": 12}]
        assert search(api, text="mug", k=1)["facets"] == {}

    def test_excluded_products_make_room_for_others(self, api: TestClient) -> None:
        first = ids(search(api, text="mug", k=5))
        second = ids(search(api, text="mug", k=5, exclude=first))
        assert len(second) == 5
        assert not set(first) & set(second)

    def test_min_score(self, api: TestClient) -> None:
        scores = [hit["score"] for hit in search(api, text="mug", k=36)["hits"]]
        floor = scores[10]
        kept = search(api, text="mug", k=36, min_score=floor - 1e-4)["hits"]
        assert len(kept) == sum(score >= floor - 1e-4 for score in scores)

    def test_scores_fall(self, api: TestClient) -> None:
        scores = [hit["score"] for hit in search(api, text="mug", k=36)["hits"]]
        assert scores == sorted(scores, reverse=True)


class TestUpload:
    def test_a_photo_with_words_and_json_fields(self, api: TestClient) -> None:
        form = {"text": "chair", "k": "3", "filters": '{"suppliers": ["acme"]}', "explain": "true"}
        answer = api.post("/v1/search/upload", files={"image": photo(style_colour(4))}, data=form)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["hits"]) == 3
        assert {hit["supplier_id"] for hit in answer.json()["hits"]} == {"acme"}
        assert answer.json()["hits"][0]["explain"]

    @pytest.mark.parametrize(
        ("form", "same"),
        [
            ({"explain": "True"}, {"explain": "true"}),
            ({"negatives": ["chair", "[1]", "2"]}, {"negatives": '["chair", "[1]", "2"]'}),
            ({"negatives": "12"}, {"negatives": '["12"]'}),
            ({"exclude": ["acme-01", "acme-02"]}, {"exclude": '["acme-01", "acme-02"]'}),
            ({"facets": "price"}, {"facets": ' ["price"]'}),
            ({"crop": ["0", "0", "0.5", "1e0"]}, {"crop": "[0, 0, 0.5, 1]"}),
            ({}, {"crop": "null"}),
        ],
    )
    def test_generated_clients_send_a_field_for_each_item(
        self, api: TestClient, form: dict[str, Any], same: dict[str, str]
    ) -> None:
        files = {"image": photo(style_colour(4))}
        one, other = (api.post("/v1/search/upload", files=files, data=data) for data in (form, same))
        assert one.status_code == other.status_code == 200, one.text
        assert one.json()["hits"] == other.json()["hits"]
        assert one.json()["facets"] == other.json()["facets"]

    def test_all_products_that_may_be_left_out_fit_into_a_form(self, api: TestClient) -> None:
        form = {"exclude": [f"other-{number}" for number in range(1_000)]}
        answer = api.post("/v1/search/upload", files={"image": photo(style_colour(4))}, data=form)
        assert answer.status_code == 200, answer.text

    def test_equals_the_same_search_in_json(self, api: TestClient) -> None:
        data = photo(style_colour(4))
        uploaded = api.post("/v1/search/upload", files={"image": data}, data={"k": "5"}).json()
        assert uploaded["hits"] == search(api, image=encoded(data), k=5)["hits"]

    @pytest.mark.parametrize(
        ("kwargs", "status"),
        [
            ({"data": {"text": "mug"}}, 415),
            ({"content": b"nothing"}, 415),
            ({"files": {"photo": photo((1, 2, 3))}}, 400),
            ({"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
            ({"content": b"abc", "headers": {"content-type": "multipart/form-data"}}, 400),
            ({"files": {"image": b"no photo"}}, 422),
            ({"files": {"image": b""}}, 422),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"k": "many"}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"k": "0"}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"k": ["3", "4"]}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"negatives": "[mug"}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"crop": ["0", "many"]}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"unknown": "1"}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"weights": '{"fused": NaN}'}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {"text": "x" * 250_000}}, 400),
            ({"files": {"image": photo((1, 2, 3))}, "data": {str(n): "1" for n in range(50)}}, 400),
        ],
    )
    def test_bad_forms(self, api: TestClient, kwargs: dict[str, Any], status: int) -> None:
        answer = api.post("/v1/search/upload", **kwargs)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "status", "says"),
        [
            ({}, 400, "empty"),
            ({"text": ""}, 400, "empty"),
            ({"text": " \n\t"}, 400, "empty"),
            ({"text": "\u0000"}, 400, "nothing to encode"),
            ({"product_id": "nobody"}, 404, "nobody"),
            ({"product_id": ""}, 400, "product_id"),
            ({"product_id": "x" * 129}, 400, "product_id"),
            ({"product_id": "acme-01", "image": encoded(photo((1, 2, 3)))}, 400, "not both"),
            ({"image": encoded(b"hello")}, 422, "decoded"),
            ({"image": ""}, 422, "empty"),
            ({"image": encoded(photo((9, 9, 9), (640, 480))[:400])}, 422, "truncated"),
            ({"image": "***"}, 400, "base64"),
            ({"image": 5}, 400, "base64"),
            ({"image": None, "text": None}, 400, "empty"),
            ({"text": "x" * 100_000}, 400, "100,000"),
            ({"text": 5}, 400, "text"),
            ({"text": ["mug"]}, 400, "text"),
            ({"text": "mug", "k": 0}, 400, "k"),
            ({"text": "mug", "k": -1}, 400, "k"),
            ({"text": "mug", "k": 10**9}, 400, "k"),
            ({"text": "mug", "k": 10**400}, 400, "k"),
            ({"text": "mug", "k": "many"}, 400, "k"),
            ({"text": "mug", "k": 1.5}, 400, "k"),
            ({"text": "mug", "k": "5"}, 400, "k: must be a number"),
            ({"text": "mug", "k": True}, 400, "k: must be a number"),
            ({"text": "mug", "min_score": False}, 400, "min_score"),
            ({"text": "mug", "explain": "yes"}, 400, "explain"),
            ({"text": "mug", "weights": {"fused": "1"}}, 400, "fused"),
            ({"text": "mug", "filters": {"max_price": "9"}}, 400, "max_price"),
            ({"text": "mug", "filters": {"in_stock": 1}}, 400, "in_stock"),
            ({"text": "mug", "weights": {"fused": 0}}, 400, "weight"),
            ({"text": "mug", "weights": {"fused": 7}}, 400, "fused"),
            ({"text": "mug", "weights": []}, 400, "weights"),
            ({"text": "mug", "min_score": 3}, 400, "min_score"),
            ({"text": "mug", "crop": [0, 0, 1, 1]}, 400, "crop"),
            ({"image": encoded(photo((1, 2, 3))), "crop": [0.5, 0, 0.5, 1]}, 400, "crop"),
            ({"image": encoded(photo((1, 2, 3))), "crop": [0, 0, 2, 1]}, 400, "crop"),
            ({"text": "mug", "negatives": ["a"] * 17}, 400, "negatives"),
            ({"text": "mug", "negatives": ["lamp", " "]}, 400, "negatives.1: is blank"),
            ({"text": "mug", "filters": {"colour": "red"}}, 400, "colour: there is no such field"),
            ({"text": "mug", "filters": {"attributes": {"a": "red"}}}, 400, "attributes"),
            ({"text": "mug", "filters": {"attributes": {"a": ["x"], "A": ["y"]}}}, 400, "twice"),
            ({"text": "mug", "filters": {"ids": ["x"] * 1_001}}, 400, "ids"),
            ({"text": "mug", "facets": ["colour"]}, 400, "facets"),
            ({"text": "mug", "facets": ["supplier"] * 17}, 400, "facets"),
            ({"text": "mug", "surprise": 1}, 400, "surprise"),
            ([], 400, "JSON object"),
            (None, 400, "JSON object"),
            (b"", 400, "JSON"),
            (b"{", 400, "JSON"),
            (b'{"text": "\xff\xfe"}', 400, "UTF-8"),
            (b'{"text": "a", "weights": {"fused": NaN}}', 400, "fused"),
            (b'{"text": "a", "min_score": Infinity}', 400, "min_score"),
            (b'{"text": "a", "weights": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, ""),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_is_answered_with_a_problem_that_says_what_to_do(
        self, api: TestClient, body: Any, status: int, says: str
    ) -> None:
        assert says in refused(api, status, body)

    def test_another_content_type_is_told_what_to_send(self, api: TestClient) -> None:
        answer = api.post("/v1/search", content=b'{"text": "mug"}', headers={"content-type": "text/plain"})
        assert answer.status_code == 415
        assert "application/json" in answer.json()["detail"]

    def test_a_body_of_a_million_values_is_refused_at_once(self, api: TestClient) -> None:
        many = b"{" + b",".join(b'"a%d":0' % number for number in range(1_000_000)) + b"}"
        assert "values" in refused(api, 400, many)

    @pytest.mark.parametrize("where", ["", "filters", "weights"])
    def test_an_object_of_many_fields_is_refused_before_each_is_looked_at(self, api: TestClient, where: str) -> None:
        many = {f"a{number}": 0 for number in range(50_000)}
        assert "50,000 fields" in refused(api, 400, {"text": "mug", where: many} if where else many)

    def test_over_the_pixel_limit(self, api: TestClient) -> None:
        assert "megapixels" in refused(api, 413, {"image": encoded(photo((0, 0, 0), (6000, 5000), "PNG"))})

    def test_a_body_over_the_limit_is_refused_unread(self, api: TestClient) -> None:
        answer = api.post("/v1/search", content=b"x" * 20_000_001)
        assert answer.status_code == 413
        assert answer.json()["type"] == "samestyle:too-large"

    def test_a_body_over_the_limit_without_a_length_is_refused_too(self, api: TestClient) -> None:
        answer = api.post("/v1/search", content=iter([b"x" * 1_000_000] * 21), headers=JSON)
        assert answer.status_code == 413

    def test_a_lone_surrogate_harms_nothing(self, api: TestClient) -> None:
        assert api.post("/v1/search", content=b'{"text": "mug \\ud800"}', headers=JSON).status_code in {200, 400}

    @settings(max_examples=150, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(["text", "image", "product_id", "k", "weights", "negatives", "filters", "crop", "target"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                max_leaves=5,
            ),
            max_size=5,
        )
    )
    def test_nothing_is_a_500(self, api: TestClient, body: dict[str, Any]) -> None:
        answer = api.post("/v1/search", content=json.dumps(body).encode(), headers=JSON)
        assert answer.status_code < 500, (body, answer.text)


class TestOddPhotos:
    """These must simply work; decoding itself is tested in tests/catalogue."""

    @pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
    def test_sizes(self, api: TestClient, size: tuple[int, int]) -> None:
        assert len(search(api, image=encoded(photo(style_colour(4), size, "PNG")), k=2)["hits"]) == 2

    def test_a_48_megapixel_jpeg(self, api: TestClient) -> None:
        data = photo(style_colour(4), (8000, 6000))
        answer = api.post("/v1/search/upload", files={"image": data}, data={"k": "3"})
        assert {hit["product_id"][-2:] for hit in answer.json()["hits"]} == {"04"}


def _png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
