"""The products of a snapshot: columns to filter, sort and count by, and the whole product as one document."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from catalogue.errors import NotFound
from catalogue.product import CATEGORY_SEPARATOR, Product
from index.filters import Filters

SCHEMA: Final = pa.schema(
    [
        ("product_id", pa.large_string()),  # large: millions of products pass the 2 GB of 32-bit offsets
        ("id_hash", pa.uint64()),
        ("title", pa.large_string()),
        ("category", pa.dictionary(pa.int32(), pa.string())),
        ("supplier_id", pa.dictionary(pa.int32(), pa.string())),
        ("price", pa.float64()),
        ("in_stock", pa.bool_()),
        ("photo", pa.string()),
        ("document", pa.large_binary()),
    ]
)
Sort = Literal["product_id", "price", "-price", "title"]


class IndexedProduct(BaseModel):
    """A product and the SHA-256 (hex) of its main photo in the photo store, if it has one."""

    model_config = ConfigDict(frozen=True)

    product: Product
    photo: str | None = None


def id_hash(product_id: str) -> int:
    """A stable 64-bit hash: it picks the shard and finds the row."""
    return int.from_bytes(hashlib.blake2b(product_id.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


def to_table(items: Sequence[IndexedProduct]) -> pa.Table:
    """The products as a table with `SCHEMA`, in their order."""
    products = [item.product for item in items]
    columns: dict[str, Iterable[Any]] = {
        "product_id": [product.product_id for product in products],
        "id_hash": np.array([id_hash(product.product_id) for product in products], dtype=np.uint64),
        "title": [product.title for product in products],
        "category": [product.category for product in products],
        "supplier_id": [product.supplier_id for product in products],
        "price": [product.price for product in products],
        "in_stock": [product.in_stock for product in products],
        "photo": [item.photo for item in items],
        "document": [product.model_dump_json(exclude_defaults=True).encode() for product in products],
    }
    return pa.Table.from_arrays([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


class ProductTable:
    """The products of one snapshot by row, id and condition; immutable, safe for any number of threads."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.combine_chunks().unify_dictionaries()
        hashes = self._numpy("id_hash")
        self._by_hash = np.argsort(hashes, kind="stable")
        self._sorted_hashes = hashes[self._by_hash]

    @classmethod
    def read(cls, path: Path) -> "ProductTable":
        """Read `products.parquet`."""
        return cls(pq.read_table(path, schema=SCHEMA, memory_map=True))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def id_of(self, row: int) -> str:
        """The product id of a row."""
        return str(self._column("product_id")[row].as_py())

    def row_of(self, product_id: str) -> int:
        """The row of a product id; raises NotFound."""
        wanted = np.uint64(id_hash(product_id))
        at = int(np.searchsorted(self._sorted_hashes, wanted))
        while at < len(self) and self._sorted_hashes[at] == wanted:
            row = int(self._by_hash[at])
            if self.id_of(row) == product_id:
                return row
            at += 1
        raise NotFound(f"There is no product {product_id[:128]!r} in this snapshot.")

    def get(self, row: int) -> IndexedProduct:
        """The whole product of a row."""
        fields = orjson.loads(self._column("document")[row].as_py())
        return IndexedProduct(product=Product.model_validate(fields), photo=self._column("photo")[row].as_py())

    def mask(self, filters: Filters) -> NDArray[np.bool_]:
        """Which rows pass, as bool [rows]."""
        passed = np.ones(len(self), dtype=np.bool_)
        if filters.category is not None:
            below = filters.category + CATEGORY_SEPARATOR
            passed &= self._by_value("category", lambda value: value == filters.category or value.startswith(below))
        if filters.suppliers is not None:
            wanted = frozenset(filters.suppliers)
            passed &= self._by_value("supplier_id", wanted.__contains__)
        if filters.not_suppliers:
            unwanted = frozenset(filters.not_suppliers)
            passed &= self._by_value("supplier_id", lambda value: value not in unwanted)
        if filters.min_price is not None:
            passed &= self._prices >= filters.min_price
        if filters.max_price is not None:
            passed &= self._prices <= filters.max_price
        if filters.in_stock is not None:
            passed &= self._numpy(pc.fill_null(pc.equal(self._column("in_stock"), filters.in_stock), False))
        return passed

    def ordered(self, rows: NDArray[np.intp], sort: Sort) -> NDArray[np.intp]:
        """The rows by a column, ties by product id; products without a price come last."""
        columns = {"product_id": [], "price": ["price"], "-price": ["price"], "title": ["title"]}[sort]
        chosen = self._table.select([*columns, "product_id"]).take(pa.array(rows))
        direction = "descending" if sort.startswith("-") else "ascending"
        keys = [(column, direction) for column in columns]
        order = pc.sort_indices(chosen, sort_keys=[*keys, ("product_id", "ascending")])
        ranked: NDArray[np.intp] = rows[order.to_numpy()]
        return ranked

    def facets(self, mask: NDArray[np.bool_], most: int = 50) -> dict[str, list[tuple[str, int]]]:
        """How many of the rows fall to each category and supplier, the `most` frequent of each."""
        return {name: self._counts(name, mask, most) for name in ("category", "supplier_id")}

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        """NaN where there is none, which no range holds."""
        return self._numpy(pc.fill_null(self._column("price"), float("nan")))

    def _counts(self, name: str, mask: NDArray[np.bool_], most: int) -> list[tuple[str, int]]:
        codes, values = self._codes(name)
        counts = np.bincount(codes[mask], minlength=len(values))
        order = sorted(np.flatnonzero(counts), key=lambda code: (-counts[code], values[code]))
        return [(values[code], int(counts[code])) for code in order[:most]]

    def _by_value(self, name: str, passes: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Ask once per distinct value, then look rows up."""
        codes, values = self._codes(name)
        if not values:
            return np.zeros(len(self), dtype=np.bool_)
        return np.array([passes(value) for value in values], dtype=np.bool_)[codes]

    def _codes(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        column = self._column(name)
        return self._numpy(column.indices), column.dictionary.to_pylist()

    def _column(self, name: str) -> Any:
        """The one chunk of a column."""
        column = self._table.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)

    def _numpy(self, values: Any) -> NDArray[Any]:
        array = self._column(values) if isinstance(values, str) else values
        result: NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return result
