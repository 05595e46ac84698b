"""Changes for the tests of journal and delta."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.journal import Journal
from index.journal_entries import Change, Entry
from tests.index.builders import FINGERPRINT, item, unit_rows

OTHER = "0" * 64


def upsert(
    product_id: str, seed: int = 0, *, title: str = "x", dim: int = 8, fields: Iterable[str] = ("fusion",)
) -> Change:
    """A product whose vector in each field is that of its seed."""
    by_field = {name: unit_rows(1, dim, seed)[0] for name in fields}
    return Change.upsert(item(product_id, title=title), {FINGERPRINT: by_field})


def stored(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector.astype(np.float16).astype(np.float32)


def everything(journal: Journal, position: int = 0, limit: int = 1_000) -> list[Entry]:
    """All entries after a position, as a tailing reader gets them."""
    entries: list[Entry] = []
    while some := journal.read_after(entries[-1].position if entries else position, limit):
        entries += some
    return entries


def ids(entries: Iterable[Entry]) -> list[str]:
    return [entry.product_id for entry in entries]


def only_vectors(entry: Entry) -> Mapping[str, NDArray[np.float16]]:
    return entry.vectors[FINGERPRINT]


def sqlite(folder: Path) -> Path:
    return folder / "journal.sqlite3"
