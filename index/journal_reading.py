"""Reading the journal's tables on a connection: entries as what they mean, or as they are stored."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from catalogue.errors import JournalInvalid, JournalTrimmed
from index.group_commit import MAX_BYTES, MAX_ROWS
from index.journal_entries import Entry, numbers, to_entry
from index.journal_store import entries, state, vectors

MAX_READ_BYTES: Final = 4 * MAX_BYTES
"""Most bytes read at once; a single entry is always read."""

Stored = dict[str, Any]
"""A row of a table, by column."""


def entries_after(connection: Connection, position: int, limit: int) -> list[Entry]:
    """The entries after `position`, as `Journal.read_after` gives them."""
    last = _last_of_read(connection, position, limit)
    wanted = entries.c.position.between(position + 1, last)
    rows = connection.execute(select(entries).where(wanted).order_by(entries.c.position)).all()
    wanted = vectors.c.position.between(position + 1, last)
    found: dict[int, dict[str, dict[str, NDArray[np.float16]]]] = {row.position: {} for row in rows}
    for row in connection.execute(select(vectors).where(wanted)):
        if row.position in found:
            by_field = found[row.position].setdefault(row.fingerprint, {})
            by_field[row.field] = numbers(row.vector)
    # Read last: `trim` says so before it takes anything away, so whatever was missing above is seen here.
    trimmed, head = bounds(connection)
    check_reach(position, head, trimmed)
    _check_gaps(position, list(found))
    return [to_entry(row, found[row.position]) for row in rows]


def stored_after(connection: Connection, position: int, head: int) -> tuple[list[Stored], list[Stored]]:
    """Some of the entries after `position` and up to `head`, in their order, and their vectors, as they are stored."""
    last = min(_last_of_read(connection, position, MAX_ROWS), head)
    rows, parts = (
        [
            dict(row)
            for row in connection.execute(
                select(table).where(table.c.position.between(position + 1, last)).order_by(table.c.position)
            ).mappings()
        ]
        for table in (entries, vectors)
    )
    trimmed, _ = bounds(connection)
    check_reach(position, head, trimmed)
    _check_gaps(position, [row["position"] for row in rows])
    if not rows:
        raise _lacking(position)
    return rows, parts


def bounds(connection: Connection) -> tuple[int, int]:
    """The last position trimmed, and the last one given out."""
    trimmed, head = connection.execute(select(state.c.trimmed, state.c.head)).one()
    return int(trimmed), int(head)


def check_reach(position: int, head: int, trimmed: int) -> None:
    """Raise what `Journal.read_after` does where nothing can be read on after `position`."""
    if position > head:
        raise JournalInvalid(
            f"Position {position} is not of this journal, which ends at {head}. Restore the journal that belongs to "
            "the snapshot, or build the snapshot again."
        )
    if position < trimmed:
        raise JournalTrimmed(
            f"The journal begins after position {trimmed}, so nothing can be replayed from {position}. "
            "Use a newer snapshot, or build one."
        )


def _last_of_read(connection: Connection, position: int, limit: int) -> int:
    """The last position such that the entries after `position` up to there are within `limit` and MAX_READ_BYTES."""
    sizes = select(entries.c.position, entries.c.bytes).where(entries.c.position > position)
    total, last = 0, position
    for row in connection.execute(sizes.order_by(entries.c.position).limit(limit)):
        total += row.bytes
        if last > position and total > MAX_READ_BYTES:
            break
        last = row.position
    return last


def _check_gaps(position: int, found: Sequence[int]) -> None:
    if any(later - earlier != 1 for earlier, later in pairwise([position, *found])):
        raise _lacking(position)


def _lacking(position: int) -> JournalInvalid:
    return JournalInvalid(f"The journal lacks entries after position {position}. Restore it from a backup.")
