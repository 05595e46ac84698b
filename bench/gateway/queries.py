"""Queries of each kind by number: the same one for the same number, and no two alike, so that no cache knows them."""

import base64
import itertools
import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from bench.load import Request
from catalogue import demo
from catalogue.product import Product
from catalogue.readers import usable_rows
from index.snapshot import Snapshot
from models import ProductInput

Kind = Literal["text", "image", "image+text"]
KINDS: Final[tuple[Kind, ...]] = ("text", "image", "image+text")
K: Final = 10
_COMMENT: Final = b"\xff\xfe"
_WORDS: Final = ("for a gift", "in the evening", "as they had it", "like last year", "small", "of good quality")


def item(kind: Kind, number: int) -> ProductInput:
    """A query as the encoders take it."""
    return ProductInput(
        photo(number) if kind != "text" else None,
        words(number) if kind != "image" else None,
    )


def words(number: int) -> str:
    """A product's title, and what makes it another one."""
    titles = _titles()
    return f"{titles[number % len(titles)]} {_WORDS[number % len(_WORDS)]} {number}"


def photo(number: int) -> bytes:
    """A product's photo, with a comment that makes it another file of the same picture."""
    photos = _photos()
    comment = f"{number:012d}".encode()
    whole = photos[number % len(photos)]
    return whole[:2] + _COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment + whole[2:]


def request(kind: Kind, number: int) -> Request:
    """The same query as a request."""
    if kind == "text":
        return Request.post("/v1/search", {"text": words(number), "k": K})
    fields = {"k": str(K)} | ({"text": words(number)} if kind == "image+text" else {})
    return Request.upload("/v1/search/upload", photo(number), **fields)


def photo_request(number: int) -> Request:
    """A photo in JSON."""
    return Request.post("/v1/search", {"image": base64.b64encode(photo(number)).decode(), "k": K})


def id_request(product_id: str, size: int = 0) -> Request:
    """A product id in JSON of at least so many bytes."""
    made = Request.post("/v1/search", {"product_id": product_id, "k": K})
    return Request(made.path, made.method, made.content.ljust(size))


def some_ids(snapshot: Snapshot, count: int = 2_000) -> list[str]:
    """Ids of products all over the catalogue."""
    rows = random.Random(1).sample(range(len(snapshot.products)), min(count, len(snapshot.products)))
    return [snapshot.products.id_of(row) for row in rows]


class Source:
    """Requests of each kind that were never asked before."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def requests(self, kind: Kind) -> Iterator[Request]:
        """Without end."""
        return (request(kind, number) for number in self._numbers)


@lru_cache(1)
def _products() -> list[Product]:
    return [row.product for row in usable_rows(demo.CATALOGUE)]


@lru_cache(1)
def _titles() -> list[str]:
    return [product.title for product in _products()]


@lru_cache(1)
def _photos() -> list[bytes]:
    folder: Path = demo.CATALOGUE.parent
    return [(folder / product.images[0]).read_bytes() for product in _products()]
