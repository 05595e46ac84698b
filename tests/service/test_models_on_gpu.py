"""Models on a GPU behind the API, from the settings to ONNX Runtime: a real one with `--gpu`, else a pretended one."""

import base64
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from catalogue.errors import NotReady
from catalogue.settings import EncoderSettings, Settings
from models import Encoders
from models.bundle import Bundle
from service.build import build
from service.swapping import open_serving
from tests.models.bundles import SHIPPED, copy_bundle, edit_json, part_weights
from tests.models.pretend_cuda import Card, put_in
from tests.service.conftest import client_of, copy_of, photo, style_colour, write_shop
from tests.service.test_api_admin import live, point


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Eight listings as snapshots of two models, both made on the CPU; of one, weights lie beside an ONNX file."""
    folder = tmp_path_factory.mktemp("on-gpu")
    catalogue = write_shop(folder)
    catalogue.write_text("".join(catalogue.read_text().splitlines(keepends=True)[:8]))
    other = copy_bundle(folder / "data" / "bundles" / "other")
    edit_json(other / "config.json", lambda config: config.update(product_text="{title}"))
    part_weights(other / "onnx" / "fusion_encoder.onnx")
    for name, bundle in (("other-1", other), ("shop-1", SHIPPED)):
        build(catalogue, folder / "data", name, Encoders.load(bundle, threads=1), decode_threads=1)
    return Settings(data=folder / "data")


@pytest.fixture
def on_gpu(shop: Settings, tmp_path: Path) -> Settings:
    changes = {"device": "cuda", "encoder": EncoderSettings(max_batch=32)}
    return copy_of(shop, tmp_path).model_copy(update=changes)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, real_gpu: bool) -> Card:
    return put_in(monkeypatch, real=real_gpu)


def ask(api: TestClient, number: int) -> Any:
    """A search nobody made before, so that nothing is remembered of it."""
    query = base64.b64encode(photo(style_colour(1), (90 + number, 64))).decode()
    return api.post("/v1/search", json={"image": query, "text": f"bolt {number}", "k": 3})


@pytest.mark.gpu
def test_a_full_gpu_takes_smaller_batches_then_answers_503_and_goes_on(on_gpu: Settings, card: Card) -> None:
    with client_of(on_gpu) as api:
        assert ask(api, 1).json()["hits"][0]["product_id"].endswith("-01")
        card.room = 2
        several = {"queries": [{"text": f"red mug {number}", "k": 1} for number in range(24)]}
        results = api.post("/v1/search/batch", json=several).json()["results"]
        assert [len(one["answer"]["hits"]) for one in results] == [1] * 24
        card.room = 0
        refused = ask(api, 2)
        assert (refused.status_code, refused.json()["type"]) == (503, "samestyle:device-memory-full")
        assert api.get("/livez").status_code == 200
        card.room = 32
        assert ask(api, 2).status_code == 200
    assert len(card.threads) == 1


@pytest.mark.gpu
def test_two_models_fit_during_a_swap_or_the_swap_says_no(
    on_gpu: Settings, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 3 * sum(file.stat().st_size for file in (SHIPPED / "onnx").glob("*.onnx"))
    free = 10 * needed
    monkeypatch.setattr("service.memory.free_device_bytes", lambda _: free)
    with client_of(on_gpu) as api:
        was = live(api)
        other = {"shop-1": "other-1", "other-1": "shop-1"}[was]
        free = needed - 1
        answer = point(api, other)
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
        assert "of GPU 0" in answer.json()["detail"]
        free, card.loads = 10 * needed, False  # it was there when it was looked at, and then it was not
        answer = point(api, other)
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
        card.loads, card.room = True, 0  # enough for the weights, but not for a run
        answer = point(api, other)
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
        card.room = 32
        assert live(api) == was
        assert ask(api, 3).json()["snapshot"] == was
        assert point(api, other).status_code == 200
        assert ask(api, 4).json()["snapshot"] == other


@pytest.mark.gpu
def test_a_gpu_without_room_at_the_start_is_said(on_gpu: Settings, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.memory.free_device_bytes", lambda _: 1_000_000)
    with pytest.raises(NotReady, match="of GPU 0"):
        open_serving(on_gpu)
    assert not card.threads, "nothing was tried"
    assert Bundle.load(SHIPPED).variant_for("cuda").reference
