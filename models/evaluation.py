"""How well a model finds the other listings of a style, in nine modes.

A mode pair names what the query has and what is searched: i (photo), t (text) or m (both), so `i-t` is "a photo,
searched among texts". Every product with another listing of its style is a query once; it is taken out of the
gallery, and finding any other listing of its style counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.bundle import ModePair
from models.embedder import Embedder, ProductInput, Vectors

Mode: TypeAlias = Literal["i", "t", "m"]
"""Photo, text, or both."""

MODE_PAIRS: Final[tuple[ModePair, ...]] = ("i-i", "i-t", "i-m", "t-i", "t-t", "t-m", "m-i", "m-t", "m-m")
CUTOFFS: Final = (1, 5, 10, 20)
_BLOCK: Final = 512
_EMBED_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one mode pair, each with its 95 % interval (bootstrapped over styles)."""

    queries: int
    mrr: float
    recall: Mapping[int, float]
    mrr_interval: tuple[float, float]
    recall_interval: Mapping[int, tuple[float, float]]


def pair_modes(pair: ModePair) -> tuple[Mode, Mode]:
    """The modes of query and gallery."""
    query, gallery = pair.split("-")
    return query, gallery  # type: ignore[return-value]  # the two halves of a ModePair are Modes


def embed_modes(embedder: Embedder, photos: Sequence[bytes | None], texts: Sequence[str]) -> dict[Mode, Vectors]:
    """Vectors of the same products by photo, by text, and by both; zeros where a product lacks the photo or text."""
    result: dict[Mode, Vectors] = {}
    modes: tuple[Mode, ...] = ("i", "t", "m")
    for mode in modes:
        vectors = np.zeros((len(photos), embedder.dim), dtype=np.float32)
        wanted = [
            row
            for row, (photo, text) in enumerate(zip(photos, texts, strict=True))
            if (photo is not None or mode == "t") and (text.strip() or mode == "i")
        ]
        for start in range(0, len(wanted), _EMBED_BATCH):
            rows = wanted[start : start + _EMBED_BATCH]
            vectors[rows] = embedder.embed(
                [
                    ProductInput(image=photos[row] if mode != "t" else None, text=texts[row] if mode != "i" else None)
                    for row in rows
                ]
            )
        result[mode] = vectors
    return result


def evaluate(
    queries: Mapping[Mode, Vectors],
    gallery: Mapping[Mode, Vectors],
    styles: Sequence[str],
    *,
    same_photo: Sequence[str] | None = None,
    same_text: Sequence[str] | None = None,
) -> dict[ModePair, Scores]:
    """Score every mode pair for which vectors are given.

    Row r of every array is product r, a unit row, or zeros where the product lacks that mode. Products that share
    their entry of `same_photo` are taken out of the gallery for each other where the query has a photo (likewise
    `same_text`): the answer must not be given away by the very same photo or words. Mode pairs without a single
    query are left out.
    """
    style_ids = _codes(styles)
    giveaways = {"i": _codes(same_photo) if same_photo else None, "t": _codes(same_text) if same_text else None}
    result: dict[ModePair, Scores] = {}
    for pair in MODE_PAIRS:
        query_mode, gallery_mode = pair_modes(pair)
        if query_mode not in queries or gallery_mode not in gallery:
            continue
        hidden = [codes for mode, codes in giveaways.items() if codes is not None and query_mode in (mode, "m")]
        ranks = first_positive_ranks(queries[query_mode], gallery[gallery_mode], style_ids, hidden)
        if (ranks > 0).any():
            result[pair] = _scores(ranks[ranks > 0], style_ids[ranks > 0])
    return result


def first_positive_ranks(
    queries: Vectors, gallery: Vectors, style_ids: NDArray[np.int64], giveaways: Sequence[NDArray[np.int64]] = ()
) -> NDArray[np.int64]:
    """The rank (from 1) of each product's first other listing, 0 where it has none; ties count against it."""
    ranks = np.zeros(len(queries), dtype=np.int64)
    absent = ~gallery.any(axis=1)
    for start in range(0, len(queries), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(queries)))
        scores = queries[rows] @ gallery.T
        scores[:, absent] = -np.inf
        scores[np.arange(len(rows)), rows] = -np.inf
        for codes in giveaways:
            scores[codes[rows, None] == codes[None, :]] = -np.inf
        positive = (style_ids[rows, None] == style_ids[None, :]) & np.isfinite(scores)
        best = np.where(positive, scores, -np.inf).max(axis=1)
        ahead = ((scores >= best[:, None]) & ~positive).sum(axis=1)
        is_query = positive.any(axis=1) & queries[rows].any(axis=1)
        ranks[rows] = np.where(is_query, ahead + 1, 0)
    return ranks


def recall_lost(reference: Vectors, variant: Vectors, k: int = 10) -> float:
    """The share of each row's `k` nearest reference rows that the variant's row does not find among them."""
    exact = _nearest(reference, reference, k)
    found = _nearest(variant, reference, k)
    kept = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(exact, found, strict=True)]
    return float(1 - np.mean(kept))


def cosine_drift(reference: Vectors, variant: Vectors) -> float:
    """The 99.9th percentile of 1 - cos between the same rows."""
    return float(np.quantile(1 - (reference.astype(np.float64) * variant).sum(axis=1), 0.999))


def _nearest(queries: Vectors, gallery: Vectors, k: int) -> NDArray[np.int64]:
    scores = queries @ gallery.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].astype(np.int64)


def _scores(ranks: NDArray[np.int64], style_ids: NDArray[np.int64]) -> Scores:
    values = np.stack([1 / ranks, *[(ranks <= k).astype(np.float64) for k in CUTOFFS]], axis=1)
    means = values.mean(axis=0)
    low, high = _bootstrap(values, style_ids)
    return Scores(
        queries=len(ranks),
        mrr=float(means[0]),
        recall={k: float(means[1 + i]) for i, k in enumerate(CUTOFFS)},
        mrr_interval=(float(low[0]), float(high[0])),
        recall_interval={k: (float(low[1 + i]), float(high[1 + i])) for i, k in enumerate(CUTOFFS)},
    )


def _bootstrap(
    values: NDArray[np.float64], style_ids: NDArray[np.int64], draws: int = 1000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % interval of each column's mean; styles are drawn, because queries of one style are not independent."""
    _, style = np.unique(style_ids, return_inverse=True)
    count = int(style.max()) + 1
    sums = np.stack([np.bincount(style, column, count) for column in values.T], axis=1)
    sizes = np.bincount(style, minlength=count).astype(np.float64)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)
    means = (drawn @ sums) / (drawn @ sizes)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high
