"""A made-up catalogue with known styles, of any size: products as a table, vectors, and which listing is which.

Styles lie in families (cosines about 0.64), and every sixth is a design that resembles another one (0.85): these must
be kept apart by the threshold. Every sixth is a variant of the one before it, too near (0.95) for the vectors to tell,
but most of its listings declare another colour. Listings scatter around their style, some of them widely. Most styles
have one to ten listings; a few have up to 2,000, and one is a thousand listings with one and the same vector.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from index.products import SCHEMA, id_hash

DIM: Final = 256
_LARGE: Final = (200, 500, 1_000, 2_000)
_EQUAL: Final = 1_000
_COLOURS: Final = 12
_DECLARED: Final = 0.8
_TITLE: Final = "a listing"
"""It tells nothing, as a number of the style would."""
_SUPPLIERS: Final = 5_000
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Planted:
    """`variant` and `design` int64 [rows] say which listings are the same, and the same but for their colour."""

    products: pa.Table
    vectors: NDArray[np.float16]
    variant: NDArray[np.int64]
    design: NDArray[np.int64]


def plant(rows: int, seed: int = 7) -> Planted:
    """The same catalogue for the same number of rows; `vectors` are unit rows [rows, DIM], at least 10,000 of them."""
    random = np.random.default_rng(seed)
    sizes = _sizes(rows, random)
    kind = random.random(len(sizes))
    is_variant, is_alike = kind < 1 / 6, (kind >= 1 / 6) & (kind < 1 / 3)
    is_variant[0] = is_alike[0] = False
    styles = _style_vectors(is_variant, is_alike, max(1, rows // 500), random)
    design = np.cumsum(~is_variant) - 1
    colour = (design + np.arange(len(sizes))) % _COLOURS  # a variant's is the one after that before it
    order = random.permutation(rows)
    variant = np.repeat(np.arange(len(sizes)), sizes)[order]
    spread = random.lognormal(np.log(0.35), 0.4, rows).astype(np.float32)
    spread[variant == len(sizes) - 1] = 0
    vectors = np.empty((rows, DIM), np.float16)
    for start in range(0, rows, _CHUNK):
        part = slice(start, start + _CHUNK)
        noise = random.normal(size=(len(variant[part]), DIM)).astype(np.float32) / np.sqrt(np.float32(DIM))
        vectors[part] = _unit(styles[variant[part]] + spread[part, np.newaxis] * noise)
    colours = np.where(random.random(rows) < _DECLARED, colour[variant], -1)
    return Planted(_table(variant, colours, random), vectors, variant, design[variant])


def _sizes(rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    """How many listings each style has; the last is the one of equal vectors."""
    large = [*(size for size in _LARGE if size * 50 <= rows), min(_EQUAL, rows // 10)]
    usual = np.where(random.random(rows) < 0.6, 1, 1 + random.geometric(0.25, rows))
    until = int(np.searchsorted(np.cumsum(usual), rows - sum(large)))
    usual = usual[: until + 1]
    usual[-1] -= usual.sum() + sum(large) - rows
    return np.concatenate([usual, large]).astype(np.int64)


def _style_vectors(
    is_variant: NDArray[np.bool_], is_alike: NDArray[np.bool_], families: int, random: np.random.Generator
) -> NDArray[np.float32]:
    count = len(is_variant)
    centres = _unit(random.normal(size=(families, DIM)).astype(np.float32))
    own = _unit(random.normal(size=(count, DIM)).astype(np.float32))
    styles = _mixed(centres[random.integers(0, families, count)], own, 0.8)
    for style in np.flatnonzero(is_variant | is_alike).tolist():  # in order: the one before may be such a one too
        styles[style] = _mixed(styles[style - 1], own[style], 0.95 if is_variant[style] else 0.85)
    return styles


def _table(variant: NDArray[np.int64], colours: NDArray[np.int64], random: np.random.Generator) -> pa.Table:
    rows = len(variant)
    ids = pa.array([f"p{row:08d}" for row in range(rows)], pa.large_string())
    suppliers = random.integers(0, _SUPPLIERS, rows)
    again = random.random(rows) < 0.2
    suppliers[again] = variant[again] * 7 % _SUPPLIERS  # the one who lists a style more than once
    declared = np.flatnonzero(colours >= 0)
    offsets = np.zeros(rows + 1, np.int32)
    offsets[1:] = np.cumsum(colours >= 0)
    values = pa.array([f"colour {number}" for number in range(_COLOURS)], pa.large_string())
    attributes = pa.MapArray.from_arrays(
        offsets,
        pa.array(["colour"] * len(declared), pa.large_string()),
        values.take(pa.array(colours[declared])),
    )
    documents = [f'{{"product_id": "p{row:08d}", "title": "{_TITLE}"}}'.encode() for row in range(rows)]
    columns: dict[str, Any] = {
        "product_id": ids,
        "id_hash": np.fromiter((id_hash(f"p{row:08d}") for row in range(rows)), np.uint64, rows),
        "title": pa.array([_TITLE] * rows, pa.large_string()),
        "supplier_id": pa.array([f"s{number}" for number in range(_SUPPLIERS)])
        .take(pa.array(suppliers))
        .dictionary_encode(),
        "price": random.lognormal(3, 1, rows).round(2),
        "attributes": attributes,
        "document": pa.array(documents, pa.large_binary()),
    }
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _mixed(one: NDArray[np.float32], other: NDArray[np.float32], cosine: float) -> NDArray[np.float32]:
    """Unit vectors at about this cosine from `one`; in so many dimensions two random ones are nearly orthogonal."""
    return _unit(np.float32(cosine) * one + np.float32(np.sqrt(1 - cosine**2)) * other)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
