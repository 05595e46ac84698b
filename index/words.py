"""Who says which words: what a query's words are looked for in (an inverted index).

A word is its CRC-32, so that one in a hundred million is taken for another one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from zlib import crc32

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.words import words_of

RULES: Final = 1
"""Raised with every change of what `catalogue.words` and `said` take for a word: what is kept by others is not what is
looked for."""
_READ: Final = 1_000
"""Characters of a product that count: what a long description ends with is of the shop."""
_POINT: Final = r"(?:^|(?<=\s)){}[.)]\s"
_FIRST_POINT: Final = re.compile(_POINT.format(1))
_POINTS: Final = re.compile(_POINT.format(r"\d{1,2}"))
"""The numbers of a list: 1. is no litre."""
_TOGETHER: Final = 65_536
_FOREMOST: Final = np.uint32(0x5BD1_E995)
"""What sets the number of a word apart from that of the same word said foremost: any number would do."""
_HALVES: Final = np.dtype([("row", "<u4"), ("word", "<u4")])
"""Of a number that is sorted by the word first, on the machines that this runs on."""
Said = NDArray[np.uint32]
"""The numbers of some words, each once, in no order."""
Rows = NDArray[np.uint32]


def numbers_of(words: Iterable[str]) -> Said:
    """The number of each word."""
    return np.array([crc32(word.encode(errors="surrogatepass")) for word in words], np.uint32)


def foremost(words: Said) -> Said:
    """The numbers of the same words as what a product is: said in title, category or attributes."""
    return words ^ _FOREMOST


def said(fields: Mapping[str, Any]) -> Said:
    """What a product says, of its fields as they are kept: first what it is, then what its description says beside."""
    first = [fields.get("title", ""), fields.get("category", ""), *fields.get("attributes", {}).values()]
    told = " ".join(first)[:_READ]
    words = words_of(told)
    said_first = numbers_of(words)
    description = fields.get("description", "")
    if _FIRST_POINT.search(description):
        description = _POINTS.sub(" ", description)
    beside = words_of(f"{fields.get('supplier_id', '')} {description}"[: _READ - len(told)])
    return np.concatenate([said_first, foremost(said_first), numbers_of(beside.keys() - words.keys())])


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
            rows = np.arange(first, first + len(words), dtype=np.uint32).repeat([len(each) for each in words])
            pairs.append(_paired(np.concatenate(words), rows))
        return cls._of_pairs(pairs)

    @classmethod
    def joined(cls, parts: Sequence["Postings"], firsts: Sequence[int]) -> Self:
        """Those of several tables as of one, in which their rows begin with `firsts`."""
        pairs = [
            _paired(part.words.repeat(np.diff(part.start)), part.rows + np.uint32(first))
            for part, first in zip(parts, firsts, strict=True)
        ]
        return cls._of_pairs(pairs)

    @classmethod
    def read(cls, arrays: Mapping[str, Any]) -> Self | None:
        """From the arrays that `packed` made; None where there are none, or those of other rules."""
        if "words.rules" not in arrays or arrays["words.rules"].to_pylist() != [RULES]:
            return None
        return cls(*(arrays[f"words.{name}"].to_numpy() for name in ("keys", "start", "rows")))

    @property
    def packed(self) -> dict[str, Any]:
        """The same as arrays, by name."""
        return {
            "words.rules": pa.array([RULES], pa.uint32()),
            "words.keys": pa.array(self.words),
            "words.start": pa.array(self.start),
            "words.rows": pa.array(self.rows),
        }

    def counts(self, words: Said) -> NDArray[np.int64]:
        """How many rows say each of some words."""
        if not len(self.words):
            return np.zeros(len(words), np.int64)
        at = np.searchsorted(self.words, words).clip(max=len(self.words) - 1)
        return np.where(self.words[at] == words, self.start[at + 1] - self.start[at], 0)

    def saying(self, word: int) -> Rows:
        """The rows that say a word, ascending."""
        at = int(np.searchsorted(self.words, np.uint32(word)))
        if at == len(self.words) or self.words[at] != word:
            return self.rows[:0]
        return self.rows[self.start[at] : self.start[at + 1]]

    @classmethod
    def _of_pairs(cls, parts: list[NDArray[np.uint64]]) -> Self:
        """From each word and row that says it, as one number; the parts are taken: they are half of the memory."""
        pairs = np.concatenate(parts)
        parts.clear()
        pairs.sort()
        halves = pairs.view(_HALVES)
        words, rows = halves["word"], np.ascontiguousarray(halves["row"])
        begins = np.flatnonzero(np.diff(words)) + 1
        start = np.concatenate([[0], begins, [len(words)]]) if len(words) else np.zeros(1, np.int64)
        return cls(words[start[:-1]], start, rows)


def _paired(words: Said, rows: Rows) -> NDArray[np.uint64]:
    """Each word with its row as one number."""
    pairs = np.empty(len(words), _HALVES)
    pairs["word"], pairs["row"] = words, rows
    return pairs.view(np.uint64)
