"""One user's traces are removed: from the spools and from the files, whoever is at work on them."""

import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from catalogue.errors import Conflict, NotFound
from service.events import files
from service.events.spool import connect, file_rows, held_elsewhere, spools, unavailable

_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went."""

    events: int
    searches: int


def erase(root: Path, user_id: str, advance: Callable[[int], None] = lambda _: None) -> Erased:
    """Remove all that a user was shown and did, and what was done with answers to him without saying that it was him.

    What is still under way in a gateway comes after. Raises EventsUnavailable (with all still there where something is
    of a newer schema), Conflict where a spool stays in use, or (with all still there) another machine has one open,
    NotFound where no gateway has kept events.
    """
    _expect(root)
    with unavailable(root), files.locked(root), ExitStack() as opened:
        files.check(root)
        for path in spools(root):
            if held_elsewhere(path):
                raise Conflict(f"{path} is in use on another machine. Stop the gateway there, then erase.")
        databases = [opened.enter_context(closing(connect(path))) for path in spools(root)]
        for database in databases:  # one place to look into, and what is marked for a file must not come back
            file_rows(database, root)
        searches = files.rewrite(root, "searches", lambda rows: _is(rows["user_id"], [user_id]), advance)
        answers = pc.unique(searches["request_id"])
        events = files.rewrite(root, "events", lambda rows: _is_of(rows, user_id, answers), advance)
        for database in databases:
            _overwrite(database)
    return Erased(len(events), len(searches))


def file_all(root: Path) -> int:
    """Let what is in the spools become files now; returns how many rows. Raises EventsUnavailable, or NotFound.

    Spools that another machine has open are left to the gateways there, which file them, too.
    """
    _expect(root)
    filed = 0
    with unavailable(root), files.locked(root):
        for path in spools(root):
            if held_elsewhere(path):
                continue
            with closing(connect(path)) as database:
                filed += file_rows(database, root)
    return filed


def _expect(root: Path) -> None:
    """Raise NotFound where no gateway has kept events: it is another folder that is meant."""
    if not root.is_dir():
        raise NotFound(f"No gateway has kept events in {root}. Name its data directory with --data.")


def _is_of(rows: pa.Table, user_id: str, answers: Any) -> Any:
    return pc.or_(_is(rows["user_id"], [user_id]), _is(rows["request_id"], answers))


def _is(column: Any, values: Collection[str]) -> Any:
    return pc.is_in(column, value_set=pa.array(values, pa.string()))


def _overwrite(database: sqlite3.Connection) -> None:
    """Take what was deleted out of the log that SQLite keeps beside the file, too."""
    until = time.monotonic() + _PATIENCE_S
    while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > until:
            raise Conflict("A gateway keeps its spool busy, so traces may be left in its log. Run this again.")
        time.sleep(0.05)
