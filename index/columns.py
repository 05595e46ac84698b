"""What products are filtered and counted by, one compact column each.

A text column is codes into its sorted distinct values, in as few bytes as they need; category paths are sorted level
by level, so that a category and everything below it is one range of codes. Attributes are postings: for each distinct
(name, value) the rows that declare it, four bytes each. So all of it is smaller than the products themselves.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogue.product import CATEGORY_SEPARATOR
from index.filters import Filters
from index.known import Condition, Known

Mask = NDArray[np.bool_]
Arrays = Mapping[str, Any]
"""Arrays of Arrow by name, without nulls but where it is said; they may lie in a mapped file."""

_FALSE, _TRUE, _UNSAID = range(3)
_FEW: Final = 8
"""Up to this many codes are compared one by one, which is faster than looking each row up."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A text per row: `codes` unsigned [rows] into `keys`, `len(keys)` where there is none."""

    keys: list[Any]
    codes: NDArray[Any]

    @classmethod
    def of(cls, arrays: Arrays, name: str, key: Callable[[str], Any] = str) -> "Texts":
        """From the arrays that `packed_texts` made; a text stands for `key` of it."""
        return cls([key(text) for text in arrays[f"{name}.keys"].to_pylist()], arrays[f"{name}.codes"].to_numpy())

    def between(self, first: int, last: int) -> Mask:
        """Rows whose code is in first..last, `last` excluded."""
        passed: Mask = self.codes - self.codes.dtype.type(first) < last - first  # those below wrap round
        return passed

    def among(self, wanted: Iterable[Any]) -> Mask:
        """Rows that have one of the keys."""
        places = [(bisect_left(self.keys, key), key) for key in set(wanted)]
        codes = [at for at, key in places if at < len(self.keys) and self.keys[at] == key]
        if len(codes) <= _FEW:
            passed = np.zeros(len(self.codes), dtype=np.bool_)
            for code in codes:
                passed |= self.codes == code
            return passed
        table = np.zeros(len(self.keys) + 1, dtype=np.bool_)
        table[codes] = True
        looked_up: Mask = table[self.codes]
        return looked_up

    def at(self, rows: NDArray[np.int64]) -> list[Any]:
        """The keys of some rows; None where there is none."""
        return [self.keys[code] if code < len(self.keys) else None for code in self.codes[rows].tolist()]

    def counts(self, mask: Mask) -> tuple[list[Any], NDArray[np.int64]]:
        """The keys that rows of the mask have, with how many have each."""
        counts = np.bincount(self.codes[mask], minlength=len(self.keys))
        if len(counts) > len(self.keys) + 1:
            raise IndexError("codes name a text there is not")
        present = np.flatnonzero(counts[: len(self.keys)])
        return [self.keys[at] for at in present.tolist()], counts[present]


@dataclass(frozen=True, slots=True)
class Postings:
    """The rows that declare each (name, value).

    The values of name n are `values[first[n]:first[n + 1]]`, sorted; the rows of value v, ascending, are
    `rows[start[v]:start[v + 1]]`.
    """

    names: list[str]
    first: NDArray[np.int64]
    values: Any
    start: NDArray[np.int64]
    rows: NDArray[np.uint32]

    @classmethod
    def of(cls, arrays: Arrays) -> "Postings":
        """From the arrays that `packed_attributes` made."""
        first, values, start, rows = (arrays[f"attributes.{name}"] for name in ("first", "values", "start", "rows"))
        names = arrays["attributes.names"].to_pylist()
        return cls(names, first.to_numpy(), values, start.to_numpy(), rows.to_numpy())

    def having(self, name: str, wanted: Iterable[str]) -> Iterator[NDArray[np.uint32]]:
        """For each of the values that occurs, the rows in which the name has it."""
        low, high = self._range(name)
        for value in set(wanted):
            at = bisect_left(range(high), value, lo=low, key=lambda code: self.values[code].as_py())
            if at < high and self.values[at].as_py() == value:
                yield self.rows[self.start[at] : self.start[at + 1]]

    def counts(self, name: str, mask: Mask) -> tuple[Any, NDArray[np.int64]]:
        """The values of a name that rows of the mask have, with how many have each."""
        low, high = self._range(name)
        if low == high:
            return [], np.empty(0, np.int64)
        begin = self.start[low]
        passed = mask[self.rows[begin : self.start[high]]]
        counts = np.add.reduceat(passed, self.start[low:high] - begin, dtype=np.int64)
        present = np.flatnonzero(counts)
        return self.values.take(pa.array(present + low)), counts[present]

    def _range(self, name: str) -> tuple[int, int]:
        at = bisect_left(self.names, name)
        if at == len(self.names) or self.names[at] != name:
            return 0, 0
        return int(self.first[at]), int(self.first[at + 1])


class Columns:
    """The columns of some products, by row; immutable, safe for any number of threads."""

    def __init__(self, arrays: Arrays) -> None:
        """From what `packed_columns` made; nothing is copied but distinct texts."""
        self._category = Texts.of(arrays, "category", _levels)
        self._supplier = Texts.of(arrays, "supplier_id")
        self._currency = Texts.of(arrays, "currency")
        self._in_stock: NDArray[np.uint8] = arrays["in_stock"].to_numpy()
        self.prices: NDArray[np.float64] = arrays["price"].to_numpy()
        self._attributes = Postings.of(arrays)
        self._rows = len(self.prices)
        self._known = Known()

    def suppliers(self, rows: NDArray[np.int64]) -> list[str]:
        """The supplier of each of some rows; empty for a product of none."""
        return [supplier or "" for supplier in self._supplier.at(rows)]

    def mask(self, filters: Filters) -> Mask:
        """Which rows pass all conditions but those on ids, as bool [rows], the caller's own."""
        conditions = list(self._conditions(filters))
        if not conditions:
            return np.ones(self._rows, dtype=np.bool_)
        bits = self._known.bits(*conditions[0])
        for condition in conditions[1:]:
            bits = bits & self._known.bits(*condition)
        return np.unpackbits(bits, count=self._rows).view(np.bool_)

    def counts(self, facet: str, mask: Mask) -> tuple[Any, NDArray[np.int64]]:
        """The texts of a facet (any but price) that rows of the mask have, each once, with how many have each."""
        kind, _, detail = facet.partition(":")
        if kind == "attribute":
            return self._attributes.counts(detail, mask)
        if kind == "in_stock":
            stock = np.bincount(self._in_stock[mask], minlength=_UNSAID)[:_UNSAID]
            present = np.flatnonzero(stock)
            return [("false", "true")[said] for said in present.tolist()], stock[present]
        if kind == "category":
            return self._category_counts(int(detail or 0), mask)
        return (self._supplier if kind == "supplier" else self._currency).counts(mask)

    def _conditions(self, filters: Filters) -> Iterator[tuple[Condition, Callable[[], Mask]]]:
        """What each asks for, and the rows for which it holds, once they are called for."""
        if (category := filters.category) is not None:
            yield ("category", category), partial(self._in_category, category)
        if (suppliers := filters.suppliers) is not None:
            yield ("suppliers", *suppliers), partial(self._supplier.among, suppliers)
        if suppliers := filters.not_suppliers:
            yield ("not suppliers", *suppliers), partial(self._of_none, suppliers)
        if (price := filters.min_price) is not None:
            yield ("min price", price), partial(np.greater_equal, self.prices, price)
        if (price := filters.max_price) is not None:
            yield ("max price", price), partial(np.less_equal, self.prices, price)
        if (currency := filters.currency) is not None:
            yield ("currency", currency), partial(self._currency.among, [currency])
        if (in_stock := filters.in_stock) is not None:
            yield ("in stock", in_stock), partial(np.equal, self._in_stock, _TRUE if in_stock else _FALSE)
        for name, values in filters.attributes.items():
            yield ("attribute", name, *values), partial(self._having, name, values)

    def _in_category(self, category: str) -> Mask:
        return self._category.between(*_below(self._category.keys, _levels(category)))

    def _of_none(self, suppliers: Iterable[str]) -> Mask:
        return ~self._supplier.among(suppliers)

    def having(self, name: str, value: str) -> NDArray[np.uint32]:
        """The rows in which an attribute, named without case, has a value, ascending."""
        return next(self._attributes.having(name, [value]), np.empty(0, np.uint32))

    def _having(self, name: str, values: Iterable[str]) -> Mask:
        passed = np.zeros(self._rows, dtype=np.bool_)
        for rows in self._attributes.having(name, values):
            passed[rows] = True
        return passed

    def _category_counts(self, levels: int, mask: Mask) -> tuple[list[str], NDArray[np.int64]]:
        """By whole path, or by the first `levels` levels of those that have as many."""
        sums: dict[str, int] = {}
        for key, rows in zip(*self._category.counts(mask), strict=True):
            if len(key) >= levels:
                path = CATEGORY_SEPARATOR.join(key[: levels or None])
                sums[path] = sums.get(path, 0) + int(rows)
        return list(sums), np.fromiter(sums.values(), np.int64, len(sums))


def packed_columns(table: pa.Table) -> dict[str, Any]:
    """The arrays of `Columns`, by name, of a table in one chunk with the columns of `index.products.SCHEMA`."""
    return {
        **_packed_texts("category", one_chunk(table, "category"), _levels),
        **_packed_texts("supplier_id", one_chunk(table, "supplier_id"), str),
        **_packed_texts("currency", one_chunk(table, "currency"), str),
        "in_stock": pc.fill_null(pc.cast(one_chunk(table, "in_stock"), pa.uint8()), _UNSAID),
        "price": pc.fill_null(one_chunk(table, "price"), float("nan")),
        **_packed_attributes(one_chunk(table, "attributes")),
    }


def _packed_texts(name: str, column: Any, key: Callable[[str], Any]) -> dict[str, Any]:
    """Distinct texts in the order of `key`, and each row's place among them: of a dictionary column of Arrow."""
    texts = column.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=lambda at: key(texts[at]))
    rank = np.empty(len(texts) + 1, np.min_scalar_type(len(texts)))
    rank[order] = np.arange(len(texts))
    rank[-1] = len(texts)
    indices = pc.fill_null(column.indices, len(texts)).to_numpy(zero_copy_only=False)
    keys = pa.array([texts[at] for at in order], pa.large_string())
    return {f"{name}.keys": keys, f"{name}.codes": pa.array(rank[indices])}


def _packed_attributes(column: Any) -> dict[str, Any]:
    """Of a map column of Arrow; a name stands once per value in a row, and in the case it is asked for."""
    names, name_codes = _sorted_codes(column.keys)
    values, value_codes = _sorted_codes(column.items)
    lengths = np.diff(column.offsets.to_numpy())
    rows = np.repeat(np.arange(len(column), dtype=np.uint32), lengths)
    pairs, rows = _sorted_pairs(name_codes * len(values) + value_codes, rows, len(names) * len(values))
    start = np.flatnonzero(np.diff(pairs, prepend=-1, append=-1)) if len(pairs) else np.zeros(1, np.int64)
    distinct = pairs[start[:-1]]
    first = np.searchsorted(distinct, np.arange(len(names) + 1) * len(values))
    return {
        "attributes.names": names,
        "attributes.first": pa.array(first),
        "attributes.values": values.take(pa.array(distinct % max(1, len(values)))),
        "attributes.start": pa.array(start),
        "attributes.rows": pa.array(rows),
    }


def _levels(category: str) -> tuple[str, ...]:
    return tuple(category.split(CATEGORY_SEPARATOR))


def _below(keys: list[tuple[str, ...]], levels: tuple[str, ...]) -> tuple[int, int]:
    """The range of the sorted paths that begin with some levels."""
    depth = len(levels)
    return bisect_left(keys, levels), bisect_right(keys, levels, key=lambda key: key[:depth])


def one_chunk(table: pa.Table, name: str) -> Any:
    """The one chunk of a column."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _sorted_pairs(
    pairs: NDArray[np.int64], rows: NDArray[np.uint32], distinct: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Both by pair, then row; as one number each, where they fit in one, they are sorted five times as fast."""
    bits = int(rows.max(initial=0)).bit_length()
    if distinct.bit_length() + bits > 63:
        order = np.argsort(pairs, kind="stable")
        return pairs[order], rows[order]
    packed = np.sort(pairs << bits | rows)
    return packed >> bits, (packed & (1 << bits) - 1).astype(np.uint32)


def _sorted_codes(column: Any) -> tuple[Any, NDArray[np.int64]]:
    """The distinct texts in order, and each entry's place among them, int64."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    return encoded.dictionary.take(order), rank[encoded.indices.to_numpy()]
