"""Snapshots between data directories: to and from any place fsspec knows (file://, s3://, gs://, ...).

A place holds a snapshot as `<url>/<name>/` with the same files as on disk. The manifest is written last and read
first, so what was not pushed to its end cannot be pulled. Products' photos and the model bundle do not travel along.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ValidationError

from catalogue.errors import InvalidInput, SamestyleError, SnapshotInvalid
from catalogue.files import sync_directory, sync_tree, write_atomic
from catalogue.versioned import first_reason
from index.checksums import BLOCK_BYTES, Progress, verify
from index.manifest import FileEntry, Manifest, SnapshotName, check_files, read_manifest, snapshot_path
from index.seal import sealed
from index.work_directories import work_directory

MAX_MANIFEST_BYTES: Final = 10_000_000
_MANIFEST: Final = "manifest.json"
_PART: Final = "[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
_FILE: Final = re.compile(f"{_PART}(/{_PART}){{0,3}}")
"""The names a snapshot's files have; a stranger's manifest may name no others."""


class _Named(BaseModel):
    """The one part of a manifest that is needed before there is a directory to read it from."""

    name: SnapshotName


def push(path: Path, url: str, *, progress: Progress = lambda count: None) -> str:
    """Copy a snapshot to `<url>/<name>`, and return that; one that is there already is left as it is.

    Every byte is verified first. Raises SnapshotInvalid for a snapshot that is damaged, when another one of that name
    is there, and when the place cannot be written; InvalidInput for a URL that cannot be used.
    """
    manifest = verify(path)
    text = (path / _MANIFEST).read_bytes()
    fs, root = _place(url)
    target = f"{root}/{path.name}"
    with _told(path.name, f"cannot be pushed to {url}"):
        there = _read_manifest_at(fs, target)
        if there not in {None, text}:
            raise SnapshotInvalid(
                f"snapshot {path.name}: another one of that name is at {url} already. "
                "Remove it there, push to another place, or build under another name."
            )
        if there is None:
            for name, entry in manifest.files.items():
                fs.makedirs(f"{target}/{name}".rpartition("/")[0], exist_ok=True)
                with (path / name).open("rb") as source, fs.open(f"{target}/{name}", "wb") as copy:
                    _copy(source, copy.write, name, entry, progress)
            _write_manifest_at(fs, target, text)
    return f"{url.rstrip('/')}/{path.name}"


def pull(url: str, root: Path, *, name: str | None = None, progress: Progress = lambda count: None) -> Path:
    """Fetch the snapshot at `url` to `<root>/<its name>`, or `name`, whole or not at all; returns its path.

    No more is read than the manifest says, and every byte is checked on its way. One that is there already is
    verified instead. Raises SnapshotInvalid with the reason, InvalidInput for a URL or name that cannot be used.
    """
    fs, source = _place(url)
    label = url.rstrip("/").rpartition("/")[2]
    with _told(label, f"cannot be pulled from {url}"):
        text = _read_manifest_at(fs, source)
        if text is None:
            raise SnapshotInvalid(f"snapshot {label}: there is no {_MANIFEST} at {url}, so no complete snapshot")
        given = _name_in(text, label)
        target = snapshot_path(root, name or given)
        if target.exists():
            return _already(target, text)
        with work_directory(root, target.name) as work:
            _fetch(fs, source, work / given, text, progress)
            ready = _renamed(work / given, target.name)
            sync_tree(ready)
            ready.rename(target)
            sync_directory(root)
    return target


def _fetch(fs: Any, source: str, work: Path, text: bytes, progress: Progress) -> None:
    """All files of a manifest, checked, and the manifest, into the new directory `work`."""
    work.mkdir()
    (work / _MANIFEST).write_bytes(text)
    manifest = read_manifest(work)
    for name in manifest.files:
        if not _FILE.fullmatch(name) or name == _MANIFEST:
            raise SnapshotInvalid(f"snapshot {work.name}: names the file {name[:100]!r}, which no snapshot has")
    needed, free = sum(entry.bytes for entry in manifest.files.values()), shutil.disk_usage(work).free
    if needed > free:
        raise SnapshotInvalid(
            f"snapshot {work.name}: takes {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room, try again"
        )
    for name, entry in manifest.files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        with fs.open(f"{source}/{name}", "rb") as remote, (work / name).open("xb") as copy:
            _copy(remote, copy.write, name, entry, progress)
    check_files(work, manifest)


def _copy(source: Any, write: Callable[[bytes], object], name: str, entry: FileEntry, progress: Progress) -> None:
    """One file in blocks; raises ValueError when it is not what the manifest says."""
    digest, left = hashlib.sha256(), entry.bytes
    while block := source.read(min(BLOCK_BYTES, left + 1)):
        left -= len(block)
        if left < 0:
            raise ValueError(f"{name} has more than the {entry.bytes} bytes of the manifest")
        digest.update(block)
        write(block)
        progress(len(block))
    if left:
        raise ValueError(f"{name} ends {left} bytes before the {entry.bytes} of the manifest")
    if digest.hexdigest() != entry.sha256:
        raise ValueError(f"{name} is corrupt: its SHA-256 differs from the manifest's")


def _renamed(path: Path, name: str) -> Path:
    """A snapshot nobody serves yet, under another name."""
    if path.name == name:
        return path
    manifest: Manifest = read_manifest(path).model_copy(update={"name": name})
    (path / _MANIFEST).write_bytes(sealed(manifest.model_dump_json(indent=2).encode()))
    return path.rename(path.with_name(name))


def _already(target: Path, text: bytes) -> Path:
    """The snapshot in the way of a pull, if it is the one that was asked for."""
    if (target / _MANIFEST).read_bytes() != text:
        raise InvalidInput(f"Another snapshot named {target.name} is here already. Choose another --name.")
    verify(target)
    return target


def _name_in(text: bytes, label: str) -> str:
    try:
        return _Named.model_validate_json(text).name
    except ValidationError as error:
        raise SnapshotInvalid(f"snapshot {label}: manifest.json: {first_reason(error)}") from None


def _read_manifest_at(fs: Any, place: str) -> bytes | None:
    """The manifest at a place; None where there is none."""
    try:
        with fs.open(f"{place}/{_MANIFEST}", "rb") as file:
            text: bytes = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(text) > MAX_MANIFEST_BYTES:
        raise ValueError(f"{_MANIFEST} has over {MAX_MANIFEST_BYTES // 1_000_000} MB")
    return text


def _write_manifest_at(fs: Any, place: str, text: bytes) -> None:
    """Last, and on a disk after all else has reached it."""
    if isinstance(fs, LocalFileSystem):
        sync_tree(Path(place))
        write_atomic(Path(place) / _MANIFEST, text)
    else:
        fs.pipe_file(f"{place}/{_MANIFEST}", text)  # object stores make a whole object visible at once


def _place(url: str) -> tuple[Any, str]:
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except Exception as error:  # an unknown protocol, a package that is missing, keys that are
        raise InvalidInput(f"{url} cannot be used: {error}") from error
    return fs, str(path).rstrip("/")


@contextmanager
def _told(name: str, what: str) -> Iterator[None]:
    """Raise SnapshotInvalid for whatever the file systems behind fsspec raise."""
    try:
        yield
    except SamestyleError:
        raise
    except Exception as error:
        raise SnapshotInvalid(f"snapshot {name}: {what}: {error}") from error
