"""Full verification: every byte of a snapshot against its manifest, at a pace that leaves room for who is serving.

What was verified is remembered in `<data>/verified/<name>.json` by each file's size, time of change and inode, under
the SHA-256 of the manifest, so that the same files are not read again.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalogue.files import sha256_file, write_atomic
from index.manifest import Manifest, check_files, invalid, read_manifest

SCHEMA_VERSION: Final = 1
BLOCK_BYTES: Final = 1 << 20
_CREDIT_S: Final = 0.05

Progress = Callable[[int], None]
"""Called with how many more bytes are done."""


class FileMark(BaseModel):
    """What tells that a file is the one that was verified."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    mtime_ns: int
    inode: int


class Record(BaseModel):
    """`verified/<name>.json`: the files of one manifest, as they were when their checksums were right."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    manifest: str
    """The SHA-256 of manifest.json."""
    files: dict[str, FileMark]


class Pace:
    """At most so many bytes a second, evenly: a late wake-up is made up for, a longer rest is not."""

    def __init__(self, max_bytes_per_s: float) -> None:
        self._rate = max_bytes_per_s
        self._free_at = time.monotonic()

    def __call__(self, count: int) -> None:
        """Sleep for as long as `count` bytes may take."""
        self._free_at = max(self._free_at, time.monotonic() - _CREDIT_S) + count / self._rate
        time.sleep(max(0.0, self._free_at - time.monotonic()))


def verify(
    path: Path,
    *,
    remembered: Path | None = None,
    max_bytes_per_s: float | None = None,
    progress: Progress = lambda count: None,
) -> Manifest:
    """Check every byte of a snapshot against its manifest, and that against its seal; raises SnapshotInvalid.

    Where `remembered` is given, the folder of records, files that were verified before are not read again, and what
    is verified now is remembered there. `progress` counts them all, up to the sum of the manifest's sizes.
    """
    manifest = read_manifest(path)
    check_files(path, manifest)
    seal = sha256_file(path / "manifest.json")
    known = _recall(path.name, remembered, seal) if remembered is not None else {}
    pace = Pace(max_bytes_per_s) if max_bytes_per_s is not None else None
    marks: dict[str, FileMark] = {}
    for name, entry in manifest.files.items():
        try:
            marks[name] = _mark(path / name)
            if marks[name] == known.get(name):
                progress(entry.bytes)
                continue
            digest = _sha256(path / name, entry.bytes, pace, progress)
            changed = _mark(path / name) != marks[name]
        except OSError as error:
            raise invalid(path, f"{name} cannot be read ({error.strerror})") from None
        if changed:
            raise invalid(path, f"{name} was changed while it was read; nothing may write to a snapshot")
        if digest != entry.sha256:
            raise invalid(path, f"{name} is corrupt: its SHA-256 differs from the manifest's")
    if remembered is not None and marks != known:
        _write(path.name, remembered, Record(manifest=seal, files=marks))
    return manifest


def remember(path: Path, remembered: Path) -> None:
    """Take a snapshot that was just written from checked bytes as verified; raises SnapshotInvalid."""
    manifest = read_manifest(path)
    check_files(path, manifest)
    marks = {name: _mark(path / name) for name in manifest.files}
    _write(path.name, remembered, Record(manifest=sha256_file(path / "manifest.json"), files=marks))


def forget(name: str, remembered: Path) -> None:
    """Let the next verification of a snapshot read all of it."""
    _record_path(name, remembered).unlink(missing_ok=True)


def _sha256(path: Path, size: int, pace: Pace | None, progress: Progress) -> str:
    """Of the first `size` bytes: who writes to the file meanwhile must not keep the reader for ever."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(min(BLOCK_BYTES, size)):
            digest.update(block)
            size -= len(block)
            progress(len(block))
            if pace is not None:
                pace(len(block))
    return digest.hexdigest()


def _recall(name: str, remembered: Path, seal: str) -> Mapping[str, FileMark]:
    """The marks of what was verified; none where that is not known, or was of another manifest."""
    try:
        record = Record.model_validate_json(_record_path(name, remembered).read_bytes())
    except (OSError, ValidationError):
        return {}
    return record.files if record.manifest == seal else {}


def _write(name: str, remembered: Path, record: Record) -> None:
    with suppress(OSError):  # what cannot be remembered is read again
        write_atomic(_record_path(name, remembered), record.model_dump_json(indent=2).encode())


def _mark(path: Path) -> FileMark:
    stat = path.stat()
    return FileMark(bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def _record_path(name: str, remembered: Path) -> Path:
    return remembered / f"{name}.json"
