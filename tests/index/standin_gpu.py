"""FAISS with GPUs for machines without one: it refuses what the real one refuses, and has its manners.

All of `index.gpu` runs as it does there, down to each call of FAISS. What is refused here, and in which words, was read
off faiss-gpu-cuvs 1.15.1 and its sources.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index import gpu
from index.gpu import MOST_ROWS, Device, GpuShard
from tests.real_gpu import memory_taken

_faiss: Any = faiss
_CODE_BYTES = (1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96)
_SHARED_MEMORY = 48 << 10
_SCRATCH = 1_536 << 20


class StandardGpuResources:
    """Set up for a device by its first index; where there is no room for scratch memory, this is left half done."""

    free: ClassVar[int] = 80 << 30

    def __init__(self) -> None:
        self._devices: set[int] = set()
        self._half_done: set[int] = set()

    def setPinnedMemory(self, _: int) -> None:
        assert not self._devices, "the process ends here: 'defaultStreams_.size() == 0' failed"

    def set_up(self, device: int) -> None:
        assert device not in self._half_done, "the process ends here: there is no scratch memory to look into"
        if device not in self._devices:
            self._devices.add(device)
            if self.free < _SCRATCH:
                self._half_done.add(device)
                raise RuntimeError("Error in allocMemory at StandardGpuResources.cpp:570: CUDA memory allocation error")


# Without an attribute of any other name, so that a wrong one is an error.
@dataclass(slots=True)
class GpuIndexFlatConfig:
    device: int = 0
    use_cuvs: bool = False
    useFloat16: bool = False  # noqa: N815


@dataclass(slots=True)
class GpuIndexIVFPQConfig:
    device: int = 0
    use_cuvs: bool = False
    useFloat16LookupTables: bool = False  # noqa: N815
    interleavedLayout: bool = False  # noqa: N815


@dataclass(slots=True)
class GpuIndexCagraConfig:
    device: int = 0
    use_cuvs: bool = False
    graph_degree: int = 64
    intermediate_graph_degree: int = 128
    store_dataset: bool = True


@dataclass(slots=True, kw_only=True)
class SearchParametersCagra:
    sel: Any = None
    itopk_size: int = 64
    search_width: int = 1


class StandInGpuIndex:
    """An index of the CPU that ignores selectors, gives 2,048 rows, may be entered once, and forgets nothing."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self._busy = threading.Lock()
        self.calls: set[int] = set()
        """The threads that called."""

    @property
    def ntotal(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: NDArray[np.float32], k: int, params: Any = None) -> tuple[Any, Any]:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("the device was entered by a second thread")
        try:
            self.calls.add(threading.get_ident())
            if k > MOST_ROWS:
                raise RuntimeError(f"Error: 'k > 0 && k <= getMaxKSelection()' failed: {k}")
            time.sleep(0)  # lets another thread in, if one is about
            return self._index.search(queries, k, params=self._own(params, k))  # type: ignore[no-any-return]
        finally:
            self._busy.release()

    def _own(self, params: Any, _: int) -> Any:
        """What the index of the CPU is asked with."""
        if params is not None:
            params.sel = None
        return params

    def remove_ids(self, _: Any) -> int:
        raise RuntimeError("remove_ids not implemented for this type of index")


class _Made(StandInGpuIndex):
    """One that is made as on a device, which FAISS sets up first."""

    def __init__(self, gpus: int, resources: StandardGpuResources, dim: int, config: Any, index: Any) -> None:
        if config.device >= gpus:
            raise RuntimeError(f"Error: 'config_.device < getNumDevices()' failed: Invalid GPU device {config.device}")
        assert dim > 0
        super().__init__(index)
        resources.set_up(config.device)
        faiss.omp_set_num_threads(1)

    def add(self, vectors: NDArray[np.float32]) -> None:
        if not self._index.is_trained:
            raise RuntimeError("Error: 'this->is_trained' failed: Index not trained")
        self._index.add(vectors)


class GpuIndexFlatIP(_Made):
    def __init__(self, gpus: int, resources: StandardGpuResources, dim: int, config: GpuIndexFlatConfig, /) -> None:
        super().__init__(gpus, resources, dim, config, faiss.IndexFlatIP(dim))


class GpuIndexIVFPQ(_Made):
    def __init__(
        self, gpus: int, resources: StandardGpuResources, dim: int, lists: int, parts: int, bits: int, metric: int,
        config: GpuIndexIVFPQConfig, /,
    ) -> None:  # fmt: skip
        if bits != 8:
            raise RuntimeError(f"Error: 'bitsPerCode_ == 8' failed: Bits per code must be 8 (passed {bits})")
        if parts not in _CODE_BYTES or dim % parts or lists < 1:
            raise RuntimeError(f"Error: Number of bytes per encoded vector / sub-quantizers ({parts}) is not supported")
        if (2 if config.useFloat16LookupTables else 4) * parts * 256 > _SHARED_MEMORY:
            raise RuntimeError("Error: Consider useFloat16LookupTables and/or reduce parameters")
        assert not config.use_cuvs
        # codes of 4 bits for twice as many parts take a twentieth of the time to learn
        inside = faiss.index_factory(dim, f"IVF{lists},PQ{max(1, dim // 2)}x4fsr", metric)
        super().__init__(gpus, resources, dim, config, inside)

    def train(self, vectors: NDArray[np.float32]) -> None:
        self._index.train(vectors)

    def _own(self, params: Any, k: int) -> Any:
        if not isinstance(params, _faiss.SearchParametersIVF):
            raise RuntimeError("Error: GPU IVF index: passed unhandled SearchParameters class to search function")
        if params.max_codes or not 0 < params.nprobe <= MOST_ROWS:
            raise RuntimeError(f"Error: GPU IVF index only supports nprobe selection up to {MOST_ROWS}")
        return super()._own(params, k)


class GpuIndexCagra(_Made):
    """Gives 1,024 rows; where the device has no room for the vectors, too, it has only the graph, and a warning."""

    def __init__(
        self, gpus: int, resources: StandardGpuResources, dim: int, metric: int, config: GpuIndexCagraConfig, /
    ) -> None:
        assert config.use_cuvs
        assert config.store_dataset
        super().__init__(gpus, resources, dim, config, faiss.index_factory(dim, "HNSW8,Flat", metric))
        self._has_vectors = False

    def train(self, vectors: NDArray[np.float32]) -> None:
        assert not self.ntotal, "it is made once"
        self._index.add(vectors)
        self._has_vectors = StandardGpuResources.free >= 2 * vectors.nbytes

    def add(self, _: NDArray[np.float32]) -> None:
        raise RuntimeError("Error: adding vectors is not supported by GpuIndexCagra.")

    def _own(self, params: Any, k: int) -> Any:
        if not isinstance(params, SearchParametersCagra):
            raise AssertionError("the process ends here: FAISS looks into parameters that are not there")
        if k > -(-params.itopk_size // 32) * 32:
            raise RuntimeError(f"RAFT failure: topk = {k} must be smaller than itopk_size = {params.itopk_size}")
        if k > 1_024:
            raise RuntimeError("RAFT failure: topk must be lower than or equal to 1024")
        if not self._has_vectors:
            raise RuntimeError(
                "cuVS failure: Attempted to search without a dataset. Please call index.update_dataset(...) first."
            )
        return _faiss.SearchParametersHNSW(efSearch=params.itopk_size)


def faiss_with_gpus(count: int) -> SimpleNamespace:
    """What `index.gpu` uses of FAISS, with so many GPUs."""
    return SimpleNamespace(
        StandardGpuResources=StandardGpuResources,
        get_num_gpus=lambda: count,
        GpuIndexFlatConfig=GpuIndexFlatConfig,
        GpuIndexFlatIP=partial(GpuIndexFlatIP, count),
        GpuIndexIVFPQConfig=GpuIndexIVFPQConfig,
        GpuIndexIVFPQ=partial(GpuIndexIVFPQ, count),
        GpuIndexCagraConfig=GpuIndexCagraConfig,
        GpuIndexCagra=partial(GpuIndexCagra, count),
        SearchParametersIVF=_faiss.SearchParametersIVF,
        SearchParametersCagra=SearchParametersCagra,
    )


def put_faiss_on_gpus(patch: pytest.MonkeyPatch, count: int = 16) -> None:
    """From now on there are so many GPUs, and every index asked for is made, however few its rows."""
    patch.setattr(gpu, "_faiss", faiss_with_gpus(count))
    patch.setattr(gpu, "FLAT_UP_TO", 0)


@contextlib.contextmanager
def bytes_left(left: int, *, real: bool) -> Iterator[None]:
    """The first GPU has so many bytes free, as others take the rest."""
    if real:
        with memory_taken(left):
            yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StandardGpuResources, "free", left)
        patch.setattr("service.memory.free_device_bytes", lambda _: left)
        yield


def shards_made(patch: pytest.MonkeyPatch) -> list[GpuShard]:
    """The shards that are made from now on, so far, at any time."""
    made: list[GpuShard] = []

    def make(*arguments: Any, **named: Any) -> GpuShard:
        made.append(GpuShard(*arguments, **named))
        return made[-1]

    patch.setattr(gpu, "GpuShard", make)
    return made


def standin_shard(device: Device, vectors: NDArray[np.float16]) -> GpuShard:
    """A flat shard such as `index.gpu` makes of these vectors."""
    index = GpuIndexFlatIP(16, StandardGpuResources(), vectors.shape[1], GpuIndexFlatConfig(device.number))
    index.add(vectors.astype(np.float32))
    return GpuShard(device, index, lambda _: None, len(vectors), exact=True, hardest=1)
