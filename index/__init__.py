"""Snapshots of embedded products and the search over them."""

from index.checksums import verify
from index.delta import Delta, DeltaView
from index.filters import Filters
from index.journal import Journal
from index.journal_entries import Change, Entry
from index.live import LiveIndex, LiveView
from index.manifest import Manifest
from index.products import IndexedProduct, ProductTable
from index.search import Neighbours, VectorIndex
from index.snapshot import Snapshot
from index.snapshot_writer import write_snapshot

__all__ = [
    "Change",
    "Delta",
    "DeltaView",
    "Entry",
    "Filters",
    "IndexedProduct",
    "Journal",
    "LiveIndex",
    "LiveView",
    "Manifest",
    "Neighbours",
    "ProductTable",
    "Snapshot",
    "VectorIndex",
    "verify",
    "write_snapshot",
]
