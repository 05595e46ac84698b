"""Indexes on a GPU behind the API: the settings lead there, a swap gives it back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from catalogue.errors import DeviceMemoryFull, NotReady
from catalogue.settings import IndexSettings, Settings
from index.exact import FlatIndex
from index.gpu import Device, GpuShard
from index.search import ShardedIndex
from models import StandInEncoders
from models.embedder import TokenIds, Tokens
from service.cutting import cut_from_live
from service.swapping import open_serving
from tests.index.standin_gpu import standin_shard
from tests.service.conftest import StandIns, client_of
from tests.service.test_api_admin import point
from tests.service.test_api_products import get
from tests.service.test_api_writes import put
from tests.service.test_cutting import CHOICE


@pytest.fixture
def on_gpu(own_shop: Settings) -> Settings:
    return own_shop.model_copy(update={"index": IndexSettings(device="cuda")})


def test_without_a_gpu_build_it_says_so(on_gpu: Settings, embedder: StandInEncoders) -> None:
    with pytest.raises(NotReady, match="GPU"):
        open_serving(on_gpu, StandIns(embedder))


def test_searches_go_there_and_a_swap_gives_it_back(
    on_gpu: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards: list[GpuShard] = []

    def opened(device: Device, _: str, vectors: NDArray[np.float16], __: float) -> Any:
        shards.append(standin_shard(device, "flat", vectors))
        return ShardedIndex([shards[-1]], vectors, FlatIndex(vectors), 1)

    monkeypatch.setattr("index.snapshot.check_support", lambda: None)
    monkeypatch.setattr("index.snapshot.open_on_gpu", opened)
    with client_of(on_gpu, embedder) as api:
        put(api, "new", title="garden gnome")
        found = api.post("/v1/search", json={"text": "garden gnome", "k": 3}).json()["hits"]
        assert found[0]["product_id"] == "new"
        filtered = {"text": "mug", "k": 36, "filters": {"suppliers": ["acme"]}}
        assert {hit["supplier_id"] for hit in api.post("/v1/search", json=filtered).json()["hits"]} == {"acme"}
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        assert point(api, "next").status_code == 200
        assert get(api, "/v1/products")["total"] == 37
    assert len(shards) == 2
    assert shards[0].index is None


def test_a_snapshot_without_room_on_the_gpu_is_409(
    on_gpu: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards: list[GpuShard] = []

    def opened(device: Device, _: str, vectors: NDArray[np.float16], __: float) -> Any:
        shards.append(standin_shard(device, "flat", vectors))
        return ShardedIndex([shards[-1]], vectors, FlatIndex(vectors), 1)

    monkeypatch.setattr("index.snapshot.check_support", lambda: None)
    monkeypatch.setattr("index.snapshot.open_on_gpu", opened)
    with client_of(on_gpu, embedder) as api:
        ask = {"text": "red mug", "k": 3}
        assert api.post("/v1/search", json=ask).status_code == 200
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        monkeypatch.setattr("service.memory.free_device_bytes", lambda: 1_000_000_000)
        answer = point(api, "next")
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
        assert "of the GPU" in answer.json()["detail"]
        assert api.post("/v1/search", json=ask).json()["snapshot"] == "shop-1"
        monkeypatch.setattr("service.memory.free_device_bytes", lambda: 3_000_000_000)
        assert point(api, "next").status_code == 200


def test_a_gpu_that_runs_out_while_a_model_encodes_is_503(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, is_full = embedder.text_tokens, True

    def encode_if_there_is_room(texts: Sequence[TokenIds]) -> list[Tokens]:
        if is_full:
            raise DeviceMemoryFull("There is no memory left to encode with standin. Ask again later.")
        return encode(texts)

    monkeypatch.setattr(embedder, "text_tokens", encode_if_there_is_room)
    with client_of(own_shop, embedder) as api:
        answer = api.post("/v1/search", json={"text": "a blue garden chair nobody asked for", "k": 3})
        assert (answer.status_code, answer.json()["type"]) == (503, "samestyle:device-memory-full")
        is_full = False
        assert api.post("/v1/search", json={"text": "a blue garden chair", "k": 3}).status_code == 200
