"""Files that people change while the gateway runs."""

import threading
from collections.abc import Callable
from pathlib import Path


class FileWatch:
    """A thread that calls `read` when a file has changed, and again after a reading that went wrong.

    `read` says whether it went well, and raises nothing.
    """

    def __init__(self, path: Path, read: Callable[[], bool], *, name: str, every_s: float) -> None:
        self._path, self._read, self._every_s = path, read, every_s
        self._seen, self._is_read = _signature(path), False  # it may have changed, or failed, since somebody read it
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

    def _watch(self) -> None:
        while not self._closing.wait(self._every_s):
            signature = _signature(self._path)
            if signature != self._seen or not self._is_read:
                self._seen, self._is_read = signature, self._read()


def _signature(path: Path) -> tuple[int, ...]:
    """What differs when a file is another one; empty without one."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns
