"""Which products of a view say some words, and which say most of them."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.live import LiveView, Selection

_COMMON: Final = 0.1
"""The share of products."""


def who_says(view: LiveView, words: Sequence[int], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some rows say which words, bool [words, rows]."""
    says = np.zeros((len(words), len(rows)), np.bool_)
    for number, word in enumerate(words):
        for saying, first in view.saying(word):
            if len(saying):
                own = (rows - first).astype(np.uint32)  # those before `first` come out too large to be there
                says[number] |= saying[saying.searchsorted(own).clip(max=len(saying) - 1)] == own
    return says


def most_saying(
    view: LiveView, words: Sequence[int], among: Selection, most: int
) -> tuple[NDArray[np.int64], Selection | None]:
    """The selected rows that say most of some words, a word counting by how few say it (inverse document frequency).

    Fewer than `most` that say more than all others; and, where more than `most` say anything, those that come next and
    say as much as each other, be they ever so many. What everybody says tells nothing: rows that say only words of
    more than a tenth of all products are not found. Raises SnapshotDamaged where that cannot be read any more.
    """
    count = view.base_rows + view.delta.rows
    shares = np.zeros(count, np.float32)
    for word in words:
        found = view.saying(word)
        having = sum(len(saying) for saying, _ in found)
        if having <= max(most, _COMMON * count):
            for saying, first in found:
                try:
                    shares[first:][saying] += np.float32(math.log((count + 1) / (having + 0.5)))
                except IndexError:
                    raise view.snapshot.products.damaged("words of products") from None
    rows = view.among(np.flatnonzero(shares > 0).astype(np.int64), among)
    told = shares[rows]
    if len(rows) <= most:
        return rows, None
    last = np.partition(told, -most)[-most]
    return rows[told > last], view.selection(rows[told == last])
