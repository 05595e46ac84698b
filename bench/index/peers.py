"""One library in a process of its own: `python -m bench.index.peers NAME WORK ROWS`.

Reads commands from standard input, one JSON object a line, and answers each by one on standard output:

    {"do": "build"}                     seconds (those of an earlier run where the index is there already)
    {"do": "open"}                      bytes per product: private, mapped; theory
    {"do": "tune", "recall": 0.99}      the effort
    {"do": "round", "threads": 1}       queries a second at it
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.index.data import Data, K, Vectors, load
from bench.index.libraries import PEERS, Library
from bench.index.memory import Memory
from catalogue.files import write_atomic

_THREADS = 2


class Runner:
    """A library, its place on disk, and how hard it is searched."""

    def __init__(self, name: str, library: Library, work: Path, data: Data) -> None:
        self._library = library
        self._data = data
        self._place = work / f"{name}-{len(data.base)}"
        self._built = work / f"{self._place.name}.json"
        self._effort: Any = None

    def build(self) -> dict[str, Any]:
        """Build, if it is not there; a build that broke off is begun anew."""
        if not self._built.exists():
            started, cpu = time.perf_counter(), time.process_time()
            self._library.build(self._data.base, self._place, _THREADS)
            seconds = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
            write_atomic(self._built, json.dumps(seconds | {"load": os.getloadavg()[0]}).encode())
        built: dict[str, Any] = json.loads(self._built.read_bytes())
        return built

    def open(self) -> dict[str, Any]:
        """Open, and weigh it."""
        dim = self._data.base.shape[1]
        before = Memory.now(self._place)
        self._library.open(self._place, dim)
        ask = self._library.asker(self._library.ladders[0][-1])
        for query in self._data.queries[self._data.tuning]:
            ask(query)
        grown = Memory.now(self._place) - before
        rows = len(self._data.base)
        return {"private": grown.private / rows, "mapped": grown.mapped / rows, "theory": self._library.theory(dim)}

    def tune(self, recall: float) -> dict[str, Any]:
        """The fastest of the least efforts that reach the recall; without an effort where none does.

        On the very queries that are measured: at an effort chosen on others, one library would be measured a little
        above the recall and another a little below.
        """
        reaching = [effort for ladder in self._library.ladders if (effort := self._least(ladder, recall)) is not None]
        queries = self._data.queries[self._data.tuning]
        timed = {effort: _seconds(self._library.asker(effort), queries) for effort in reaching}
        self._effort = min(timed, key=lambda effort: timed[effort], default=None)
        return {"effort": self._effort}

    def round(self, threads: int) -> dict[str, Any]:
        """Ask the measured queries one by one on each of so many threads; in batches too, where the library can."""
        queries = self._data.queries[self._data.measured]
        ask = self._library.asker(self._effort)
        with _pool(threads) as spread:
            started, cpu = time.perf_counter(), time.process_time()
            rows = spread(ask, queries)
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        answer = {
            "recall": self._data.recall(_table(rows), self._data.measured),
            "qps": len(queries) / seconds,
            "qps_cpu": threads * len(queries) / cpu,
        }
        batch = self._library.batch(self._effort, threads) if threads > 1 else None
        if batch is not None:
            answer["qps_batch"] = len(queries) / _timed(batch, queries)
        return answer

    def _least(self, ladder: Any, recall: float) -> Any:
        """The first effort that reaches the recall: doubling steps, then halving them."""
        low, high = -1, 0
        while self._recall(ladder[high]) < recall:
            if high == len(ladder) - 1:
                return None
            low, high = high, min(2 * high + 1, len(ladder) - 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._recall(ladder[middle]) >= recall else (middle, high)
        return ladder[high]

    def _recall(self, effort: Any) -> float:
        measured = self._data.measured
        ask = self._library.asker(effort)
        return self._data.recall(_table([ask(query) for query in self._data.queries[measured]]), measured)


def _table(found: list[Any]) -> NDArray[np.int64]:
    """Rows [n, 10], -1 where fewer were found."""
    table = np.full((len(found), K), -1, np.int64)
    for row, rows in zip(table, found, strict=True):
        row[: len(rows)] = rows
    return table


def _seconds(ask: Callable[[Vectors], Any], queries: Vectors) -> float:
    started = time.process_time()
    for query in queries:
        ask(query)
    return time.process_time() - started


def _timed(batch: Callable[[Vectors], Any], queries: Vectors) -> float:
    started = time.perf_counter()
    batch(queries)
    return time.perf_counter() - started


@contextlib.contextmanager
def _pool(threads: int) -> Iterator[Callable[[Callable[[Vectors], Any], Vectors], list[Any]]]:
    """Something that asks every query, one by one on each thread, and gives the answers in their order."""
    with ThreadPoolExecutor(threads) as pool:

        def spread(ask: Callable[[Vectors], Any], queries: Vectors) -> list[Any]:
            if threads == 1:
                return [ask(query) for query in queries]
            parts = pool.map(lambda part: [ask(query) for query in part], np.array_split(queries, threads))
            return [rows for part in parts for rows in part]

        list(pool.map(time.sleep, [0.01] * threads))  # threads are started before the clock is
        yield spread


def main() -> None:
    """Answer commands until there are none."""
    name, work, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if name in PEERS:
        library: Library = PEERS[name]()
    else:
        from bench.index import own  # noqa: PLC0415  # the others need no FAISS in their process

        library = own.Samestyle() if name == "samestyle" else own.IndexAlone()
    place = "samestyle" if name not in PEERS else name
    runner = Runner(place, library, work, load(work, rows))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    for line in sys.stdin:
        given = json.loads(line)
        answer = getattr(runner, given.pop("do"))(**given)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
