"""`canary.npz`: stored queries with their exact answers, by which a snapshot is tried out when it is opened."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.exact import FlatIndex
from index.plan import recall
from index.search import VectorIndex

CANARY_QUERIES: Final = 16
CANARY_K: Final = 10


def write_canary(work: Path, index: VectorIndex) -> None:
    """Queries between two products each, and the scores of their answers by brute force over the stored vectors.

    Those of a search are compared by score, not by row: products with equal vectors may change places.
    """
    stored: NDArray[np.float16] = np.lib.format.open_memmap(work / "vectors" / "fusion.npy", mode="r")
    picked = np.linspace(0, len(stored) - 1, min(CANARY_QUERIES, len(stored)), dtype=np.int64)
    queries = stored[picked].astype(np.float32) * 0.75 + stored[picked[::-1]].astype(np.float32) * 0.25
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)
    flat = FlatIndex(stored)
    found = [flat.search(query, CANARY_K) for query in queries]
    kept = min(CANARY_K, len(stored))
    rows = np.array([answer.rows for answer in found], np.int64).reshape(len(queries), kept)
    scores = np.array([answer.scores for answer in found], np.float32).reshape(len(queries), kept)
    share = canary_recall(index, queries, scores)
    np.savez(work / "canary.npz", queries=queries, rows=rows, scores=scores, among=len(stored), recall=share)


def canary_recall(index: VectorIndex, queries: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """What share of the expected scores the index finds."""
    shares = [
        recall(index.search(query, CANARY_K).scores, scores) for query, scores in zip(queries, expected, strict=True)
    ]
    return float(np.mean(shares)) if shares else 1.0
