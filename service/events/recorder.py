"""What a gateway keeps of searches (through a bounded queue) and of events (durable before the answer)."""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from catalogue.errors import DeadlineExceeded, EventsUnavailable, NotReady
from catalogue.settings import Settings
from service import metrics
from service.events import files
from service.events.spool import Event, Spool
from service.pools import Pools

log = structlog.get_logger(__name__)

MAX_WAITING: Final = 10_000
"""Searches not written yet; more are dropped and counted."""
MAX_SHOWN: Final = 100
"""Products kept of one answer."""
_DRAIN_S: Final = 0.5
_TOGETHER: Final = 2_000
_ROW_BYTES: Final = 500
_TRIM_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class SearchRow:
    """An answer, or a refusal: what was asked, and what was shown."""

    request_id: str
    time_ms: int
    kind: str
    product_id: str | None
    query: str | None
    has_photo: bool
    user_id: str | None
    shown: Sequence[str]
    snapshot: str | None
    experiment: str | None
    arm: str | None
    took_ms: float
    status: int

    @property
    def row(self) -> tuple[Any, ...]:
        """The columns of `searches`."""
        return (
            self.request_id, self.time_ms, self.kind, self.product_id, self.query, int(self.has_photo), self.user_id,
            json.dumps(self.shown), self.snapshot, self.experiment, self.arm, self.took_ms, self.status,
        )  # fmt: skip


class Recorder:
    """The events of one gateway. Until `start` nothing is taken in: what a gateway asks itself is nobody's search."""

    def __init__(self, settings: Settings, pools: Pools) -> None:
        self._settings = settings
        self._root = settings.data / "events"
        self._pools = pools
        self._spool: Spool | None = None
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write, name="events", daemon=True)
        self._complaint: str | None = None

    def start(self) -> None:
        """Open the spool; a disk that does not let it makes the gateway complain, not fail."""
        self._open()
        self._writer.start()

    def close(self) -> None:
        """Write what waits, as files, and stop."""
        self._closing.set()
        if self._writer.is_alive():
            self._writer.join()
        if self._spool is not None:
            self._spool.close()

    def complaints(self) -> list[str]:
        """Why events are not kept, where they are not, and which of before wait for somebody to look at them."""
        left = self._spool.passed_over if self._spool is not None else []
        return [*left, *([self._complaint] if self._complaint is not None else [])]

    def note(self, row: SearchRow) -> None:
        """Keep a search a little later, or not at all where too many wait; never waits itself."""
        if not self._writer.is_alive():
            return
        if len(self._waiting) >= MAX_WAITING:
            metrics.SEARCHES_DROPPED.inc()
            return
        self._waiting.append(row.row)  # plain numbers and texts: nothing of the request is held meanwhile

    async def add(self, events: Sequence[Event]) -> None:
        """Make events durable; each says then whether it `is_new`.

        Raises EventsUnavailable, Overloaded, NotReady, DeadlineExceeded.
        """
        spool = self._spool
        if spool is None or self._closing.is_set():
            raise NotReady("Events are not taken at the moment. Send them again later.")
        done = spool.add(events, _ROW_BYTES * len(events))
        try:
            await self._pools.in_time(asyncio.wrap_future(done))
        except DeadlineExceeded:
            raise DeadlineExceeded("The events were not written in time. Send them again; none counts twice.") from None

    def _open(self) -> None:
        try:
            self._spool = Spool(self._root, deadline_s=self._settings.deadline_s)
        except EventsUnavailable as error:
            self._complain(error)

    def _write(self) -> None:
        next_file = next_trim = time.monotonic()
        while not self._closing.wait(_DRAIN_S):
            if self._spool is None:
                self._open()
            try:
                self._drain()
                metrics.EVENTS_WAITING.set(self._spool.pending if self._spool is not None else 0)
                if time.monotonic() >= next_file:
                    self._file()
                    next_file = time.monotonic() + self._settings.events.file_s
                if time.monotonic() >= next_trim:
                    self._trim()
                    next_trim = time.monotonic() + _TRIM_S
            except Exception as error:  # noqa: BLE001  # the thread must outlive whatever a disk raises
                self._complain(error)
            else:
                self._complaint = None if self._spool is not None else self._complaint
        try:
            self._drain()
            self._file()
        except Exception as error:  # noqa: BLE001
            self._complain(error)

    def _drain(self) -> None:
        while self._waiting and self._spool is not None:
            some = [self._waiting[at] for at in range(min(_TOGETHER, len(self._waiting)))]
            kept = self._spool.add_searches(some)
            metrics.SEARCHES_DROPPED.inc(len(some) - kept)
            for _ in some:
                self._waiting.popleft()

    def _file(self) -> None:
        if self._spool is not None:
            self._spool.file()
            metrics.EVENTS_FILED.set_to_current_time()

    def _trim(self) -> None:
        kept = self._settings.events
        with files.locked(self._root):
            files.trim(self._root, retention_days=kept.retention_days, max_bytes=kept.max_bytes)

    def _complain(self, error: Exception) -> None:
        metrics.EVENTS_FAILURES.inc()
        complaint = str(error) or type(error).__name__
        if complaint != self._complaint:
            log.error("events_not_kept", reason=complaint)
        self._complaint = complaint
