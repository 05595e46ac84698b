"""Backups of a data directory, made beside a running gateway, and restored into an empty one.

    backup.json         written last: what there is, with the size and SHA-256 of every file but snapshots and photos
    journal.sqlite3     the journal as it was, whichever database holds it
    aliases.json        and experiments.json, and keys.json where it is in the data directory
    snapshots/  photos/  bundles/  events/      as in the data directory, each spool of events one file

The journal is copied first. What changes meanwhile comes too late for it, and so does not belong to the backup; every
photo it names is there already. Snapshots are copied if the copied journal leads on from them.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from catalogue.errors import BackupInvalid, Conflict, JournalTrimmed, JournalUnavailable, NotFound, SnapshotInvalid
from catalogue.files import sha256_file, sync_directory, sync_tree, write_atomic
from catalogue.settings import Settings
from catalogue.versioned import check_version
from index import Journal
from index.aliases import FILE as ALIASES
from index.aliases import AliasTable, read_aliases
from index.checksums import verify
from index.manifest import FileEntry, Manifest, SnapshotName, check_files, list_snapshots, read_manifest
from index.work_directories import remove_leftovers, work_directory
from service.events.copying import copy_events
from service.experiments.arms import FILE as EXPERIMENTS

SCHEMA_VERSION: Final = 1
_DESCRIPTION: Final = "backup.json"
_JOURNAL: Final = "journal.sqlite3"
_KEYS: Final = "keys.json"
_MANIFEST: Final = "manifest.json"
_MOUNTED: Final = frozenset({"lost+found"})
"""What an empty disk holds."""
_RESTORE: Final = "restore"
_BUNDLES: Final = "bundles"
_EVENTS: Final = "events"
_ATTEMPTS: Final = 3
_INSIDE: Final = "^[A-Za-z0-9_][^/]*(/[A-Za-z0-9_][^/]*)*$"
"""A file below the backup: no part of its path is hidden, or leads up."""
_BLOCK: Final = 1 << 20

Say = Callable[[str], None]


class JournalBounds(BaseModel):
    """Which journal it is, the last position trimmed, and the last one."""

    model_config = ConfigDict(frozen=True)

    id: str
    trimmed: int
    head: int


class Backup(BaseModel):
    """`backup.json`."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(ge=1)
    created_at: AwareDatetime
    samestyle: str = Field(description="the version that made it")
    snapshots: tuple[SnapshotName, ...]
    photos: int
    journal: JournalBounds | None = Field(description="null where no gateway has made one yet")
    files: dict[Annotated[str, StringConstraints(pattern=_INSIDE)], FileEntry]


class _TryAgain(Exception):
    """The data directory changed in a way that what was copied does not fit together."""


def create(settings: Settings, target: Path, *, previous: Path | None = None, say: Say = lambda _: None) -> Backup:
    """Back the data directory up to the new directory `target`, whole or not at all.

    What `previous`, an earlier backup beside it, holds too is linked from there instead of copied. Raises Conflict
    where there is something at `target`, SnapshotInvalid for a snapshot that is damaged, BackupInvalid for `previous`,
    EventsUnavailable for a spool that cannot be read, and what the journal raises.
    """
    if target.exists():
        raise Conflict(f"There is something at {target} already; every backup has a directory of its own.")
    if not settings.data.is_dir():
        raise NotFound(f"There is no data directory {settings.data}.")
    if previous is not None:
        read(previous)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _made_whole(target) as work:
                return _copy_all(settings, work, previous, say)
        except (_TryAgain, JournalTrimmed, FileNotFoundError) as error:
            if attempt == _ATTEMPTS:
                raise Conflict(
                    f"What was copied did not fit together, {_ATTEMPTS} times: {error}. Try again."
                ) from None
            say("files were exchanged meanwhile; once more")
    raise AssertionError


def _copy_all(settings: Settings, work: Path, previous: Path | None, say: Say) -> Backup:
    data = settings.data
    aliases = read_aliases(data)
    journal = _copy_journal(settings, work / _JOURNAL, say)
    manifests = _fitting(list_snapshots(data / "snapshots")[0], aliases, journal)
    for manifest in manifests:
        say(f"snapshot {manifest.name}")
        try:
            _copy_snapshot(data, work, manifest.name, previous)
        except SnapshotInvalid:
            if (data / "snapshots" / manifest.name / _MANIFEST).is_file():
                raise
            raise _TryAgain(f"snapshot {manifest.name} was removed") from None
    say("photos")
    photos = _copy_photos(data, work, previous, say)
    copy = _copy if previous is None else partial(_linked_or_copied, work, previous)
    for path in _files(data / _BUNDLES):
        copy(path, work / path.relative_to(data))
    copy_events(data / _EVENTS, work / _EVENTS, _files, copy, say)
    if aliases.aliases:
        write_atomic(work / ALIASES, aliases.model_dump_json(indent=2).encode())
    for name in (EXPERIMENTS, _KEYS):
        if (data / name).is_file():
            _copy(data / name, work / name)
    backup = Backup(
        schema_version=SCHEMA_VERSION,
        created_at=datetime.now(UTC),
        samestyle=version("samestyle"),
        snapshots=tuple(manifest.name for manifest in manifests),
        photos=photos,
        journal=journal,
        files={str(path.relative_to(work)): _entry(path) for path in _described(work)},
    )
    sync_tree(work)
    write_atomic(work / _DESCRIPTION, backup.model_dump_json(indent=2).encode())
    return backup


def _copy_journal(settings: Settings, target: Path, say: Say) -> JournalBounds | None:
    """The journal as it is now, in a file; None where there is none."""
    where = settings.journal_address
    if isinstance(where, Path) and not where.is_file():
        return None
    say("journal")
    try:
        with Journal.attach(where) as source, Journal.open(target) as copy:
            trimmed, head = source.copy_to(copy)
            bounds = JournalBounds(id=copy.id, trimmed=trimmed, head=head)
    except JournalUnavailable as error:
        raise JournalUnavailable(f"The journal cannot be copied: {error}") from None
    target.with_name(f"{target.name}.lock").unlink()
    return bounds


def _fitting(manifests: list[Manifest], aliases: AliasTable, journal: JournalBounds | None) -> list[Manifest]:
    """The snapshots that the copied journal leads on from; raises _TryAgain where one that an alias needs does not."""

    def fits(manifest: Manifest) -> bool:
        if journal is None or manifest.journal != journal.id:
            return journal is None or journal.trimmed == 0
        return journal.trimmed <= manifest.journal_position <= journal.head

    fitting = [manifest for manifest in manifests if fits(manifest)]
    names = {manifest.name for manifest in fitting}
    for alias, state in aliases.aliases.items():
        if state.snapshot not in names:
            raise _TryAgain(
                f"{alias} names snapshot {state.snapshot}, which cannot be read, or is older than the journal"
            )
    if manifests and not fitting:
        raise _TryAgain(f"the journal begins after {journal.trimmed if journal else 0}, and every snapshot before")
    return fitting


def _copy_snapshot(data: Path, work: Path, name: str, previous: Path | None) -> None:
    """Copy a snapshot's files and check them, or link to those of an earlier backup that holds the very same."""
    source, target = data / "snapshots" / name, work / "snapshots" / name
    earlier = previous / "snapshots" / name if previous is not None else None
    is_known = earlier is not None and _bytes_of(earlier / _MANIFEST) == _bytes_of(source / _MANIFEST)
    manifest = read_manifest(source)
    check_files(source, manifest)
    for inner in (*manifest.files, _MANIFEST):
        _link_or_copy(earlier / inner if earlier is not None and is_known else None, source / inner, target / inner)
    verify(target)


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _copy_photos(data: Path, work: Path, previous: Path | None, say: Say) -> int:
    """Copy or link every photo; returns how many. One that is not as its name says is told, and left out."""
    count = 0
    for path in _files(data / "photos"):
        inner = path.relative_to(data)
        try:
            _link_or_copy(previous / inner if previous is not None else None, path, work / inner, sha256=path.name)
        except BackupInvalid as error:
            say(f"left out: {error}")
        else:
            count += 1
    return count


def _link_or_copy(earlier: Path | None, path: Path, target: Path, sha256: str | None = None) -> None:
    """Link to what an earlier backup has, where it is the same, and copy else: what has rotted there is not handed on.

    A photo has the hash `sha256`; of a snapshot's file the size is enough, as all of it is verified then.
    """
    is_there = earlier is not None and earlier.is_file() and earlier.stat().st_size == path.stat().st_size
    if earlier is not None and is_there and (sha256 is None or sha256_file(earlier) == sha256):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(earlier, target)
    else:
        _copy(path, target, sha256)


def _linked_or_copied(work: Path, previous: Path, path: Path, target: Path) -> None:
    """Of files that may change under their name."""
    earlier = previous / target.relative_to(work)
    is_same = earlier.is_file() and earlier.stat().st_size == path.stat().st_size
    if is_same and sha256_file(earlier) == sha256_file(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(earlier, target)
    else:
        _copy(path, target)


def _files(root: Path) -> Iterator[Path]:
    """All whole files below a folder; what is hidden is being written, or was left by a kill."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def restore(source: Path, settings: Settings, *, say: Say = lambda _: None) -> Backup:
    """Lay a backup out as the data directory, every byte checked; returns what is there then.

    The journal goes to PostgreSQL where the settings say so. A photo that has rotted is told, and left out. Raises
    Conflict where there is data or a journal already, BackupInvalid and SnapshotInvalid for a backup that is damaged.
    """
    data = settings.data
    remove_leftovers(data, _RESTORE)
    if data.exists() and any(path.name not in _MOUNTED for path in data.iterdir()):
        raise Conflict(f"{data} is not empty. Restore to a new data directory, and then serve that one.")
    backup = read(source)
    _check_plain(source)
    with work_directory(data, _RESTORE) as work:  # inside: it may be a disk of its own
        for name, entry in backup.files.items():
            if not (source / name).is_file():
                raise BackupInvalid(f"{source} lacks {name}. Restore another backup.")
            _copy(source / name, work / name, entry.sha256)
        for name in backup.snapshots:
            say(f"snapshot {name}")
            _copy_snapshot(source, work, name, None)
        say("photos")
        photos = _copy_photos(source, work, None, say)
        if settings.journal is not None and backup.journal is not None:
            say("journal")
            with Journal.attach(work / _JOURNAL) as copy, Journal.open(settings.journal_address) as journal:
                copy.copy_to(journal)
            (work / _JOURNAL).unlink()
        sync_tree(work)
        for path in sorted(work.iterdir(), key=lambda path: path.name == "snapshots"):  # last: without, nothing serves
            path.rename(data / path.name)
        sync_directory(data)
    return backup.model_copy(update={"photos": photos})


def _check_plain(source: Path) -> None:
    """Raise BackupInvalid for what would have anything copied but the backup: links, pipes, devices."""
    for folder, folders, names in os.walk(source):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BackupInvalid(f"{path} is neither a file nor a folder, which is all a backup has. Take it away.")


def read(source: Path) -> Backup:
    """What a backup says it holds; raises BackupInvalid."""
    path = source / _DESCRIPTION
    try:
        text = path.read_bytes()
        check_version(text, SCHEMA_VERSION, lambda why: BackupInvalid(f"{path} {why}."))
        return Backup.model_validate_json(text)
    except OSError as error:
        raise BackupInvalid(f"{source} is no complete backup: {_DESCRIPTION}: {error.strerror}.") from None
    except ValidationError:
        raise BackupInvalid(f"{path} cannot be read as a backup's description. Take another backup.") from None


def _described(work: Path) -> Iterator[Path]:
    """What has no checksum elsewhere: snapshots have manifests, and photos are named by theirs."""
    yield from (path for path in sorted(work.iterdir()) if path.is_file())
    for folder in (_BUNDLES, _EVENTS):
        yield from _files(work / folder)


def _entry(path: Path) -> FileEntry:
    return FileEntry(bytes=path.stat().st_size, sha256=sha256_file(path))


def _copy(source: Path, target: Path, sha256: str | None = None) -> None:
    """Copy a file, and raise BackupInvalid where its bytes are not those."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file, target.open("xb") as copy:
        while block := file.read(_BLOCK):
            digest.update(block)
            copy.write(block)
    if sha256 not in {None, digest.hexdigest()}:
        target.unlink()
        raise BackupInvalid(f"{source} is not as it was written.")


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A new directory beside `target` that becomes it at the end."""
    with work_directory(target.parent, target.name) as work:
        yield work
        work.chmod(0o755)
        work.rename(target)
        sync_directory(target.parent)
