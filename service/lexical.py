"""What a query's words find in what products say, beside what their vectors find (hybrid retrieval).

Vectors know what words mean, and hardly which words they are: an owl mug is near all mugs, M8 x 40 near all bolts. So
of the products that vectors find, those come first that say the words that were asked for. Each word counts by how few
of them say it (inverse document frequency), and likeness counts as well, from the first of them to the last (relative
score fusion). Nothing is found that vectors do not find.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.words import words_of
from index import LiveView
from index.words import Said, numbers_of, saying
from service.ranking import Arrange, Ranked, Words

READ: Final = 300
"""So many hits are put in order."""
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


def by_words(words: Words) -> Arrange:
    """By likeness and by what of the words a product says."""

    def arrange(view: LiveView, hits: Sequence[Ranked], _: int) -> list[Ranked]:
        first, rest = hits[:READ], hits[READ:]
        likeness = np.array([hit.score for hit in first], np.float32)
        said = [view.words(hit.row) for hit in first]
        return [*(first[at] for at in order(likeness, said, words)), *rest]

    return arrange


def order(likeness: NDArray[np.float32], said: Sequence[Said], words: Words) -> list[int]:
    """The places of some hits in the order by words; they are given best first, each with what it says."""
    if not len(likeness):
        return []
    spread = max(float(likeness[0] - likeness[-1]), float(np.finfo(np.float32).eps))
    worth = (likeness - likeness[-1]) / spread + (_ALONE if words.alone else _BESIDE) * _shares(words.said, said)
    places: list[int] = np.argsort(-worth, kind="stable").tolist()
    return places


def _shares(words: Sequence[int], said: Sequence[Said]) -> NDArray[np.float64]:
    """How much of some words each hit says, 0 to 1.

    What all of them say hardly tells one from another, and what none says is left out.
    """
    says = saying(np.array(words, np.uint32), said)
    having = says.sum(axis=1)
    weights = np.where(having > 0, np.log((len(said) + 1) / (having + 0.5)), 0.0)
    # Not `@`: the threads of BLAS spin.
    shares: NDArray[np.float64] = np.einsum("i,ij->j", weights, says) / max(weights.sum(), np.finfo(np.float64).tiny)
    return shares
