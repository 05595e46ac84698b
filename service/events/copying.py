"""Events and searches are copied beside gateways that write them: the spools as databases, at one moment for all."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from catalogue.errors import EventsUnavailable
from service.events import files
from service.events.spool import held_elsewhere, spools

_BUSY_S: Final = 5.0
_SPOOL: Final = "spool-"


def copy_events(
    root: Path,
    target: Path,
    listed: Callable[[Path], Iterable[Path]],
    copy: Callable[[Path, Path], None],
    say: Callable[[str], None],
) -> None:
    """Copy a folder of events into the new folder `target`; each row is there once. Raises EventsUnavailable.

    While the spools are copied nothing becomes a file, so that what is in them is in no file that is `listed` then.
    Those files are copied by `copy` afterwards, while gateways go on; one that is removed meanwhile is its
    FileNotFoundError. A spool that another machine has open is left out, and told.
    """
    if not root.is_dir():
        return
    with files.locked(root):
        for path in spools(root):
            if held_elsewhere(path):
                say(f"left out: {path} is in use on another machine; `samestyle events file` there makes files of it")
            else:
                _copy_spool(path, target / path.name)
        others = [path for path in listed(root) if not path.name.startswith(_SPOOL)]
    for path in others:
        copy(path, target / path.relative_to(root))


def _copy_spool(source: Path, target: Path) -> None:
    """As it is at one moment, with what stands only in the log beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=_BUSY_S)) as spool,
            closing(sqlite3.connect(target)) as copied,
        ):
            spool.backup(copied)
            copied.execute("PRAGMA journal_mode=DELETE")  # no log beside it: it is one file
    except sqlite3.Error as error:
        raise EventsUnavailable(f"{source} cannot be copied: {error}. Repair it, or move it away.") from error
