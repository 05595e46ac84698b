"""Commits of many callers as few: what arrives while one is made durable goes into the next, together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from catalogue.errors import Conflict, DeadlineExceeded, JournalUnavailable, Overloaded

MAX_ROWS: Final = 1_000
MAX_BYTES: Final = 16_000_000
"""Most rows and bytes of one commit, and so of one batch."""
MAX_WAITING: Final = 1_000
MAX_WAITING_BYTES: Final = 4 * MAX_BYTES

Row = TypeVar("Row")
Commit = Callable[[Sequence[Row]], int]
"""Makes rows durable, all or none; answers the position of the first, the others follow it.

Raises Conflict where one of them must not be written as it is; what was to go with it is then tried batch by batch.
"""


@dataclass(slots=True)
class _Batch(Generic[Row]):
    rows: Sequence[Row]
    bytes: int
    expires_at: float
    done: Future[list[int]] = field(default_factory=Future)


class GroupCommit(Generic[Row]):
    """A bounded queue of batches and the one thread that commits them, in order, as many at once as fit.

    Nothing waits for company: an idle thread commits what comes at once. Who waits for the result anyway may do it
    instead of that thread while nobody else commits (`try_now`); two commits never run at once.
    """

    def __init__(self, commit: Commit[Row], *, deadline_s: float) -> None:
        self._commit = commit
        self._deadline_s = deadline_s
        self._waiting: deque[_Batch[Row]] = deque()
        self._waiting_bytes = 0
        self._closed = False
        self._busy = False
        self._changed = threading.Condition()
        self._writer = threading.Thread(target=self._run, name="journal", daemon=True)
        self._writer.start()

    def submit(self, rows: Sequence[Row], size: int) -> Future[list[int]]:
        """The positions of `rows`, once they are durable; `size` is what they take in bytes.

        The future may be cancelled while nothing of it is written. Raises Overloaded when too much is waiting.
        """
        batch = _Batch(rows, size, time.monotonic() + self._deadline_s)
        with self._changed:
            if self._closed:
                raise JournalUnavailable("The service is shutting down; ask another instance.")
            if len(self._waiting) == MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
                raise Overloaded("Too many changes are waiting to be written. Try again in a second.", retry_after=1)
            self._waiting.append(batch)
            self._waiting_bytes += size
            if not self._busy:
                self._changed.notify()
        return batch.done

    def try_now(self, rows: Sequence[Row]) -> list[int] | None:
        """Commit on the caller's own thread, and return the positions; None, and nothing done, unless all is idle.

        To wake another thread and to be woken by it takes as long as a fast disk takes. Raises what the commit raises.
        """
        with self._changed:
            if self._closed or self._busy or self._waiting:
                return None
            self._busy = True
        try:
            first = self._commit(rows)
        finally:
            self._rest()
        return list(range(first, first + len(rows)))

    def close(self) -> None:
        """Commit what is waiting and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join()

    def _run(self) -> None:
        while group := self._gather():
            if wanted := [batch for batch in group if _still_wanted(batch)]:
                self._write(wanted)
            self._rest()

    def _rest(self) -> None:
        """Nobody commits any more; the thread is woken only where it has something to do."""
        with self._changed:
            self._busy = False
            if self._waiting or self._closed:
                self._changed.notify()

    def _gather(self) -> list[_Batch[Row]]:
        """What is written next, oldest first; nothing once the queue is closed and empty, and nobody commits."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and (self._waiting or self._closed))
            self._busy = True
            group: list[_Batch[Row]] = []
            rows = size = 0
            while self._waiting:
                rows += len(self._waiting[0].rows)
                size += self._waiting[0].bytes
                if group and (rows > MAX_ROWS or size > MAX_BYTES):
                    break
                group.append(self._waiting.popleft())
                self._waiting_bytes -= group[-1].bytes
            return group

    def _write(self, group: list[_Batch[Row]]) -> None:
        try:
            first = self._commit([row for batch in group for row in batch.rows])
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the callers, not to this thread
            is_of_one = isinstance(error, Conflict) and len(group) > 1  # the others go on
            for batch in group:
                if is_of_one:
                    self._write([batch])
                else:
                    batch.done.set_exception(error)
            return
        for batch in group:
            batch.done.set_result(list(range(first, first + len(batch.rows))))
            first += len(batch.rows)


def _still_wanted(batch: _Batch[Row]) -> bool:
    if not batch.done.set_running_or_notify_cancel():
        return False
    if time.monotonic() > batch.expires_at:
        batch.done.set_exception(
            DeadlineExceeded("The change waited too long to be written; nothing of it was. Try again.")
        )
        return False
    return True
