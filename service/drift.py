"""How what is asked moves away from what is in the catalogue: a sign that model, photos or shoppers have changed."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from service.ranking import Term, Vector, combined

Modality = Literal["product", "product+text", "image", "text", "image+text"]
"""What a query gives."""

_SAMPLE: Final = 1_024
"""Rows whose mean stands for that of all: near enough, and read in no time."""
_MEMORY: Final = 500
"""Queries after which one weighs a third of what it did."""


class QueryDrift:
    """The means of the last queries by modality, against that of the catalogue's `vectors` [rows, dim].

    Used on one event loop. Means of other modalities than `product` are some way off to begin with, as words are not
    products: what counts is that they stay where they are.
    """

    def __init__(self, vectors: NDArray[np.float16]) -> None:
        rows = np.unique(np.linspace(0, max(0, len(vectors) - 1), _SAMPLE, dtype=np.int64))
        self._catalogue: Vector | None = vectors[rows].astype(np.float32).mean(axis=0) if len(vectors) else None
        self._means: dict[Modality, Vector] = {}
        self._counts: dict[Modality, int] = {}

    def add(self, modality: Modality, terms: Sequence[Term]) -> None:
        """Take in a query."""
        query = combined(terms)
        count = self._counts[modality] = min(self._counts.get(modality, 0) + 1, _MEMORY)
        if count == 1:
            self._means[modality] = query.copy()
        else:
            mean = self._means[modality]
            mean += (query - mean) / np.float32(count)

    def ratios(self) -> dict[Modality, float]:
        """1 - cosine to the catalogue's mean, of each modality that was asked with: 0 where they agree, at most 2."""
        if self._catalogue is None:
            return {}
        return {modality: 1 - _cosine(mean, self._catalogue) for modality, mean in self._means.items()}


def _cosine(one: Vector, other: Vector) -> float:
    length = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / length if length else 0.0
