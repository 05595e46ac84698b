"""The right of one process to a file: who has it is told to all others, on this machine and beyond."""

import fcntl
import os
from pathlib import Path
from typing import Final

from catalogue.errors import JournalLocked

_PID: Final = 20
_MACHINE: Final = 36
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def machine() -> str:
    """Names this machine until it is started anew, in every container on it."""
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


def is_held_elsewhere(path: Path) -> bool:
    """Whether a process on another machine has the `ProcessLock` at `path`."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, _MACHINE, _PID + 1).decode(errors="replace").strip()
        return holder not in {"", machine()}  # of a version that does not tell, as before
    else:
        return False
    finally:
        os.close(handle)


class ProcessLock:
    """The right of one process to a file, held until it is released or the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the right; raises JournalLocked, naming the process that has it."""
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            holder = f"{os.getpid():<{_PID}}\n{machine():<{_MACHINE}}\n"
            os.pwrite(self._handle, holder.encode(), 0)  # in place: works on a full disk too
        except BlockingIOError:
            holder = os.pread(self._handle, _PID, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise JournalLocked(
                f"{path.with_suffix('')} is in use by process {holder}, and only one process may use it. "
                "Stop that one, or keep the journal in PostgreSQL to share it."
            ) from None
        except BaseException:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let others have it."""
        os.close(self._handle)
