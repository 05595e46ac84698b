"""Which products of a view say some words, and which say most of them."""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.live import LiveView, Selection
from index.words import Rows

_MOST_READ: Final = 0.5
_MOST_ROWS: Final = 30_000
"""Words are looked up as long as all that say them are no more than such a share of the products, and so many: vectors
know what is said everywhere, and to find the nearest of many takes long."""


def who_says(view: LiveView, words: Sequence[int], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some rows say which words, bool [words, rows]."""
    says = np.zeros((len(words), len(rows)), np.bool_)
    for number, word in enumerate(words):
        for saying, first in view.saying(word):
            if len(saying):
                own = (rows - first).astype(np.uint32)  # those before `first` come out too large to be there
                says[number] |= saying[np.minimum(saying.searchsorted(own), len(saying) - 1)] == own
    return says


def most_saying(
    view: LiveView, words: Sequence[int], among: Selection, most: int
) -> tuple[NDArray[np.int64], Selection | None]:
    """The selected rows that say most of some words, a word counting by how few say it (inverse document frequency).

    Fewer than `most` that say more than all others; and, where more than `most` say anything, those that come next and
    say as much as each other, be they ever so many. Words are looked up from the rarest on, until that is too much.
    """
    shares = np.zeros(view.base_rows + view.delta.rows, np.float32)
    left = max(most, min(_MOST_READ * len(view), _MOST_ROWS))
    for having, found in sorted(((_count(found), found) for found in map(view.saying, words)), key=itemgetter(0)):
        left -= having
        if left < 0:
            break
        for saying, first in found:
            own = shares[first:]
            # of a file that has changed, rows may be named that there are not
            own[saying[saying < len(own)]] += np.float32(math.log(1 + len(view) / (having + 0.5)))
    rows = view.among(np.flatnonzero(shares > 0), among)
    told = shares[rows]
    if len(rows) <= most:
        return rows, None
    last = np.partition(told, -most)[-most]
    return rows[told > last], view.selection(rows[told == last])


def _count(found: Sequence[tuple[Rows, int]]) -> int:
    return sum(len(rows) for rows, _ in found)
