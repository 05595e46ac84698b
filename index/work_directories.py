"""Hidden directories beside the snapshots, in which these are made, and what killed processes left of them."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from catalogue.files import hold, is_held, kept_free

LEFTOVER_AGE_S: Final = 86_400.0
_NAME: Final = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.[a-z0-9_]{8}")
"""What `tempfile` makes of the prefix that builds, pulls and removals give it."""


@contextmanager
def work_directory(root: Path, name: str) -> Iterator[Path]:
    """A new directory to make the snapshot `name` in, held meanwhile; what is still there at the end is removed."""
    root.mkdir(parents=True, exist_ok=True)
    work, handle = _made_and_held(root, name)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(handle)


def leftovers(root: Path) -> Iterator[Path]:
    """What builds, pulls and removals that were killed left behind.

    No process of this host holds it, and nothing in it changed for a day: on storage of a network, a process of another
    host may.
    """
    for path in root.iterdir() if root.is_dir() else ():
        if path.is_dir() and _NAME.fullmatch(path.name):
            with suppress(FileNotFoundError):  # whoever works there has just finished
                changed = max(inner.lstat().st_mtime for inner in (path, *path.rglob("*")))
                if time.time() - changed > LEFTOVER_AGE_S and not is_held(path):
                    yield path


def remove_leftovers(root: Path, name: str) -> None:
    """Remove, however young, what was left of snapshots `name` that were being made."""
    for path in root.glob(f".{name}.????????"):
        with kept_free(path) as is_free:
            if is_free:
                shutil.rmtree(path, ignore_errors=True)


def _made_and_held(root: Path, name: str) -> tuple[Path, int]:
    """A directory, and what holds it; another one where a sweep was there between the two."""
    while True:
        work = Path(tempfile.mkdtemp(dir=root, prefix=f".{name}."))
        with suppress(FileNotFoundError):
            handle = hold(work)
            if work.exists():
                return work, handle
            os.close(handle)
