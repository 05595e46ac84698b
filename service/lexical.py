"""What a query's words find in what products say, beside what their vectors find (hybrid retrieval).

Vectors know what words mean, and hardly which words they are: an owl mug is near all mugs, M8 x 40 near all bolts. So
the nearest and those that say most of what was asked for are put in one order: by likeness, from the first of them to
the last, and by the words they say, each of which counts by how few of them say it (relative score fusion, inverse
document frequency).
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from string import ascii_lowercase
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.words import compared, words_of
from index import LiveView
from index.live import Selection
from index.live_words import most_saying, who_says
from index.words import foremost, numbers_of
from service.deadlines import check_deadline
from service.query import Query
from service.ranking import Arrange, Ranked, Scope, Vector, Words

READ: Final = 200
"""So many of the nearest are put in order,"""
SAYING: Final = 300
"""and so many of those that say most of the words."""
MOST: Final = 32
"""Words of a query that count, the first ones,"""
_LONGEST: Final = 1_000
"""and characters."""
_IN_PASSING: Final = 0.6
"""What a word counts that only the description says."""
ALONE: Final = 1.25
"""What words weigh beside likeness, where they are all there is,"""
BESIDE: Final = 1.5
"""and by how much more they make what is like a photo or a product. These were chosen by `bench.words`:
docs/architecture.md."""
_WITHOUT: Final = re.compile(r"(?<![\w-])(?:without|ohne|sans)\s+(?:(?:an?|the|any)\s+)*[^\W\d_]+", re.IGNORECASE)
_MISTYPED: Final = range(5, 25)
"""Letters of a word that may be mistyped,"""
_LEAST_OTHER: Final = 7
"""and of one in which one letter may be another: a boot is no book, and a shirt no skirt."""
_LEAST_PART: Final = 3


def looked_for(query: Query, view: LiveView) -> Words | None:
    """What is looked for in what products say; None where words weigh nothing, or speak to photos alone.

    And where the snapshot keeps no words. Raises DeadlineExceeded.
    """
    counting = {name for name, weight in query.weights.items() if weight > 0}
    if not query.text or not counting & {"fused", "text"} or view.snapshot.products.words is None:
        return None
    said = _as_said(_WITHOUT.sub(" ", query.text[:_LONGEST]), view)
    unwanted = _unwanted([text for text in query.negatives if view.find(text) is None], said, view)
    said = [word for word in said if word not in unwanted]
    if not said:
        return None
    alone = query.modality == "text" or counting == {"text"}
    weight = ALONE if alone else BESIDE * _counts(query.weights)
    return Words(_numbers(said), alone, weight, _numbers(islice(unwanted, MOST)))


def _counts(weights: Mapping[str, float]) -> float:
    """How much words beside a photo count, 0 to 1: in full where they weigh as much as it, or go together with it."""
    positive = {name: weight for name, weight in weights.items() if weight > 0}
    return min(1.0, 2 * (1 - positive.get("image", 0.0) / sum(positive.values())))


def _unwanted(texts: Sequence[str], wanted: Sequence[str], view: LiveView) -> dict[str, None]:
    """The words of negatives: of "blue mug" blue where a mug is wanted, and of "mug" mug all the same."""
    said = [_as_said(text[:_LONGEST], view) for text in texts]
    return dict.fromkeys(word for words in said for word in [each for each in words if each not in wanted] or words)


def _numbers(words: Iterable[str]) -> tuple[int, ...]:
    return tuple(numbers_of(words).tolist())


def _as_said(text: str, view: LiveView) -> list[str]:
    """Those of a text's words that count; in place of one that no product says, what it may have been meant to be."""
    meant: dict[str, None] = {}
    for word in islice(words_of(text), MOST):
        check_deadline()
        is_said = view.says(*_numbers([word]))
        meant.update(dict.fromkeys([word] if is_said else _meant_by(word, view) or [word]))
    return [*meant]


def _meant_by(word: str, view: LiveView) -> list[str]:
    """The most said of the words that a word is one mistake away from, or of the pairs it is put together of."""
    if not word.isalpha() or len(word) not in _MISTYPED:
        return []
    near = [*dict.fromkeys(map(compared, _one_mistake_away(word)))]
    counts = view.counts(numbers_of(near))
    if counts.any():
        return [near[int(counts.argmax())]]
    cuts = range(_LEAST_PART, len(word) - _LEAST_PART + 1)
    pairs = [(compared(word[:at]), compared(word[at:])) for at in cuts]
    counts = view.counts(numbers_of(part for pair in pairs for part in pair)).reshape(-1, 2).min(axis=1)
    return [*pairs[int(counts.argmax())]] if counts.any() else []


def _one_mistake_away(word: str) -> list[str]:
    """What a word becomes by a letter more or less, two in the other order, or in a long one another letter."""
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    changed = [before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1]
    changed += [before + after[1:] for before, after in cuts if before and after]
    changed += [before + letter + after for before, after in cuts if before for letter in ascii_lowercase]
    if len(word) < _LEAST_OTHER:
        return changed
    return changed + [one + letter + two[1:] for one, two in cuts if one and two for letter in ascii_lowercase]


def with_words(scope: Scope, words: Words) -> Scope:
    """The same, but that what says the words comes first; where they are all there is, it is found by them, too."""
    scope = replace(scope, arrange=_by_words(words), arranged=READ)
    if not words.alone:
        return scope
    least = -math.inf if scope.min_score is None else scope.min_score
    return replace(scope, also=_saying(words, scope.target), also_from=least)


def _saying(words: Words, target: str) -> Callable[[LiveView, Vector, Selection], NDArray[np.int64]]:
    """Which selected rows say most of the words; of those that say as much as each other, the nearest."""

    def find(view: LiveView, query: Vector, among: Selection) -> NDArray[np.int64]:
        rows, next_ones = most_saying(view, words.said, among, SAYING)
        if next_ones is None:
            return rows
        return np.concatenate([rows, view.search(target, query, SAYING - len(rows), next_ones).rows])

    return find


def _by_words(words: Words) -> Arrange:
    """By likeness, by what of the words a product says, and what of those not wanted it does not."""

    def arrange(view: LiveView, hits: Sequence[Ranked], needed: int) -> list[Ranked]:
        rows = np.array([hit.row for hit in hits], np.int64)
        likeness = np.array([hit.score for hit in hits], np.float32)
        said = _shares(view, words.said, rows)
        worth = said - _shares(view, words.unwanted, rows) if words.unwanted else said
        shown = said.round(4).tolist()
        places = order(likeness, words.weight * worth, alone=words.alone)[:needed]
        return [Ranked(hits[at].row, hits[at].score, words_said=shown[at]) for at in places]

    return arrange


def order(likeness: NDArray[np.float32], said: NDArray[np.float64], *, alone: bool) -> list[int]:
    """The places of some hits, given best first, in the order by words too; `said` [hits] is what these are worth.

    Words alone are worth something whatever the likeness. Beside a photo they are the more so the more like it a hit
    is: "this mug, but blue" means no blue lamp. (Its square, chosen by `bench.words`.)
    """
    if not len(likeness):
        return []
    spread = max(float(likeness[0] - likeness[-1]), float(np.finfo(np.float32).eps))
    likeness = (likeness - likeness[-1]) / spread
    worth = likeness + said if alone else likeness**2 * (1 + said)
    places: list[int] = np.argsort(-worth, kind="stable").tolist()
    return places


def shares(anywhere: NDArray[np.bool_], first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much of some words each hit says, 0 to 1, of which says which anywhere and foremost, bool [words, hits].

    What all of them say hardly tells one from another, and what none says is left out. Said in passing, a word counts
    less, if some say it foremost.
    """
    having = anywhere.sum(axis=1)
    weights = np.where(having > 0, np.log((anywhere.shape[1] + 1) / (having + 0.5)), 0.0)
    worth = np.where(first.any(axis=1, keepdims=True), np.where(first, 1.0, _IN_PASSING * anywhere), anywhere)
    # Not `@`: the threads of BLAS spin.
    said: NDArray[np.float64] = np.einsum("i,ij->j", weights, worth) / max(weights.sum(), np.finfo(np.float64).tiny)
    return said


def _shares(view: LiveView, words: Sequence[int], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    first = foremost(np.array(words, np.uint32)).tolist()
    return shares(who_says(view, words, rows), who_says(view, first, rows))
