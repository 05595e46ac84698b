"""Indexes on a GPU behind the API: the settings lead there, a swap gives it back."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from catalogue.device_memory import free_device_bytes
from catalogue.errors import DeviceMemoryFull, JournalUnavailable, NotReady
from catalogue.settings import IndexSettings, Settings
from index.gpu import GpuShard, device_bytes
from models import StandInEncoders
from models.embedder import TokenIds, Tokens
from service.cutting import cut_from_live
from service.feed import Feed
from service.serving import Serving
from service.swapping import open_serving
from tests.index.standin_gpu import bytes_left, put_faiss_on_gpus, shards_made
from tests.service.conftest import StandIns, client_of
from tests.service.test_api_admin import point
from tests.service.test_api_products import get
from tests.service.test_api_writes import put
from tests.service.test_cutting import CHOICE
from tests.waiting import wait_until


@pytest.fixture
def on_gpu(own_shop: Settings) -> Settings:
    return own_shop.model_copy(update={"index": IndexSettings(device="cuda")})


def test_without_a_gpu_build_it_says_so(on_gpu: Settings, embedder: StandInEncoders) -> None:
    with pytest.raises(NotReady, match="GPU"):
        open_serving(on_gpu, StandIns(embedder))


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch, real_gpu: bool) -> list[GpuShard]:
    """Those that are made, on a real GPU or a pretended one, which is asked however few its rows."""
    if not real_gpu:
        put_faiss_on_gpus(monkeypatch)
    monkeypatch.setattr("index.gpu._WORTH", 1.0)
    monkeypatch.setattr("index.search._FEW", 1)
    return shards_made(monkeypatch)


@pytest.mark.gpu
def test_searches_go_there_and_a_swap_gives_it_back(
    on_gpu: Settings, embedder: StandInEncoders, shards: list[GpuShard], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    search = GpuShard.search

    def ask(shard: GpuShard, *query: Any) -> Any:
        asked.append(id(shard))
        return search(shard, *query)

    monkeypatch.setattr(GpuShard, "search", ask)
    with client_of(on_gpu, embedder) as api:
        put(api, "new", title="garden gnome")
        found = api.post("/v1/search", json={"text": "garden gnome", "k": 3}).json()["hits"]
        assert found[0]["product_id"] == "new"
        asked.clear()
        api.post("/v1/search", json={"product_id": "new", "k": 3}).raise_for_status()
        assert set(asked) == {id(shards[0])}
        filtered = {"text": "mug", "k": 36, "filters": {"suppliers": ["acme"]}}
        assert {hit["supplier_id"] for hit in api.post("/v1/search", json=filtered).json()["hits"]} == {"acme"}
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        assert point(api, "next").status_code == 200
        assert get(api, "/v1/products")["total"] == 37
        wait_until(lambda: shards[0].index is None)
    assert len(shards) == 2


@pytest.mark.gpu
def test_searches_go_on_while_snapshots_are_exchanged(
    on_gpu: Settings, embedder: StandInEncoders, shards: list[GpuShard], real_gpu: bool
) -> None:
    with client_of(on_gpu, embedder) as api:
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        assert point(api, "next").status_code == 200
        taken, over = free_device_bytes(), threading.Event()

        def ask(thread: int) -> set[int]:
            seen = set[int]()
            for number in itertools.count():
                query = {"text": f"design{thread} mug {number}", "k": 5}
                seen.add(api.post("/v1/search", json=query).status_code)
                if over.is_set():
                    return seen
            raise AssertionError

        with ThreadPoolExecutor(3) as pool:
            threads = [pool.submit(ask, thread) for thread in range(3)]
            for name in ("shop-1", "next"):
                assert point(api, name).status_code == 200
            over.set()
            assert {status for thread in threads for status in thread.result(30)} == {200}
        # What was served before is let go of after the answer.
        wait_until(lambda: [shard.index is None for shard in shards] == [True] * 3 + [False])
        if real_gpu:
            assert (free_device_bytes() or 0) > (taken or 0) - 64e6, "what was served before is given back"


@pytest.mark.gpu
def test_a_snapshot_without_room_on_the_gpu_is_409(
    on_gpu: Settings, embedder: StandInEncoders, shards: list[GpuShard], real_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.serving.device_bytes", lambda *_: 2_000_000_000)
    with client_of(on_gpu, embedder) as api:
        ask = {"text": "red mug", "k": 3}
        assert api.post("/v1/search", json=ask).status_code == 200
        cut_from_live(on_gpu, "next", choice=CHOICE, source=StandIns(embedder))
        with bytes_left(1_000_000_000, real=real_gpu):
            answer = point(api, "next")
            assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
            assert "of GPU 0" in answer.json()["detail"]
            assert api.post("/v1/search", json=ask | {"k": 4}).json()["snapshot"] == "shop-1"
        assert len(shards) == 1
        assert point(api, "next").status_code == 200


def test_an_index_is_spread_over_gpus_and_each_must_have_room(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)
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
        free[1] = 1_000
        answer = point(api, "next")
        assert answer.status_code == 409
        assert "of GPU 1" in answer.json()["detail"]
        free[1] = 9_000_000_000
        assert point(api, "next").status_code == 200
        wait_until(lambda: [shard.index is None for shard in shards[:2]] == [True, True])
    assert len(shards) == 4


def test_a_snapshot_whose_journal_cannot_be_read_gives_the_gpu_back(
    on_gpu: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)
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
    for scratch in (0, 1_700_000_000):
        asked.clear()
        serving._check_device(manifest, manifest.fingerprint)
        assert asked == [(0, scratch + parts), (1, scratch + parts)]
        for device in serving._devices:
            device.resources = None  # as before the first index
    swaps.close()
    asyncio.run(serving.close())


def test_an_index_that_cannot_be_made_for_want_of_memory_is_not_begun(
    own_shop: Settings, on_gpu: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)
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
