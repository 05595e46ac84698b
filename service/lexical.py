"""What a query's words find in what products say, beside what their vectors find (hybrid retrieval).

Vectors know what words mean, and hardly which words they are: an owl mug is near all mugs, M8 x 40 near all bolts. So
the nearest and those that say most of what was asked for are put in one order: by likeness, from the first of them to
the last, and by the words they say, each of which counts by how few of them say it (relative score fusion, inverse
document frequency).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.words import words_of
from index import LiveView
from index.live import Selection
from index.live_words import most_saying, who_says
from index.words import numbers_of
from service.ranking import Arrange, Ranked, Scope, Vector, Words

READ: Final = 200
"""So many of the nearest are put in order,"""
SAYING: Final = 300
"""and so many of those that say most of the words."""
MOST: Final = 32
"""Words of a query that count, the first ones,"""
_LONGEST: Final = 1_000
"""and characters."""
_ALONE: Final = 1.0
_BESIDE: Final = 0.25
"""What words weigh, likeness being 1: alone, and beside a photo or a product, whose likeness says more. Chosen by
`bench.words`: docs/architecture.md."""


def numbers(text: str) -> tuple[int, ...]:
    """Those of a query's words that count."""
    return tuple(numbers_of(islice(words_of(text[:_LONGEST]), MOST)).tolist())


def with_words(scope: Scope, words: Words) -> Scope:
    """The same, but that what says the words is found, and comes first."""
    least = -math.inf if scope.min_score is None else scope.min_score
    also, arrange = _saying(words, scope.target), _by_words(words)
    return replace(scope, also=also, also_from=least, arrange=arrange, arranged=READ)


def _saying(words: Words, target: str) -> Callable[[LiveView, Vector, Selection], NDArray[np.int64]]:
    """Which selected rows say most of the words; of those that say as much as each other, the nearest."""

    def find(view: LiveView, query: Vector, among: Selection) -> NDArray[np.int64]:
        rows, next_ones = most_saying(view, words.said, among, SAYING)
        if next_ones is None:
            return rows
        return np.concatenate([rows, view.search(target, query, SAYING - len(rows), next_ones).rows])

    return find


def _by_words(words: Words) -> Arrange:
    """By likeness and by what of the words a product says."""

    def arrange(view: LiveView, hits: Sequence[Ranked], _: int) -> list[Ranked]:
        rows = np.array([hit.row for hit in hits], np.int64)
        likeness = np.array([hit.score for hit in hits], np.float32)
        says = who_says(view, words.said, rows)
        return [hits[at] for at in order(likeness, says, alone=words.alone)]

    return arrange


def order(likeness: NDArray[np.float32], says: NDArray[np.bool_], *, alone: bool) -> list[int]:
    """The places of some hits, given best first, in the order by words too; they say these, bool [words, hits]."""
    if not len(likeness):
        return []
    spread = max(float(likeness[0] - likeness[-1]), float(np.finfo(np.float32).eps))
    worth = (likeness - likeness[-1]) / spread + (_ALONE if alone else _BESIDE) * _shares(says)
    places: list[int] = np.argsort(-worth, kind="stable").tolist()
    return places


def _shares(says: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much of some words each hit says, 0 to 1.

    What all of them say hardly tells one from another, and what none says is left out.
    """
    having = says.sum(axis=1)
    weights = np.where(having > 0, np.log((says.shape[1] + 1) / (having + 0.5)), 0.0)
    # Not `@`: the threads of BLAS spin.
    shares: NDArray[np.float64] = np.einsum("i,ij->j", weights, says) / max(weights.sum(), np.finfo(np.float64).tiny)
    return shares
