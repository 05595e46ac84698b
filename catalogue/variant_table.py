"""Which rows of a table are different variants by their own words: `catalogue.variants`, for millions of pairs."""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.gtin import MOST_OF_ONE_GTIN, NAME, gtins_of, read_gtins
from catalogue.names import is_gtin_name, key_of
from catalogue.product import Product
from catalogue.titles import FAR, MANIFOLD, Fact, read_facts
from catalogue.variants import TOLERANCE, as_text, declared

_CHUNK: Final = 262_144
_NONE: Final = -1
_ATTRIBUTES: Final = pa.map_(pa.large_string(), pa.large_string())

Rows = NDArray[np.int64]
Facts = NDArray[np.int32]
Mask = NDArray[np.bool_]


class Variants:
    """What each row says of its variant; safe for any number of threads.

    Of two values that a row gives one attribute, the first in order counts.
    """

    def __init__(self, attributes: Any, titles: Any) -> None:
        """From two columns of Arrow in one chunk: a map, names without case, and large strings."""
        named = _Attributes(attributes)
        self._declared = _Declared(named)
        self._told = _Told(named, titles)
        self._gtins, self._codes = _gtins(named)
        self._starts = np.searchsorted(self._gtins, np.arange(named.rows + 1) * self._codes)

    @classmethod
    def of(cls, products: Sequence[Product]) -> "Variants":
        """Those of some products."""
        attributes = [as_pairs(product.attributes) for product in products]
        titles = pa.array([product.title for product in products], pa.large_string())
        return cls(pa.array(attributes, _ATTRIBUTES), titles)

    def contradict(self, one: Rows, other: Rows) -> Mask:
        """For each pair of rows, whether both cannot be one variant, bool [pairs]."""
        parts = [
            self._declared.contradict(*part) | self._told.contradict(*part)
            for start in range(0, len(one), _CHUNK)
            if (part := (one[start : start + _CHUNK], other[start : start + _CHUNK]))
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.bool_)

    def share_gtin(self, one: Rows, other: Rows) -> Mask:
        """For each pair of rows, whether both have one GTIN, bool [pairs]."""
        shared = np.zeros(len(one), np.bool_)
        if len(self._gtins):
            asked, mine = _spread(self._starts, one)
            wanted = self._gtins[mine] + (other - one)[asked] * self._codes
            theirs = np.minimum(np.searchsorted(self._gtins, wanted), len(self._gtins) - 1)
            shared[asked[self._gtins[theirs] == wanted]] = True
        return shared

    def gtins(self) -> tuple[Rows, Rows]:
        """Each row with each of its GTINs, by row, but for those that too many have: rows and numbers of GTINs."""
        return np.divmod(self._gtins, self._codes)

    def hashes(self) -> NDArray[np.uint64]:
        """One number per row, the same for rows that say the same; for others the same by bad luck alone."""
        hashes: NDArray[np.uint64] = self._declared.hashes() + self._told.hashes()
        return hashes + _sums(self._gtins % self._codes, self._starts, 3)


def as_pairs(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """What rows are searched and compared by: names without case, and GTINs, as `read_gtin` gives them, by their own.

    Of two names that differ in case alone, the product has both values.
    """
    pairs = {(name.casefold(), value) for name, value in attributes.items()}
    if codes := gtins_of(attributes):
        pairs = {pair for pair in pairs if pair[0] != NAME} | {(NAME, code) for code in codes}
    return sorted(pairs)


class _Attributes:
    """The attributes of all rows: each distinct (name, value), and which of them are whose."""

    def __init__(self, attributes: Any) -> None:
        offsets = attributes.offsets.to_numpy()
        names = attributes.keys[offsets[0] : offsets[-1]].dictionary_encode()
        values = attributes.items[offsets[0] : offsets[-1]].dictionary_encode()
        self.name, code = (column.indices.to_numpy().astype(np.int64) for column in (names, values))
        distinct, self.pair = np.unique(self.name * len(values.dictionary) + code, return_inverse=True)
        self.names, texts = names.dictionary.to_pylist(), values.dictionary.to_pylist()
        self.pairs = [(self.names[of // len(texts)], texts[of % len(texts)]) for of in distinct.tolist()]
        self.rows = len(attributes)
        self.row = np.repeat(np.arange(self.rows), np.diff(offsets))


class _Declared:
    """What the attributes of each row declare."""

    def __init__(self, attributes: _Attributes) -> None:
        self._tabulate(attributes.pairs)
        keys_of_names: dict[str, int] = {}
        key = np.array([keys_of_names.setdefault(key_of(n), len(keys_of_names)) for n in attributes.names], np.int64)
        self._names = len(keys_of_names)
        telling = self._plain[attributes.pair] != _NONE
        # Row and name as one number, ascending: what a row declares by a name is found by bisection.
        keys = (attributes.row * self._names + key[attributes.name])[telling]
        self._keys, first = np.unique(keys, return_index=True)
        self._pairs = attributes.pair[telling][first].astype(np.int32)
        self._starts = np.searchsorted(self._keys, np.arange(attributes.rows + 1) * self._names)

    def hashes(self) -> NDArray[np.uint64]:
        name = self._keys % max(1, self._names)
        _, said = np.unique(name * len(self._plain) + self._plain[self._pairs], return_inverse=True)
        return _sums(said, self._starts, 0)

    def contradict(self, one: Rows, other: Rows) -> Mask:
        asked, mine = _spread(self._starts, one)
        wanted = self._keys[mine] + (other - one)[asked] * self._names
        theirs = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        both = self._keys[theirs] == wanted
        result = np.zeros(len(one), np.bool_)
        result[asked[both][self._differ(self._pairs[mine[both]], self._pairs[theirs[both]])]] = True
        return result

    def _tabulate(self, pairs: Sequence[tuple[str, str]]) -> None:
        """What each distinct (name, value) declares; `plain` is -1 where that is nothing."""
        self._dimension = np.full(len(pairs), _NONE, np.int8)
        self._size = np.zeros(len(pairs))
        self._plain = np.full(len(pairs), _NONE, np.int64)
        dimensions: dict[str, int] = {}
        plains: dict[str, int] = {}
        for at, (name, value) in enumerate(pairs):
            said = declared.__wrapped__(name, value)  # each pair comes once
            if said is not None:
                self._plain[at] = plains.setdefault(said.plain, len(plains))
                if said.dimension is not None:
                    self._dimension[at] = dimensions.setdefault(said.dimension, len(dimensions))
                    self._size[at] = said.size

    def _differ(self, one: NDArray[np.int32], other: NDArray[np.int32]) -> Mask:
        close = _close(self._size[one], self._size[other])
        compared = (self._dimension[one] != _NONE) & (self._dimension[one] == self._dimension[other])
        differ: Mask = np.where(compared, ~close, self._plain[one] != self._plain[other])
        return differ


class _Told:
    """What the title of each row tells, and what its title and attributes say of that."""

    def __init__(self, attributes: _Attributes, titles: Any) -> None:
        encoded = titles.dictionary_encode()
        table = _Facts()
        of_titles = table.of(title.as_py() for title in encoded.dictionary)
        of_pairs = table.of(as_text(*pair) for pair in attributes.pairs)
        self._kind, self._sought, self._size, self._plain, self._is_telling = table.arrays()
        self._kinds = len(table.kinds)
        self._manifold = np.array([kind in MANIFOLD for kind in table.kinds], np.bool_)
        title = encoded.indices.to_numpy().astype(np.int64)
        self._tell(title, *of_titles)
        self._say((np.arange(len(title)), title, *of_titles), (attributes.row, attributes.pair, *of_pairs))
        self._said_starts = np.searchsorted(self._keys, np.arange(len(title) + 1) * self._kinds)

    def _tell(self, title: Rows, fact_of: Rows, starts: Rows) -> None:
        """What the titles tell, but for kinds that one row alone tells: those set nothing apart."""
        row, at = _spread(starts, title)
        told = fact_of[at]
        rows_of_kind = np.unique(row * self._kinds + self._kind[told]) % self._kinds
        often = np.bincount(rows_of_kind, minlength=self._kinds) > 1
        kept = (self._is_telling & often[self._kind])[told]
        row, self._told = row[kept], told[kept].astype(np.int32)
        self._starts = np.searchsorted(row, np.arange(len(title) + 1))
        self._tells = np.zeros(len(title), np.uint64)  # a bit for each kind, or for several
        np.bitwise_or.at(self._tells, row, np.uint64(1) << (self._kind[self._told] % 64).astype(np.uint64))

    def _say(self, *parts: tuple[Rows, Rows, Rows, Rows]) -> None:
        """What texts say of what is told; a part is each text's row and number, and the facts of all texts."""
        wanted = np.zeros(self._kinds, np.bool_)
        wanted[self._sought[self._told]] = True
        said, keys = [], []
        for row, text, fact_of, starts in parts:
            asked, at = _spread(starts, text)
            kept = wanted[self._kind[fact_of[at]]]
            said.append(fact_of[at[kept]].astype(np.int32))
            keys.append(row[asked[kept]] * self._kinds + self._kind[said[-1]])
        # Row and kind as one number, ascending, as above; of one kind a row may say much.
        order = np.lexsort((np.concatenate(said), np.concatenate(keys)))
        self._said, self._keys = np.concatenate(said)[order], np.concatenate(keys)[order]

    def hashes(self) -> NDArray[np.uint64]:
        return _sums(self._told, self._starts, 1) + _sums(self._said, self._said_starts, 2)

    def contradict(self, one: Rows, other: Rows) -> Mask:
        result = np.zeros(len(one), np.bool_)
        related = np.flatnonzero(self._tells[one] & self._tells[other])
        pair, mine = self._unsaid(one[related], other[related])
        pairs = pair[np.flatnonzero(np.diff(pair, prepend=_NONE))]  # they ascend
        back, theirs = self._unsaid(other[related[pairs]], one[related[pairs]])
        keys = pair * self._kinds + self._kind[mine]
        order = np.argsort(keys, kind="stable")
        wanted = pairs[back] * self._kinds + self._kind[theirs]
        both = _any(keys[order], mine[order], wanted, theirs, self._are_of_one_thing)
        result[related[pairs[back[both]]]] = True
        return result

    def _unsaid(self, one: Rows, other: Rows) -> tuple[Rows, Facts]:
        """What the titles of `one` tell and `other` says nowhere: of which pair, and the fact."""
        pair, at = _spread(self._starts, one)
        fact = self._told[at]
        unsaid = ~_any(self._keys, self._said, other[pair] * self._kinds + self._sought[fact], fact, self._is_said)
        return pair[unsaid], fact[unsaid]

    def _is_said(self, fact: Facts, by: Facts) -> Mask:
        same = (self._plain[fact] == self._plain[by]) & (self._plain[by] != _NONE)
        said: Mask = same | _close(self._size[fact], self._size[by])
        return said

    def _are_of_one_thing(self, one: Facts, other: Facts) -> Mask:
        left, right = self._size[one], self._size[other]
        near: Mask = ~(np.maximum(left, right) > FAR * np.minimum(left, right))  # nan is far from nothing
        return near | ~self._manifold[self._kind[one]]


class _Facts:
    """Distinct facts by number, as texts are read."""

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self._numbers: dict[tuple[str, float | None, str, bool], int] = {}
        self._facts: list[Fact] = []

    def of(self, texts: Iterable[str]) -> tuple[Rows, Rows]:
        """The facts of each text, one after the other, and where those of each begin, with the end of all."""
        found, starts = array("q"), array("q", [0])
        for text in texts:
            found.extend(self._number(fact) for fact in read_facts(text))  # each text comes once
            starts.append(len(found))
        return np.frombuffer(found, np.int64) if found else np.empty(0, np.int64), np.frombuffer(starts, np.int64)

    def arrays(self) -> tuple[Rows, Rows, NDArray[np.float64], Rows, Mask]:
        """By fact: its kind, the kind of what says it, its size or nan, what is plain of it or -1, if it tells."""
        kind = np.array([self.kinds[fact.kind] for fact in self._facts], np.int64)
        sought = np.array([self.kinds[fact.sought] for fact in self._facts], np.int64)
        size = np.array([np.nan if fact.size is None else fact.size for fact in self._facts])
        plains: dict[str, int] = {}
        plain = [plains.setdefault(fact.plain, len(plains)) if fact.size is None else _NONE for fact in self._facts]
        return kind, sought, size, np.array(plain, np.int64), np.array([fact.tells for fact in self._facts], np.bool_)

    def _number(self, fact: Fact) -> int:
        key = (fact.kind, fact.size, fact.plain, fact.tells)
        if key not in self._numbers:
            self._numbers[key] = len(self._facts)
            self._facts.append(fact)
            for kind in (fact.kind, fact.sought):
                self.kinds.setdefault(kind, len(self.kinds))
        return self._numbers[key]


def _gtins(attributes: _Attributes) -> tuple[Rows, int]:
    """Row and GTIN as one number, ascending: the row times so many GTINs, and which one of them."""
    read = [read_gtins(value, name) if is_gtin_name(name) else () for name, value in attributes.pairs]
    distinct, number = np.unique([int(code) for codes in read for code in codes], return_inverse=True)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(codes) for codes in read], dtype=np.int64)])
    having, which = _spread(starts, attributes.pair)
    codes = max(1, len(distinct))
    found = np.unique(attributes.row[having] * codes + number[which])
    listings = np.bincount(found % codes, minlength=codes)
    return found[listings[found % codes] <= MOST_OF_ONE_GTIN], codes


def _spread(starts: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """All that some rows have, those of row r from `starts[r]` on: whose it is, by place in `rows`, and where."""
    counts = starts[rows + 1] - starts[rows]
    asked = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(asked)) - np.repeat(np.cumsum(counts) - counts, counts)
    return asked, starts[rows][asked] + within


def _any(keys: Rows, facts: Facts, wanted: Rows, than: Facts, test: Callable[[Facts, Facts], Mask]) -> Mask:
    """For each wanted key, whether some fact under it passes the test with the fact beside the key; keys ascend."""
    at, end = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, "right")
    found = np.zeros(len(wanted), np.bool_)
    left = np.flatnonzero(at < end)
    while len(left):
        found[left] = test(than[left], facts[at[left]])
        at[left] += 1
        left = left[~found[left] & (at[left] < end[left])]
    return found


def _close(left: NDArray[np.float64], right: NDArray[np.float64]) -> Mask:
    """`math.isclose`, element by element; nan is close to nothing."""
    with np.errstate(invalid="ignore"):  # infinity from infinity: sizes too large for a number
        apart = np.abs(left - right)
    close: Mask = (left == right) | (np.isfinite(apart) & (apart <= TOLERANCE * np.maximum(left, right)))
    return close


def _sums(said: NDArray[np.integer[Any]], starts: Rows, seed: int) -> NDArray[np.uint64]:
    """The sum of a random number for each thing that a row has."""
    random = np.random.default_rng(seed).integers(0, 2**64, int(said.max(initial=-1)) + 1, np.uint64)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(random[said])])  # they wrap round, and back again
    hashes: NDArray[np.uint64] = sums[starts[1:]] - sums[starts[:-1]]
    return hashes
