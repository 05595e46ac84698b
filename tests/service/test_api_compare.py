"""`/v1/compare` and `/v1/embed`."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from catalogue.settings import Settings
from models import ProductInput, StandInEncoders
from models.bundle import Thresholds
from service.build import build
from tests.service.conftest import client_of, photo, style_colour
from tests.service.test_api_products import get
from tests.service.test_api_search import encoded, search
from tests.service.test_same_style import Blurred

PHOTO = encoded(photo(style_colour(4)))


def post(api: TestClient, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = api.post(path, json=body)
    assert answer.status_code == status, answer.text
    result: dict[str, Any] = answer.json()
    return result


def compare(api: TestClient, a: Any, b: Any, status: int = 200, **rest: Any) -> dict[str, Any]:
    return post(api, "/v1/compare", status, a=a, b=b, **rest)


class TestCompare:
    def test_says_what_the_tab_says(self, api: TestClient) -> None:
        tab = {hit["product_id"]: hit["score"] for hit in get(api, "/v1/products/acme-04/same-style")["hits"]}
        assert tab
        for product_id, score in tab.items():
            found = compare(api, {"product_id": "acme-04"}, {"product_id": product_id})
            assert (found["verdict"], found["mode"]) == ("same-style", "m-m")
            assert found["score"] == pytest.approx(score, abs=1e-6)
            assert found["thresholds"] == {"same_style": 0.9, "similar": 0.6}
            assert (found["model"], found["snapshot"]) == ("standin", "shop-1")

    @pytest.mark.parametrize(
        ("query", "mode"),
        [
            ({"product_id": "acme-04"}, "m"),
            ({"product_id": "acme-04", "text": "chair"}, "m"),
            ({"product_id": "acme-04", "crop": [0, 0, 0.5, 0.5]}, "i"),
            ({"product_id": "acme-04", "crop": [0, 0, 0.5, 0.5], "text": "chair"}, "m"),
            ({"image": PHOTO}, "i"),
            ({"image": PHOTO, "crop": [0, 0, 0.5, 0.5]}, "i"),
            ({"text": "chair design6"}, "t"),
            ({"image": PHOTO, "text": "chair design6"}, "m"),
        ],
    )
    def test_any_two_kinds(self, api: TestClient, query: dict[str, Any], mode: str) -> None:
        score = {hit["product_id"]: hit["score"] for hit in search(api, **query, k=36)["hits"]}["acme-06"]
        found = compare(api, query, {"product_id": "acme-06"})
        assert found["mode"] == f"{mode}-m"
        assert found["score"] == pytest.approx(score, abs=1e-6)
        turned = compare(api, {"product_id": "acme-06"}, query)
        assert turned["mode"] == f"m-{mode}"
        assert turned["score"] == pytest.approx(score, abs=2e-3)
        itself = compare(api, query, query)
        assert itself["score"] == pytest.approx(1, abs=2e-3)
        assert itself["verdict"] == "same-style"

    def test_of_a_cropped_product_only_its_photo_counts(self, api: TestClient) -> None:
        whole = {"product_id": "acme-04", "crop": [0, 0, 1, 1]}
        own = {"image": encoded(api.get("/v1/products/acme-04/image").content)}
        for a, b in ((whole, own), (own, whole), (whole, whole)):
            found = compare(api, a, b)
            assert (found["mode"], found["score"]) == ("i-i", pytest.approx(1, abs=1e-2))
        compare(api, {"text": "mug"}, {"product_id": "acme-11", "crop": [0, 0, 1, 1]}, 400)  # has no photo

    def test_alike_but_not_the_same(self, api: TestClient) -> None:
        assert compare(api, {"text": "a b c d"}, {"text": "a b c e"})["verdict"] == "similar"
        assert compare(api, {"text": "a b c d"}, {"text": "e f g h"})["verdict"] == "different"

    def test_variants_that_contradict_each_other_are_not_the_same(self, tmp_path: Path) -> None:
        rows = [
            {"product_id": name, "title": "hex bolt zinc", "attributes": declared}
            for name, declared in {"m6": {"Thread": "M6", "length": "40 mm"}, "m8": {"thread": "M8"}, "any": {}}.items()
        ]
        titles = {"30-mm": "hex bolt zinc 30 mm", "40-mm": "hex bolt zinc 40 mm", "30mm": "hex bolt 30 mm zinc"}
        rows += [{"product_id": name, "title": title} for name, title in titles.items()]
        rows = [row | {"supplier_id": str(row["product_id"])} for row in rows]
        (tmp_path / "bolts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        build(tmp_path / "bolts.jsonl", tmp_path / "data", "bolts", Blurred(), decode_threads=1)
        with client_of(Settings(data=tmp_path / "data"), Blurred()) as api:
            for words in ({}, {"text": " "}):
                found = compare(api, {"product_id": "m6"} | words, {"product_id": "m8"})
                assert (found["verdict"], found["score"]) == ("similar", pytest.approx(1, abs=1e-3))
                assert found["contradictions"] == [{"attribute": "Thread", "a": "M6", "b": "M8"}]
            found = compare(api, {"product_id": "m6"}, {"product_id": "any"})
            assert (found["verdict"], found["contradictions"]) == ("same-style", [])
            found = compare(api, {"product_id": "30-mm"}, {"product_id": "40-mm"})
            assert found["verdict"] == "similar"
            assert found["contradictions"] == [{"attribute": "title", "a": "30 mm", "b": "40 mm"}]
            same = {hit["product_id"] for hit in get(api, "/v1/products/30-mm/same-style", collapse=False)["hits"]}
            similar = {hit["product_id"] for hit in get(api, "/v1/products/30-mm/similar")["hits"]}
            assert ("40-mm" in same, "40-mm" in similar) == (False, True)
            assert "30mm" in same

    def test_one_gtin_needs_less_likeness(self, tmp_path: Path) -> None:
        rows = [
            {"product_id": "a", "title": "hex bolt zinc plated", "EAN": "4006381333931"},
            {"product_id": "b", "title": "hex bolt steel plated", "attributes": {"GTIN": "04006381333931"}},
            {"product_id": "c", "title": "hex bolt zinc grade", "EAN": "9783161484100"},
            {"product_id": "d", "title": "lamp on a tripod", "EAN": "4006381333931"},
            {"product_id": "e", "title": "hex bolt steel plated 10 mm", "EAN": "4006381333931"},
            {"product_id": "f", "title": "hex bolt steel plated 20 mm", "EAN": "4006381333931"},
        ]
        (tmp_path / "bolts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        embedder = StandInEncoders()
        embedder.product_text = lambda product: product.title  # type: ignore[method-assign]
        build(tmp_path / "bolts.jsonl", tmp_path / "data", "bolts", embedder, decode_threads=1)
        with client_of(Settings(data=tmp_path / "data"), embedder) as api:

            def verdict(a: Any, b: Any) -> tuple[str, bool]:
                found = compare(api, {"product_id": a} if isinstance(a, str) else a, {"product_id": b})
                return found["verdict"], found["same_gtin"]

            assert verdict("a", "b") == ("same-style", True)
            assert verdict("a", "c") == ("similar", False)
            assert verdict("a", "d") == ("different", True)
            assert verdict("e", "f") == ("similar", True)
            assert verdict({"product_id": "a", "text": "hex bolt zinc plated"}, "b") == ("similar", False)

    def test_without_thresholds_there_is_no_verdict(self, own_shop: Settings) -> None:
        embedder = StandInEncoders()
        embedder.thresholds = {"t-t": Thresholds(similar=StandInEncoders().thresholds["t-t"].similar)}
        with client_of(own_shop, embedder) as api:
            found = compare(api, {"image": PHOTO}, {"image": PHOTO})
            assert (found["verdict"], found["thresholds"]) == (None, {"same_style": None, "similar": None})
            assert compare(api, {"text": "mug"}, {"text": "mug"})["verdict"] == "similar"
            assert compare(api, {"text": "mug"}, {"text": "lamp"})["verdict"] == "different"

    @pytest.mark.parametrize(
        ("a", "b", "status"),
        [
            ({"product_id": "nobody"}, {"text": "mug"}, 404),
            ({"text": "mug"}, {"product_id": "nobody"}, 404),
            ({}, {"text": "mug"}, 400),
            ({"text": "mug"}, None, 400),
            ({"text": "mug", "k": 3}, {"text": "mug"}, 400),
            ({"text": "\u0000"}, {"text": "mug"}, 400),
            ({"image": encoded(b"x")}, {"text": "mug"}, 422),
            ({"image": PHOTO, "product_id": "acme-03"}, {"text": "mug"}, 400),
        ],
    )
    def test_bad_input(self, api: TestClient, a: Any, b: Any, status: int) -> None:
        assert compare(api, a, b, status)["status"] == status

    def test_an_alias_nobody_knows(self, api: TestClient) -> None:
        compare(api, {"text": "a"}, {"text": "b"}, 404, alias="nobody")
        assert api.post("/v1/compare", content=b"{}").status_code == 415


class TestEmbed:
    INPUTS: tuple[dict[str, Any], ...] = (
        {"text": "white mug"},
        {"image": PHOTO},
        {"image": PHOTO, "text": "white mug"},
        {"product_id": "acme-03"},
        {"product_id": "acme-03", "text": "white mug"},
    )

    def test_vectors_are_those_of_the_model(self, api: TestClient, embedder: StandInEncoders) -> None:
        answer = post(api, "/v1/embed", inputs=self.INPUTS)
        assert (answer["fingerprint"], answer["dim"], answer["model"]) == (embedder.fingerprint, 128, "standin")
        vectors = np.array([entry["vector"] for entry in answer["embeddings"]], np.float32)
        assert all(entry["error"] is None for entry in answer["embeddings"])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        image = photo(style_colour(4))
        given = [ProductInput(text="white mug"), ProductInput(image), ProductInput(image, "white mug")]
        direct = embedder.embed(given)
        np.testing.assert_array_equal(vectors[0], direct[0])
        assert (1 - (vectors[:3] * direct).sum(axis=1)).max() < 1e-6  # a photo's tokens are kept as float16

    def test_both_encodings_are_equal_to_the_last_bit(self, api: TestClient) -> None:
        plain = post(api, "/v1/embed", inputs=self.INPUTS)["embeddings"]
        packed = post(api, "/v1/embed", inputs=self.INPUTS, encoding="base64")["embeddings"]
        for one, other in zip(plain, packed, strict=True):
            unpacked = np.frombuffer(base64.b64decode(other["vector"]), "<f4")
            np.testing.assert_array_equal(np.array(one["vector"], np.float32), unpacked)

    def test_a_bad_input_leaves_the_others(self, api: TestClient) -> None:
        bad: list[Any] = [{}, None, {"product_id": "nobody"}, {"image": encoded(b"x")}, {"text": "\u0000"}, {"k": 1}]
        found = post(api, "/v1/embed", inputs=[*self.INPUTS, *bad])["embeddings"]
        assert all(entry["vector"] for entry in found[: len(self.INPUTS)])
        refused = [entry["error"]["status"] for entry in found[len(self.INPUTS) :]]
        assert refused == [400, 400, 404, 422, 400, 400]

    def test_another_space_than_expected_is_refused(self, api: TestClient, embedder: StandInEncoders) -> None:
        post(api, "/v1/embed", inputs=[{"text": "mug"}], fingerprint=embedder.fingerprint)
        problem = post(api, "/v1/embed", 412, inputs=[{"text": "mug"}], fingerprint="0" * 64)
        assert problem["type"] == "samestyle:fingerprint-mismatch"
        assert embedder.fingerprint in problem["detail"]

    def test_as_many_as_there_may_be(self, api: TestClient) -> None:
        inputs = [{"text": f"mug {number}"} for number in range(128)]
        assert len(post(api, "/v1/embed", inputs=inputs)["embeddings"]) == 128
        post(api, "/v1/embed", 400, inputs=[*inputs, {"text": "mug"}])
        post(api, "/v1/embed", 400, inputs=[])
        post(api, "/v1/embed", 400, inputs=[{"text": "mug"}], encoding="hex")
        post(api, "/v1/embed", 404, inputs=[{"text": "mug"}], alias="nobody")
