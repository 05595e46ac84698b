"""What is done to snapshots as wholes: comparing two, and removing those nobody needs."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogue.errors import InvalidInput, SnapshotInvalid
from catalogue.files import is_held, sync_directory
from index.aliases import AliasTable, locked_aliases
from index.checksums import forget
from index.journal import Journal
from index.manifest import FieldName, Manifest, check_files, list_snapshots, read_manifest
from index.work_directories import LEFTOVER_AGE_S, leftovers

_TORN: Final = re.compile(r"\..+\.[a-z0-9_]{8}")
"""What `tempfile` makes of the prefix that `catalogue.files.write_atomic` gives it."""
_COMPARED: Final = (
    *("model", "fingerprint", "variant", "dim", "fields"),
    *("index_type", "index_parameters", "recall_at_10", "journal_position"),
)
_CHUNK_ROWS: Final = 65_536
_VECTOR_SLACK: Final = 1e-3
"""How far a component may be off where nothing changed: encoders round differently from batch to batch."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Some:
    """How many products, and the ids of the first of them."""

    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What it takes to come from one snapshot to another."""

    manifest: Mapping[str, tuple[Any, Any]]
    """What the manifests say differently, by name."""
    added: Some
    removed: Some
    changed: Some
    unchanged: int
    documents: int
    """How many of the changed have another document, and so on."""
    photos: int
    vectors: int | None
    """None where they are vectors of two models, and all differ."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What `gc` kept and took away, or with `dry_run` would."""

    kept: tuple[str, ...]
    removed: tuple[str, ...]
    leftovers: tuple[str, ...]
    unreadable: tuple[str, ...]
    """Left alone, and the journal with them: nobody knows what they need of it."""
    freed_bytes: int
    trimmed: int
    """Changes that left the journal."""


def diff(a: Path, b: Path, *, first: int = 10) -> Difference:
    """Compare two snapshots product by product, each group with the ids of its `first` ones.

    Takes seconds and tens of bytes a product. Raises SnapshotInvalid.
    """
    old, new = read_manifest(a), read_manifest(b)
    check_files(a, old)
    check_files(b, new)
    try:
        old_ids, old_contents = _read_products(a)
        new_ids, new_contents = _read_products(b)
        match = pc.index_in(old_ids, value_set=new_ids).fill_null(-1).to_numpy()
        rows = np.flatnonzero(match >= 0)
        counterparts = match[rows]
        changed = {part: old_contents[part][rows] != new_contents[part][counterparts] for part in old_contents}
        if old.fingerprint == new.fingerprint:
            fields = [field for field in old.fields if field in new.fields]
            changed["vectors"] = _vectors_differ(a, b, fields, rows, counterparts)
    except Exception as error:  # NumPy and Arrow raise all there is for damaged files
        raise SnapshotInvalid(f"snapshots {a.name} and {b.name} cannot be compared: {error}") from error
    any_changed = np.logical_or.reduce(list(changed.values()))
    is_new = np.ones(len(new_ids), np.bool_)
    is_new[counterparts] = False
    said = {name: (getattr(old, name), getattr(new, name)) for name in _COMPARED}
    return Difference(
        manifest={name: values for name, values in said.items() if values[0] != values[1]},
        added=_some(new_ids, np.flatnonzero(is_new), first),
        removed=_some(old_ids, np.flatnonzero(match < 0), first),
        changed=_some(old_ids, rows[any_changed], first),
        unchanged=int((~any_changed).sum()),
        documents=int(changed["document"].sum()),
        photos=int(changed["photo"].sum()),
        vectors=int(changed["vectors"].sum()) if "vectors" in changed else None,
    )


def gc(data: Path, journal: Journal | None, *, keep: int, prefix: str = "", dry_run: bool = False) -> Collected:
    """Remove what nobody needs from a data directory.

    Kept are the snapshots that any alias names, now or as its previous one, those a process has open, the `keep` newest
    whole ones, and those whose names do not begin with `prefix`; what cannot be read is left alone. The journal is
    trimmed to where the oldest kept one takes it up, and no further than gateways elsewhere need it. Raises
    InvalidInput for a `keep` below 1, AliasesInvalid.
    """
    if keep < 1:
        raise InvalidInput("At least one snapshot must be kept.")
    root = data / "snapshots"
    with locked_aliases(data) as aliases:  # nobody activates what is about to go
        kept, removed, unreadable = _judge(root, aliases, keep, prefix)
        left = sorted((*leftovers(root), *_torn_writes(data)))
        freed = sum(map(_bytes, (*left, *(root / name for name in removed))))
        graves = [] if dry_run else [_bury(root / name) for name in removed]
    if not dry_run:
        for name in removed:
            forget(name, data / "verified")
        for gone in (*graves, *left):
            _remove(gone)
    trimmed = _trim(journal, kept, dry_run=dry_run) if journal is not None and kept and not unreadable else 0
    return Collected(
        kept=tuple(manifest.name for manifest in kept),
        removed=tuple(removed),
        leftovers=tuple(path.name for path in left),
        unreadable=tuple(unreadable),
        freed_bytes=freed,
        trimmed=trimmed,
    )


def _read_products(path: Path) -> tuple[Any, dict[str, NDArray[np.int64]]]:
    """The ids, and of each product's document and photo a hash that holds for this process."""
    ids: list[Any] = []
    hashes: dict[str, list[NDArray[np.int64]]] = {"document": [], "photo": []}
    with pq.ParquetFile(path / "products.parquet", memory_map=True) as file:
        for batch in file.iter_batches(_CHUNK_ROWS, columns=["product_id", *hashes]):
            ids.append(batch.column("product_id").cast(pa.large_string()))
            for part, known in hashes.items():
                known.append(np.fromiter(map(hash, batch.column(part).to_pylist()), np.int64, len(batch)))
    none = np.empty(0, np.int64)
    return (
        pa.chunked_array(ids, pa.large_string()).combine_chunks(),
        {part: np.concatenate([none, *known]) for part, known in hashes.items()},
    )


def _vectors_differ(
    a: Path, b: Path, fields: Sequence[FieldName], rows: NDArray[np.int64], counterparts: NDArray[np.int64]
) -> Mask:
    """Which of the rows of `a` have in any field another vector than their counterparts in `b`."""
    differ = np.zeros(len(rows), np.bool_)
    for field in fields:
        old = np.load(a / "vectors" / f"{field}.npy", mmap_mode="r", allow_pickle=False)
        new = np.load(b / "vectors" / f"{field}.npy", mmap_mode="r", allow_pickle=False)
        for start in range(0, len(rows), _CHUNK_ROWS):
            part = slice(start, start + _CHUNK_ROWS)
            differ[part] |= _rows_differ(old[rows[part]], new[counterparts[part]])
    return differ


def _rows_differ(old: NDArray[np.float16], new: NDArray[np.float16]) -> Mask:
    differ: Mask = (old.view(np.uint16) != new.view(np.uint16)).any(axis=1)
    where = np.flatnonzero(differ)  # few, mostly: arithmetic on float16 is slow
    distance = np.abs(old[where].astype(np.float32) - new[where].astype(np.float32))
    differ[where] = ~(distance <= _VECTOR_SLACK).all(axis=1)
    return differ


def _some(ids: Any, rows: NDArray[np.int64], first: int) -> Some:
    return Some(len(rows), tuple(ids.take(pa.array(rows[:first])).to_pylist()))


def _judge(root: Path, aliases: AliasTable, keep: int, prefix: str) -> tuple[list[Manifest], list[str], list[str]]:
    """What is kept, the newest first; the names of what is removed; and of what is left alone."""
    manifests, _ = list_snapshots(root)
    names = {manifest.name for manifest in manifests}
    unreadable = sorted(path.parent.name for path in root.glob("[!.]*/manifest.json") if path.parent.name not in names)
    whole = [manifest.name for manifest in manifests if _is_whole(root, manifest)]
    if not whole:  # as when a disk is not mounted
        return manifests, [], unreadable
    named = {name for state in aliases.aliases.values() for name in (state.snapshot, state.previous)}
    held = {name for name in names if is_held(root / name / "manifest.json")}
    wanted = named | held | set(whole[:keep]) | {name for name in names if not name.startswith(prefix)}
    kept = [manifest for manifest in manifests if manifest.name in wanted]
    return kept, sorted(names - wanted), unreadable


def _is_whole(root: Path, manifest: Manifest) -> bool:
    try:
        check_files(root / manifest.name, manifest)
    except SnapshotInvalid:
        return False
    return True


def _bury(path: Path) -> Path:
    """Take a snapshot out of sight as a whole, into a directory that is returned: half of one is never seen."""
    grave = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    path.rename(grave / path.name)
    sync_directory(path.parent)
    return grave


def _torn_writes(data: Path) -> Iterator[Path]:
    """Temporary files of writes that were killed, a day ago or longer: no write takes so long."""
    folders = (data, data / "verified", data / "reports", *data.glob("builds/*/"), *data.glob("photos/*/"))
    for folder in filter(Path.is_dir, folders):
        with os.scandir(folder) as found:
            yield from (Path(entry.path) for entry in found if _TORN.fullmatch(entry.name) and _is_old_file(entry))


def _is_old_file(entry: os.DirEntry[str]) -> bool:
    try:
        is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_AGE_S
    except FileNotFoundError:  # renamed meanwhile
        return False
    return is_old and entry.is_file(follow_symlinks=False)


def _bytes(path: Path) -> int:
    """What a file or directory takes; of one that another gc is removing, what was seen of it."""
    total = 0
    with suppress(FileNotFoundError):
        for inner in (path, *path.rglob("*")):
            total += inner.lstat().st_size if inner.is_file() else 0
    return total


def _remove(path: Path) -> None:
    """All of it is gone then, also where another gc removes the same."""
    while path.is_dir():
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _trim(journal: Journal, kept: Sequence[Manifest], *, dry_run: bool) -> int:
    """Trim to the lowest position of what is kept, here and by whoever shares the journal."""
    trimmed, head = journal.bounds()
    position = min(manifest.position_in(journal.id) for manifest in kept)
    if (needed := journal.needed()) is not None:
        position = min(position, needed)
    if not trimmed < position <= head:
        return 0
    if not dry_run:
        journal.trim(position)
    return position - trimmed
