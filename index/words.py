"""Who says which words: what a query's words are looked for in (an inverted index).

A word is its CRC-32, so that one in a hundred million is taken for another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from zlib import crc32

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.words import words_of

_READ: Final = 1_000
"""Characters of a product that count: what a long description ends with is of the shop."""
_TOGETHER: Final = 65_536
_BITS: Final = np.uint64(32)
Said = NDArray[np.uint32]
"""The numbers of some words, each once, in no order."""
Rows = NDArray[np.uint32]


def numbers_of(words: Iterable[str]) -> Said:
    """The number of each word."""
    return np.array([crc32(word.encode(errors="surrogatepass")) for word in words], np.uint32)


def said(fields: Mapping[str, Any]) -> Said:
    """What a product says in title, category, attributes and description, of its fields as they are kept."""
    first = [fields.get("title", ""), fields.get("category", "")]
    told = " ".join([*first, *fields.get("attributes", {}).values(), fields.get("description", "")])
    return numbers_of(words_of(told[:_READ]))


@dataclass(frozen=True, slots=True)
class Postings:
    """The rows that say each of some words, ascending: those of `words[n]` are `rows[start[n]:start[n + 1]]`."""

    words: Said
    """Ascending."""
    start: NDArray[np.int64]
    rows: Rows

    @classmethod
    def of(cls, documents: Any) -> Self:
        """Of the products in a column of documents."""
        pairs = [np.empty(0, np.uint64)]
        for first in range(0, len(documents), _TOGETHER):
            words = [said(orjson.loads(document)) for document in documents.slice(first, _TOGETHER).to_pylist()]
            rows = np.arange(first, first + len(words), dtype=np.uint64).repeat([len(each) for each in words])
            pairs.append(np.concatenate(words).astype(np.uint64) << _BITS | rows)
        return cls._of_pairs(np.concatenate(pairs))

    @classmethod
    def joined(cls, parts: Sequence["Postings"], firsts: Sequence[int]) -> Self:
        """Those of several tables as of one, in which their rows begin with `firsts`."""
        pairs = [part._pairs() + np.uint64(first) for part, first in zip(parts, firsts, strict=True)]
        return cls._of_pairs(np.concatenate(pairs))

    @classmethod
    def read(cls, arrays: Mapping[str, Any]) -> Self | None:
        """From the arrays that `packed` made; None where there are none."""
        if "words.keys" not in arrays:
            return None
        return cls(*(arrays[f"words.{name}"].to_numpy() for name in ("keys", "start", "rows")))

    @property
    def packed(self) -> dict[str, Any]:
        """The same as arrays, by name."""
        return {
            "words.keys": pa.array(self.words),
            "words.start": pa.array(self.start),
            "words.rows": pa.array(self.rows),
        }

    def saying(self, word: int) -> Rows:
        """The rows that say a word, ascending."""
        at = int(np.searchsorted(self.words, np.uint32(word)))
        if at == len(self.words) or self.words[at] != word:
            return self.rows[:0]
        return self.rows[self.start[at] : self.start[at + 1]]

    def _pairs(self) -> NDArray[np.uint64]:
        return self.words.astype(np.uint64).repeat(np.diff(self.start)) << _BITS | self.rows

    @classmethod
    def _of_pairs(cls, pairs: NDArray[np.uint64]) -> Self:
        """From each word and row that says it, as one number; these are sorted in place."""
        pairs.sort()
        words, rows = (pairs >> _BITS).astype(np.uint32), pairs.astype(np.uint32)
        begins = np.flatnonzero(np.diff(words)) + 1
        start = np.concatenate([[0], begins, [len(words)]]) if len(words) else np.zeros(1, np.int64)
        return cls(words[start[:-1]], start, rows)
