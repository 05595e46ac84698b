"""A GPU for machines without one, with the manners of FAISS on a real one."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index import gpu
from index.gpu import MOST_ROWS, Device, GpuShard, GpuType

_faiss: Any = faiss


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
            if params is not None:
                params.sel = None
            return self._index.search(queries, k, params=params)  # type: ignore[no-any-return]
        finally:
            self._busy.release()

    def remove_ids(self, _: Any) -> int:
        raise RuntimeError("remove_ids not implemented for this type of index")


def put_faiss_on_gpus(patch: pytest.MonkeyPatch, count: int = 16) -> list[GpuShard]:
    """From now on there are so many GPUs, and all that `index.gpu` builds on them is built by `standin_shard`.

    Returns what was built so far, at any time.
    """
    built: list[GpuShard] = []
    there = SimpleNamespace(StandardGpuResources=object, get_num_gpus=lambda: count)
    patch.setattr(gpu, "_faiss", there)
    patch.setattr(gpu, "FLAT_UP_TO", 0)
    for kind, name in (("flat", "_flat"), ("ivf-pq", "_ivf_pq"), ("cagra", "_cagra")):
        patch.setattr(gpu, name, _builder(kind, built))
    return built


def _builder(kind: Any, built: list[GpuShard]) -> Any:
    def build(device: Device, _: Any, vectors: NDArray[np.float16]) -> GpuShard:
        built.append(standin_shard(device, kind, vectors))
        return built[-1]

    return build


def standin_shard(device: Device, kind: GpuType, vectors: NDArray[np.float16], nlist: int = 16) -> GpuShard:
    """A shard such as `index.gpu` makes of these vectors."""
    rows = vectors.astype(np.float32)
    dim = vectors.shape[1]
    made: dict[str, tuple[str, Any, int]] = {
        "flat": ("Flat", lambda _: _faiss.SearchParameters(), 1),
        "ivf-pq": (f"IVF{nlist},PQ{dim // 2}x4fsr", lambda effort: _faiss.SearchParametersIVF(nprobe=effort), nlist),
        "cagra": ("HNSW8,Flat", lambda effort: _faiss.SearchParametersHNSW(efSearch=32 * effort), 64),
    }
    factory, parameters, hardest = made[kind]
    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if len(rows):
        index.train(rows)
        index.add(rows)
    return GpuShard(device, StandInGpuIndex(index), parameters, len(rows), exact=kind == "flat", hardest=hardest)
