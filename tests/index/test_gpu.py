"""The thread that owns a device, and what a shard on it may and may not do."""

import threading
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from catalogue.errors import (
    ConfigurationError,
    DeadlineExceeded,
    DeviceMemoryFull,
    NotEnoughMemory,
    NotReady,
    Overloaded,
)
from index import Snapshot
from index.exact import FlatIndex
from index.gpu import Device, GpuShard, _kind_there, _shard, device_bytes, making_bytes, open_on_gpus
from index.plan import Choice, IndexType, make_plan
from index.search import ShardedIndex
from tests.index.builders import FINGERPRINT, build, unit_rows
from tests.index.standin_gpu import (
    GpuIndexCagra,
    GpuIndexCagraConfig,
    GpuIndexIVFPQ,
    GpuIndexIVFPQConfig,
    SearchParametersCagra,
    StandardGpuResources,
    StandInGpuIndex,
    bytes_left,
    faiss_with_gpus,
    put_faiss_on_gpus,
    shards_made,
    standin_shard,
)
from tests.waiting import wait_until

VECTORS = unit_rows(500, 16).astype(np.float16)
MANY = unit_rows(2_000, 16).astype(np.float16)


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device(waiting=4, deadline_s=10)
    yield device
    device.close()


def hold(device: Device, release: threading.Event) -> threading.Thread:
    """Keep a device busy until `release`."""
    begun = threading.Event()

    def work() -> None:
        begun.set()
        release.wait(10)

    thread = threading.Thread(target=device.call, args=(work,))
    thread.start()
    assert begun.wait(10)
    return thread


def test_all_calls_are_made_by_one_thread(device: Device) -> None:
    with ThreadPoolExecutor(3) as pool:
        threads = set(pool.map(lambda _: device.call(threading.get_ident), range(50)))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_the_work_raises_is_raised_to_the_caller(device: Device) -> None:
    for error in (ValueError("mine"), TimeoutError("mine too")):

        def work(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error), match="mine"):
            device.call(work)
    assert device.call(lambda: 1) == 1


def test_a_full_queue_is_overloaded_and_a_late_answer_is_said_to_be_late(device: Device) -> None:
    release = threading.Event()
    holder = hold(device, release)
    done: list[int] = []
    for number in range(4):
        with pytest.raises(DeadlineExceeded, match="GPU 0"):
            device.call(lambda number=number: done.append(number), deadline_s=0.01)  # type: ignore[misc]
    with pytest.raises(Overloaded, match="4 searches wait"):
        device.call(lambda: done.append(5))
    release.set()
    holder.join()
    device.call(lambda: None)
    assert done == []  # nobody waits for them any more


def test_a_device_given_back_refuses() -> None:
    device = Device()
    release = threading.Event()
    holder = hold(device, release)
    errors: list[Exception] = []

    def wait() -> None:
        try:
            device.call(lambda: None)
        except Overloaded as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: bool(device._calls))
    closing = threading.Thread(target=device.close)
    closing.start()
    wait_until(lambda: device._closing)
    release.set()
    for thread in (closing, waiting, holder):
        thread.join(10)
    assert len(errors) == 1
    with pytest.raises(Overloaded, match="given back"):
        device.call(lambda: None)


def test_giving_a_device_back_waits_for_no_index_that_is_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    device, begun, let_on = Device(), threading.Event(), threading.Event()

    def make(*_: object) -> None:
        begun.set()
        let_on.wait(60)

    monkeypatch.setattr("index.gpu._flat", make)
    plan = make_plan(len(VECTORS), 16, 1, Choice(0.99, "flat"))
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(_shard, device, "flat", plan, VECTORS)
        assert begun.wait(10)
        device.close()
        with pytest.raises(Overloaded, match="given back"):
            made.result(10)
        device.close()
        assert device._owner.is_alive()
        let_on.set()
        device._owner.join(10)
    assert not device._owner.is_alive()


def test_the_stand_in_has_the_manners_of_the_real_one() -> None:
    flat = faiss.IndexFlatIP(16)
    flat.add(VECTORS.astype(np.float32))
    standin = StandInGpuIndex(flat)
    query = VECTORS[:1].astype(np.float32)
    nothing: Any = faiss.SearchParameters(sel=faiss.IDSelectorRange(0, 0))  # type: ignore[call-arg]
    assert (standin.search(query, 5, params=nothing)[1] >= 0).all()
    with pytest.raises(RuntimeError, match="getMaxKSelection"):
        standin.search(query, 2049)
    with pytest.raises(RuntimeError, match="not implemented"):
        standin.remove_ids(None)
    standin._busy.acquire()
    with pytest.raises(RuntimeError, match="second thread"):
        standin.search(query, 5)


def test_the_stand_in_refuses_what_the_real_one_refuses() -> None:
    resources, metric = StandardGpuResources(), faiss.METRIC_INNER_PRODUCT
    query = VECTORS[:1].astype(np.float32)
    with pytest.raises(AttributeError):
        GpuIndexIVFPQConfig().useFloat16 = True  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="Invalid GPU device 1"):
        GpuIndexCagra(1, resources, 16, metric, GpuIndexCagraConfig(device=1, use_cuvs=True))
    for dim, parts, bits, halves, why in (
        (16, 5, 8, True, "not supported"),
        (16, 8, 4, True, "must be 8"),
        (256, 64, 8, False, "Consider useFloat16LookupTables"),
    ):
        config = GpuIndexIVFPQConfig(useFloat16LookupTables=halves)
        with pytest.raises(RuntimeError, match=why):
            GpuIndexIVFPQ(1, resources, dim, 4, parts, bits, metric, config)
    lists = GpuIndexIVFPQ(1, resources, 16, 4, 8, 8, metric, GpuIndexIVFPQConfig(useFloat16LookupTables=True))
    with pytest.raises(RuntimeError, match="not trained"):
        lists.add(query)
    lists.train(VECTORS.astype(np.float32))
    lists.add(VECTORS.astype(np.float32))
    for parameters in (None, SearchParametersCagra()):
        with pytest.raises(RuntimeError, match="unhandled SearchParameters"):
            lists.search(query, 5, parameters)
    graph = GpuIndexCagra(1, resources, 16, metric, GpuIndexCagraConfig(use_cuvs=True))
    graph.train(VECTORS.astype(np.float32))
    with pytest.raises(RuntimeError, match="not supported by GpuIndexCagra"):
        graph.add(query)
    with pytest.raises(RuntimeError, match="topk = 40 must be smaller than itopk_size = 32"):
        graph.search(query, 40, SearchParametersCagra(itopk_size=32))
    with pytest.raises(RuntimeError, match="topk must be lower than or equal to 1024"):
        graph.search(query, 1_025, SearchParametersCagra(itopk_size=2_048))


@pytest.mark.parametrize("kind", ["hnsw", "ivf-pq"])
@pytest.mark.parametrize("k", [1_024, 1_025, 2_000])
def test_many_rows_are_given_whatever_the_device_gives_at_once(
    device: Device, kind: IndexType, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_faiss_on_gpus(monkeypatch)
    monkeypatch.setattr("index.search._FEW", 1)  # no share of the rows is too many to ask a device for
    index = open_on_gpus([device], kind, MANY, 0.9)
    half = np.arange(len(MANY)) % 2 == 0
    assert len(index.search(MANY[3].astype(np.float32), k).rows) == k
    assert len(index.search(MANY[3].astype(np.float32), k, half).rows) == min(k, 1_000)


def test_a_graph_without_room_for_its_vectors_is_no_damage(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    put_faiss_on_gpus(monkeypatch)
    open_on_gpus([device], "flat", VECTORS, 0.9)  # has set up the device
    with bytes_left(50_000, real=False), pytest.raises(NotEnoughMemory, match="no room for 500 vectors"):
        open_on_gpus([device], "hnsw", VECTORS, 0.9)


def test_a_shard_calls_its_index_on_the_device_thread_only(device: Device) -> None:
    shard = standin_shard(device, VECTORS)
    for _ in range(3):
        assert 7 in shard.search(VECTORS[7].astype(np.float32), 5, 1, None)
    assert shard.index.calls == {device.call(threading.get_ident)}
    with pytest.raises(ValueError, match="does not filter"):
        shard.search(VECTORS[7].astype(np.float32), 5, 1, np.ones(500, np.bool_))


class Counting(StandInGpuIndex):
    """Notes how many queries came at a time, and has no memory for more than `most`."""

    def __init__(self, shard: GpuShard, most: int = 1_000) -> None:
        super().__init__(shard.index._index)
        self._most = most
        self.asked: list[tuple[int, int]] = []

    def search(self, queries: NDArray[np.float32], k: int, params: Any = None) -> tuple[Any, Any]:
        self.asked.append((len(queries), k))
        if len(queries) > self._most:
            raise MemoryError("CUDA out of memory")
        return super().search(queries, k, params)


def search_together(device: Device, shard: GpuShard, fetches: Sequence[int]) -> list[NDArray[np.int64] | Exception]:
    """What searches for the first vectors find that all came while the device was busy."""
    let_on = threading.Event()
    holder = hold(device, let_on)

    def search(row: int) -> NDArray[np.int64] | Exception:
        try:
            return shard.search(VECTORS[row].astype(np.float32), fetches[row], 1, None)
        except Exception as error:  # noqa: BLE001  # to be looked at
            return error

    with ThreadPoolExecutor(len(fetches)) as pool:
        asked = pool.map(search, range(len(fetches)))
        wait_until(lambda: len(device._calls) == len(fetches))
        let_on.set()
        found = list(asked)
    holder.join(10)
    return found


@pytest.fixture
def roomy() -> Iterator[Device]:
    device = Device(waiting=64, deadline_s=10)
    yield device
    device.close()


def test_searches_that_wait_are_made_as_one_and_each_gets_its_own(roomy: Device) -> None:
    shard = standin_shard(roomy, VECTORS)
    alone = [shard.search(VECTORS[row].astype(np.float32), 5, 1, None) for row in range(9)]
    shard.index = counting = Counting(shard)
    found = search_together(roomy, shard, [5] * 9)
    assert counting.asked == [(9, 5)]
    for row in range(9):
        assert row in alone[row]
        np.testing.assert_array_equal(found[row], alone[row])


def test_only_searches_for_the_same_are_made_as_one(roomy: Device) -> None:
    shard = standin_shard(roomy, VECTORS)
    shard.index = counting = Counting(shard)
    found = search_together(roomy, shard, [5, 8, 5, 8, 5])
    assert sorted(counting.asked) == [(2, 8), (3, 5)]
    assert list(map(len, found)) == [5, 8, 5, 8, 5]  # type: ignore[arg-type]


def test_without_memory_for_all_they_are_made_by_halves(roomy: Device) -> None:
    shard = standin_shard(roomy, VECTORS)
    shard.index = counting = Counting(shard, most=3)
    found = search_together(roomy, shard, [5] * 7)
    assert counting.asked == [(7, 5), (3, 5), (4, 5), (2, 5), (2, 5)]
    assert all(row in rows for row, rows in enumerate(found))  # type: ignore[operator]


def test_without_memory_for_one_each_is_told(roomy: Device) -> None:
    shard = standin_shard(roomy, VECTORS)
    shard.index = Counting(shard, most=0)
    assert [type(error) for error in search_together(roomy, shard, [5] * 3)] == [DeviceMemoryFull] * 3


def test_a_released_shard_lets_its_memory_go_on_the_device_thread(device: Device) -> None:
    freed: list[int] = []

    class Held:
        def __del__(self) -> None:
            freed.append(threading.get_ident())

    shard = standin_shard(device, VECTORS)
    shard.index = Held()
    shard.release()
    assert freed == [device.call(threading.get_ident)]


def test_a_shard_is_released_however_many_searches_wait(device: Device) -> None:
    shard = standin_shard(device, VECTORS)
    let_on = threading.Event()
    threads = [hold(device, let_on)]
    for _ in range(4):
        threads.append(threading.Thread(target=shard.search, args=(VECTORS[7].astype(np.float32), 5, 1, None)))
        threads[-1].start()
    wait_until(lambda: len(device._calls) == 4)
    threads.append(threading.Thread(target=shard.release))
    threads[-1].start()
    let_on.set()
    for thread in threads:
        thread.join(10)
    assert shard.index is None
    device.close()
    standin_shard(device, VECTORS).release()  # at once: nothing is there any more


@pytest.mark.parametrize("error", [Overloaded("64 searches wait", retry_after=0.1), DeadlineExceeded("not in time")])
def test_a_snapshot_on_a_busy_gpu_is_not_called_damaged(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)

    def busy(*_: object) -> None:
        raise error

    monkeypatch.setattr("index.snapshot.Snapshot._check_canary", busy)
    with pytest.raises(type(error)):
        Snapshot.open(build(tmp_path), fingerprint=FINGERPRINT, devices=[device])
    assert [shard.index for shard in shards] == [None]


@pytest.mark.skipif(hasattr(faiss, "StandardGpuResources"), reason="this FAISS has GPU support")
def test_without_gpu_support_it_says_what_to_install(device: Device, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[gpu\]"):
        open_on_gpus([device], "flat", VECTORS, 0.99)
    with pytest.raises(ConfigurationError, match=r"\[gpu\]"):
        Snapshot.open(build(tmp_path), fingerprint=FINGERPRINT, devices=[device])


class Full:
    """An index on a device without memory."""

    def search(self, *_: object, **__: object) -> None:
        raise RuntimeError("Error in StandardGpuResources: alloc fail (cudaMalloc error out of memory [2])")


def test_a_search_without_memory_says_so_and_the_next_goes_on(device: Device) -> None:
    shard = standin_shard(device, VECTORS)
    index, shard.index = shard.index, Full()
    with pytest.raises(DeviceMemoryFull, match="no memory left to search"):
        shard.search(VECTORS[7].astype(np.float32), 5, 1, None)
    shard.index = index
    assert 7 in shard.search(VECTORS[7].astype(np.float32), 5, 1, None)


def test_no_room_for_an_index_is_no_damage(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def built(*_: object) -> None:
        Full().search()

    monkeypatch.setattr("index.gpu.check_support", lambda _: None)
    monkeypatch.setattr("index.snapshot.check_support", lambda _: None)
    monkeypatch.setattr("index.gpu._flat", built)
    with pytest.raises(NotEnoughMemory, match="no room for 500 vectors"):
        open_on_gpus([device], "flat", VECTORS, 0.99)
    with pytest.raises(NotEnoughMemory):
        Snapshot.open(build(tmp_path), fingerprint=FINGERPRINT, devices=[device])


def test_a_snapshot_that_fails_midway_gives_back_what_it_had(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards: list[GpuShard] = []

    def opened(devices: Sequence[Device], _: str, vectors: NDArray[np.float16], __: float) -> ShardedIndex:
        if shards:
            raise NotEnoughMemory("full")
        shards.append(standin_shard(devices[0], vectors))
        return ShardedIndex([shards[-1]], vectors, FlatIndex(vectors), 1)

    monkeypatch.setattr("index.snapshot.check_support", lambda _: None)
    monkeypatch.setattr("index.snapshot.open_on_gpus", opened)
    path = build(tmp_path, fields=("fusion", "image"))
    with pytest.raises(NotEnoughMemory):
        Snapshot.open(path, fingerprint=FINGERPRINT, devices=[device])
    assert shards[0].index is None


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["flat", "ivf-pq", "hnsw"])
def test_a_device_too_full_for_its_first_index_takes_one_later(
    device: Device, monkeypatch: pytest.MonkeyPatch, real_gpu: bool, kind: IndexType
) -> None:
    """FAISS sets a device up with the first index, and is left half done where its scratch memory finds no room."""
    monkeypatch.setattr("index.gpu._WORTH", 1.0)
    if not real_gpu:
        put_faiss_on_gpus(monkeypatch)
    monkeypatch.setattr("index.gpu.FLAT_UP_TO", 0)
    monkeypatch.setattr("index.plan._QUERIES", 50)
    with bytes_left(1_200_000_000, real=real_gpu), pytest.raises(NotEnoughMemory, match="no room for 2,000 vectors"):
        open_on_gpus([device], kind, MANY, 0.9)
    assert device.scratch_bytes > 1e9
    index = open_on_gpus([device], kind, MANY, 0.9)
    assert device.scratch_bytes == 0
    assert index.search(MANY[7].astype(np.float32), 1).rows == [7]
    for shard in index.shards:
        shard.release()  # type: ignore[attr-defined]  # as all of a GPU


@pytest.mark.parametrize(("kind", "least"), [("flat", 1.02e9), ("hnsw", 2.0e9), ("ivf-pq", 0.1e9)])
def test_what_an_index_takes_grows_with_its_rows(kind: IndexType, least: float) -> None:
    small, large = device_bytes(kind, 60_000, 256), device_bytes(kind, 1_000_000, 256)
    assert large - small > 0.9 * least
    assert device_bytes(kind, 1_000, 256) < device_bytes("flat", 50_001, 256)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf-pq"])
def test_what_making_an_index_takes_of_the_machine_is_known(
    device: Device, monkeypatch: pytest.MonkeyPatch, kind: IndexType
) -> None:
    rows, dim = 60_000, 32
    given: list[int] = []

    def learn(sample: NDArray[np.float32]) -> None:
        given.append(sample.nbytes)
        if kind == "hnsw":  # cuVS has the graph in the machine's memory until it is made
            np.empty((rows, 128 + 64), np.uint32)

    nothing = SimpleNamespace(train=learn, add=lambda _: None, search=lambda *_, **__: None)
    there = faiss_with_gpus(1)
    there.__dict__.update(dict.fromkeys(("GpuIndexFlatIP", "GpuIndexIVFPQ", "GpuIndexCagra"), lambda *_: nothing))
    monkeypatch.setattr("index.gpu._faiss", there)
    monkeypatch.setattr("index.gpu._CHUNK", 1_000)
    monkeypatch.setattr("index.gpu.FLAT_UP_TO", rows if kind == "flat" else 0)
    plan = make_plan(rows, dim, 1, Choice(0.99, kind))
    vectors = np.zeros((rows, dim), np.float16)
    tracemalloc.start()
    _shard(device, _kind_there(kind, rows), plan, vectors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - 100_000 < making_bytes(kind, rows, dim) < 2 * peak
    assert device_bytes(kind, rows, dim) >= 2 * max(given, default=0)  # copied there, and worked on


@pytest.fixture
def three() -> Iterator[list[Device]]:
    devices = [Device(number, deadline_s=10) for number in range(3)]
    yield devices
    for device in devices:
        device.close()


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_several_gpus_each_have_a_part_and_find_the_whole(
    three: list[Device], monkeypatch: pytest.MonkeyPatch, kind: IndexType
) -> None:
    vectors = unit_rows(1_500, 16).astype(np.float16)
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)
    monkeypatch.setattr("index.gpu._WORTH", 1.0)  # else a scan of so few rows is cheaper
    monkeypatch.setattr("index.plan._QUERIES", 50)
    index = open_on_gpus(three, kind, vectors, 0.99)
    shards.sort(key=lambda shard: shard.device.number)
    assert [shard.rows for shard in shards] == [500, 500, 500]
    queries = vectors[::75].astype(np.float32)
    found = [np.intersect1d(index.search(query, 3).rows, brute_force(vectors, query, 3)) for query in queries]
    assert np.mean([len(rows) for rows in found]) > 2.9
    for shard, device in zip(shards, three, strict=True):
        assert shard.index.calls == {device.call(threading.get_ident)}
        shard.release()


def test_several_gpus_are_asked_whenever_one_would_be(three: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)
    monkeypatch.setattr("index.gpu._WORTH", 200.0)
    for devices in (three[:1], three):
        shards.clear()
        open_on_gpus(devices, "flat", VECTORS, 0.99).search(VECTORS[3].astype(np.float32), 3)
        assert [len(shard.index.calls) for shard in shards] == [1] * len(devices)


def brute_force(vectors: NDArray[np.float16], query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return np.argsort(-(vectors.astype(np.float32) @ query), kind="stable")[:k]


def test_one_gpu_without_room_gives_back_what_the_others_had(
    three: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_faiss_on_gpus(monkeypatch)
    made: list[GpuShard] = []

    def built(device: Device, _: object, vectors: NDArray[np.float16]) -> GpuShard:
        if device.number == 1:
            Full().search()
        made.append(standin_shard(device, vectors))
        return made[-1]

    monkeypatch.setattr("index.gpu._flat", built)
    with pytest.raises(NotEnoughMemory, match="GPU 1 has no room for 167 vectors"):
        open_on_gpus(three, "flat", VECTORS, 0.99)
    assert [shard.index for shard in made] == [None, None]


def test_while_an_index_is_made_the_others_are_scanned(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    put_faiss_on_gpus(monkeypatch)
    monkeypatch.setattr("index.gpu._WORTH", 1.0)
    served = open_on_gpus([device], "flat", VECTORS, 0.99)
    served.shards[0].index.calls.clear()  # type: ignore[attr-defined]  # as all of a GPU
    begun, let_on = threading.Event(), threading.Event()

    def slow(*_: object) -> GpuShard:
        begun.set()
        assert let_on.wait(10)
        return standin_shard(device, VECTORS)

    monkeypatch.setattr("index.gpu._flat", slow)
    making = threading.Thread(target=open_on_gpus, args=([device], "flat", VECTORS, 0.99))
    making.start()
    assert begun.wait(10)
    query, passes = VECTORS[3].astype(np.float32), np.arange(500) % 2 == 0
    found = [served.search(query, 5).rows, served.search(query, 5, passes).rows]
    assert not served.shards[0].index.calls  # type: ignore[attr-defined]
    let_on.set()
    making.join(10)
    scan = FlatIndex(VECTORS)
    for rows, allowed in zip(found, (None, passes), strict=True):
        np.testing.assert_array_equal(rows, scan.search(query, 5, allowed).rows)
    assert served.search(query, 5).rows[0] == 3
    assert served.shards[0].index.calls  # type: ignore[attr-defined]


def test_what_is_still_asked_after_its_release_is_scanned(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the canary, which may ask for longer than a swap waits."""
    put_faiss_on_gpus(monkeypatch)
    monkeypatch.setattr("index.gpu._WORTH", 1.0)
    index = open_on_gpus([device], "flat", VECTORS, 0.99)
    (shard,) = index.shards
    assert isinstance(shard, GpuShard)
    shard.release()
    assert index.search(VECTORS[3].astype(np.float32), 1).rows == [3]
    with pytest.raises(NotReady, match="given up"):
        shard.search(VECTORS[3].astype(np.float32), 1, 1, None)


def test_gpus_that_are_not_there_are_said(three: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
    put_faiss_on_gpus(monkeypatch, 2)
    with pytest.raises(ConfigurationError, match=r"finds 2 GPUs and SAMESTYLE_INDEX__GPUS asks for 3"):
        open_on_gpus(three, "flat", VECTORS, 0.99)
    assert open_on_gpus(three[:2], "flat", VECTORS, 0.99).search(VECTORS[3].astype(np.float32), 1).rows == [3]


def test_a_part_takes_a_part_of_the_memory() -> None:
    of: Mapping[IndexType, tuple[float, float]] = {"flat": (0.49, 0.51), "hnsw": (0.49, 0.51), "ivf-pq": (0.5, 0.72)}
    for kind, (least, most) in of.items():  # lists are learnt from a sample that grows with the root of the rows
        whole, half = (device_bytes(kind, 10_000_000, 256, devices) for devices in (1, 2))
        assert least < half / whole < most


@pytest.mark.parametrize("rows", [100, 1_000])
def test_a_flat_index_never_takes_more_than_was_said(
    device: Device, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """FAISS copies what is there whenever more is added: for a moment old and new are there."""

    class Growing:
        def __init__(self, *_: object) -> None:
            self.bytes = self.most = 0

        def add(self, vectors: NDArray[np.float32]) -> None:
            before, self.bytes = self.bytes, self.bytes + vectors.nbytes
            self.most = max(self.most, before + self.bytes)

        def search(self, *_: object, params: object) -> None:
            pass

    monkeypatch.setattr("index.gpu._CHUNK", 100)
    there = faiss_with_gpus(1)
    there.GpuIndexFlatIP = Growing
    monkeypatch.setattr("index.gpu._faiss", there)
    assert device.scratch_bytes > 1e9
    (shard,) = open_on_gpus([device], "flat", unit_rows(rows, 16).astype(np.float16), 0.99).shards
    assert isinstance(shard, GpuShard)
    assert shard.index.most == device_bytes("flat", rows, 16)
    assert device.scratch_bytes == 0, "it is there, for all that comes"
