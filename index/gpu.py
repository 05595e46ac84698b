"""The same search on a GPU: flat, IVF-PQ and CAGRA (faiss-gpu-cuvs), made on the device from the stored vectors.

FAISS on a GPU is not safe to enter twice, not even to read; gives at most 2,048 rows (CAGRA 1,024); may ignore an
`IDSelector` without saying so; and removes nothing. So one thread makes all calls of a device, filters are applied to
what comes back, and what that leaves open is scanned on the CPU (`ShardedIndex`).
"""

import contextlib
import math
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Final, Literal, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from catalogue.device_memory import is_out_of_memory
from catalogue.errors import (
    ConfigurationError,
    DeadlineExceeded,
    DeviceMemoryFull,
    NotEnoughMemory,
    NotReady,
    Overloaded,
)
from index.exact import FlatIndex
from index.plan import FLAT_UP_TO, Choice, IndexType, Plan, make_plan, tune
from index.search import Shard, ShardedIndex

Item = TypeVar("Item")
Result = TypeVar("Result")
GpuType = Literal["flat", "ivf-pq", "cagra"]
ON_GPU: Final[Mapping[IndexType, GpuType]] = {
    "flat": "flat", "hnsw": "cagra", "ivf-flat": "ivf-pq", "ivf-sq8": "ivf-pq", "ivf-pq": "ivf-pq",
}  # fmt: skip
"""What stands in on a GPU for an index of the CPU."""

MOST_ROWS: Final = 2_048
_MOST_OF_GRAPH: Final = 1_024
"""CAGRA's: what its search for few queries (`MULTI_CTA`) picks the best of at the end gives no more."""
_CHUNK: Final = 65_536
_CANDIDATES: Final = 32
"""CAGRA rounds the candidates it keeps up to so many."""
_WORTH: Final = 20_000.0
"""A call's time in rows that the CPU would scan meanwhile: launching costs more than scoring."""
_PQ_PARTS: Final = (1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96)
"""What FAISS has kernels for."""
_SCRATCH: Final = 1_700_000_000
"""FAISS takes 1.5 GiB for all that is on a device, with the first index, and cuBLAS a little."""
_GRAPH_BEFORE, _GRAPH = 128, 64
"""Neighbours a row has in CAGRA's graph, by default."""
_BUILD_S: Final = 3_600.0
_FORGET_S: Final = 60.0
_TOGETHER: Final = 64
_faiss: Any = faiss
"""FAISS beyond the stubs of its CPU build, which has none of the names used here."""


@dataclass(slots=True)
class _Call:
    """Something asked of a device; those of the same key are run as one."""

    result: Future[Any]
    run: Callable[[list[Any]], Sequence[Any]]
    """Makes the result of each of so many items."""
    item: Any
    key: Hashable | None


class Device:
    """One GPU, and the one thread that makes every FAISS call on it.

    Searches that wait for the same thing are run as one, up to `_TOGETHER` of them: the more wait, the less each costs.
    """

    def __init__(self, number: int = 0, *, waiting: int = 64, deadline_s: float = 5.0) -> None:
        self.number = number
        self.resources: Any = None
        self.building = False
        """Whether an index is being made there, which keeps all others waiting."""
        self._most_waiting = waiting
        self._deadline_s = deadline_s
        self._calls: deque[_Call] = deque()
        self._changed = Condition()
        self._closing = False
        self._under_way: Sequence[_Call] = ()
        self._left_alone = False
        self._owner = Thread(target=self._serve, name=f"gpu-{number}", daemon=True)
        self._owner.start()

    @property
    def scratch_bytes(self) -> int:
        """What the first index takes beside its own, for all that come to the device."""
        return _SCRATCH if self.resources is None else 0

    def call(self, work: Callable[[], Result], *, deadline_s: float | None = None) -> Result:
        """Run `work` on the device's thread; what it raises is raised here.

        Raises Overloaded when too many calls wait, DeadlineExceeded when this one waited or ran too long: it is
        then left out if it has not begun.
        """
        call = _Call(Future(), lambda _: [work()], None, None)
        answer: Result = self._ask(call, deadline_s or self._deadline_s)
        return answer

    def together(self, key: Hashable, run: Callable[[list[Item]], Sequence[Result]], item: Item) -> Result:
        """What `run` makes of `item`, as one of all that wait with the same key; raises what `call` does.

        Where the device's memory is too small for all of them they are run by halves.
        """
        answer: Result = self._ask(_Call(Future(), run, item, key), self._deadline_s)
        return answer

    def _ask(self, call: _Call, limit_s: float) -> Any:
        with self._changed:
            if self._closing:
                raise self._given_back()
            if len(self._calls) >= self._most_waiting:
                raise Overloaded(f"{len(self._calls)} searches wait for GPU {self.number}. Try again.", retry_after=0.1)
            self._add(call)
        try:
            return call.result.result(limit_s)
        except CancelledError:
            raise self._given_back() from None
        except TimeoutError:
            if call.result.done():  # the work's own
                raise
            call.result.cancel()
            raise DeadlineExceeded(f"GPU {self.number} did not answer within {limit_s:g} s. Try again.") from None

    def _add(self, call: _Call) -> None:
        self._calls.append(call)
        self._changed.notify()

    def forget(self, drop: Callable[[], object]) -> None:
        """Run `drop` on the device's thread, and wait for it, however many calls wait; raises nothing of its own."""
        call = _Call(Future(), lambda _: [drop()], None, None)
        with self._changed:
            if self._closing:
                return  # all that is on the device goes with it
            self._add(call)
        with contextlib.suppress(TimeoutError, CancelledError):
            call.result.result(_FORGET_S)

    def _given_back(self) -> Overloaded:
        return Overloaded(f"GPU {self.number} is being given back. Try again.", retry_after=1.0)

    def close(self) -> None:
        """Finish what is under way, refuse what waits, end the thread; may be called again.

        Nobody waits any longer for an index that is being made: nothing can stop that, and it may take minutes.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self.building:
            self._left_alone = True
            for call in self._under_way:
                with contextlib.suppress(InvalidStateError):  # just made
                    call.result.set_exception(self._given_back())
        if not self._left_alone:
            self._owner.join(_FORGET_S)

    def _serve(self) -> None:
        while self._serve_next():
            pass
        self.resources = None
        while self._calls:
            self._calls.popleft().result.cancel()

    def _serve_next(self) -> bool:
        """Wait for a call and answer it and its like; False when there is nothing more to be done."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._closing)
            if self._closing:
                return False
            calls = [self._calls.popleft()]
            if (key := calls[0].key) is not None:
                calls += [call for call in self._calls if call.key == key][: _TOGETHER - 1]
                taken = set(map(id, calls))
                self._calls = deque(call for call in self._calls if id(call) not in taken)
        self._under_way = [call for call in calls if call.result.set_running_or_notify_cancel()]  # others wait no more
        _answer(self._under_way)
        self._under_way = ()
        return True


def _answer(calls: Sequence[_Call]) -> None:
    """Run calls of one kind as one."""
    if not calls:
        return
    try:
        results = calls[0].run([call.item for call in calls])
    except BaseException as error:  # noqa: BLE001  # whoever asked is told
        if len(calls) == 1 or not is_out_of_memory(error):
            for call in calls:
                with contextlib.suppress(InvalidStateError):  # it was given up meanwhile
                    call.result.set_exception(error)
            return
    else:
        for call, result in zip(calls, results, strict=True):
            with contextlib.suppress(InvalidStateError):
                call.result.set_result(result)
        return
    _answer(calls[: len(calls) // 2])
    _answer(calls[len(calls) // 2 :])


@dataclass(slots=True)
class GpuShard:
    """A FAISS index on a device; `effort` is nprobe, itopk_size, or nothing (flat)."""

    device: Device
    index: Any
    parameters: Callable[[int], Any]
    """Search parameters for an effort."""
    rows: int
    exact: bool
    hardest: int
    each: float = 0.0
    """Effort that every row asked for takes."""
    most: int = MOST_ROWS
    filters: bool = False
    beside: int = 1
    """How many are asked at the same time, with this one."""

    def search(
        self, query: NDArray[np.float32], fetch: int, effort: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """See `Shard.search`; `allowed` cannot be looked at here."""
        if allowed is not None:
            raise ValueError("a GPU shard does not filter")

        def search(queries: list[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
            if self.index is None:
                raise NotReady("This index was given up. Ask again.")
            _, rows = self.index.search(np.stack(queries), fetch, params=self.parameters(effort))
            return [np.unique(found[found >= 0]) for found in rows]  # a graph may give a row twice

        try:
            return self.device.together((id(self), fetch, effort), search, query)
        except Exception as error:
            if is_out_of_memory(error):
                raise DeviceMemoryFull(
                    f"GPU {self.device.number} has no memory left to search with. Ask again later, or another instance."
                ) from error
            raise

    @property
    def busy(self) -> bool:
        """See `Shard.busy`."""
        return self.device.building or self.index is None

    def release(self) -> None:
        """Free the device's memory, on the device's thread like all else; nothing can be searched afterwards."""

        def drop() -> None:
            self.index = None

        self.device.forget(drop)

    def effort(self, tuned: int, k: int) -> int:
        """See `Shard.effort`."""
        return min(math.ceil(tuned * math.sqrt(max(k, 10) / 10) + k * self.each), self.hardest)

    def cost(self, effort: int) -> float:
        """See `Shard.cost`; on the device, effort costs little."""
        return _WORTH / self.beside if effort else 0.0


def check_built() -> None:
    """Raise ConfigurationError where FAISS was built without GPUs; asks no driver."""
    if not hasattr(_faiss, "StandardGpuResources"):
        raise ConfigurationError("This FAISS has no GPU support. Install the extra [gpu] instead of [cpu].")


def check_support(devices: Sequence[Device]) -> None:
    """Raise ConfigurationError where FAISS was built without GPUs, or finds fewer of them."""
    check_built()
    there, needed = _faiss.get_num_gpus(), 1 + max(device.number for device in devices)
    if there < needed:
        raise ConfigurationError(
            f"FAISS finds {there} GPUs and SAMESTYLE_INDEX__GPUS asks for {needed}. Check the driver, "
            "CUDA_VISIBLE_DEVICES and the setting."
        )


def open_on_gpus(
    devices: Sequence[Device], kind: IndexType, vectors: NDArray[np.float16], recall: float
) -> ShardedIndex:
    """Spread float16 `vectors` [rows, dim] over devices, in the kind that stands in for `kind`, tuned for `recall`.

    Each device has a shard of as many rows as the others, one more or less. Raises ConfigurationError where FAISS was
    built without GPUs, NotEnoughMemory where a device has no room; then none has anything of it.
    """
    check_support(devices)
    rows, dim = vectors.shape
    there = _kind_there(kind, rows)
    plan = make_plan(rows, dim, len(devices), Choice(recall, "ivf-pq" if there == "ivf-pq" else kind))
    parts = np.array_split(vectors, len(devices))
    with ThreadPoolExecutor(len(devices), "gpu-build") as pool:
        made = [pool.submit(_shard, device, there, plan, part) for device, part in zip(devices, parts, strict=True)]
    try:
        shards = [each.result() for each in made]
        for shard in shards:
            shard.beside = len(shards)
        return on_shards(shards, plan, vectors)
    except BaseException:
        for each in made:
            if each.exception() is None:
                each.result().release()
        raise


def _shard(device: Device, kind: GpuType, plan: Plan, vectors: NDArray[np.float16]) -> GpuShard:
    """The rows of one device; raises NotEnoughMemory."""
    rows, dim = vectors.shape
    build = {"flat": _flat, "ivf-pq": _ivf_pq, "cagra": _cagra}[kind]

    def make() -> GpuShard:
        was_there = device.resources
        try:
            return _warm(build(device, plan.parameters, vectors), vectors)
        except Exception as error:  # noqa: BLE001  # raised again, without frames that hold what was built so far
            # Where its scratch memory found no room FAISS is left half set up, and would crash with the next index.
            device.resources = was_there
            raise error.with_traceback(None) from None

    device.building = True
    try:
        return device.call(make, deadline_s=_BUILD_S)
    except Exception as error:
        if is_out_of_memory(error):
            raise NotEnoughMemory(
                f"GPU {device.number} has no room for {rows:,} vectors of {dim} dimensions. What is served now goes "
                "on. Take a larger GPU, or a smaller index."
            ) from None
        raise
    finally:
        device.building = False


def _warm(shard: GpuShard, vectors: NDArray[np.float16]) -> GpuShard:
    """Make the first search: it links kernels, which may take long, and only now a graph without vectors says so."""
    shard.index.search(vectors[:1].astype(np.float32), 1, params=shard.parameters(shard.effort(1, 1)))
    return shard


def device_bytes(kind: IndexType, rows: int, dim: int, devices: int = 1) -> int:
    """What an index takes of each device's memory while it is made, roughly and at most; searching takes no more.

    Beside the scratch memory of the device (`Device.scratch_bytes`).
    """
    there = _kind_there(kind, rows)
    rows = -(-rows // devices)
    whole = 4 * rows * dim
    if there == "flat":  # what is there is copied when more is added
        return whole + 4 * max(0, rows - _CHUNK) * dim
    if there == "cagra":  # the vectors, once more while the graph is made, and the graph before and after it is cut
        return 2 * whole + rows * 4 * (_GRAPH_BEFORE + _GRAPH)
    lists = _lists(rows * devices, dim, devices)
    trained_on = -(-rows // _step(rows, lists))
    learning = 2 * 4 * (trained_on + lists) * dim  # the sample and the centroids, and what k-means makes of each
    return rows * (max(_PQ_PARTS) + 8) * 2 + learning  # codes and ids, in lists that grow by doubling


def making_bytes(kind: IndexType, rows: int, dim: int, devices: int = 1) -> int:
    """What an index takes of the machine's own memory, roughly and at most, until it is on its devices."""
    there, share = _kind_there(kind, rows), -(-rows // devices)
    if there == "cagra":  # and the graph, before and after it is cut, which cuVS keeps here
        return share * 4 * (dim + _GRAPH_BEFORE + _GRAPH) * devices
    at_once = min(share, _CHUNK)
    if there == "ivf-pq":
        at_once = max(at_once, -(-share // _step(share, _lists(rows, dim, devices))))
    return 4 * at_once * dim * devices


def _lists(rows: int, dim: int, devices: int) -> int:
    """How many inverted lists a shard has."""
    return make_plan(rows, dim, devices, Choice(index_type="ivf-pq")).parameters["nlist"]


def _step(rows: int, lists: int) -> int:
    """Of how many rows one is trained on: 256 or more of them make a good centroid."""
    return max(1, rows // (256 * lists))


def _kind_there(kind: IndexType, rows: int) -> GpuType:
    return ON_GPU[kind] if rows > FLAT_UP_TO else "flat"  # few enough to be scanned are not worth more


def on_shards(shards: Sequence[Shard], plan: Plan, vectors: NDArray[np.float16]) -> ShardedIndex:
    """A whole index around the shards of devices, which hold its rows in their order; tuned unless they are exact."""
    flat = FlatIndex(vectors)
    index = ShardedIndex(shards, vectors, flat, 1, plan.parameters.get("refine", 1))
    return index if all(shard.exact for shard in shards) else index.with_effort(tune(index, flat, plan).value)


def _resources(config: Any, device: Device) -> tuple[Any, Any]:
    """On the device's thread; its scratch memory (1.5 GiB) is shared by all that is on it."""
    if device.resources is None:
        device.resources = _faiss.StandardGpuResources()
        device.resources.setPinnedMemory(0)  # 256 MB of the machine's that only queries as large would use
    config.device = device.number
    return device.resources, config


def _flat(device: Device, _: Mapping[str, int], vectors: NDArray[np.float16]) -> GpuShard:
    """In float32: half precision would sum in another order of magnitude, and flat means exact."""
    resources, config = _resources(_faiss.GpuIndexFlatConfig(), device)
    index = _faiss.GpuIndexFlatIP(resources, vectors.shape[1], config)
    _fill(index, vectors)
    return GpuShard(device, index, lambda _: None, len(vectors), exact=True, hardest=1)


def _ivf_pq(device: Device, parameters: Mapping[str, int], vectors: NDArray[np.float16]) -> GpuShard:
    """Codes of 8 bits for half as many parts as on the CPU, which shuffles codes of 4: the same bytes a vector."""
    resources, config = _resources(_faiss.GpuIndexIVFPQConfig(), device)
    config.useFloat16LookupTables = True
    dim, lists = vectors.shape[1], parameters["nlist"]
    parts = max(size for size in _PQ_PARTS if dim % size == 0 and size <= max(1, parameters["pq_m"] // 2))
    index = _faiss.GpuIndexIVFPQ(resources, dim, lists, parts, 8, faiss.METRIC_INNER_PRODUCT, config)
    index.train(vectors[:: _step(len(vectors), lists)].astype(np.float32))
    _fill(index, vectors)

    def probes(effort: int) -> Any:
        return _faiss.SearchParametersIVF(nprobe=effort)

    each = 4 * lists / max(1, len(vectors))  # lists are not full of neighbours
    return GpuShard(device, index, probes, len(vectors), exact=False, hardest=min(lists, MOST_ROWS), each=each)


def _cagra(device: Device, _: Mapping[str, int], vectors: NDArray[np.float16]) -> GpuShard:
    resources, config = _resources(_faiss.GpuIndexCagraConfig(), device)
    config.use_cuvs = True  # nothing else makes it
    index = _faiss.GpuIndexCagra(resources, vectors.shape[1], faiss.METRIC_INNER_PRODUCT, config)
    index.train(vectors.astype(np.float32))

    def candidates(effort: int) -> Any:
        return _faiss.SearchParametersCagra(itopk_size=_CANDIDATES * effort)

    each = 1 / _CANDIDATES  # it must keep no fewer than it gives
    return GpuShard(
        device, index, candidates, len(vectors), exact=False, hardest=MOST_ROWS // _CANDIDATES, each=each,
        most=_MOST_OF_GRAPH,
    )  # fmt: skip


def _fill(index: Any, vectors: NDArray[np.float16]) -> None:
    for start in range(0, len(vectors), _CHUNK):
        index.add(vectors[start : start + _CHUNK].astype(np.float32))
