"""The rank at which a query finds the first right answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.bundle import ModePair
from models.embedder import Vectors
from models.evaluation.bootstrap import Scores, scored
from models.evaluation.modes import MODE_PAIRS, Mode, pair_modes

Rows: TypeAlias = NDArray[np.int64]
"""Numbers of products, queries or groups."""

_BLOCK: Final = 512
_SCORES_AT_ONCE: Final = 16_000_000
_TIED: Final = 1e-6
"""What a matrix product makes of equal vectors may differ by less, by where they stand."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Which products are right for each of q queries.

    `own` [q] is the query's own product, which is never searched; `clusters` [q] are what the bootstrap draws;
    `right` takes numbers of queries and gives a mask [len, n] over the gallery.
    """

    own: Rows
    clusters: Rows
    right: Callable[[Rows], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query found: the nearest products with their scores, and the best of the right ones."""

    query: int
    rank: int
    found: list[tuple[int, float]]
    right: tuple[int, float]


def of_styles(style_ids: Rows, own: Rows | None = None) -> Truth:
    """The other listings of its style are right; the queries are the products `own`, or all."""
    own = np.arange(len(style_ids)) if own is None else own
    return Truth(own, style_ids[own], lambda rows: style_ids[own[rows], None] == style_ids[None, :])


def of_targets(own: Rows, targets: Sequence[Sequence[int]], products: int, clusters: Rows | None = None) -> Truth:
    """The listed products are right; each query is its own cluster unless told otherwise."""

    def right(rows: Rows) -> NDArray[np.bool_]:
        mask = np.zeros((len(rows), products), dtype=bool)
        for at, row in enumerate(rows):
            mask[at, list(targets[row])] = True
        return mask

    return Truth(own, np.arange(len(own)) if clusters is None else clusters, right)


def ranks_of(queries: Vectors, gallery: Vectors, truth: Truth, hidden: Sequence[Rows] = ()) -> Rows:
    """The rank (from 1) of each query's first right answer, 0 where it has none; ties count against it.

    `queries` is [q, dim], `gallery` [n, dim], unit rows, or zeros for what is not there. `hidden` are codes [n]:
    products that share one with the query's own product are not searched.
    """
    ranks = np.zeros(len(queries), dtype=np.int64)
    for rows in _blocks(len(queries), len(gallery)):
        scores, right = _judged(queries, gallery, truth, hidden, rows)
        best = np.where(right, scores, -np.inf).max(axis=1)
        ahead = ((scores >= best[:, None] - _TIED) & ~right).sum(axis=1)
        is_query = right.any(axis=1) & queries[rows].any(axis=1)
        ranks[rows] = np.where(is_query, ahead + 1, 0)
    return ranks


def answers_of(
    queries: Vectors, gallery: Vectors, truth: Truth, hidden: Sequence[Rows], ranks: Rows, chosen: Sequence[int], k: int
) -> list[Answer]:
    """What some queries found, `k` each; `ranks` is what `ranks_of` gave for all of them, above 0 for the chosen."""
    found = []
    for query in chosen:
        scores, right = _judged(queries, gallery, truth, hidden, np.array([query]))
        nearest = np.argsort(-scores[0], kind="stable")[:k]
        best = int(np.where(right[0], scores[0], -np.inf).argmax())
        hits = [(int(row), float(scores[0, row])) for row in nearest if np.isfinite(scores[0, row])]
        found.append(Answer(query, int(ranks[query]), hits, (best, float(scores[0, best]))))
    return found


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
    `same_text`): the answer must not be given away by the very same photo or words. An empty entry is shared with
    nobody. Mode pairs without a single query are left out.
    """
    truth = of_styles(codes_of(styles))
    return scored(mode_ranks(queries, gallery, truth, giveaways(same_photo, same_text)), truth.clusters)


def mode_ranks(
    queries: Mapping[Mode, Vectors], gallery: Mapping[Mode, Vectors], truth: Truth, hidden: Mapping[Mode, Rows]
) -> dict[ModePair, Rows]:
    """Ranks of every mode pair for which vectors are given; `hidden` is what `giveaways` gave."""
    return {
        pair: ranks_of(queries[query], gallery[searched], truth, hidden_for(query, hidden))
        for pair in MODE_PAIRS
        for query, searched in [pair_modes(pair)]
        if query in queries and searched in gallery
    }


def giveaways(same_photo: Sequence[str] | None, same_text: Sequence[str] | None) -> dict[Mode, Rows]:
    """Codes of what must not give the answer away, for queries with a photo (i) and with a text (t)."""
    given: dict[Mode, Sequence[str] | None] = {"i": same_photo, "t": same_text}
    return {mode: codes_of(values) for mode, values in given.items() if values is not None}


def hidden_for(query: Mode, hidden: Mapping[Mode, Rows]) -> list[Rows]:
    """The codes that apply to a query of this mode."""
    return [codes for mode, codes in hidden.items() if query in (mode, "m")]


def codes_of(names: Sequence[str]) -> Rows:
    """Equal numbers for equal names; an empty name is nobody else's."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(name or f"\0{row}", len(number)) for row, name in enumerate(names)], np.int64)


def _blocks(queries: int, products: int) -> Iterator[Rows]:
    """Numbers of queries in pieces whose scores take a bounded amount of memory."""
    size = max(1, min(_BLOCK, _SCORES_AT_ONCE // max(1, products)))
    for start in range(0, queries, size):
        yield np.arange(start, min(start + size, queries))


def _judged(
    queries: Vectors, gallery: Vectors, truth: Truth, hidden: Sequence[Rows], rows: Rows
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores [len, n] of some queries, -inf for what is not searched, and which of the searched are right."""
    scores = queries[rows] @ gallery.T
    scores[:, ~gallery.any(axis=1)] = -np.inf
    own = truth.own[rows]
    scores[np.arange(len(rows)), own] = -np.inf
    for codes in hidden:
        scores[codes[own, None] == codes[None, :]] = -np.inf
    return scores, truth.right(rows) & np.isfinite(scores)
