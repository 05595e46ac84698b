"""The limit: the same ONNX sessions and index in a process of their own, called directly, without a service around.

`python -m bench.gateway.direct SNAPSHOT` answers lines of JSON. A query is decoded, encoded, looked up and re-scored;
nothing is read of the products found.
"""

import itertools
import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.gateway import queries
from bench.gateway.queries import K, Kind
from bench.process import Answering, answering
from index import LiveIndex, Snapshot
from models.encoders import Encoders
from service.lexical import looked_for, with_words
from service.models import DEFAULT_BUNDLE
from service.query import Query
from service.ranking import Scope, Term, rank

BATCHES: Final = (1, 2, 4, 8)
THREADS: Final = (1, 2)
_FIRST: Final = 1_000_000
"""Numbers of queries, far from those the gateway is asked; what is asked does not matter here, only that it varies."""


def direct(snapshot: Path) -> AbstractContextManager[Answering]:
    """Such a process on a snapshot, ended afterwards."""
    return answering("bench.gateway.direct", str(snapshot))


class _Limit:
    """Encoders for each number of threads, and the index."""

    def __init__(self, path: Path) -> None:
        self._encoders = {threads: Encoders.load(DEFAULT_BUNDLE, threads=threads) for threads in THREADS}
        self._snapshot = Snapshot.open(path, fingerprint=self._encoders[1].fingerprint)
        self._view = LiveIndex(self._snapshot).view
        self._index = self._snapshot.index("fusion")
        self._rows = [self._snapshot.products.row_of(name) for name in queries.some_ids(self._snapshot)]
        self._numbers = itertools.count(_FIRST)

    def encoded(self, kind: Kind, batch: int, threads: int, seconds: float) -> dict[str, Any]:
        """CPU seconds and seconds (median) a query takes, in batches."""
        encoders = self._encoders[threads]

        def some() -> int:
            items = [queries.item(kind, next(self._numbers)) for _ in range(batch)]
            for vector in encoders.embed(items):
                self._index.search(vector, K + 1)  # one more tells whether there is a next page
            return batch

        return {"batch": batch, "threads": threads} | _timed(some, seconds)

    def looked_up(self, seconds: float) -> dict[str, Any]:
        """The same for a product's stored vector."""

        def one() -> int:
            vector = self._snapshot.vectors("fusion", np.array([random.choice(self._rows)]))[0]
            self._index.search(vector / np.linalg.norm(vector), K + 1)
            return 1

        return _timed(one, seconds)

    def answer(self, kind: Kind, number: int) -> list[tuple[str, float]]:
        """The ids and scores a query finds, by its words too where it has any."""
        item = queries.item(kind, number)
        words = looked_for(Query(image=item.image, text=item.text), self._view)
        scope = Scope(k=K) if words is None else with_words(Scope(k=K), words)
        term = Term("query", 1.0, self._encoders[1].embed([item])[0])
        hits, *_ = rank(self._view, [term], scope, frozenset(), None)
        return [(self._view.id_of(hit.row), hit.score) for hit in hits]


def _timed(some: Callable[[], int], seconds: float) -> dict[str, Any]:
    some()  # shapes that were not there yet
    answers, times = 0, []
    began_cpu, began = time.process_time(), time.perf_counter()
    while (started := time.perf_counter()) < began + seconds:
        done = some()
        answers += done
        times.append((time.perf_counter() - started) / done)
    return {"cpu": (time.process_time() - began_cpu) / answers, "seconds": float(np.median(times))}


def main() -> None:
    """Answer until the input ends."""
    limit = _Limit(Path(sys.argv[1]))
    does: dict[str, Callable[..., Any]] = {
        "encoded": limit.encoded, "looked_up": limit.looked_up, "answer": limit.answer
    }  # fmt: skip
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(does[asked.pop("do")](**asked)), flush=True)


if __name__ == "__main__":
    main()
