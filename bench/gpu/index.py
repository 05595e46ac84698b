"""Indexes on a GPU, through the service's own shards: how fast, how good, and whether they hold what is promised."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.gpu.report import Report, Setting, rate
from catalogue.errors import ConfigurationError
from index.exact import FlatIndex
from index.plan import IndexType
from index.search import VectorIndex

Rows = NDArray[np.int64]
_KINDS: Final[tuple[IndexType, ...]] = ("flat", "ivf-pq", "hnsw")
"""As they are named on a CPU; CAGRA stands in for hnsw."""
_ASKED: Final = 4
"""Queries that are asked in every way that must hold; each is compared with a scan of all rows."""


def index(setting: Setting, report: Report) -> None:
    """FAISS: flat, IVF-PQ and CAGRA."""
    from index import gpu as on_gpu  # noqa: PLC0415  # FAISS takes a while

    devices = [on_gpu.Device(number, deadline_s=120) for number in range(setting.gpus)]
    try:
        on_gpu.check_support(devices)
        vectors, queries = _vectors(setting.rows)
        exact: Rows | None = None
        for kind in _KINDS:
            started = time.perf_counter()
            try:
                opened = on_gpu.open_on_gpus(devices, kind, vectors, 0.95)
            except Exception as error:  # noqa: BLE001  # the other kinds are to run all the same
                report.skip(f"index: {on_gpu.ON_GPU[kind]}", f"{type(error).__name__}: {error}")
                continue
            built_s = time.perf_counter() - started
            try:
                found = _rates(opened.shards[0], opened.tuned, queries, exact, built_s, setting, report)
                exact = found if kind == "flat" else exact
                _singly(opened.shards[0], opened.tuned, queries, setting, report)
                shown = type(opened.shards[0].index).__name__  # type: ignore[attr-defined]  # as all of a GPU
                for held in _promises(opened, vectors, queries[:_ASKED]):
                    report.row("index: what must hold, as it is served", type=shown, **held)
            finally:
                for shard in opened.shards:
                    shard.release()  # type: ignore[attr-defined]
    except ConfigurationError as error:
        report.skip("index", str(error))
    finally:
        for device in devices:
            device.close()


def _rates(
    shard: Any, tuned: int, queries: NDArray[np.float16], exact: Rows | None, built_s: float, setting: Setting,
    report: Report,
) -> Rows:  # fmt: skip
    """How fast one device is in batches, and what it finds for the largest; `exact` is what is right there."""
    effort = shard.effort(tuned, 10)
    for size in (1, 16, 256):
        asked = queries[:size].astype(np.float32)

        def search() -> Any:
            return shard.device.call(lambda: shard.index.search(asked, 10, params=shard.parameters(effort)))  # noqa: B023

        rows: Rows = search()[1]
        right = rows if shard.exact else exact
        report.row(
            "index",
            type=type(shard.index).__name__,
            rows=shard.rows,
            batch=size,
            queries_per_s=rate(search, size, setting),
            raw_recall_at_10=_recall(rows, right) if right is not None and size == 256 else float("nan"),
            built_s=built_s,
        )
    return rows


def _singly(shard: Any, tuned: int, queries: NDArray[np.float16], setting: Setting, report: Report) -> None:
    """How fast one device answers single queries of so many threads; what comes while it is busy it makes as one."""
    effort, asked = shard.effort(tuned, 10), list(queries.astype(np.float32))
    for threads in (1, 4, 16, 64):
        with ThreadPoolExecutor(threads) as pool:

            def ask() -> None:
                list(pool.map(lambda query: shard.search(query, 10, effort, None), asked))

            per_s = rate(ask, len(asked), setting)
        report.row(
            "index: single queries, as the service asks",
            type=type(shard.index).__name__,
            rows=shard.rows,
            threads=threads,
            queries_per_s=per_s,
        )


def _promises(
    index: VectorIndex, vectors: NDArray[np.float16], queries: NDArray[np.float16]
) -> Iterator[dict[str, Any]]:
    """k, filters and deletes against a scan, the worst of the queries."""
    count, flat = len(vectors), FlatIndex(vectors)
    random = np.random.default_rng(1)
    some = {share: random.random(count) < share for share in (0.5, 0.01)}
    for name, k, allowed in (
        *((f"k {k:,}", k, None) for k in (1, 10, 100, min(3_000, count))),
        *(
            (f"k {k:,}, filter that passes {share:.0%}", k, some[share])
            for k in (10, min(1_000, count))
            for share in some
        ),
        ("the 50 nearest deleted", 10, "delete"),
    ):
        missing, wrong, recalls = 0, 0, []
        for query in queries.astype(np.float32):
            passes = allowed
            if isinstance(passes, str):
                passes = np.ones(count, np.bool_)
                passes[flat.search(query, 50).rows] = False
            got, best = (one.search(query, k, passes).rows for one in (index, flat))
            missing += len(best) - len(np.unique(got))
            wrong += 0 if passes is None else int((~passes[got]).sum())
            recalls.append(len(np.intersect1d(got, best)) / max(1, len(best)))
        yield {"asked": name, "missing": missing, "not_allowed": wrong, "recall": float(np.mean(recalls))}


def _vectors(rows: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Clustered unit rows of 256 dimensions, and 256 queries near some of them."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(max(1, rows // 100), 256)).astype(np.float32)
    made = np.empty((rows, 256), np.float16)

    def make(start: int) -> None:
        own = np.random.default_rng((0, start))
        count = min(100_000, rows - start)
        block = centres[own.integers(0, len(centres), count)]
        block += own.standard_normal((count, 256), np.float32)
        made[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, range(0, rows, 100_000)))
    near = made[:: max(1, rows // 256)][:256].astype(np.float32) + 0.02 * random.standard_normal((256, 256), np.float32)
    return made, (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float16)


def _recall(rows: Rows, exact: Rows) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(rows, exact, strict=True)]))
