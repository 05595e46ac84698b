"""A million vectors out of tens of thousands of real ones, as hard to search as those, and the exact neighbours.

Around each real vector its nearest real neighbours span the directions in which products of its kind differ. New
vectors are drawn along these with the neighbours' own covariance, so along its principal directions by their
variances, times a scale: the greatest that keeps two figures within 10 % of the real vectors', measured at the same
number of vectors, among themselves and for real queries that are none of them (a smaller scale keeps them better, but
a million vectors would then lie in tight heaps, as no products do):

- intrinsic dimension: maximum likelihood (Levina and Bickel, averaged as MacKay and Ghahramani do) over 20 neighbours;
- relative contrast: the mean distance over the mean distance to the nearest.
"""

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from bench.index.data import K, Vectors
from bench.index.photos import embed, read_photos
from catalogue.files import write_atomic

_REAL: Final = 40_000
"""Embeddings to start from, at most; 5 to 10 minutes on two cores."""
_NEIGHBOURS: Final = 24
_SCALES: Final = (0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.1)
_ALIKE: Final = 0.1
_STATISTIC_K: Final = 20
_PROBES: Final = 2_000
_BLOCK: Final = 4_096


@dataclass(frozen=True)
class Statistics:
    """How hard vectors are to search, among themselves and for queries from outside."""

    vectors: int
    intrinsic_dimension: float
    relative_contrast: float
    query_dimension: float
    query_contrast: float


FIGURES: Final = ("intrinsic_dimension", "relative_contrast", "query_dimension", "query_contrast")


def prepare(work: Path, photos: Path | None, rows: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Make what is not there yet in the folder `work`; returns where it comes from and its figures."""
    work.mkdir(parents=True, exist_ok=True)
    about = work / f"about-{rows}.json"
    if about.exists():
        kept: dict[str, Any] = json.loads(about.read_bytes())
        return kept
    origin = _real(work, photos, say)
    fitted = _fit(work, say)
    source, queries = np.load(work / "source.npy"), np.load(work / "queries.npy")
    say(f"Drawing {rows:,} vectors")
    base = Expansion(source)(rows, fitted["scale"], seed=11)
    _save(work / f"base-{rows}.npy", base)
    whole = base.astype(np.float32)
    _save(work / f"truth-{rows}.npy", nearest(whole, queries, K)[1])
    made = {
        "origin": origin,
        "dim": base.shape[1],
        "queries": len(queries),
        **fitted,
        "all": asdict(statistics(whole, queries)),
    }
    write_atomic(about, json.dumps(made, indent=2).encode())
    return made


def statistics(vectors: Vectors, queries: Vectors) -> Statistics:
    """Figures of unit `vectors` [n, dim] (of 2,000 of them, against all) and for unit `queries` [m, dim]."""
    probes = np.random.default_rng(3).permutation(len(vectors))[:_PROBES]
    within = _figures(vectors, vectors[probes], skip=1)
    outside = _figures(vectors, queries[:_PROBES], skip=0)
    return Statistics(len(vectors), *within, *outside)


class Expansion:
    """Draws new vectors from the neighbourhoods of unit `source` [n, dim], no two of which are equal."""

    def __init__(self, source: Vectors) -> None:
        self._source = source
        self._near = nearest(source, source, min(_NEIGHBOURS, len(source)))[0]

    def __call__(self, count: int, scale: float, seed: int) -> NDArray[np.float16]:
        """`count` vectors [count, dim] of length 1 but for rounding, around the real ones in turn, shuffled."""
        random = np.random.default_rng(seed)
        centres = random.permutation(np.arange(count) % len(self._source))
        drawn = np.empty((count, self._source.shape[1]), np.float16)
        for start in range(0, count, _BLOCK):
            at = centres[start : start + _BLOCK]
            near = self._source[self._near[at]]
            spread = (near - near.mean(axis=1, keepdims=True)) / np.float32(np.sqrt(near.shape[1]))
            weights = np.float32(scale) * random.standard_normal((len(at), 1, near.shape[1]), dtype=np.float32)
            moved = self._source[at] + (weights @ spread)[:, 0]
            drawn[start : start + _BLOCK] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        return drawn


def nearest(vectors: Vectors, queries: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """Rows and scores [m, k] of each query's nearest by inner product, best first, by brute force."""
    scores, rows = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return rows, scores


def _real(work: Path, photos: Path | None, say: Callable[[str], None]) -> str:
    """Embed the photos, each vector once; returns their origin."""
    origin = work / "origin.txt"
    if not origin.exists():
        found = read_photos(photos)
        say(f"Embedding {found.origin}")
        count = min(_REAL, 2 * len(found.searched))
        source = np.unique(embed(found.searched, count, seed=0), axis=0)
        queries = np.unique(embed(found.asked, len(found.asked), seed=1), axis=0)
        queries = queries[nearest(source, queries, 1)[1][:, 0] < 0.9999]  # a photo that two shops share
        _save(work / "source.npy", source)
        _save(work / "queries.npy", np.random.default_rng(2).permutation(queries))
        write_atomic(origin, f"{found.origin}; {len(source):,} different embeddings".encode())
    return origin.read_text()


def _fit(work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The scale, with the figures of the source and of as many drawn vectors."""
    fitted = work / "fitted.json"
    if not fitted.exists():
        say("Fitting the scale")
        source, queries = np.load(work / "source.npy"), np.load(work / "queries.npy")
        wanted = statistics(source, queries)
        draw = Expansion(source)
        for scale in _SCALES:
            sample = statistics(draw(len(source), scale, seed=5).astype(np.float32), queries)
            if (furthest := _furthest(sample, wanted)) <= _ALIKE:
                break
        found = {"scale": scale, "source": asdict(wanted), "sample": asdict(sample), "furthest": furthest}
        write_atomic(fitted, json.dumps(found, indent=2).encode())
    read: dict[str, Any] = json.loads(fitted.read_bytes())
    return read


def _furthest(one: Statistics, other: Statistics) -> float:
    """The largest relative difference between any two figures."""
    return max(abs(float(getattr(one, name) / getattr(other, name)) - 1) for name in FIGURES)


def _figures(vectors: Vectors, probes: Vectors, skip: int) -> tuple[float, float]:
    """Intrinsic dimension and relative contrast; `skip` leaves out a probe itself."""
    scores = nearest(vectors, probes, _STATISTIC_K + skip)[1][:, skip:]
    distances = np.sqrt(np.maximum(2 - 2 * scores.astype(np.float64), 1e-8))
    rates = np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)
    others = vectors[np.random.default_rng(4).permutation(len(vectors))[:_PROBES]]
    mean = np.sqrt(np.maximum(2 - 2 * (probes @ others.T), 0)).mean()
    return float(1 / rates.mean()), float(mean / distances[:, 0].mean())


def _save(file: Path, array: NDArray[Any]) -> None:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_atomic(file, content.getvalue())
