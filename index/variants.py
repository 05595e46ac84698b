"""Which rows of a table declare themselves different variants: `catalogue.variants`, for millions of pairs at once."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalogue.variants import TOLERANCE, declared

_CHUNK: Final = 262_144
_NONE: Final = -1


class Variants:
    """What each row declares, from the attributes of `index.products.SCHEMA`; safe for any number of threads.

    Of two values that a row gives one name, the first in order counts.
    """

    def __init__(self, attributes: Any) -> None:
        """From a map column of Arrow in one chunk, names without case."""
        offsets = attributes.offsets.to_numpy()
        names = attributes.keys[offsets[0] : offsets[-1]].dictionary_encode()
        values = attributes.items[offsets[0] : offsets[-1]].dictionary_encode()
        name_codes, value_codes = (column.indices.to_numpy().astype(np.int64) for column in (names, values))
        distinct, pair = np.unique(name_codes * len(values.dictionary) + value_codes, return_inverse=True)
        self._tabulate(distinct, names.dictionary.to_pylist(), values.dictionary.to_pylist())
        self._names = len(names.dictionary)
        row = np.repeat(np.arange(len(attributes)), np.diff(offsets))
        telling = self._plain[pair] != _NONE
        # Row and name as one number, ascending: what a row declares by a name is found by bisection.
        self._keys, first = np.unique((row * self._names + name_codes)[telling], return_index=True)
        self._pairs = pair[telling][first].astype(np.int32)
        self._starts = np.searchsorted(self._keys, np.arange(len(attributes) + 1) * self._names)

    def contradict(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each pair of rows, whether both cannot be one variant, bool [pairs]."""
        parts = [
            self._contradict(one[start : start + _CHUNK], other[start : start + _CHUNK])
            for start in range(0, len(one), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.bool_)

    def hashes(self) -> NDArray[np.uint64]:
        """One number per row, the same for rows that declare the same; for others the same by bad luck alone."""
        name = self._keys % max(1, self._names)
        _, said = np.unique(name * len(self._plain) + self._plain[self._pairs], return_inverse=True)
        random = np.random.default_rng(0).integers(0, 2**64, int(said.max(initial=-1)) + 1, np.uint64)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(random[said])])  # they wrap round, and back again
        hashes: NDArray[np.uint64] = sums[self._starts[1:]] - sums[self._starts[:-1]]
        return hashes

    def _tabulate(self, distinct: NDArray[np.int64], names: list[str], values: list[str]) -> None:
        """What each distinct (name, value) declares; `plain` is -1 where that is nothing."""
        self._dimension = np.full(len(distinct), _NONE, np.int8)
        self._size = np.zeros(len(distinct))
        self._plain = np.full(len(distinct), _NONE, np.int64)
        dimensions: dict[str, int] = {}
        plains: dict[str, int] = {}
        for at, code in enumerate(distinct.tolist()):
            said = declared(names[code // len(values)], values[code % len(values)])
            if said is not None:
                self._plain[at] = plains.setdefault(said.plain, len(plains))
                if said.dimension is not None:
                    self._dimension[at] = dimensions.setdefault(said.dimension, len(dimensions))
                    self._size[at] = said.size

    def _contradict(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        counts = self._starts[one + 1] - self._starts[one]
        asked = np.repeat(np.arange(len(one)), counts)
        within = np.arange(len(asked)) - np.repeat(np.cumsum(counts) - counts, counts)
        mine = self._starts[one][asked] + within
        wanted = self._keys[mine] + (other - one)[asked] * self._names
        theirs = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        both = self._keys[theirs] == wanted
        result = np.zeros(len(one), np.bool_)
        result[asked[both][self._differ(self._pairs[mine[both]], self._pairs[theirs[both]])]] = True
        return result

    def _differ(self, one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.bool_]:
        left, right = self._size[one], self._size[other]
        with np.errstate(invalid="ignore"):  # infinity from infinity: sizes too large for a number
            apart = np.abs(left - right)
        close = (left == right) | (np.isfinite(apart) & (apart <= TOLERANCE * np.maximum(left, right)))
        compared = (self._dimension[one] != _NONE) & (self._dimension[one] == self._dimension[other])
        differ: NDArray[np.bool_] = np.where(compared, ~close, self._plain[one] != self._plain[other])
        return differ
