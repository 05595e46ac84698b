"""What every library is given, and how its answers are judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

K: Final = 10
_TUNING: Final = 1_000

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """What every library is given. `base` is float16 [rows, dim], exact in float32 too, so all see the same vectors."""

    base: NDArray[np.float16]
    queries: Vectors
    truth: NDArray[np.float32]
    """The scores of each query's ten nearest, best first."""

    @property
    def tuning(self) -> slice:
        """The queries that everything is warmed up on."""
        return slice(0, min(_TUNING, len(self.queries) // 3))

    @property
    def measured(self) -> slice:
        """The others."""
        return slice(self.tuning.stop, len(self.queries))

    def recall(self, found: NDArray[np.int64], queries: slice) -> float:
        """The share of the ten nearest among `found` [m, 10] (-1 for none), by score: of equal ones any will do."""
        rows = self.base[np.maximum(found, 0)].astype(np.float32)
        scores = np.einsum("qkd,qd->qk", rows, self.queries[queries])
        return float(np.mean((scores >= self.truth[queries, -1:] - 1e-5) & (found >= 0)))


def load(work: Path, rows: int) -> Data:
    """What `prepare` left."""
    base: NDArray[np.float16] = np.load(work / f"base-{rows}.npy", mmap_mode="r")
    return Data(base, np.load(work / "queries.npy"), np.load(work / f"truth-{rows}.npy"))
