"""The products of a snapshot: columns to filter, sort and count by, and the whole product as one document."""

import bisect
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from catalogue.errors import NotFound, SnapshotDamaged
from catalogue.gtin import NAME
from catalogue.product import Product
from catalogue.variant_table import Variants, as_pairs
from catalogue.variants import MODES, Mode, mode_of
from index.arrays import read_arrays, write_arrays
from index.columns import Arrays, Columns, Mask, one_chunk, packed_columns
from index.filters import Filters
from index.styles import Styles, packed_styles
from index.whole import check_whole
from index.words import Postings

SCHEMA: Final = pa.schema(
    [
        ("product_id", pa.large_string()),  # large: millions of products pass the 2 GB of 32-bit offsets
        ("id_hash", pa.uint64()),
        ("title", pa.large_string()),
        ("category", pa.dictionary(pa.int32(), pa.string())),
        ("supplier_id", pa.dictionary(pa.int32(), pa.string())),
        ("price", pa.float64()),
        ("currency", pa.dictionary(pa.int32(), pa.string())),
        ("in_stock", pa.bool_()),
        ("attributes", pa.map_(pa.large_string(), pa.large_string())),  # as `as_pairs` makes them
        ("photo", pa.string()),
        ("document", pa.large_binary()),
        ("style_group", pa.large_string()),  # the medoid's product_id; null where a snapshot has no groups
        ("style_score", pa.float32()),  # the similarity to the medoid
    ]
)
FIELDS: Final = Product.model_fields.keys()
"""Those of a product's document."""
_READ_TOGETHER: Final = 10_000
"""Documents, of which millions would not fit into memory."""
Sort = Literal["product_id", "price", "-price", "title"]


class Place(NamedTuple):
    """Where a product stands in an order: what it is sorted by (None without a price) and, among equals, its id."""

    first: str | float | None
    product_id: str

    def key(self, sort: Sort) -> tuple[bool, str | float, str]:
        """What places are compared by, as Python does."""
        if self.first is None:
            return True, "", self.product_id
        falls = sort == "-price" and not isinstance(self.first, str)
        return False, -float(self.first) if falls else self.first, self.product_id


class IndexedProduct(BaseModel):
    """A product and the SHA-256 (hex) of its main photo in the photo store, if it has one."""

    model_config = ConfigDict(frozen=True)

    product: Product
    photo: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A product as it is kept: `fields` are those of `Product` that are not at their default, checked when written.

    Reading one costs a tenth of making a product of it, and most of what is read is only shown.
    """

    fields: Mapping[str, Any]
    photo: str | None = None

    @property
    def product_id(self) -> str:
        """The product's id."""
        return str(self.fields["product_id"])

    @property
    def title(self) -> str:
        """Its title, empty where it has none."""
        return str(self.fields.get("title", ""))

    @property
    def supplier_id(self) -> str:
        """Its supplier, empty for a product of none."""
        return str(self.fields.get("supplier_id", ""))

    @property
    def attributes(self) -> Mapping[str, str]:
        """What it declares."""
        declared: Mapping[str, str] = self.fields.get("attributes", {})
        return declared

    @property
    def mode(self) -> Mode:
        """What there is of it: a photo, a text, or both."""
        return mode_of(self.title, self.photo)

    @property
    def item(self) -> IndexedProduct:
        """The product itself."""
        return IndexedProduct(product=Product.model_validate(self.fields), photo=self.photo)


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
        "currency": [product.currency for product in products],
        "in_stock": [product.in_stock for product in products],
        "attributes": [as_pairs(product.attributes) for product in products],
        "photo": [item.photo for item in items],
        "document": [product.model_dump_json(exclude_defaults=True).encode() for product in products],
        "style_group": pa.nulls(len(items), pa.large_string()),
        "style_score": pa.nulls(len(items), pa.float32()),
    }
    return pa.Table.from_arrays([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def variants_of(table: pa.Table) -> Variants:
    """What the rows of a table with `SCHEMA` say of their variants."""
    return Variants(table["attributes"].combine_chunks(), table["title"].combine_chunks())


def modes_of(table: pa.Table) -> NDArray[np.uint8]:
    """What there is of each row of a table with `SCHEMA`, as places in `MODES`."""
    has_photo = table["photo"].is_valid().to_numpy()
    has_text = pc.not_equal(pc.utf8_trim_whitespace(table["title"]), "").to_numpy()
    both = np.where(has_text, MODES.index("m"), MODES.index("i"))
    return np.where(has_photo, both, MODES.index("t")).astype(np.uint8)


def suppliers_of(table: pa.Table) -> NDArray[np.int32]:
    """A number for the supplier of each row of a table with `SCHEMA`, -1 where it has none."""
    column = one_chunk(table.select(["supplier_id"]).unify_dictionaries().combine_chunks(), "supplier_id")
    numbers: NDArray[np.int32] = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
    return np.where(numbers == pc.index(column.dictionary, "").as_py(), np.int32(-1), numbers)


def read_table(path: Path) -> pa.Table:
    """`products.parquet` as a table with `SCHEMA`."""
    return pq.read_table(path, memory_map=True).select(SCHEMA.names).cast(SCHEMA)


def read_anew(table: pa.Table) -> pa.Table:
    """A table with `SCHEMA`, its attributes as this version reads them (GTINs) in the documents, whoever wrote it."""
    kind = SCHEMA.field("attributes")
    parts = [
        pa.array(
            [as_pairs(orjson.loads(document).get("attributes", {})) for document in batch["document"].to_pylist()],
            kind.type,
        )
        for batch in table.select(["document"]).to_batches(max_chunksize=_READ_TOGETHER)
    ]
    return table.set_column(table.schema.get_field_index(kind.name), kind, pa.chunked_array(parts, kind.type))


class ProductTable:
    """Some products by row, id and condition; immutable, safe for any number of threads."""

    def __init__(self, arrays: Arrays, name: str = "") -> None:
        """From what `packed` made; nothing is copied but distinct texts. `name` is that of its snapshot."""
        self._name = name
        self._arrays = arrays
        self._ids = arrays["product_id"]
        self._documents = arrays["document"]
        self._photos = arrays["photo"]
        self.columns = Columns(arrays)
        self.styles = Styles(arrays)
        self.words = Postings.read(arrays)
        """What its products say; None where it was not mapped, or written by a version with none, or others."""
        self._by_hash: NDArray[np.uint32] = arrays["hash.rows"].to_numpy()
        self._hashes: NDArray[np.uint64] = arrays["hash.sorted"].to_numpy()
        self._orders: dict[Sort, NDArray[np.uint32]] = {
            sort: arrays[f"order.{sort}"].to_numpy() for sort in get_args(Sort) if f"order.{sort}" in arrays
        }

    @classmethod
    def of(cls, table: pa.Table) -> "ProductTable":
        """From a table with `SCHEMA`."""
        return cls(packed(table))

    @classmethod
    def read(cls, path: Path) -> "ProductTable":
        """Read `products.parquet`."""
        return cls.of(read_table(path))

    @classmethod
    def map(cls, path: Path) -> "ProductTable":
        """Map what `write` wrote in a snapshot's folder; raises ValueError (ArrowInvalid) for what it did not."""
        arrays = read_arrays(path)
        check_whole(arrays)
        return cls(arrays, path.parent.name)

    def write(self, path: Path) -> None:
        """Write all of it as it is used, the orders and words too, to be mapped."""
        orders = {f"order.{sort}": pa.array(self._order(sort)) for sort in get_args(Sort)}
        write_arrays(path, {**self._arrays, **orders, **Postings.of(self._documents).packed})

    def __len__(self) -> int:
        return len(self._ids)

    def id_of(self, row: int) -> str:
        """The product id of a row; raises SnapshotDamaged where it cannot be read any more."""
        try:
            return str(self._ids[row].as_py())
        except (ValueError, IndexError):
            return self.listing(row).product_id  # the document has it, too

    def row_of(self, product_id: str) -> int:
        """The row of a product id; raises NotFound, and SnapshotDamaged where it cannot be told any more."""
        for row in self._rows_of([product_id]):
            if row >= len(self):
                raise self.damaged(row)
            return row
        raise NotFound(f"There is no product {product_id[:128]!r} in this snapshot.")

    def rows_of(self, product_ids: Sequence[str]) -> list[int]:
        """The rows of those of the ids that there are."""
        return [row for row in self._rows_of(product_ids) if row < len(self)]

    def _rows_of(self, product_ids: Sequence[str]) -> Iterator[int]:
        """The rows that the file names for some ids, be they in it or not."""
        wanted = np.array([id_hash(product_id) for product_id in product_ids], np.uint64)
        for product_id, wanted_hash, at in zip(product_ids, wanted, np.searchsorted(self._hashes, wanted), strict=True):
            while at < len(self._hashes) and self._hashes[at] == wanted_hash:  # different ids may have one hash
                if self._may_be(row := int(self._by_hash[at]), product_id):
                    yield row
                at += 1  # noqa: PLW2901

    def _may_be(self, row: int, product_id: str) -> bool:
        """Whether a row is of the id whose hash it has; where it cannot be read, 64 bits that agree are enough."""
        try:
            return self.id_of(row) == product_id
        except SnapshotDamaged:
            return True

    def listing(self, row: int) -> Listing:
        """The product of a row as it is kept; raises SnapshotDamaged where it cannot be read any more."""
        try:
            fields, photo = orjson.loads(self._documents[row].as_py()), self._photos[row].as_py()
        except (ValueError, IndexError):  # no JSON, no UTF-8, no such row
            raise self.damaged(row) from None
        if not isinstance(fields, dict) or "product_id" not in fields or not fields.keys() <= FIELDS:
            raise self.damaged(row)
        return Listing(fields, photo)

    def get(self, row: int) -> IndexedProduct:
        """The whole product of a row; raises SnapshotDamaged where it cannot be read any more."""
        listing = self.listing(row)
        try:
            return listing.item
        except ValueError:  # no product
            raise self.damaged(row) from None

    def of_gtin(self, code: str) -> NDArray[np.int64]:
        """The rows with a GTIN, as `catalogue.gtin.read_gtin` writes it; raises SnapshotDamaged where that is lost."""
        try:
            rows = self.columns.having(NAME, code).astype(np.int64)
        except ValueError:
            raise self.damaged("GTINs") from None
        return rows[rows < len(self)]  # of a file that has changed, others may be named

    def mask(self, filters: Filters) -> Mask:
        """Which rows pass, as bool [rows]; raises SnapshotDamaged where that cannot be told any more."""
        try:
            passed = self.columns.mask(filters)
        except (ValueError, IndexError):  # no UTF-8, no such row
            raise self.damaged("columns of these filters") from None
        if filters.ids is not None:
            listed = np.zeros(len(self), dtype=np.bool_)
            listed[self.rows_of(filters.ids)] = True
            passed &= listed
        passed[self.rows_of(filters.not_ids)] = False
        return passed

    def ordered(self, mask: Mask, sort: Sort) -> NDArray[np.uint32]:
        """The rows of a mask by a column, ties by product id; products without a price come last.

        Raises SnapshotDamaged where their order cannot be read any more.
        """
        order = self._order(sort)
        try:
            rows: NDArray[np.uint32] = order[mask[order]]
        except IndexError:
            raise self.damaged(f"order by {sort}") from None
        return rows

    def place(self, row: int, sort: Sort) -> Place:
        """Where a row stands in an order; raises SnapshotDamaged where that cannot be read any more."""
        product_id = self.id_of(row)
        if sort == "product_id":
            return Place(product_id, product_id)
        try:
            if sort == "title":
                return Place(str(self._arrays["title"][row].as_py()), product_id)
        except ValueError:
            raise self.damaged(row) from None
        price = float(self.columns.prices[row])
        return Place(None if math.isnan(price) else price, product_id)

    def after(self, rows: NDArray[np.uint32], place: Place, sort: Sort) -> NDArray[np.uint32]:
        """Those of ordered rows that stand behind a place, be there a product or not."""
        wanted = place.key(sort)
        return rows[bisect.bisect_right(rows, wanted, key=lambda row: self.place(int(row), sort).key(sort)) :]

    def sort_keys(self, rows: NDArray[np.uint32], sort: Sort) -> pa.Table:
        """What `sort` sorts some rows by: the column `first`, null where there is none, and `product_id`."""
        ids = self._ids.take(pa.array(rows))
        if sort in {"product_id", "title"}:
            return pa.table({"first": self._arrays[sort].take(pa.array(rows)), "product_id": ids})
        return pa.table({"first": pa.array(self.columns.prices[rows], from_pandas=True), "product_id": ids})

    def damaged(self, what: int | str) -> SnapshotDamaged:
        """Says that a row cannot be read, or whatever else."""
        named = f"product in row {what}" if isinstance(what, int) else what
        snapshot = f"snapshot {self._name}" if self._name else "this snapshot"
        return SnapshotDamaged(
            f"The {named} of {snapshot} cannot be read: a file has changed since it was verified. Look "
            "with `samestyle snapshot verify`, and roll back to the snapshot before or activate another.",
            row=what if isinstance(what, int) and what < len(self) else None,
        )

    def _order(self, sort: Sort) -> NDArray[np.uint32]:
        """All rows by a column; made when first asked for: texts of a million products take a second to sort."""
        order = self._orders.get(sort)
        if order is None:
            if sort in {"product_id", "title"}:
                keys = [(name, "ascending") for name in dict.fromkeys((sort, "product_id"))]
                table = pa.table({name: self._arrays[name] for name, _ in keys})
                order = pc.sort_indices(table, sort_keys=keys).to_numpy().astype(np.uint32)
            else:
                by_id = self._order("product_id")
                prices = self.columns.prices[by_id]
                order = by_id[np.argsort(-prices if sort == "-price" else prices, kind="stable")]  # NaN is last
            self._orders[sort] = order
        return order


def packed(table: pa.Table) -> dict[str, Any]:
    """The arrays of a `ProductTable`, by name, of a table with `SCHEMA`."""
    table = table.combine_chunks().unify_dictionaries()
    hashes = table.column("id_hash").to_numpy()
    by_hash = np.argsort(hashes, kind="stable").astype(np.uint32)
    return {
        **{name: one_chunk(table, name) for name in ("product_id", "title", "photo", "document")},
        **packed_columns(table),
        **packed_styles(*(one_chunk(table, name) for name in ("product_id", "style_group", "style_score"))),
        "hash.rows": pa.array(by_hash),
        "hash.sorted": pa.array(hashes[by_hash]),
    }
