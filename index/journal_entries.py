"""Changes of products and the entries of the journal they become: what is checked, and how they are stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from catalogue.errors import InvalidInput, TooLarge
from catalogue.product import ProductId
from index.group_commit import MAX_BYTES, MAX_ROWS
from index.journal_store import Row
from index.products import FIELDS, IndexedProduct, Listing

_ROW_BYTES: Final = 256
"""What a row takes beside its document and vectors, roughly and at most."""
_NORM_TOLERANCE: Final = 1e-3
_SHA256: Final = re.compile("[0-9a-f]{64}")
_FIELDS: Final = frozenset({"fusion", "image", "text"})
_PRODUCT_ID: Final = TypeAdapter(ProductId)

Vectors = Mapping[str, Mapping[str, NDArray[np.float32]]]
"""Unit vectors float32 [dim], by fingerprint and field."""


@dataclass(frozen=True, slots=True)
class Change:
    """A product put in place of what was there, or taken away (`item` is None).

    With `seen`, a position, only if the product has not changed after it: what is written was made from what was there.
    Raises InvalidInput for an id, digest, fingerprint, field or vector that cannot be stored.
    """

    product_id: str
    item: IndexedProduct | None = None
    vectors: Vectors = field(default_factory=dict)
    seen: int | None = None

    def __post_init__(self) -> None:
        try:
            _PRODUCT_ID.validate_python(self.product_id)
        except ValidationError:
            raise InvalidInput("A product id has 1 to 128 visible characters.") from None
        if self.item is not None and self.item.photo is not None and not _SHA256.fullmatch(self.item.photo):
            raise InvalidInput("A photo is named by 64 hexadecimal digits.")
        for fingerprint, by_field in self.vectors.items():
            check_vectors(fingerprint, by_field)

    @classmethod
    def upsert(cls, item: IndexedProduct, vectors: Vectors, *, seen: int | None = None) -> "Change":
        """`item` with its vectors for every model that should find it."""
        return cls(item.product.product_id, item, vectors, seen)

    @classmethod
    def delete(cls, product_id: str) -> "Change":
        """The end of a product, whether or not there is one."""
        return cls(product_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A change as it was stored: `vectors` are float16 [dim], by fingerprint and field."""

    position: int
    operation: Literal["upsert", "delete"]
    product_id: str
    document: bytes | None
    """The product as JSON; None for a delete."""
    photo: str | None
    written_at: datetime
    vectors: Mapping[str, Mapping[str, NDArray[np.float16]]]

    @property
    def listing(self) -> Listing | None:
        """The product as it is kept, but for fields that only a newer version knows; None for a delete.

        Raises ValueError for a document that is none of this product.
        """
        if self.document is None:
            return None
        fields = orjson.loads(self.document)
        if not isinstance(fields, dict) or fields.get("product_id") != self.product_id:
            raise ValueError("it is no document of that product")
        return Listing({name: value for name, value in fields.items() if name in FIELDS}, self.photo)

    @property
    def item(self) -> IndexedProduct | None:
        """The product and its photo; None for a delete. Raises ValueError for a document that is no such product."""
        listing = self.listing
        return None if listing is None else listing.item


def to_rows(changes: Sequence[Change]) -> tuple[list[Row], int]:
    """Changes as they are stored, and their size in bytes; raises TooLarge."""
    rows = [_to_row(change) for change in changes]
    size = sum(row.columns["bytes"] for row in rows)
    check_size(len(rows), size)
    return rows, size


def _to_row(change: Change) -> Row:
    item = change.item
    document = None if item is None else item.product.model_dump_json(exclude_defaults=True).encode()
    parts = vector_rows(change.vectors)
    columns = {
        "operation": "delete" if item is None else "upsert",
        "product_id": change.product_id,
        "document": document,
        "photo": None if item is None else item.photo,
        "bytes": _ROW_BYTES + len(document or b"") + sum(len(part["vector"]) for part in parts),
    }
    return Row(columns, parts, change.seen)


def vector_rows(given: Vectors) -> list[dict[str, Any]]:
    """Vectors as they are stored, one row each."""
    return [
        {"fingerprint": fingerprint, "field": name, "vector": vector.astype("<f2").tobytes()}
        for fingerprint, by_field in given.items()
        for name, vector in by_field.items()
    ]


def to_entry(row: Any, found: Mapping[str, Mapping[str, NDArray[np.float16]]]) -> Entry:
    """A row of the table of entries, with its vectors."""
    return Entry(
        position=row.position,
        operation=row.operation,
        product_id=row.product_id,
        document=row.document,
        photo=row.photo,
        written_at=datetime.fromtimestamp(row.written_at / 1_000_000, UTC),
        vectors=found,
    )


def numbers(stored: bytes) -> NDArray[np.float16]:
    """A vector as it is stored; of one that was cut within a number, those before it: who reads it knows how many."""
    return np.frombuffer(stored[: len(stored) // 2 * 2], "<f2")


def check_vectors(fingerprint: str, by_field: Mapping[str, NDArray[np.float32]]) -> None:
    """Raise InvalidInput for vectors that cannot be stored."""
    if not _SHA256.fullmatch(fingerprint):
        raise InvalidInput("A model fingerprint has 64 hexadecimal digits.")
    for name, vector in by_field.items():
        if name not in _FIELDS:
            raise InvalidInput(f"There is no field {name!r}; there are {', '.join(sorted(_FIELDS))}.")
        if vector.ndim != 1 or not abs(float(np.linalg.norm(vector)) - 1.0) <= _NORM_TOLERANCE:  # nor a NaN
            raise InvalidInput(f"The vector of {name} is not one of length 1.")


def check_size(rows: int, size: int) -> None:
    """Raise TooLarge for more than is written at once."""
    if rows > MAX_ROWS or size > MAX_BYTES:
        raise TooLarge(
            f"{rows} changes of {size / 1e6:.1f} MB are too much at once. "
            f"Send at most {MAX_ROWS} and {MAX_BYTES // 1_000_000} MB, several times."
        )
