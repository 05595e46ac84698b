"""Files: written so that a crash leaves the old one or the new one, never half of one; read ahead; hashed."""

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

_READ_AHEAD: Final = 131_072
"""Bytes; of more at once Linux reads no more than this, on disks whose requests are small."""

_SETTLED_NS: Final = 2_000_000_000
"""A file that was changed this long ago gets another time when it is changed again, however coarse a disk's are."""

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What storage without locks answers."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write under a temporary name in the same folder, fsync, rename over `path`, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Wait for, and hold, the right to a lock file, made where there is none: nobody else on this host has it then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def try_lock(path: Path) -> Iterator[int | None]:
    """As `lock_file`, but None at once where somebody has it; a child that is given the handle has it, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield lock.fileno()


def hold(path: Path) -> int:
    """Let `is_held` say so of a file or folder, until the handle is closed or the process ends, however it ends."""
    handle = os.open(path, os.O_RDONLY)
    with suppress(OSError):  # of storage without locks
        fcntl.flock(handle, fcntl.LOCK_SH)  # only ever kept from it while somebody looks, or removes it
    return handle


def is_held(path: Path) -> bool:
    """Whether a process holds a file or folder, or may: who cannot find out is told so.

    False where the storage has no locks to tell.
    """
    with kept_free(path) as is_free:
        return not is_free


@contextmanager
def kept_free(path: Path) -> Iterator[bool]:
    """Whether nobody holds a file or folder, as `is_held`; if so, whoever is about to waits meanwhile."""
    handle = _opened(path)
    if handle is None:
        yield False
        return
    try:
        yield _got_alone(handle)
    finally:
        os.close(handle)


def _opened(path: Path) -> int | None:
    for access in (os.O_RDWR, os.O_RDONLY):  # storage of a network wants the former for such a lock
        with suppress(OSError):
            return os.open(path, access)
    return None


def _got_alone(handle: int) -> bool:
    """Whether it is locked for this process alone now; where there are no locks, it is as good as that."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def sync_directory(path: Path) -> None:
    """Make the names in a folder (created, renamed, removed) survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(root: Path) -> None:
    """Fsync every file and folder below `root`, and `root` itself."""
    for folder, _, names in os.walk(root):
        for name in names:
            sync_directory(Path(folder) / name)
        sync_directory(Path(folder))


def sha256_file(path: Path) -> str:
    """The hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_known(path: Path) -> str:
    """As `sha256_file`, but read once by this process while the file's size, times and inode stay as they are."""
    stat = path.stat()
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) < _SETTLED_NS:
        return sha256_file(path)
    return _remembered(path, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


@lru_cache(maxsize=256)
def _remembered(path: Path, _mark: tuple[int, ...]) -> str:
    return sha256_file(path)


def read_ahead(files: Iterable[Path]) -> None:
    """Have the system read whole files in the background, one after the other, which will soon be read here and there.

    What is mapped and read in no order comes from a disk a page at a time, at a small part of its speed. Files that
    would take more than half of the machine's memory together are left alone.
    """
    paths = list(files)
    if 2 * sum(path.stat().st_size for path in paths) > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return
    for path in paths:
        with path.open("rb") as file:
            for start in range(0, path.stat().st_size, _READ_AHEAD):
                os.posix_fadvise(file.fileno(), start, _READ_AHEAD, os.POSIX_FADV_WILLNEED)
