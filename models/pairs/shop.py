"""The catalogue as tables: products with codes, categories, styles, and the words of their titles."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from catalogue.errors import CatalogueInvalid
from catalogue.product import CATEGORY_SEPARATOR, Product
from catalogue.readers import CatalogueRow, read_catalogue
from models.pairs.database import one_row

if TYPE_CHECKING:
    from models.pairs.database import Connection

WORDS: Final = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[^\PL\p{Han}\p{Hiragana}\p{Katakana}]+|\pN+"
"""Runs of letters, runs of digits (28x32cm and "28 x 32 cm" are one), and each sign of scripts without spaces."""
MAX_WORDS: Final = 64
SHIFT: Final = 2**32
RARITY: Final = 1_000
"""A word weighs ln(titles / titles with it), in whole thousandths."""

_SCHEMA: Final = pa.schema(
    {"product_id": pa.string(), "title": pa.string(), "category": pa.string(), "style": pa.string()}
)
_BATCH: Final = 50_000


def load_products(connection: "Connection", path: Path, level: int | None) -> int:
    """Create `products`; returns how many rows of the catalogue could not be used.

    `products` has one row a product, numbered by `code` in the order of ids: product_id, title, category (of `level`
    levels, null where there is none), style, and the words of the title as `keys`. A key is a word's weight times 2^32
    plus the word's number: keys of equal words are equal, and what a sum of keys is worth stands in its upper half.
    `worth` is the sum of all weights of a title, null without words. `vocabulary` has each word's key.

    Raises CatalogueInvalid when the catalogue cannot be read or holds no product.
    """
    connection.execute("CREATE TABLE listings (product_id VARCHAR, title VARCHAR, category VARCHAR, style VARCHAR)")
    skipped = [0]
    products = _rows(path, level, skipped)
    while rows := list(islice(products, _BATCH)):
        connection.register("batch", pa.Table.from_pylist(rows, schema=_SCHEMA))
        connection.execute("INSERT INTO listings SELECT * FROM batch")
        connection.unregister("batch")
    connection.execute(
        """CREATE TABLE words AS SELECT DISTINCT product_id, unnest(
             regexp_extract_all(lower(title), $words)[:$most]) AS word FROM listings""",
        {"words": WORDS, "most": MAX_WORDS},
    )
    connection.execute(
        """CREATE TABLE vocabulary AS SELECT word,
             greatest(1, round($rarity * ln(titles / count(*))))::BIGINT * $shift
               + row_number() OVER (ORDER BY word) AS key
           FROM words, (SELECT count(DISTINCT product_id) + 1 AS titles FROM words) GROUP BY word, titles""",
        {"rarity": RARITY, "shift": SHIFT},
    )
    connection.execute(
        """CREATE TABLE products AS
           SELECT (row_number() OVER (ORDER BY product_id) - 1)::INTEGER AS code, l.*, keys, worth
           FROM listings l LEFT JOIN (
             SELECT product_id, list(key ORDER BY key) AS keys, (sum(key) // $shift)::BIGINT AS worth
             FROM words JOIN vocabulary USING (word) GROUP BY product_id) USING (product_id)""",
        {"shift": SHIFT},
    )
    connection.execute("DROP TABLE listings; DROP TABLE words")
    if one_row(connection, "SELECT count(*) FROM products") == (0,):
        raise CatalogueInvalid(f"{path}: holds no product that could be read; `samestyle build` says why of each row")
    return skipped[0]


def shared_worth(one: str, other: str) -> str:
    """SQL for the weight of the words that two lists of keys share."""
    return f"coalesce(list_sum(list_filter({one}, lambda key: list_contains({other}, key))), 0) // {SHIFT}"


def _rows(path: Path, level: int | None, skipped: list[int]) -> Iterator[dict[str, Any]]:
    """The products of a catalogue, of two with one id the first."""
    seen: set[str] = set()
    for row in read_catalogue(path):
        if not isinstance(row, CatalogueRow):
            skipped[0] += row.severity == "error"
        elif row.product.product_id in seen:
            skipped[0] += 1
        else:
            seen.add(row.product.product_id)
            yield _row(row.product, level)


def _row(product: Product, level: int | None) -> dict[str, Any]:
    return {
        "product_id": product.product_id,
        "title": product.title,
        "category": CATEGORY_SEPARATOR.join(product.category_levels[:level]) or None,
        "style": product.style_id,
    }
