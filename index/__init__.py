"""Snapshots of embedded products and the search over them."""

from index.delta import Delta, DeltaView
from index.filters import Filters
from index.journal import Change, Entry, Journal
from index.products import IndexedProduct, ProductTable
from index.search import Neighbours, VectorIndex
from index.snapshot import Manifest, Snapshot, newest_valid, verify, write_snapshot

__all__ = [
    "Change",
    "Delta",
    "DeltaView",
    "Entry",
    "Filters",
    "IndexedProduct",
    "Journal",
    "Manifest",
    "Neighbours",
    "ProductTable",
    "Snapshot",
    "VectorIndex",
    "newest_valid",
    "verify",
    "write_snapshot",
]
