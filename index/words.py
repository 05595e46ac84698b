"""The words that products say, as numbers: what a query's words are looked for in.

A word is its CRC-32, so that one in a hundred million is taken for another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final
from zlib import crc32

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.words import words_of

_READ: Final = 1_000
"""Characters of a product that count: what a long description ends with is of the shop."""
MOST_SAID: Final = _READ
"""Words of a product."""
_TOGETHER: Final = 65_536
Said = NDArray[np.uint32]
"""The words of a product, each once, in no order."""


def numbers_of(words: Iterable[str]) -> Said:
    """The number of each word."""
    return np.array([crc32(word.encode(errors="surrogatepass")) for word in words], np.uint32)


def said(fields: Mapping[str, Any]) -> Said:
    """What a product says in title, category, attributes and description, of its fields as they are kept."""
    first = [fields.get("title", ""), fields.get("category", "")]
    told = " ".join([*first, *fields.get("attributes", {}).values(), fields.get("description", "")])
    return numbers_of(islice(words_of(told[:_READ]), MOST_SAID))


def packed_words(documents: Any) -> dict[str, Any]:
    """The arrays of what products say, by name, of a column of documents: where each one's words begin, and these."""
    counts, numbers = [np.zeros(1, np.int64)], [numbers_of([])]
    for start in range(0, len(documents), _TOGETHER):
        words = [said(orjson.loads(document)) for document in documents.slice(start, _TOGETHER).to_pylist()]
        counts.append(np.array([len(each) for each in words], np.int64))
        numbers.append(np.concatenate(words))
    starts = np.cumsum(np.concatenate(counts))
    return {"words.first": pa.array(starts), "words.numbers": pa.array(np.concatenate(numbers))}


def saying(words: Said, told: Sequence[Said]) -> NDArray[np.bool_]:
    """Which of some products say which words, bool [words, products]."""
    order = np.argsort(words)
    numbers = np.concatenate([words[:0], *told])
    products = np.repeat(np.arange(len(told)), [len(each) for each in told])
    at = order[np.searchsorted(words, numbers, sorter=order).clip(max=len(words) - 1)]
    found = words[at] == numbers
    says = np.zeros((len(words), len(told)), np.bool_)
    says[at[found], products[found]] = True
    return says
