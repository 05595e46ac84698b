"""Indexes on a GPU behind the API: the settings lead there, a swap gives it back."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from catalogue.errors import DeviceMemoryFull, JournalUnavailable, NotReady
from catalogue.settings import IndexSettings, Settings
from index.exact import FlatIndex
from index.gpu import Device, GpuShard, device_bytes
from index.search import ShardedIndex
from models import StandInEncoders
from models.embedder import TokenIds, Tokens
from service.cutting import cut_from_live
from service.feed import Feed
from service.serving import Serving
from service.swapping import open_serving
from tests.index.standin_gpu import put_faiss_on_gpus, standin_shard
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

    def opened(devices: Sequence[Device], _: str, vectors: NDArray[np.float16], __: float) -> Any:
        shards.append(standin_shard(devices[0], "flat", vectors))
        return ShardedIndex([shards[-1]], vectors, FlatIndex(vectors), 1)

    monkeypatch.setattr("index.snapshot.check_support", lambda _: None)
    monkeypatch.setattr("index.snapshot.open_on_gpus", opened)
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

    def opened(devices: Sequence[Device], _: str, vectors: NDArray[np.float16], __: float) -> Any:
        shards.append(standin_shard(devices[0], "flat", vectors))
        return ShardedIndex([shards[-1]], vectors, FlatIndex(vectors), 1)

    monkeypatch.setattr("index.snapshot.check_support", lambda _: None)
    monkeypatch.setattr("index.snapshot.open_on_gpus", opened)
    with client_of(on_gpu, embedder) as api:
        ask = {"text": "red mug", "k": 3}
        assert api.post("/v1/search", json=ask).status_code == 200
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        monkeypatch.setattr("service.memory.free_device_bytes", lambda _: 1_000_000_000)
        answer = point(api, "next")
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
        assert "of GPU 0" in answer.json()["detail"]
        assert api.post("/v1/search", json=ask).json()["snapshot"] == "shop-1"
        monkeypatch.setattr("service.memory.free_device_bytes", lambda _: 3_000_000_000)
        assert point(api, "next").status_code == 200


def test_an_index_is_spread_over_gpus_and_each_must_have_room(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = put_faiss_on_gpus(monkeypatch)
    free = [9_000_000_000, 9_000_000_000]
    monkeypatch.setattr("service.memory.free_device_bytes", lambda number: free[number])
    on_two = own_shop.model_copy(update={"index": IndexSettings(device="cuda", gpus=2)})
    ask = {"text": "design8 mug", "k": 5}
    with client_of(own_shop, embedder) as api:
        wanted = [hit["product_id"] for hit in api.post("/v1/search", json=ask).json()["hits"]]
    with client_of(on_two, embedder) as api:
        assert [hit["product_id"] for hit in api.post("/v1/search", json=ask).json()["hits"]] == wanted
        assert [shard.rows for shard in shards] == [18, 18]
        cut_from_live(on_two, "next", choice=CHOICE, source=StandIns(embedder))
        free[1] = 1_000_000_000
        answer = point(api, "next")
        assert answer.status_code == 409
        assert "of GPU 1" in answer.json()["detail"]
        free[1] = 9_000_000_000
        assert point(api, "next").status_code == 200
    assert [shard.index is None for shard in shards[:2]] == [True, True]
    assert len(shards) == 4


def test_a_snapshot_whose_journal_cannot_be_read_gives_the_gpu_back(
    on_gpu: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = put_faiss_on_gpus(monkeypatch)
    with client_of(on_gpu, embedder) as api:
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        replays: list[object] = []

        def replay(self: Feed, live: object, _: object) -> None:
            replays.append(live)
            if len(replays) == 2:
                raise JournalUnavailable("the disk is gone")

        monkeypatch.setattr(Feed, "_replay", replay)
        assert point(api, "next").status_code == 503
        assert [shard.index is None for shard in shards] == [False, True]
        serving: Serving = api.app.state.serving  # type: ignore[attr-defined]
        assert replays[0] not in serving.feed._fed


def test_scratch_memory_is_needed_once_a_gpu(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_faiss_on_gpus(monkeypatch)
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("service.serving.check_device_memory", lambda needed, number: asked.append((number, needed)))
    on_two = own_shop.model_copy(update={"index": IndexSettings(device="cuda", gpus=2)})
    serving, swaps = open_serving(on_two, StandIns(embedder))
    served = serving.served["live"].live.snapshot.manifest
    manifest = served.model_copy(update={"fields": ("fusion", "image", "text")})
    parts = 3 * device_bytes("flat", 18, manifest.dim)
    for scratch in (1_600_000_000, 0):
        asked.clear()
        serving._check_device(manifest, manifest.fingerprint)
        assert asked == [(0, scratch + parts), (1, scratch + parts)]
        for device in serving._devices:
            device.resources = object()  # as after the first index
    swaps.close()
    asyncio.run(serving.close())


def test_an_index_that_cannot_be_made_for_want_of_memory_is_not_begun(
    own_shop: Settings, on_gpu: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = put_faiss_on_gpus(monkeypatch)
    monkeypatch.setattr("service.serving.making_bytes", lambda *_: 10**15)
    with pytest.raises(NotReady, match=r"1,000,000,\d+ MB more"):
        open_serving(on_gpu, StandIns(embedder))
    assert not shards
    with client_of(own_shop, embedder) as api:  # from the CPU, nothing is made
        assert api.post("/v1/search", json={"text": "red mug"}).status_code == 200


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
