"""Files that people change while the gateway runs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)
Content = TypeVar("Content")


class WatchedFile(Generic[Content]):
    """What a file holds, or held when it was last readable; a thread looks whether it has changed.

    After a reading that went wrong it is read at every look, until that goes well.
    """

    def __init__(self, path: Path, read: Callable[[], Content], before: Content, *, name: str, every_s: float) -> None:
        """`before` counts until the file has been read; `name` is that of the thread and of what is logged."""
        self.content = before
        self._path, self._read, self._name, self._every_s = path, read, name, every_s
        self._seen, self._is_read = _signature(path), False  # it may have changed, or failed, since somebody read it
        self._complaint: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

    def start(self) -> None:
        """Look from now on whether the file has changed."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def complaints(self) -> list[str]:
        """Why the content is not that of the file, where it is not."""
        return [self._complaint] if self._complaint is not None else []

    def look(self) -> None:
        """Take the file as it is now; one that cannot be read changes nothing."""
        self._seen = _signature(self._path)
        try:
            content = self._read()
        except Exception as error:  # noqa: BLE001  # whatever a disk raises, what was known before counts
            complaint = f"{error} What it held before still counts."
            if complaint != self._complaint:
                log.error("file_not_read", what=self._name, reason=complaint)  # noqa: TRY400
            self._complaint, self._is_read = complaint, False
            return
        if content != self.content:
            log.info("file_read", what=self._name)
        self.content, self._complaint, self._is_read = content, None, True

    def _watch(self) -> None:
        while not self._closing.wait(self._every_s):
            if not self._is_read or _signature(self._path) != self._seen:
                self.look()


def _signature(path: Path) -> tuple[int, ...]:
    """What differs when a file is another one; empty without one."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns
