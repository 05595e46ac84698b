"""Which stored photos nobody needs any more, and taking them away."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogue.errors import Conflict
from catalogue.files import is_held
from index.journal import Journal
from index.manifest import list_snapshots

OLD_S: Final = 86_400.0
"""A photo is put into the store before the write or build that names it is done; each of these takes less."""
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_ASIDE: Final = re.compile(r"\.([0-9a-f]{64})\.unneeded-photo")
_FOLDER: Final = re.compile(r"[0-9a-f]{2}")
_CHUNK_ROWS: Final = 65_536
_GIVE_IT: Final = "Give SAMESTYLE_JOURNAL as the gateway has it"

Names = NDArray[np.uint64]


class Unneeded(NamedTuple):
    """How many photos nobody needs, and the bytes they take."""

    photos: int
    bytes: int


def collect_photos(data: Path, journal: Journal | None, *, dry_run: bool = False) -> Unneeded:
    """Remove the photos of a data directory that no snapshot and no entry of its journal names, a day old or more.

    Safe beside a gateway that serves and writes: `PhotoStore.put` makes a photo young again. Raises Conflict where
    nobody knows what is needed: without a journal or snapshots, with one that cannot be read or is of another journal,
    while a build is running.
    """
    if journal is None:
        raise Conflict(f"There is no journal, so nobody knows which photos were written. {_GIVE_IT}.")
    _check_is_told(data, journal)
    needed = np.unique(np.concatenate([*_of_snapshots(data / "snapshots"), _names(journal.photos())]))
    photos = taken = 0
    root = data / "photos"
    if not dry_run:
        _put_back(root)
    for path in _old_photos(root):
        if _is_in(needed, _name(path.name)):
            continue
        size = path.stat().st_size if dry_run else _remove(path)
        photos, taken = photos + (size > 0), taken + size
    return Unneeded(photos, taken)


def _check_is_told(data: Path, journal: Journal) -> None:
    """Raises Conflict unless what is there says all that is needed."""
    root = data / "snapshots"
    manifests, unreadable = list_snapshots(root)
    if unreadable or not manifests:
        what = f"{len(unreadable)} snapshots cannot be read" if unreadable else f"There is no snapshot in {root}"
        raise Conflict(f"{what}, so nobody knows which photos are needed. See `samestyle snapshot list`.")
    others = [one.name for one in manifests if one.journal not in {None, journal.id}]
    if others:
        raise Conflict(f"Snapshot {others[0]} goes on from another journal. {_GIVE_IT}, or remove the snapshot.")
    running = [lock.stem for lock in sorted((data / "builds").glob("*.lock")) if is_held(lock)]
    if running:
        raise Conflict(f"A build of {running[0]} is running, and needs photos of its own. Wait for it.")


def _of_snapshots(root: Path) -> Iterator[Names]:
    for path in sorted(root.glob("[!.]*/products.parquet")):
        with pq.ParquetFile(path, memory_map=True) as file:
            for batch in file.iter_batches(_CHUNK_ROWS, columns=["photo"]):
                yield _names(name for name in batch.column("photo").to_pylist() if name is not None)


def _names(digests: Iterable[str]) -> Names:
    """The first 64 bits of each: two of them agree once in a lifetime, and then a photo stays."""
    return np.fromiter(map(_name, digests), np.uint64)


def _name(digest: str) -> int:
    return int(digest[:16], 16)


def _is_in(needed: Names, name: int) -> bool:
    at = int(np.searchsorted(needed, np.uint64(name)))
    return at < len(needed) and int(needed[at]) == name


def _old_photos(root: Path) -> Iterator[Path]:
    before = time.time() - OLD_S
    for entry in _files(root):
        with suppress(FileNotFoundError):  # another gc was here
            if _NAME.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < before:
                yield Path(entry.path)


def _files(root: Path) -> Iterator[os.DirEntry[str]]:
    for folder in sorted(path for path in root.glob("*/") if _FOLDER.fullmatch(path.name)):
        with os.scandir(folder) as found:
            yield from found


def _put_back(root: Path) -> None:
    """What a run that was killed had taken out of sight; it is judged anew."""
    for entry in list(_files(root)):
        if name := _ASIDE.fullmatch(entry.name):
            with suppress(FileNotFoundError):
                Path(entry.path).rename(Path(entry.path).with_name(name.group(1)))


def _remove(path: Path) -> int:
    """The bytes of a photo that is gone now; 0 where somebody needs it again or has removed it.

    Out of sight first: who puts it meanwhile has made it young before, or finds none and writes it anew.
    """
    aside = path.with_name(f".{path.name}.unneeded-photo")
    with suppress(FileNotFoundError):
        path.rename(aside)
        now = aside.stat()
        if now.st_mtime < time.time() - OLD_S:
            aside.unlink()
            return now.st_size
        aside.rename(path)
    return 0
